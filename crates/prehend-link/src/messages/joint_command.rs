//! `prehend_msgs/msg/JointCommand`: one tick's command to an arm.

use std::time::Duration;

use prehend_types::{self as types, MAX_JOINTS, Stamp};
use serde::{Deserialize, Serialize};

use super::{is_name, octet_enum};
use crate::{DecodeError, Message, Topic};

octet_enum! {
    /// What a command asks for.
    CommandMode {
        /// Follow `q_d`, `dq_d` and the gripper opening.
        Track = 0,
        /// Stop softly now and stay stopped until a new epoch.
        Stop = 1,
    }
}

/// One tick's command to an arm, as in `msg/JointCommand.msg`.
///
/// Numbers that are not finite survive decoding, so that the receiver's
/// [`CommandGate`](crate::CommandGate) can count them for what they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointCommand {
    /// Whose arm it is for, as [`LinkConfig::robot`](crate::LinkConfig::robot) names it.
    pub robot: String,
    /// Session of the driver that may be moved.
    pub epoch: u64,
    /// Increasing within an epoch, see [`prehend_types::ahead`].
    pub seq: u64,
    /// Moment that the setpoint is meant for, monotonic ns.
    pub stamp_nanos: u64,
    /// Moment of sending, monotonic ns.
    pub sent_nanos: u64,
    /// Time to live from `sent_nanos`, ns.
    pub valid_for_nanos: u64,
    /// Desired joint positions, rad, base to tip.
    pub q_d: Vec<f64>,
    /// Desired joint velocities, rad/s.
    pub dq_d: Vec<f64>,
    /// 0 closed, 1 fully open.
    pub gripper_opening: f64,
    /// Follow, or stop.
    pub mode: CommandMode,
}

impl JointCommand {
    /// A command to follow, meant for `stamp` and sent now.
    #[must_use]
    pub fn track(
        robot: &str,
        epoch: u64,
        seq: u64,
        stamp: Stamp,
        valid_for: Duration,
        command: &types::JointCommand,
    ) -> Self {
        Self {
            robot: robot.to_owned(),
            epoch,
            seq,
            stamp_nanos: stamp.as_nanos(),
            sent_nanos: Stamp::now().as_nanos(),
            valid_for_nanos: valid_for.as_nanos() as u64,
            q_d: command.q_d.to_vec(),
            dq_d: command.dq_d.to_vec(),
            gripper_opening: command.gripper.opening,
            mode: CommandMode::Track,
        }
    }

    /// A command to stop, sent now. Values and gripper of `last` travel along and are ignored.
    #[must_use]
    pub fn stop(
        robot: &str,
        epoch: u64,
        seq: u64,
        valid_for: Duration,
        last: &types::JointCommand,
    ) -> Self {
        Self {
            mode: CommandMode::Stop,
            ..Self::track(robot, epoch, seq, Stamp::now(), valid_for, last)
        }
    }

    /// Moment of sending.
    #[must_use]
    pub const fn sent(&self) -> Stamp {
        Stamp::from_nanos(self.sent_nanos)
    }

    /// Moment that the setpoint is meant for.
    #[must_use]
    pub const fn stamp(&self) -> Stamp {
        Stamp::from_nanos(self.stamp_nanos)
    }

    /// The setpoint in the types that control uses; `None` above [`MAX_JOINTS`].
    #[must_use]
    pub fn setpoint(&self) -> Option<types::JointCommand> {
        Some(types::JointCommand {
            q_d: types::JointPositions::from_slice(&self.q_d).ok()?,
            dq_d: types::JointVelocities::from_slice(&self.dq_d).ok()?,
            gripper: types::GripperCommand {
                opening: self.gripper_opening,
            },
        })
    }
}

impl Message for JointCommand {
    const TOPIC: Topic = Topic::Command;
    const TYPE_NAME: &'static str = "prehend_msgs/msg/JointCommand";
    const VERSION: u8 = 2;
    const MAX_BYTES: usize = 320;

    fn check(&self) -> Result<(), DecodeError> {
        is_name::<Self>("robot", &self.robot)?;
        if self.q_d.len() > MAX_JOINTS {
            let message = format!("{} joints, at most {MAX_JOINTS}", self.q_d.len());
            return Err(DecodeError::invalid::<Self>("q_d", message));
        }
        if self.dq_d.len() != self.q_d.len() {
            let message = format!("{} values, `q_d` has {}", self.dq_d.len(), self.q_d.len());
            return Err(DecodeError::invalid::<Self>("dq_d", message));
        }
        Ok(())
    }
}
