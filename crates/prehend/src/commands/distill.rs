//! Turns a teacher of several steps into a student of one.

use std::path::PathBuf;

use clap::Args;
use prehend_train::{DistillConfig, Hooks, Parent, StepChoice, distill};
use prehend_types::config::locate;

use crate::exit::{Failure, Verdict};
use crate::session::Session;
use crate::training::TrainingArgs;

const EXAMPLES: &str = "Examples:
  prehend distill --teacher runs/teacher/latest.checkpoint --data datasets/pick_place --out runs/student
  prehend distill --teacher runs/teacher/latest.checkpoint --data datasets/pick_place \\
      --out runs/student --resume --json

Ctrl-C saves a checkpoint and exits with 1; `--resume` goes on from there.";

/// Arguments of `prehend distill`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Distill {
    /// Checkpoint of the teacher.
    #[arg(long, value_name = "FILE")]
    teacher: PathBuf,
    /// Settings of the run.
    #[arg(long, default_value = "models/distill.toml", value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    training: TrainingArgs,
}

impl Distill {
    /// Distils.
    ///
    /// # Errors
    /// An input was refused, or training failed; the newest checkpoint stays whole.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let config = DistillConfig::load(&locate(&self.config)?)?;
        let teacher = Parent::load(&locate(&self.teacher)?)?;
        let net = &teacher.checkpoint.network;
        let ground = self.training.open(
            net.n_points,
            net.chunk,
            config.data.validation_share,
            StepChoice::Seen,
        )?;
        let run = |windows: &_, out: &_, hooks: Hooks<'_>| {
            distill(&config, &teacher, windows, out, hooks)
        };
        ground.train(&self.training, config.optimiser.seed, session, run)
    }
}
