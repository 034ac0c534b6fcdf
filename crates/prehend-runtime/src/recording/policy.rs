//! Turns what a policy saw and said into `policy.rec`, on a thread of its own.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use prehend_data::{DataError, RecordingWriter};
use prehend_robot::Robot;
use prehend_types::{
    ActionChunk, Actions, Observation, PointCloud, PolicyError, RobotState, Stamp,
};
use serde::{Deserialize, Serialize};

use super::{RecordReport, Recording};
use crate::RuntimeError;

/// Observations that wait for the disk; a policy looks a few times per second.
const QUEUE: usize = 64;

/// One thing that happened to a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(
    clippy::large_enum_variant,
    reason = "a few per second, and hardly any of the small kind"
)]
pub(crate) enum PolicyRecord {
    /// An episode began.
    Reset { seed: u64 },
    /// It looked, and said this; an error in words.
    Act {
        seen: Seen,
        outcome: Result<ActionChunk, String>,
    },
    /// The policy that improves on its answers said this of the same look, in time.
    Refine { chunk: ActionChunk },
}

/// An observation; the tool's pose follows from the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub stamp: Stamp,
    pub cloud: PointCloud,
    pub state: RobotState,
    pub committed: Actions,
}

impl Seen {
    pub fn observation(self, robot: &Robot) -> Observation {
        Observation {
            stamp: self.stamp,
            cloud: self.cloud,
            base_from_tcp: robot.forward(&self.state.q),
            committed: self.committed,
            state: self.state,
        }
    }
}

/// A recording that is being made.
#[derive(Debug)]
pub(crate) struct PolicyRecorder {
    /// `None` once the disk was too slow.
    records: Option<SyncSender<PolicyRecord>>,
    thread: JoinHandle<RecordReport>,
    /// Why the queue was closed early; set before it is.
    given_up: GivenUp,
}

type GivenUp = Arc<OnceLock<&'static str>>;

impl PolicyRecorder {
    pub fn spawn(recording: &Recording) -> Result<Self, RuntimeError> {
        let writer = RecordingWriter::create(&recording.path, &recording.header)?;
        let (records, waiting) = sync_channel(QUEUE);
        let given_up = GivenUp::default();
        let reason = Arc::clone(&given_up);
        let thread = std::thread::Builder::new()
            .name("policy-recorder".to_owned())
            .spawn(move || record(writer, &waiting, &reason))
            .map_err(|source| RuntimeError::Thread {
                name: "policy-recorder",
                source,
            })?;
        Ok(Self {
            records: Some(records),
            thread,
            given_up,
        })
    }

    pub fn reset(&mut self, seed: u64) {
        self.send(PolicyRecord::Reset { seed });
    }

    pub fn act(&mut self, observation: Observation, outcome: &Result<ActionChunk, PolicyError>) {
        self.send(PolicyRecord::Act {
            seen: Seen {
                stamp: observation.stamp,
                cloud: observation.cloud,
                state: observation.state,
                committed: observation.committed,
            },
            outcome: outcome.as_ref().cloned().map_err(ToString::to_string),
        });
    }

    pub fn refine(&mut self, chunk: ActionChunk) {
        self.send(PolicyRecord::Refine { chunk });
    }

    /// Never waits: a record that finds no room ends the recording.
    fn send(&mut self, record: PolicyRecord) {
        let Some(records) = &self.records else {
            return;
        };
        if records.try_send(record).is_err() {
            let lost = "the recorder fell behind; the policy went on without it";
            let lost = self.given_up.get_or_init(|| lost);
            self.records = None;
            tracing::warn!("policy: the run is not recorded to its end: {lost}");
        }
    }

    /// Whether it ends before the run.
    #[cfg(test)]
    pub fn has_given_up(&self) -> bool {
        self.given_up.get().is_some()
    }

    /// Ends it.
    pub fn join(self) -> RecordReport {
        drop(self.records);
        let panicked = |_| RecordReport {
            lost: Some("the recorder panicked; this is a bug in prehend".to_owned()),
            ..RecordReport::default()
        };
        self.thread.join().unwrap_or_else(panicked)
    }
}

fn record(
    writer: RecordingWriter,
    waiting: &Receiver<PolicyRecord>,
    given_up: &GivenUp,
) -> RecordReport {
    let mut report = RecordReport {
        path: writer.path().to_owned(),
        ..RecordReport::default()
    };
    match copy(writer, waiting, given_up, &mut report.records) {
        Ok(bytes) => {
            report.bytes = bytes;
            report.lost = given_up.get().map(|reason| (*reason).to_owned());
        }
        Err(error) => report.lost = Some(error.to_string()),
    }
    report
}

fn copy(
    mut writer: RecordingWriter,
    waiting: &Receiver<PolicyRecord>,
    given_up: &GivenUp,
    records: &mut u64,
) -> Result<u64, DataError> {
    for record in waiting {
        writer.push(&record)?;
        writer.flush()?;
        *records += 1;
    }
    writer.finish(given_up.get().copied())
}
