//! Turns a run into files from which it can be run again, bit for bit, and such files into a verdict.
//!
//! `control.rec` holds every tick of the control loop with all that decided it, `policy.rec` every
//! observation, seed and chunk. Both begin with the launch file as it was, and with fingerprints of what it
//! names.

mod compare;
mod control;
mod header;
mod policy;
mod replay;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use control::ControlRecorder;
pub(crate) use policy::PolicyRecorder;
pub use replay::{Difference, Engines, RunReplay, is_recorded_run, replay_run};

use crate::{NodeKind, RuntimeError};

#[cfg(test)]
mod tests;

/// What became of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecordReport {
    /// The file.
    pub path: PathBuf,
    /// Ticks, or seeds and observations, in it.
    pub records: u64,
    /// Its length.
    pub bytes: u64,
    /// Why it ends before the run did, if so.
    pub lost: Option<String>,
}

/// Where a node's recording goes, and what it begins with.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    pub path: PathBuf,
    pub header: String,
}

/// The file of a node's recording.
fn file_of(folder: &Path, node: NodeKind) -> PathBuf {
    folder.join(format!("{node}.rec"))
}

fn refused(path: &Path, reason: impl Into<String>) -> RuntimeError {
    RuntimeError::Recording {
        path: path.to_owned(),
        reason: reason.into(),
    }
}
