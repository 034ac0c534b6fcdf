//! `prehend_msgs/msg/RobotStatus`: what an arm measures and what its driver is doing.

use std::time::Duration;

use prehend_types::{GripperState, JointPositions, JointVelocities, MAX_JOINTS, RobotState, Stamp};
use serde::{Deserialize, Serialize};

use super::{first_non_finite, is_name, octet_enum, text::misleads};
use crate::{DecodeError, Message, Topic};

octet_enum! {
    /// Why a driver does not follow commands.
    StopReason {
        /// It does follow them.
        None = 0,
        /// This epoch has not had a command yet.
        NotArmed = 1,
        /// The last command outlived its time to live.
        Expired = 2,
        /// A command asked for it.
        Requested = 3,
        /// The arm reported an error.
        Fault = 4,
        /// The driver is ending.
        Shutdown = 5,
        /// Nobody has asked for a session since the driver started.
        NoSession = 6,
    }
}

const MAX_MODEL: usize = 128;
const HASH_DIGITS: usize = 64;

/// Who an arm is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmId {
    /// Whose arm it is, as [`LinkConfig::robot`](crate::LinkConfig::robot) names it.
    pub robot: String,
    /// Name of its description.
    pub model: String,
    /// SHA-256 of its description, hexadecimal.
    pub model_hash: String,
}

/// Why a driver does not let its session be armed, as in `msg/ArmRefusal.msg`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ArmRefusal {
    /// The joint that is furthest from where it is told to be, counted from 0.
    pub joint_idx: u32,
    /// How far, rad.
    pub distance_rad: f64,
    /// The most that the driver allows, rad.
    pub limit_rad: f64,
}

/// Measured state and the driver's own, as in `msg/RobotStatus.msg`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RobotStatus {
    /// Whose arm it is, as [`LinkConfig::robot`](crate::LinkConfig::robot) names it.
    pub robot: String,
    /// Name of its description.
    pub model: String,
    /// SHA-256 of its description, hexadecimal: the one that a controller must have too.
    pub model_hash: String,
    /// What a command must carry to be followed.
    pub epoch: u64,
    /// Whoever asked for this session has seen to what broke before: a controller at fault may arm again.
    pub acknowledged: bool,
    /// Counts the statuses of this driver.
    pub seq: u64,
    /// Moment of measurement, monotonic ns.
    pub stamp_nanos: u64,
    /// Joint positions, rad, base to tip.
    pub q: Vec<f64>,
    /// Joint velocities, rad/s.
    pub dq: Vec<f64>,
    /// Between the finger pads, m.
    pub gripper_width: f64,
    /// Last commanded opening.
    pub gripper_commanded: f64,
    /// Told to close, standing still, and not shut.
    pub is_grasping: bool,
    /// Newest accepted command of this epoch; means nothing before the first.
    pub command_seq: u64,
    /// From its sending until `stamp_nanos`, or [`Self::NO_COMMAND`].
    pub command_age_nanos: u64,
    /// Why commands are not followed.
    pub stop_reason: StopReason,
    /// Why this session cannot be armed, if it cannot; at most one.
    pub refusal: Vec<ArmRefusal>,
}

impl RobotStatus {
    /// In place of an age: no command was accepted in this epoch.
    pub const NO_COMMAND: u64 = u64::MAX;

    /// A status ready to be sent, of a session that may be armed. `command` is the newest accepted one: its `seq` and its age.
    #[must_use]
    pub fn new(
        arm: &ArmId,
        epoch: u64,
        seq: u64,
        state: &RobotState,
        command: Option<(u64, Duration)>,
        stop_reason: StopReason,
    ) -> Self {
        Self {
            robot: arm.robot.clone(),
            model: arm.model.clone(),
            model_hash: arm.model_hash.clone(),
            epoch,
            acknowledged: false,
            seq,
            stamp_nanos: state.stamp.as_nanos(),
            q: state.q.to_vec(),
            dq: state.dq.to_vec(),
            gripper_width: state.gripper.width,
            gripper_commanded: state.gripper.commanded,
            is_grasping: state.gripper.is_grasping,
            command_seq: command.map_or(0, |(seq, _)| seq),
            command_age_nanos: command.map_or(Self::NO_COMMAND, |(_, age)| age.as_nanos() as u64),
            stop_reason,
            refusal: Vec::new(),
        }
    }

    /// The measured state in the types that control uses; `None` above [`MAX_JOINTS`], never for a
    /// status that was received.
    #[must_use]
    pub fn state(&self) -> Option<RobotState> {
        Some(RobotState {
            stamp: Stamp::from_nanos(self.stamp_nanos),
            q: JointPositions::from_slice(&self.q).ok()?,
            dq: JointVelocities::from_slice(&self.dq).ok()?,
            gripper: GripperState {
                width: self.gripper_width,
                commanded: self.gripper_commanded,
                is_grasping: self.is_grasping,
            },
        })
    }

    /// Age of the newest accepted command when this was measured.
    #[must_use]
    pub fn command_age(&self) -> Option<Duration> {
        (self.command_age_nanos != Self::NO_COMMAND)
            .then(|| Duration::from_nanos(self.command_age_nanos))
    }

    /// Whether commands are followed.
    #[must_use]
    pub fn is_following(&self) -> bool {
        self.stop_reason == StopReason::None
    }
}

impl Message for RobotStatus {
    const TOPIC: Topic = Topic::Status;
    const TYPE_NAME: &'static str = "prehend_msgs/msg/RobotStatus";
    const VERSION: u8 = 2;
    const MAX_BYTES: usize = 768;

    fn robot(&self) -> Option<&str> {
        Some(&self.robot)
    }

    fn check(&self) -> Result<(), DecodeError> {
        is_name::<Self>("robot", &self.robot)?;
        let invalid = |field, message: String| Err(DecodeError::invalid::<Self>(field, message));
        if self.model.len() > MAX_MODEL || self.model.contains(misleads) {
            let message = format!(
                "{} bytes, at most {MAX_MODEL}, or a control character inside",
                self.model.len()
            );
            return invalid("model", message);
        }
        let is_hex = self.model_hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if self.model_hash.len() > HASH_DIGITS || !is_hex {
            let message = format!("must be at most {HASH_DIGITS} hexadecimal digits");
            return invalid("model_hash", message);
        }
        if self.refusal.len() > 1 {
            return invalid(
                "refusal",
                format!("{} of them, at most 1", self.refusal.len()),
            );
        }
        let of_refusal = |refusal: &ArmRefusal| [refusal.distance_rad, refusal.limit_rad];
        if !self.refusal.iter().flat_map(of_refusal).all(f64::is_finite) {
            return invalid("refusal", "not finite".to_owned());
        }
        if self.q.len() > MAX_JOINTS {
            return invalid(
                "q",
                format!("{} joints, at most {MAX_JOINTS}", self.q.len()),
            );
        }
        if self.dq.len() != self.q.len() {
            return invalid(
                "dq",
                format!("{} values, `q` has {}", self.dq.len(), self.q.len()),
            );
        }
        for (field, values) in [("q", &self.q), ("dq", &self.dq)] {
            if let Some(idx) = first_non_finite(values) {
                return invalid(field, format!("value {idx} is not finite"));
            }
        }
        if !self.gripper_width.is_finite() {
            return invalid("gripper_width", "not finite".to_owned());
        }
        if !self.gripper_commanded.is_finite() {
            return invalid("gripper_commanded", "not finite".to_owned());
        }
        Ok(())
    }
}
