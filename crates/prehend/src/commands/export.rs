//! Turns a checkpoint into a bundle in `models/`.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use prehend_policy::{
    NoiseKind, OnnxPolicy, Origin, PolicyInputs, RobotId, is_plain_name, observation_to_inputs,
    sha256_hex,
};
use prehend_sim::{FamilySet, Pilot, RolloutConfig, View, rollout};
use prehend_train::{
    Checkpoint, ExportRequest, N_ACTION_STEPS, NOISE, Provenance, export, graph_bytes, parity,
};
use prehend_types::config::{self, locate};
use prehend_types::stats::SuccessRate;
use serde::{Deserialize, Serialize};

use crate::exit::{Class, Failure, Verdict};
use crate::policies::EngineArgs;
use crate::session::Session;
use crate::workcell::{Place, Workcell};

const EXAMPLES: &str = "Examples:
  prehend export runs/student/latest.checkpoint --out models/fr3_pick_place
  prehend export runs/student/latest.checkpoint --out models/fr3_pick_place --evaluation eval.json

`prehend eval models/fr3_pick_place --json | tail -n 1 > eval.json` measures what --evaluation then
writes into the bundle's provenance. The folder is replaced as a whole, or not at all.";

/// First seed of the scenes that the bundle is checked on.
const PARITY_SEED: u64 = 700_000;
/// Observations that burn and the engine must agree on.
const N_PARITY: usize = 1_000;
/// Every so many of them becomes a golden case of the bundle.
const GOLDEN_STRIDE: usize = 125;
/// Largest difference between burn and the engine; m, rad, opening.
const TOLERANCE: f32 = 1e-5;

/// Arguments of `prehend export`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    /// Checkpoint of a teacher or a student.
    #[arg(value_name = "CHECKPOINT")]
    checkpoint: PathBuf,
    /// Folder of the bundle; its last part is the policy's name.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Report of `prehend eval --json` of this policy.
    #[arg(long, value_name = "FILE")]
    evaluation: Option<PathBuf>,
    /// What the flow starts from when the policy is run: zero, or a random draw that is kept for an
    /// episode.
    #[arg(long, value_enum, default_value_t = Noise::from(NOISE))]
    noise: Noise,
    /// Actions of a chunk that are executed before the next one.
    #[arg(long, default_value_t = N_ACTION_STEPS, value_parser = clap::value_parser!(u8).range(1..=16))]
    action_steps: u8,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    engine: EngineArgs,
}

/// What the flow starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Noise {
    /// Zero: the middle of the noise.
    Zero,
    /// A standard normal draw.
    Normal,
}

impl From<NoiseKind> for Noise {
    fn from(kind: NoiseKind) -> Self {
        match kind {
            NoiseKind::Zero => Self::Zero,
            NoiseKind::Normal => Self::Normal,
        }
    }
}

#[derive(Debug, Serialize)]
struct Body {
    /// The bundle's folder; `None` if it was not written.
    out: Option<PathBuf>,
    policy: String,
    graph_bytes: usize,
    golden_cases: usize,
    parity_observations: usize,
    /// Largest difference between burn and the engine; m, rad, opening.
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
                "--out must end in the policy's name: 1 to 64 of a-z, A-Z, 0-9, _ or -",
            ));
        };
        let cell = self.place.open()?;
        let file = locate(&self.checkpoint)?;
        let checkpoint = Checkpoint::load(&file)?;
        let evaluation = match &self.evaluation {
            Some(path) => Some(Evaluation::read(
                path,
                &cell,
                &sha256_hex(&graph_bytes(&checkpoint)?),
            )?),
            None => None,
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
            evaluation_on: evaluation.as_ref().map(|evaluation| evaluation.on.clone()),
            evaluation: evaluation.map(|evaluation| evaluation.rate),
        };
        let observations = observations(&cell, checkpoint.network.n_points)?;
        let golden: Vec<PolicyInputs> = observations
            .iter()
            .step_by(GOLDEN_STRIDE)
            .cloned()
            .collect();
        let request = ExportRequest {
            name,
            robot: RobotId {
                name: cell.robot.name().to_owned(),
                fingerprint: cell.robot.content_hash().to_owned(),
            },
            card: &card(name, &cell, &checkpoint, &origin),
            origin,
            noise: match self.noise {
                Noise::Zero => NoiseKind::Zero,
                Noise::Normal => NoiseKind::Normal,
            },
            n_action_steps: usize::from(self.action_steps),
            observations: &golden,
        };
        // Tried elsewhere first: a bundle that differs must not replace one that does not.
        let trial = tempfile::tempdir()
            .map_err(|error| Failure::new(Class::Runtime, error).context("no temporary folder"))?;
        let bundle = export(&checkpoint, &request, &trial.path().join(name))?;
        let runtime = self.engine.open()?;
        let mut policy = OnnxPolicy::from_bundle(&bundle, &runtime, 1)?;
        let difference = parity(&checkpoint, &mut policy, &observations)
            .map_err(|error| Failure::new(Class::Runtime, error))?;
        let is_equal = difference <= TOLERANCE;
        if is_equal {
            export(&checkpoint, &request, &self.out)?;
        }
        let body = Body {
            out: is_equal.then(|| self.out.clone()),
            policy: name.to_owned(),
            graph_bytes: bundle.graph().len(),
            golden_cases: bundle.golden().cases.len(),
            parity_observations: observations.len(),
            parity_difference: difference,
            engine: policy.provider().to_owned(),
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

/// What the expert's cameras see along whole episodes: approach, grasp, transport, release.
fn observations(cell: &Workcell, n_points: usize) -> Result<Vec<PolicyInputs>, Failure> {
    let mut observations = Vec::with_capacity(N_PARITY);
    for seed in PARITY_SEED..PARITY_SEED + N_PARITY as u64 {
        let Some(mut world) = cell.start(seed, FamilySet::Train)? else {
            continue;
        };
        let view = View::new(
            &cell.robot,
            &cell.scene,
            seed,
            FamilySet::Train,
            &world.state_vector(),
        )?;
        let mut states = Vec::new();
        let config = RolloutConfig::default();
        rollout(&mut world, Pilot::Expert, &config, &mut |step| {
            states.push(step.world.clone())
        })?;
        for state in states {
            observations.push(observation_to_inputs(&view.observe(&state)?, n_points)?);
            if observations.len() == N_PARITY {
                return Ok(observations);
            }
        }
    }
    if observations.is_empty() {
        let reason = "no seed of this scene has a usable start: nothing to compare the engines on";
        return Err(Failure::bad_input(reason));
    }
    Ok(observations)
}

/// What a report of `prehend eval --json` says of this graph in this scene.
struct Evaluation {
    on: String,
    rate: SuccessRate,
}

/// The fields that are read; the others do not matter here.
#[derive(Deserialize)]
struct Report {
    scene: String,
    scene_hash: String,
    graph_sha256: Option<String>,
    seed: u64,
    n: u64,
    successes: u64,
}

impl Evaluation {
    fn read(path: &Path, cell: &Workcell, graph_sha256: &str) -> Result<Self, Failure> {
        let refuse = |what: String| Failure::bad_input(format!("{path:?}: {what}"));
        let text = config::read(path)?;
        let report: Report = serde_json::from_str(&text).map_err(|error| {
            refuse(format!(
                "{error}; give the object that `prehend eval --json` prints"
            ))
        })?;
        if report.graph_sha256.as_deref() != Some(graph_sha256) {
            return Err(refuse(
                "field `graph_sha256` is not that of this checkpoint's graph: evaluate its bundle"
                    .to_owned(),
            ));
        }
        if report.scene_hash != cell.scene_hash_text() {
            return Err(refuse(
                "field `scene_hash` is not that of --scene".to_owned(),
            ));
        }
        if report.n == 0 || report.successes > report.n {
            return Err(refuse("fields `successes` and `n` make no rate".to_owned()));
        }
        Ok(Self {
            on: format!(
                "{} ({}), seeds from {}",
                report.scene, report.scene_hash, report.seed
            ),
            rate: SuccessRate::new(report.successes, report.n),
        })
    }
}

fn card(name: &str, cell: &Workcell, checkpoint: &Checkpoint, origin: &Origin) -> String {
    let evaluation = match (&origin.evaluation, &origin.evaluation_on) {
        (Some(rate), Some(on)) => format!("{rate} (95 % Wilson interval) on {on}"),
        _ => "not measured at export".to_owned(),
    };
    let before: String = origin
        .ancestors
        .iter()
        .rev()
        .map(|run| {
            let minutes = run.elapsed_s / 60.0;
            format!(
                "; from {} steps, {minutes:.0} min, seed {}",
                run.steps, run.seed
            )
        })
        .collect();
    format!(
        "# {name}\n\n\
         Picks one object among others and puts it into a receptacle, from point clouds with roles.\n\n\
         | | |\n|---|---|\n\
         | robot | {robot} |\n\
         | scene | {scene} |\n\
         | Euler steps from noise to actions | {steps} |\n\
         | trained on | {data} |\n\
         | training | {train_steps} steps, {minutes:.0} min, seed {seed}{before} |\n\
         | success | {evaluation} |\n\
         | made by | `{command}`, prehend {version} |\n\n\
         Inputs, outputs, hashes and provenance are in `policy.toml`; `golden.json` holds inputs with the\n\
         outputs that every engine must reproduce. Trained in simulation only: on a real cell, start slowly.\n",
        robot = cell.robot.name(),
        scene = cell.scene.name,
        steps = checkpoint.euler_steps,
        data = origin.data,
        train_steps = checkpoint.step,
        minutes = checkpoint.elapsed_s / 60.0,
        seed = checkpoint.seed,
        command = origin.command,
        version = origin.version,
    )
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: graph of {} bytes, {} golden cases; burn and {} differ by at most {:.1e} on {} \
             observations",
            self.out.as_ref().map_or_else(
                || "nothing written".to_owned(),
                |out| format!("wrote {out:?}")
            ),
            self.graph_bytes,
            self.golden_cases,
            self.engine,
            self.parity_difference,
            self.parity_observations
        )
    }
}
