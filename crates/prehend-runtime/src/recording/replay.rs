//! Turns the recordings of a run into the same commands and chunks again, or into the first that differs.

use std::collections::BTreeMap;
use std::path::Path;

use prehend_control::Controller;
use prehend_control::rt::{LoopReplay, TickRecord};
use prehend_data::RecordingReader;
use serde::Serialize;

use super::compare::{self, Field};
use super::header::Header;
use super::policy::PolicyRecord;
use super::{file_of, refused};
use crate::{NodeKind, RuntimeError};

/// What came out of a run's recordings. Keys are those of the machine-readable report.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RunReplay {
    /// Ticks of the control loop that were run again.
    pub ticks: u64,
    /// Answers of the policy that were asked for again.
    pub chunks: u64,
    /// How many of both came out the same to the bit.
    pub identical: u64,
    /// The first that did not; of the control loop before the policy.
    pub first_difference: Option<Difference>,
    /// Package version of the program that recorded, by file.
    pub recorded_by: BTreeMap<String, String>,
    /// Files that a recorded run may have and this one has not: what they would hold was not run again.
    pub not_there: Vec<String>,
    /// What computed the policy then and now; `null` without a recording of it.
    pub engine: Option<Engines>,
    /// What the recordings do not hold, in words; everything before it was run again.
    pub lost: Vec<String>,
}

/// Where a replay parts from its recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Index of the tick, from 0; `null` if a chunk differs.
    pub tick: Option<u64>,
    /// Index of the policy's answer, from 0; `null` if a tick differs.
    pub chunk: Option<u64>,
    /// What differs.
    pub field: String,
    /// Its value then.
    pub recorded: String,
    /// Its value now.
    pub replayed: String,
}

/// Two engines whose results may differ in the last bits if they are not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Engines {
    /// Then.
    pub recorded: String,
    /// Now.
    pub replayed: String,
}

/// Whether a folder holds the recording of a run.
#[must_use]
pub fn is_recorded_run(folder: &Path) -> bool {
    let nodes = [NodeKind::Control, NodeKind::Policy];
    nodes.iter().any(|node| file_of(folder, *node).is_file())
}

/// Runs control loop and policy of a recorded run again, whichever were recorded, and compares what they
/// say, bit for bit.
///
/// # Errors
/// [`RuntimeError::Data`], [`RuntimeError::Recording`] if a file is no recording, or was made with other
/// robots or policies than are here now; and what loading these may say.
pub fn replay_run(folder: &Path) -> Result<RunReplay, RuntimeError> {
    let mut report = RunReplay::default();
    let (control, policy) = (
        file_of(folder, NodeKind::Control),
        file_of(folder, NodeKind::Policy),
    );
    if control.is_file() {
        replay_control(&control, &mut report)?;
    } else {
        report.not_there.push(name_of(&control));
    }
    if policy.is_file() {
        replay_policy(&policy, &mut report)?;
    } else {
        report.not_there.push(name_of(&policy));
    }
    Ok(report)
}

impl RunReplay {
    fn count(&mut self, field: Option<Field>, (tick, chunk): (Option<u64>, Option<u64>)) {
        let Some(field) = field else {
            self.identical += 1;
            return;
        };
        self.first_difference.get_or_insert(Difference {
            tick,
            chunk,
            field: field.name,
            recorded: field.recorded,
            replayed: field.replayed,
        });
    }

    fn lose(&mut self, path: &Path, after: &str, reason: Option<&str>) {
        let file = name_of(path);
        self.lost
            .extend(reason.map(|reason| format!("{file}: after {after}: {reason}")));
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().display().to_string()
}

fn replay_control(path: &Path, report: &mut RunReplay) -> Result<(), RuntimeError> {
    let mut reader = RecordingReader::<TickRecord>::open(path)?;
    let (header, launch, robot) = Header::open(reader.header(), path, NodeKind::Control)?;
    report.recorded_by.insert(name_of(path), header.version);
    let settings = launch.control_settings();
    let mut control_loop = LoopReplay::new(Controller::new(robot, settings.controller)?);
    let mut out_of_order = None;
    for record in reader.by_ref() {
        let tick = record.moment.tick;
        if tick != report.ticks {
            out_of_order = Some(format!("tick {tick} follows, out of order"));
            break;
        }
        let outcome = control_loop.step(&record);
        let robot = &launch.link.robot;
        let field = compare::ticks(&record.outcome, &outcome, robot, settings.valid_for);
        report.count(field, (Some(tick), None));
        report.ticks += 1;
    }
    let reason = out_of_order.as_deref().or(reader.loss());
    let after = format!("{} ticks", report.ticks);
    report.lose(path, &after, reason);
    Ok(())
}

fn replay_policy(path: &Path, report: &mut RunReplay) -> Result<(), RuntimeError> {
    let mut reader = RecordingReader::<PolicyRecord>::open(path)?;
    let (header, launch, robot) = Header::open(reader.header(), path, NodeKind::Policy)?;
    header.check_bundles(&launch, path)?;
    report.recorded_by.insert(name_of(path), header.version);
    let mut named = launch.load_policy(&robot)?;
    let mut refine = launch.load_refine(&robot)?;
    report.engine = Some(Engines {
        recorded: header.engine,
        replayed: named.provider,
    });
    let mut last_seen = None;
    for record in reader.by_ref() {
        let (outcome, said) = match record {
            PolicyRecord::Reset { seed } => {
                named.policy.reset(seed);
                if let Some(refine) = &mut refine {
                    refine.policy.policy.reset(seed);
                }
                last_seen = None;
                continue;
            }
            PolicyRecord::Act { seen, outcome } => {
                let (n, n_roles) = (seen.cloud.points.len(), seen.cloud.roles.len());
                if n != n_roles || seen.state.q.len() != robot.n_joints() {
                    let reason = format!(
                        "observation {}: {n} points with {n_roles} roles, {} joints",
                        report.chunks,
                        seen.state.q.len()
                    );
                    return Err(refused(path, reason));
                }
                let observation = last_seen.insert(seen.observation(&robot));
                (outcome, named.policy.act(observation))
            }
            PolicyRecord::Refine { chunk } => {
                let (Some(refine), Some(observation)) = (&mut refine, &last_seen) else {
                    let reason = format!(
                        "answer {} improves on none, or the launch file in it names no policy for that",
                        report.chunks
                    );
                    return Err(refused(path, reason));
                };
                (Ok(chunk), refine.policy.policy.act(observation))
            }
        };
        let said = said.map_err(|error| error.to_string());
        let field = compare::chunks(&outcome, &said);
        report.count(field, (None, Some(report.chunks)));
        report.chunks += 1;
    }
    let after = format!("{} chunks", report.chunks);
    report.lose(path, &after, reader.loss());
    Ok(())
}
