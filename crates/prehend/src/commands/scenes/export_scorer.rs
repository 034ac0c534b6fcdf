//! Turns a scorer's checkpoint into a part of the bundle whose proposals it ranks.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use prehend_cloud::CloseUp;
use prehend_policy::Origin;
use prehend_policy::pick_place::{Judged, MOST_SCORED, SceneBundle, SceneNetwork};
use prehend_train::Provenance;
use prehend_train::pick_place::{ScorerCheckpoint, Tried, add_scorer, scorer_says};
use prehend_types::config::locate;
use serde::Serialize;

use super::EXAMPLES;
use crate::exit::{Class, Failure, Verdict};
use crate::policies::EngineArgs;
use crate::session::Session;

/// Close-ups that burn and the engine must agree on.
const N_PARITY: usize = 25 * MOST_SCORED;
/// Largest difference between them in any probability.
const TOLERANCE: f32 = 1e-4;

/// Arguments of `prehend scenes export-scorer`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportScorer {
    /// Checkpoint of a scorer.
    #[arg(value_name = "CHECKPOINT")]
    checkpoint: PathBuf,
    /// What was tried: burn and the engine are compared on its close-ups.
    #[arg(long, value_name = "FILE")]
    tried: PathBuf,
    /// Folder of the network's bundle; its older scorer of the same kind is replaced.
    #[arg(long, value_name = "FOLDER")]
    network: PathBuf,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Debug, Serialize)]
struct Body {
    /// The bundle's folder; `None` if it was not written.
    network: Option<PathBuf>,
    /// What it judges.
    judged: Judged,
    /// Close-ups that were compared.
    parity_close_ups: usize,
    /// Largest difference between burn and the engine.
    parity_difference: f32,
    engine: String,
}

impl ExportScorer {
    /// Exports.
    ///
    /// # Errors
    /// The checkpoint was refused, or the bundle could not be written.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let file = locate(&self.checkpoint)?;
        let checkpoint = ScorerCheckpoint::load(&file)?;
        let folder = locate(&self.network)?;
        let bundle = SceneBundle::load(&folder)?;
        let theirs = bundle.manifest.gripper_fingerprint.as_ref();
        if theirs.is_some_and(|theirs| *theirs != checkpoint.gripper_fingerprint) {
            return Err(Failure::bad_input(format!(
                "{file:?} was trained for another gripper than {folder:?}: try grasps with that one"
            )));
        }
        let tried = Tried::load(&locate(&self.tried)?)?;
        let judged = checkpoint.judged;
        let one = judged.one();
        if tried.judged != judged {
            let (tried, other) = (&self.tried, tried.judged.one());
            return Err(Failure::bad_input(format!(
                "{file:?} judges a {one}, and {tried:?} holds trials of a {other}"
            )));
        }
        let trials = tried.scenes.into_iter().flat_map(|scene| scene.trials);
        let close_ups: Vec<CloseUp> = trials.map(|trial| trial.close_up).take(N_PARITY).collect();
        if close_ups.is_empty() {
            return Err(Failure::bad_input(format!(
                "{:?} holds no {one}",
                self.tried
            )));
        }
        let Provenance { starter, .. } = Provenance::beside(&file)?.unwrap_or_default();
        let origin = Origin {
            command: starter.command,
            data: checkpoint.data.clone(),
            seed: checkpoint.seed,
            started_wall: starter.started_wall,
            elapsed_s: checkpoint.elapsed_s,
            version: starter.version,
            ancestors: Vec::new(),
            evaluation_on: None,
            evaluation: None,
        };
        let write = |dir: &Path| add_scorer(&checkpoint, &close_ups, origin.clone(), &bundle, dir);
        // Tried elsewhere first: a scorer that differs must not replace one that does not.
        let trial = tempfile::tempdir()
            .map_err(|error| Failure::new(Class::Runtime, error).context("no temporary folder"))?;
        let written = write(&trial.path().join("trial"))?;
        let mut network = SceneNetwork::from_bundle(&written, &self.engine.open()?)?;
        let mut difference = 0.0_f32;
        for close_ups in close_ups.chunks(MOST_SCORED) {
            let said = network.score(judged, close_ups);
            let said = said.map_err(|error| Failure::new(Class::Runtime, error))?;
            let Some(said) = said else {
                let error = anyhow::anyhow!("the bundle that was written has no scorer");
                return Err(Failure::new(Class::Runtime, error));
            };
            let pairs = said.into_iter();
            let pairs = pairs.zip(scorer_says(&checkpoint, close_ups));
            difference = pairs.fold(difference, |most, (a, b)| most.max((a - b).abs()));
        }
        let is_equal = difference <= TOLERANCE;
        if is_equal {
            write(&folder)?;
        }
        let body = Body {
            network: is_equal.then_some(folder),
            judged,
            parity_close_ups: close_ups.len(),
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
        match &self.network {
            Some(folder) => write!(f, "{folder:?} has the scorer of a {}", self.judged.one())?,
            None => write!(f, "nothing written")?,
        }
        write!(
            f,
            "; burn and {} differ by at most {:.1e} on {} close-ups",
            self.engine, self.parity_difference, self.parity_close_ups
        )
    }
}
