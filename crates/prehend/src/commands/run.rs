//! Turns a launch file into one process per node, or into a single one of them.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use prehend_runtime::{NodeKind, RunReport, Stop, run};

use crate::exit::{Failure, Verdict};
use crate::live::LiveDisplay;
use crate::session::Session;

const EXAMPLES: &str = "Examples:
  prehend run launch/demo.toml
  prehend run launch/fr3_sim.toml --only driver
  prehend run launch/fr3_sim.toml --only operator --json

Without --only, the run ends when its operator is done. Ctrl-C stops every node in order, the driver
last; a run that was stopped before its operator was done exits with 1.";

/// Arguments of `prehend run`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    /// Launch file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Run this node alone, in this process: driver, policy, control or operator.
    #[arg(long, value_name = "NODE")]
    only: Option<NodeKind>,
}

impl Run {
    /// Runs it.
    ///
    /// # Errors
    /// The file was refused, a node could not start, or one ended too early.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let stop = Stop::from_flag(session.interrupt.flag());
        let mut display = LiveDisplay::new();
        let result = run(&self.file, self.only, &stop, &mut |progress| {
            display.show_operator(progress)
        });
        display.finish();
        let report = result?;
        session.report(None, &Nodes(&report), &report)?;
        // A single node that is not the operator has no other end than being stopped.
        let ends_by_stopping = self.only.is_some_and(|node| node != NodeKind::Operator);
        let was_stopped = session.interrupt.is_set() && !ends_by_stopping;
        Ok(Verdict::from_shortfall(
            was_stopped.then(|| "stopped by the user".to_owned()),
        ))
    }
}

struct Nodes<'a>(&'a RunReport);

impl fmt::Display for Nodes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (node, report)) in self.0.nodes.iter().enumerate() {
            let separator = if index > 0 { "\n" } else { "" };
            write!(f, "{separator}{node}: {report}")?;
        }
        Ok(())
    }
}
