//! Turns states and action chunks on the link into joint commands on the link, with the control loop
//! between them on a thread of its own that waits for neither.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prehend_control::rt::{
    ControlLoop, LoopEvent, LoopMessage, LoopPorts, LoopReport, Monotonic, Realtime,
    RealtimeConfig, Tape,
};
use prehend_control::{ControlConfig, Controller, Mode, StopReason};
use prehend_link::messages::{ActionChunk, RobotStatus};
use prehend_link::{Latest, Link, LinkCounts, Queue, Received, StatusOrder, Topic};
use prehend_robot::Robot;
use rtrb::{Consumer, Producer};
use serde::Serialize;

use crate::command_sender::{CommandSender, SendReport};
use crate::handover::Handover;
use crate::live::Live;
use crate::planner::Planner;
use crate::recording::{ControlRecorder, RecordReport, Recording};
use crate::statistics::{Statistics, Times};
use crate::takeover::{TakeoverError, check_takeover};
use crate::{NodeHandle, NodeKind, RuntimeError, Stop};

const CHUNK_QUEUE: usize = 16;
/// Longest wait for a status before the node looks at chunks and whether it should end.
const PATIENCE: Duration = Duration::from_millis(5);
/// Time between two snapshots for others to look at.
const SNAPSHOT: Duration = Duration::from_millis(200);

/// Settings of a control node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ControlSettings {
    /// Rate, gains and limits.
    pub controller: ControlConfig,
    /// What the control thread asks the system for.
    pub realtime: RealtimeConfig,
    /// Time to live of a command.
    pub valid_for: Duration,
}

/// What a control node did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ControlReport {
    /// The loop's timing and limits.
    #[serde(rename = "loop")]
    pub control_loop: LoopReport,
    /// What the system granted.
    pub realtime: Realtime,
    /// Sessions of the driver that were taken over.
    pub armed: u64,
    /// Attempts to take one over that were refused.
    pub arm_refused: u64,
    /// Why the last of them was.
    pub last_arm_error: Option<String>,
    /// Stops that latched, by reason; the driver's own with `driver_` before it.
    pub stops: BTreeMap<String, u64>,
    /// Why the last of the controller's own was, in words: which joint, if one is to blame.
    pub last_stop: Option<String>,
    /// Chunks that the loop took.
    pub chunks_accepted: u64,
    /// Chunks that the loop refused, by reason.
    pub chunks_refused: BTreeMap<String, u64>,
    /// Chunks of a session that was over, or while stopped.
    pub chunks_unwelcome: u64,
    /// Commands that were sent, and that could not be.
    pub sending: SendReport,
    /// The link's account of the statuses.
    pub status_link: LinkCounts,
    /// The link's account of the chunks.
    pub chunk_link: LinkCounts,
    /// The recording of the loop, once it has ended; `null` if nobody asked for one.
    pub recording: Option<RecordReport>,
}

/// The node between policy and driver.
#[derive(Debug)]
pub struct ControlNode;

impl ControlNode {
    /// Declares the topics and starts three threads: the control loop, one that feeds it, one that
    /// sends what it commands.
    ///
    /// # Errors
    /// [`RuntimeError::Control`], [`RuntimeError::Link`], [`RuntimeError::Loop`], [`RuntimeError::Thread`].
    pub fn spawn(
        settings: &ControlSettings,
        robot: &Arc<Robot>,
        link: &Link,
    ) -> Result<NodeHandle<ControlReport>, RuntimeError> {
        Self::spawn_live(settings, robot, link, Live::default(), None)
    }

    /// As [`Self::spawn`], with a report that can be looked at meanwhile, and recorded if that is wanted.
    pub(crate) fn spawn_live(
        settings: &ControlSettings,
        robot: &Arc<Robot>,
        link: &Link,
        live: Live<Option<ControlReport>>,
        recording: Option<&Recording>,
    ) -> Result<NodeHandle<ControlReport>, RuntimeError> {
        let controller = Controller::new(Arc::clone(robot), settings.controller)?;
        let statuses = link.latest()?;
        let chunks = link.queue(CHUNK_QUEUE)?;
        let planners = link.senders(Topic::Chunk)?;
        let publisher = link.publisher()?;
        let (tape, recorder) = match recording {
            Some(recording) => {
                let (tape, reader) = Tape::new();
                (Some(tape), Some(ControlRecorder::spawn(recording, reader)?))
            }
            None => (None, None),
        };
        let (control_loop, ports) =
            ControlLoop::start_on(Monotonic, controller, &settings.realtime, tape)
                .map_err(|error| loop_error(&error))?;
        for note in &control_loop.realtime().notes {
            tracing::warn!("control: {note}");
        }
        let LoopPorts {
            states,
            chunks: plans,
            messages,
            commands,
            events,
        } = ports;
        let sender = CommandSender::spawn(
            commands,
            publisher,
            link.robot().to_owned(),
            settings.valid_for,
            &settings.realtime,
        )?;
        let feeder = Feeder {
            robot: Arc::clone(robot),
            told: None,
            not_armed: None,
            statistics: Statistics::new(link)?,
            statuses,
            order: StatusOrder::default(),
            chunks,
            states,
            plans,
            messages,
            events,
            handover: Handover::new(),
            planner: Planner::new(planners),
            waiting: None,
            counts: Counts::default(),
        };
        NodeHandle::spawn(NodeKind::Control, move |stop| {
            let report = feed(feeder, control_loop, sender, &stop, &live);
            // First: what led to a failure is what the recording is wanted for.
            let recording = recorder.map(ControlRecorder::join);
            Ok(ControlReport {
                recording,
                ..report?
            })
        })
    }
}

fn loop_error(error: &dyn std::error::Error) -> RuntimeError {
    RuntimeError::Loop {
        reason: error.to_string(),
    }
}

#[derive(Debug, Clone, Default)]
struct Counts {
    armed: u64,
    arm_refused: u64,
    last_arm_error: Option<String>,
    stops: BTreeMap<String, u64>,
    last_stop: Option<String>,
    chunks_accepted: u64,
    chunks_refused: BTreeMap<String, u64>,
    chunks_unwelcome: u64,
}

/// The thread that stands between the link and the loop's inputs.
struct Feeder {
    robot: Arc<Robot>,
    /// Session that is not armed, and why: what was said of it.
    told: Option<(u64, TakeoverError)>,
    /// Why the newest session is not armed.
    not_armed: Option<String>,
    statistics: Statistics,
    statuses: Latest<RobotStatus>,
    order: StatusOrder,
    chunks: Queue<ActionChunk>,
    states: Producer<prehend_types::RobotState>,
    plans: Producer<prehend_types::ActionChunk>,
    messages: Producer<LoopMessage>,
    events: Consumer<LoopEvent>,
    handover: Handover,
    planner: Planner,
    /// The newest chunk of a session that is about to be taken over.
    waiting: Option<Received<ActionChunk>>,
    counts: Counts,
}

fn feed(
    mut feeder: Feeder,
    control_loop: ControlLoop,
    sender: CommandSender,
    stop: &Stop,
    live: &Live<Option<ControlReport>>,
) -> Result<ControlReport, RuntimeError> {
    let realtime = control_loop.realtime().clone();
    let mut shown = std::time::Instant::now();
    // Neither thread ends by itself but by a panic; the run ends then, and says so.
    while !stop.is_set() && !feeder.states.is_abandoned() && sender.is_running() {
        feeder.pass(&control_loop);
        if shown.elapsed() >= SNAPSHOT {
            shown = std::time::Instant::now();
            let report = feeder.report(control_loop.report(), &realtime, sender.report());
            if feeder.statistics.is_due() {
                let times = Times {
                    period: control_loop.periods(),
                    compute: control_loop.computes(),
                    command_age: sender.ages(),
                };
                feeder.tell_statistics(&report, control_loop.mode(), &times);
            }
            live.set(Some(report));
        }
    }
    // The sender goes on until the loop has brought the arm to rest: the stop is made of commands.
    let finished = control_loop.finish().map_err(|error| loop_error(&error));
    let sending = sender.join();
    let (_, report) = finished?;
    feeder.drain_events();
    Ok(feeder.report(report, &realtime, sending?))
}

impl Feeder {
    fn pass(&mut self, control_loop: &ControlLoop) {
        let received = self.statuses.wait(PATIENCE);
        if let Some(received) = received.filter(|received| self.order.admit(&received.message)) {
            let status = received.message;
            if status.epoch > self.handover.epoch() {
                self.not_armed = None;
            }
            let takeover = check_takeover(&status, &self.robot);
            let verdict = self.handover.on_status(
                status.epoch,
                status.stop_reason,
                takeover.is_ok(),
                status.acknowledged,
                || control_loop.mode(),
            );
            let unacknowledged = (verdict.is_unacknowledged).then_some(TakeoverError::AtFault);
            self.tell(status.epoch, takeover.err().or(unacknowledged));
            if verdict.driver_stopped {
                let reason = status.stop_reason;
                tracing::warn!(
                    ?reason,
                    "control: the driver stopped the arm; waiting for a new session"
                );
                *self
                    .counts
                    .stops
                    .entry(format!("driver_{}", kind(&reason)))
                    .or_default() += 1;
            }
            if let Some(state) = status.state().filter(|_| verdict.feed) {
                // A full ring means that the loop does not run; it then has older news to work off.
                let _ = self.states.push(state);
            }
            if let Some(message) = verdict.message {
                let _ = self.messages.push(message);
            }
        }
        self.drain_events();
        while let Some(received) = self.chunks.take() {
            if self.waiting.replace(received).is_some() {
                self.counts.chunks_unwelcome += 1;
            }
            self.offer_chunk();
        }
        self.offer_chunk();
        if self.planner.is_lost(self.handover.armed()) {
            // A plan that merely ends is held at its end; whoever comes next was not there when the
            // operator let the arm move.
            let stop = LoopMessage::StopFor(StopReason::PolicyGone);
            let _ = self.messages.push(stop);
        }
    }

    fn not_arm(&mut self, error: String) {
        self.not_armed = Some(error.clone());
        self.counts.last_arm_error = Some(error);
    }

    fn tell_statistics(&mut self, report: &ControlReport, mode: Mode, times: &Times<'_>) {
        let (epoch, not_armed) = (self.handover.epoch(), self.not_armed.as_deref());
        (self.statistics).tell(report, kind(&mode), epoch, not_armed, times);
    }

    /// Says once per session and reason why it is not armed.
    fn tell(&mut self, epoch: u64, refused: Option<TakeoverError>) {
        let Some(error) = refused else {
            return;
        };
        if self.told.as_ref() != Some(&(epoch, error.clone())) {
            tracing::error!(%error, "control: not armed");
            self.counts.arm_refused += 1;
            self.not_arm(error.to_string());
            self.told = Some((epoch, error));
        }
    }

    /// A chunk may come before its session is armed: then it waits, and the loop judges its age.
    fn offer_chunk(&mut self) {
        let Some(received) = self.waiting.take() else {
            return;
        };
        let epoch = received.message.epoch;
        if self.handover.armed() == Some(epoch) {
            self.planner.plans(epoch, received.sender);
            match received.message.to_chunk() {
                Ok(chunk) => _ = self.plans.push(chunk),
                Err(_) => self.counts.chunks_unwelcome += 1,
            }
        } else if self.handover.may_arm(epoch) {
            self.waiting = Some(received);
        } else {
            self.counts.chunks_unwelcome += 1;
        }
    }

    fn drain_events(&mut self) {
        while let Ok(event) = self.events.pop() {
            match &event {
                LoopEvent::Armed { .. } => {
                    self.counts.armed += 1;
                    self.not_armed = None;
                }
                LoopEvent::ArmRefused(error) => {
                    self.counts.arm_refused += 1;
                    if self.counts.arm_refused.is_power_of_two() {
                        tracing::warn!(%error, "control: not armed, trying again");
                    }
                    self.not_arm(error.to_string());
                }
                LoopEvent::Chunk { outcome: Ok(_), .. } => self.counts.chunks_accepted += 1,
                LoopEvent::Chunk {
                    outcome: Err(error),
                    ..
                } => {
                    *self.counts.chunks_refused.entry(kind(error)).or_default() += 1;
                }
                // Asked for by this node: a new session, a driver that stopped, or the end.
                LoopEvent::Stopping(
                    StopReason::Requested | StopReason::Peer | StopReason::DriverFault,
                ) => {}
                LoopEvent::Stopping(reason) => {
                    tracing::warn!(%reason, "control: stopped until a new session");
                    self.counts.last_stop = Some(reason.to_string());
                    *self.counts.stops.entry(kind(reason)).or_default() += 1;
                }
            }
            self.handover.on_event(&event);
        }
    }

    fn report(
        &self,
        control_loop: LoopReport,
        realtime: &Realtime,
        sending: SendReport,
    ) -> ControlReport {
        let counts = self.counts.clone();
        ControlReport {
            control_loop,
            realtime: realtime.clone(),
            armed: counts.armed,
            arm_refused: counts.arm_refused,
            last_arm_error: counts.last_arm_error,
            stops: counts.stops,
            last_stop: counts.last_stop,
            chunks_accepted: counts.chunks_accepted,
            chunks_refused: counts.chunks_refused,
            chunks_unwelcome: counts.chunks_unwelcome,
            sending,
            status_link: self.statuses.counts(),
            chunk_link: self.chunks.counts(),
            recording: None,
        }
    }
}

/// Name of an error's kind: its variant, without the numbers, so that equal ones are counted together.
fn kind(value: &impl std::fmt::Debug) -> String {
    let shown = format!("{value:?}");
    let end = shown
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(shown.len());
    let mut name = String::with_capacity(end + 4);
    for (index, c) in shown[..end].char_indices() {
        if c.is_ascii_uppercase() && index > 0 {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use prehend_control::ChunkError;

    use super::*;

    #[test]
    fn kinds_are_snake_case_without_numbers() {
        assert_eq!(kind(&ChunkError::TooOld { age_s: 1.0 }), "too_old");
        assert_eq!(kind(&StopReason::Requested), "requested");
    }
}
