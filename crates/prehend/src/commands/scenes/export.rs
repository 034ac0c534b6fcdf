//! Turns a checkpoint of the pick-and-place network into a bundle in `models/`.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use prehend_policy::pick_place::{SceneBundle, SceneInputs, SceneNetwork};
use prehend_policy::{Origin, is_plain_name};
use prehend_train::Provenance;
use prehend_train::pick_place::{
    PickPlaceCheckpoint, SceneStore, burn_says, export_scene, scene_inputs,
};
use prehend_types::config::{self, locate};
use serde::Serialize;

use super::EXAMPLES;
use crate::exit::{Class, Failure, Verdict};
use crate::policies::EngineArgs;
use crate::session::Session;

/// Views that burn and the engine must agree on.
const N_PARITY: usize = 100;
/// Largest difference between burn and the engine in any probability or direction.
const TOLERANCE: f32 = 1e-4;

/// Arguments of `prehend scenes export`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    /// Checkpoint of a pick-and-place network.
    #[arg(value_name = "CHECKPOINT")]
    checkpoint: PathBuf,
    /// Folder of labelled scenes: burn and the engine are compared on a hundred of their views.
    #[arg(long, value_name = "FOLDER")]
    scenes: PathBuf,
    /// Folder of the bundle; its last part is the network's name.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Text of the bundle's README.
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Debug, Serialize)]
struct Body {
    /// The bundle's folder; `None` if it was not written.
    out: Option<PathBuf>,
    parity_views: usize,
    /// Largest difference between burn and the engine.
    parity_difference: f32,
    engine: String,
}

impl Export {
    /// Exports.
    ///
    /// # Errors
    /// The checkpoint was refused, or the bundle could not be written.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let name = self.out.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| is_plain_name(name)) else {
            return Err(Failure::usage(
                "--out must end in the network's name: 1 to 64 of a-z, A-Z, 0-9, _ or -",
            ));
        };
        let file = locate(&self.checkpoint)?;
        let checkpoint = PickPlaceCheckpoint::load(&file)?;
        let scenes = SceneStore::open(&locate(&self.scenes)?)?.load()?;
        let mut inputs = scene_inputs(&checkpoint, &scenes);
        inputs.truncate(N_PARITY);
        if inputs.is_empty() {
            return Err(Failure::bad_input(format!(
                "{:?} holds no scene",
                self.scenes
            )));
        }
        let card = match &self.card {
            Some(path) => config::read(path)?,
            None => format!(
                "# {name}\n\nGrasps and placements from a cloud. Not evaluated at export.\n"
            ),
        };
        let Provenance { starter, ancestors } = Provenance::beside(&file)?.unwrap_or_default();
        let origin = Origin {
            command: starter.command,
            data: checkpoint.data.clone(),
            seed: checkpoint.seed,
            started_wall: starter.started_wall,
            elapsed_s: checkpoint.elapsed_s,
            version: starter.version,
            ancestors,
            evaluation_on: None,
            evaluation: None,
        };
        let write = |folder: &std::path::Path| -> Result<SceneBundle, Failure> {
            Ok(export_scene(
                &checkpoint,
                name,
                origin.clone(),
                &inputs,
                &card,
                folder,
            )?)
        };
        // Tried elsewhere first: a bundle that differs must not replace one that does not.
        let trial = tempfile::tempdir()
            .map_err(|error| Failure::new(Class::Runtime, error).context("no temporary folder"))?;
        let bundle = write(&trial.path().join(name))?;
        let mut network = SceneNetwork::from_bundle(&bundle, &self.engine.open()?)?;
        let mut compare = |inputs: &SceneInputs| -> Result<f32, Failure> {
            let said = network
                .infer(inputs)
                .map_err(|error| Failure::new(Class::Runtime, error))?;
            Ok(said.difference(&burn_says(&checkpoint, inputs)))
        };
        let mut difference = 0.0_f32;
        for inputs in &inputs {
            difference = difference.max(compare(inputs)?);
        }
        let is_equal = difference <= TOLERANCE;
        if is_equal {
            write(&self.out)?;
        }
        let body = Body {
            out: is_equal.then(|| self.out.clone()),
            parity_views: inputs.len(),
            parity_difference: difference,
            engine: network.provider().to_owned(),
        };
        session.report(Some(checkpoint.seed), &body, &body)?;
        let shortfall = (!is_equal).then(|| {
            format!(
                "burn and {} differ by {difference:.1e}, at most {TOLERANCE:.0e} is allowed: nothing \
                 was written",
                body.engine
            )
        });
        Ok(Verdict::from_shortfall(shortfall))
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let out = self.out.as_ref();
        write!(
            f,
            "{}; burn and {} differ by at most {:.1e} on {} views",
            out.map_or_else(
                || "nothing written".to_owned(),
                |out| format!("wrote {out:?}")
            ),
            self.engine,
            self.parity_difference,
            self.parity_views
        )
    }
}
