//! Turns tried grasps, or placements, into a scorer.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use prehend_train::pick_place::{ScorerLine, ScorerRun, ScorerTraining, Tried};
use prehend_types::config::locate;
use serde::Serialize;

use crate::commands::scenes::GripperArgs;
use crate::exit::{Failure, Verdict};
use crate::session::Session;
use crate::training::starter;

/// Arguments of `prehend train scorer`.
#[derive(Debug, Args)]
pub struct TrainScorer {
    /// Settings of the run.
    #[arg(long, default_value = "models/train_scorer.toml", value_name = "FILE")]
    config: PathBuf,
    /// What `prehend scenes try` tried.
    #[arg(long, value_name = "FILE")]
    tried: PathBuf,
    #[command(flatten)]
    gripper: GripperArgs,
    /// Run folder: checkpoint, log, curves.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

#[derive(Debug, Serialize)]
struct Body {
    steps: u64,
    samples_per_s: Option<f64>,
    #[serde(rename = "final")]
    last: ScorerLine,
    checkpoint: PathBuf,
    passes: u64,
}

impl TrainScorer {
    /// Trains.
    ///
    /// # Errors
    /// An input was refused, or training failed; the checkpoint of the last whole pass stays.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let config = ScorerTraining::load(&locate(&self.config)?)?;
        let jaw = self.gripper.open()?;
        let tried = Tried::load_for_training(&locate(&self.tried)?, &jaw)?;
        let run = ScorerRun {
            config: &config,
            jaw: &jaw,
            tried: &tried,
            folder: &self.out,
            starter: &starter(session),
        };
        let report = run.train(&|| session.interrupt.is_set())?;
        let seen = report.last.step as f64 * config.batch as f64;
        let body = Body {
            steps: report.last.step,
            samples_per_s: (report.passes > 0).then(|| seen / report.last.elapsed_s),
            last: report.last,
            checkpoint: report.checkpoint,
            passes: report.passes,
        };
        session.report(Some(config.seed), &body, &body)?;
        let shortfall = (body.passes < config.passes)
            .then(|| format!("stopped after {} of {} passes", body.passes, config.passes));
        Ok(session.unless_stopped(Verdict::from_shortfall(shortfall)))
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScorerLine {
            loss,
            validation_loss,
            validation_auc,
            ..
        } = self.last;
        write!(
            f,
            "{} passes, {} steps, checkpoint {:?}\n  loss {loss:.3}, on scenes left out {validation_loss:.3}\n  \
             a good one before a bad one: {}",
            self.passes,
            self.steps,
            self.checkpoint,
            crate::live::number(validation_auc, 3)
        )
    }
}
