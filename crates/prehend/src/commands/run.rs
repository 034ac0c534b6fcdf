//! Turns a launch file into one process per node, or into a single one of them.

use std::fmt;
use std::fs::OpenOptions;
use std::path::PathBuf;

use clap::Args;
use prehend_data::RunDir;
use prehend_runtime::{
    LOG_VARIABLE, LaunchFile, NodeKind, Outcome, RunConfig, RunReport, RuntimeError, Stop, run,
};

use crate::closing::{conclude, print_and_save, recorded};
use crate::effective::{freeze, record_into};
use crate::exit::{Class, Failure, Verdict};
use crate::live::LiveDisplay;
use crate::logging;
use crate::session::Session;
use crate::wire;

const EXAMPLES: &str = "Examples:
  prehend run launch/demo.toml
  prehend run launch/fr3_sim.toml --only driver
  prehend run launch/fr3_sim.toml --only operator --json

Without --only, the run ends when its operator is done, and leaves a folder with its log and summary.
Ctrl-C stops every node in order, the driver last; a run that was stopped before its operator was done
exits with 1, one whose nodes crashed or left no report with 5.";

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
    /// Folder that run folders are made in; a node alone makes none.
    #[arg(long, default_value = "runs", value_name = "FOLDER")]
    runs: PathBuf,
    /// Record control loop and policy into the run folder, for `prehend replay`. A node alone records if
    /// its launch file says where.
    #[arg(long, conflicts_with = "only")]
    record: bool,
    /// Say that you have seen to what broke before: without it nothing is armed after a fault of driver or
    /// controller. For the first session of this run; a launch file may say more in `operator.acknowledge`.
    #[arg(long)]
    acknowledge: bool,
}

impl Run {
    /// Runs it.
    ///
    /// # Errors
    /// A file was refused, a node could not start or ended too early, or results were lost.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        match self.only {
            Some(node) => self.run_node(node, session),
            None => self.run_all(session),
        }
    }

    fn run_all(&self, session: &Session) -> Result<Verdict, Failure> {
        let mut launch = LaunchFile::load(&self.file)?;
        launch.check_files()?;
        if self.acknowledge {
            launch.operator.acknowledge();
        }
        // Before the file is frozen, so that visitors find the ports in it.
        launch.choose_ports()?;
        let run_dir = RunDir::create(&self.runs, "run")?;
        logging::also_to(run_dir.log_file()?);
        record_into(&mut launch, self.record, &run_dir);
        let effective = freeze(&launch, &run_dir)?;
        let config = RunConfig {
            verbosity: session.verbose,
            log: Some(run_dir.log_path()),
            ..RunConfig::new(&effective.path)
        };
        let stop = Stop::from_flag(session.interrupt.flag());
        let Outcome { mut report, error } = run(&config, &stop, &mut |_| {})?;
        report.run_dir = Some(run_dir.path().to_owned());
        report.settings_sha256 = Some(effective.sha256);
        if report.is_empty()
            && let Some(error) = error
        {
            return Err(error.into());
        }
        let kept = print_and_save(session, None, &Nodes(&report), &report, Some(&run_dir));
        // What ended the run early explains why reports are missing.
        let kept = match error {
            None => kept.and(nothing_lost(&report)),
            Some(_) => kept,
        };
        let kept = kept.and(recorded(&report.recording_lost()));
        conclude(kept, error, verdict(&report, session.interrupt.is_set()))
    }

    fn run_node(&self, node: NodeKind, session: &Session) -> Result<Verdict, Failure> {
        join_log();
        let config = RunConfig {
            only: Some(node),
            acknowledges: self.acknowledge,
            ..RunConfig::new(&self.file)
        };
        let stop = Stop::from_flag(session.interrupt.flag());
        let mut display = LiveDisplay::new();
        let result = run(&config, &stop, &mut |progress| {
            display.show_operator(progress);
        });
        display.finish();
        let Outcome { report, error } = match result {
            Err(error @ RuntimeError::Interrupted) => {
                return Ok(Verdict::FellShort(error.to_string()));
            }
            other => other?,
        };
        let kept = print_and_save(session, None, &Nodes(&report), &report, None);
        // A single node that is not the operator has no other end than being stopped.
        let was_stopped = session.interrupt.is_set() && node == NodeKind::Operator;
        conclude(kept, error, verdict(&report, was_stopped))
    }
}

/// A node's process writes to its supervisor's log, if it has one; without it, stderr has to do.
fn join_log() {
    let Some(path) = std::env::var_os(LOG_VARIABLE) else {
        return;
    };
    match OpenOptions::new().append(true).open(&path) {
        Ok(file) => logging::also_to(file),
        Err(error) => tracing::warn!(%error, "cannot write to {path:?}"),
    }
}

fn nothing_lost(report: &RunReport) -> Result<(), Failure> {
    if report.lost.is_empty() {
        return Ok(());
    }
    let lost = report.lost.join("; ");
    let error = anyhow::anyhow!("the report is incomplete: {lost}");
    Err(Failure::new(Class::LostData, error))
}

fn verdict(report: &RunReport, was_stopped: bool) -> Verdict {
    let mut faults = report.wire().as_ref().map(wire::faults).unwrap_or_default();
    if was_stopped {
        faults.push("stopped by the user".to_owned());
    }
    Verdict::from_shortfall((!faults.is_empty()).then(|| faults.join("; ")))
}

struct Nodes<'a>(&'a RunReport);

impl fmt::Display for Nodes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (node, report)) in self.0.nodes.iter().enumerate() {
            let separator = if index > 0 { "\n" } else { "" };
            write!(f, "{separator}{node}: {report}")?;
        }
        if let Some(folder) = &self.0.run_dir {
            write!(f, "\nrun folder: {}", folder.display())?;
        }
        if let Some(sha256) = &self.0.settings_sha256 {
            write!(f, "\nsettings: launch.toml there, SHA-256 {sha256}")?;
        }
        Ok(())
    }
}
