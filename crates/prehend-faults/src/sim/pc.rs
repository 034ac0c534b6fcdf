//! The controller's side: what the control node's threads do around the real controller, without threads.

use std::sync::Arc;
use std::time::Duration;

use prehend_control::{ChunkError, ChunkReport, Controller, Mode, StopReason as Reason};
use prehend_link::StatusOrder;
use prehend_link::messages::{CommandMode, JointCommand, RobotStatus, StopReason};
use prehend_robot::Robot;
use prehend_runtime::check_takeover;
use prehend_types::{ActionChunk, JointPlan, RobotState, Stamp};

/// A plan for the controller.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "short-lived, and never kept in numbers"
)]
pub(crate) enum Offer {
    Tool(ActionChunk),
    Joints(JointPlan),
}

/// Stands in for the policy: asked at every tick, at this moment, while the arm is armed.
pub(crate) type Pilot = Box<dyn FnMut(Stamp) -> Option<Offer> + Send>;

/// The control node.
pub(crate) struct Pc {
    /// Whose arm it moves, and which it takes that for.
    name: String,
    robot: Arc<Robot>,
    pub controller: Controller,
    pub pilot: Pilot,
    pub valid_for: Duration,
    pub state: Option<RobotState>,
    /// Number of the newest command.
    pub seq: u64,
    /// Plans taken, and plans refused.
    pub taken: u64,
    pub refused: u64,
    pub last_report: Option<ChunkReport>,
    pub last_refusal: Option<ChunkError>,
    pub last_arm_error: Option<String>,
    pub armed: u64,
    /// Newest session that the driver announced, and whether it is to be taken over.
    epoch: u64,
    wants_to_arm: bool,
    /// Whether the driver's session may be taken over.
    may_arm: bool,
    /// Whether whoever asked for it has seen to what broke before.
    acknowledged: bool,
    order: StatusOrder,
}

impl Pc {
    pub fn new(
        name: &str,
        robot: &Arc<Robot>,
        controller: Controller,
        pilot: Pilot,
        valid_for: Duration,
    ) -> Self {
        Self {
            name: name.to_owned(),
            robot: Arc::clone(robot),
            controller,
            pilot,
            valid_for,
            state: None,
            seq: 0,
            taken: 0,
            refused: 0,
            last_report: None,
            last_refusal: None,
            last_arm_error: None,
            armed: 0,
            epoch: 0,
            wants_to_arm: false,
            may_arm: true,
            acknowledged: false,
            order: StatusOrder::default(),
        }
    }

    /// A status has come. What a receiver would not decode is passed over.
    pub fn hear(&mut self, status: &RobotStatus) {
        if !self.order.admit(status) {
            return;
        }
        if status.epoch > self.epoch {
            self.epoch = status.epoch;
            self.wants_to_arm = true;
            self.controller.soft_stop();
        }
        let stop = match status.stop_reason {
            StopReason::None | StopReason::NotArmed => None,
            StopReason::Fault => Some(Reason::DriverFault),
            StopReason::Expired
            | StopReason::Requested
            | StopReason::Shutdown
            | StopReason::NoSession => Some(Reason::Peer),
        };
        if let Some(reason) = stop {
            self.wants_to_arm = false;
            self.controller.stop(reason);
        }
        let takeover = check_takeover(status, &self.robot);
        self.may_arm = takeover.is_ok();
        self.acknowledged = status.acknowledged;
        if let Err(error) = takeover {
            self.last_arm_error = Some(error.to_string());
        }
        if let Some(state) = status.state() {
            self.state = Some(state);
        }
    }

    /// One tick; what is to be sent.
    pub fn tick(&mut self, now: Stamp) -> Option<JointCommand> {
        let state = self.state?;
        let mode = self.controller.mode();
        if self.wants_to_arm && self.may_arm && !mode.commands() && mode != Mode::Arming {
            self.arm(&state, now);
        }
        if self.controller.mode().is_running()
            && let Some(offer) = (self.pilot)(now)
        {
            self.take(&offer, now);
        }
        let before = self.controller.mode();
        let tick = self.controller.tick(&state, now);
        self.answer_arming(before, tick.mode);
        if !(before.commands() || tick.mode.commands()) {
            return None;
        }
        // As the loop's counter does after 584 million years at 1 kHz.
        self.seq = self.seq.wrapping_add(1);
        Some(JointCommand {
            robot: self.name.clone(),
            epoch: self.controller.epoch(),
            seq: self.seq,
            stamp_nanos: now.as_nanos(),
            sent_nanos: now.as_nanos(),
            valid_for_nanos: self.valid_for.as_nanos() as u64,
            q_d: tick.command.q_d.to_vec(),
            dq_d: tick.command.dq_d.to_vec(),
            gripper_opening: tick.command.gripper.opening,
            mode: match tick.mode.commands() {
                true => CommandMode::Track,
                false => CommandMode::Stop,
            },
        })
    }

    /// Hands a plan over at once.
    pub fn take(&mut self, offer: &Offer, now: Stamp) {
        let outcome = match offer {
            Offer::Tool(chunk) => self.controller.accept(chunk, now),
            Offer::Joints(plan) => self.controller.accept_joints(plan, now),
        };
        match outcome {
            Ok(report) => {
                self.taken += 1;
                self.last_report = Some(report);
            }
            Err(error) => {
                self.refused += 1;
                self.last_refusal = Some(error);
            }
        }
    }

    fn arm(&mut self, state: &RobotState, now: Stamp) {
        if self.acknowledged {
            self.controller.reset();
        }
        if let Err(error) = self.controller.begin_arming(self.epoch, state, now) {
            self.last_arm_error = Some(error.to_string());
        }
    }

    /// What became of an arming, if one has ended with this tick; what was refused is tried again.
    fn answer_arming(&mut self, before: Mode, after: Mode) {
        if before != Mode::Arming || after == Mode::Arming {
            return;
        }
        if after.is_running() {
            self.wants_to_arm = false;
            self.armed += 1;
        } else {
            let error = self.controller.arm_error().map(|error| error.to_string());
            self.last_arm_error = error.or(self.last_arm_error.take());
        }
    }
}
