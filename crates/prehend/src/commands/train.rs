//! Turns collected episodes into a trained policy.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use prehend_policy::pick_place::check_jaw_width;
use prehend_sim::tabletop::Split;
use prehend_train::pick_place::{PickPlaceLine, PickPlaceRun, PickPlaceTraining, SceneStore};
use prehend_train::{FlowConfig, Hooks, Parent, StepChoice, train_flow};
use prehend_types::config::locate;
use serde::Serialize;

use super::train_scorer;
use crate::commands::scenes::GripperArgs;
use crate::exit::{Failure, Verdict};
use crate::session::Session;
use crate::training::{TrainingArgs, starter};

const EXAMPLES: &str = "Examples:
  prehend train flow --data datasets/pick_place --out runs/teacher
  prehend train flow --data datasets/pick_place --out runs/teacher --resume
  prehend train flow --data datasets/pick_place,datasets/more --from runs/teacher/latest.checkpoint \
    --out runs/second
  prehend train pick-place --data datasets/tabletop --validation datasets/tabletop_validation \
    --out runs/pick_place
  prehend train scorer --tried datasets/tried.bin --out runs/scorer
  prehend train flow --config my.toml --data datasets/pick_place --out runs/mine --rollouts 0 --json

The run folder gets a checkpoint, metrics.jsonl and training.html with the curves. Ctrl-C saves a
checkpoint and exits with 1; `--resume` goes on from there. A scorer takes minutes and is begun anew.";

/// Arguments of `prehend train`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Train {
    /// What to train.
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// The flow policy: several Euler steps from noise to actions.
    Flow(Flow),
    /// The pick-and-place network: grasps and placements from raw clouds.
    PickPlace(PickPlace),
    /// Its scorer: which of the proposed grasps hold.
    Scorer(train_scorer::TrainScorer),
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct PickPlace {
    /// Settings of the run.
    #[arg(
        long,
        default_value = "models/train_pick_place.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
    /// Folder of labelled scenes to learn from.
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// Folder of labelled scenes of other objects, to see how well it does.
    #[arg(long, value_name = "FOLDER")]
    validation: PathBuf,
    #[command(flatten)]
    gripper: GripperArgs,
    /// Run folder: checkpoint, log, curves.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Go on from the checkpoint in --out.
    #[arg(long)]
    resume: bool,
}

/// The report of a run.
#[derive(Debug, Serialize)]
struct PickPlaceBody {
    steps: u64,
    samples_per_s: Option<f64>,
    #[serde(rename = "final")]
    last: PickPlaceLine,
    checkpoint: PathBuf,
    is_finished: bool,
}

impl PickPlace {
    fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let config = PickPlaceTraining::load(&locate(&self.config)?)?;
        let (jaw, file) = self.gripper.open_with_file()?;
        check_jaw_width(&jaw, &file)?;
        let read = |folder: &Path, split: Split| -> Result<_, Failure> {
            Ok(SceneStore::open(&locate(folder)?)?.load_for(split, &jaw)?)
        };
        let training = read(&self.data, Split::Train)?;
        let validation = read(&self.validation, Split::Validation)?;
        let should_stop = || session.interrupt.is_set();
        let run = PickPlaceRun {
            config: &config,
            jaw: &jaw,
            training: &training,
            validation: &validation,
            folder: &self.out,
            resume: self.resume,
            starter: &starter(session),
        };
        let report = run.train(&should_stop)?;
        let body = PickPlaceBody {
            steps: report.step,
            samples_per_s: report.samples_per_s,
            last: report.last,
            checkpoint: report.checkpoint,
            is_finished: report.is_finished,
        };
        session.report(Some(config.seed), &body, &body)?;
        let shortfall = (!body.is_finished).then(|| {
            format!(
                "stopped at step {}; `--resume` goes on from there",
                body.steps
            )
        });
        Ok(session.unless_stopped(Verdict::from_shortfall(shortfall)))
    }
}

impl fmt::Display for PickPlaceBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} steps, checkpoint {:?}", self.steps, self.checkpoint)?;
        let Some(found) = &self.last.validation else {
            return Ok(());
        };
        write!(f, "\n  validation loss       {:.3}", found.loss)?;
        write!(
            f,
            "\n  angle to a grasp      {:.3} rad (random: {:.3})",
            found.angle_rad, found.random_angle_rad
        )?;
        write!(
            f,
            "\n  objects: recall       {:.3}, precision {:.3}",
            found.object_recall, found.object_precision
        )?;
        write!(
            f,
            "\n  overlap of masks      grasps {:.3}, places {:.3}",
            found.grasp_overlap, found.place_overlap
        )
    }
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct Flow {
    /// Settings of the run.
    #[arg(long, default_value = "models/train_flow.toml", value_name = "FILE")]
    config: PathBuf,
    /// Start from this teacher's parameters, for example to go on with more episodes.
    #[arg(long, value_name = "CHECKPOINT")]
    from: Option<PathBuf>,
    #[command(flatten)]
    training: TrainingArgs,
}

impl Train {
    /// Trains.
    ///
    /// # Errors
    /// An input was refused, or training failed; the newest checkpoint stays whole.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        match &self.kind {
            Kind::Flow(flow) => flow.run(session),
            Kind::PickPlace(pick_place) => pick_place.run(session),
            Kind::Scorer(scorer) => scorer.run(session),
        }
    }
}

impl Flow {
    fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let config = FlowConfig::load(&locate(&self.config)?)?;
        let from = match &self.from {
            Some(path) => Some(Parent::load(&locate(path)?)?),
            None => None,
        };
        let net = &config.network;
        let ground = self.training.open(
            net.n_points,
            net.chunk,
            config.data.validation_share,
            StepChoice::Expert,
        )?;
        let run = |windows: &_, out: &_, hooks: Hooks<'_>| {
            train_flow(&config, from.as_ref(), windows, out, hooks)
        };
        ground.train(&self.training, config.optimiser.seed, session, run)
    }
}
