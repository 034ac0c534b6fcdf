//! Turns collected episodes into a trained policy.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use prehend_train::{FlowConfig, Hooks, Parent, StepChoice, train_flow};
use prehend_types::config::locate;

use crate::exit::{Failure, Verdict};
use crate::session::Session;
use crate::training::TrainingArgs;

const EXAMPLES: &str = "Examples:
  prehend train flow --data datasets/pick_place --out runs/teacher
  prehend train flow --data datasets/pick_place --out runs/teacher --resume
  prehend train flow --data datasets/pick_place,datasets/more --from runs/teacher/latest.checkpoint \
    --out runs/second
  prehend train flow --config my.toml --data datasets/pick_place --out runs/mine --rollouts 0 --json

The run folder gets a checkpoint, metrics.jsonl and training.html with the curves. Ctrl-C saves a
checkpoint and exits with 1; `--resume` goes on from there.";

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
        let Kind::Flow(flow) = &self.kind;
        let config = FlowConfig::load(&locate(&flow.config)?)?;
        let from = match &flow.from {
            Some(path) => Some(Parent::load(&locate(path)?)?),
            None => None,
        };
        let net = &config.network;
        let ground = flow.training.open(
            net.n_points,
            net.chunk,
            config.data.validation_share,
            StepChoice::Expert,
        )?;
        let run = |windows: &_, out: &_, hooks: Hooks<'_>| {
            train_flow(&config, from.as_ref(), windows, out, hooks)
        };
        ground.train(&flow.training, config.optimiser.seed, session, run)
    }
}
