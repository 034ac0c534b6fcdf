//! `sensor_msgs/msg/JointState`: what viewers and ROS 2 expect of an arm.

use prehend_types::{MAX_JOINTS, RobotState, Stamp};
use serde::{Deserialize, Serialize};

use super::{first_non_finite, text::misleads};
use crate::{DecodeError, Message, Topic};

const MAX_NAME: usize = 128;

/// `builtin_interfaces/msg/Time`. Here it holds the monotonic clock, not the wall's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    /// Whole seconds.
    pub sec: i32,
    /// The rest, ns.
    pub nanosec: u32,
}

impl From<Stamp> for Time {
    fn from(stamp: Stamp) -> Self {
        let nanos = stamp.as_nanos();
        Self {
            sec: i32::try_from(nanos / 1_000_000_000).unwrap_or(i32::MAX),
            nanosec: (nanos % 1_000_000_000) as u32,
        }
    }
}

impl From<Time> for Stamp {
    fn from(time: Time) -> Self {
        let seconds = u64::try_from(time.sec).unwrap_or(0);
        Self::from_nanos(seconds * 1_000_000_000 + u64::from(time.nanosec))
    }
}

/// `std_msgs/msg/Header`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// When the data was taken.
    pub stamp: Time,
    /// Frame that the data is expressed in.
    pub frame_id: String,
}

/// One finger of a parallel gripper, as a prismatic joint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FingerState<'a> {
    /// Name of the joint.
    pub name: &'a str,
    /// Distance from shut, half the gripper's width, m.
    pub position: f64,
    /// Its rate, m/s.
    pub velocity: f64,
}

/// Positions and velocities of named joints, as in `sensor_msgs/msg/JointState`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointState {
    /// Stamp and frame.
    pub header: Header,
    /// One name per joint.
    pub name: Vec<String>,
    /// rad, or m if prismatic.
    pub position: Vec<f64>,
    /// rad/s, or m/s if prismatic; may be empty.
    pub velocity: Vec<f64>,
    /// N·m, or N if prismatic; may be empty.
    pub effort: Vec<f64>,
}

impl JointState {
    /// An arm's joints in order and one finger, if there is one, behind them. Efforts are not measured: left empty.
    #[must_use]
    pub fn new(
        state: &RobotState,
        joint_names: &[String],
        finger: Option<FingerState<'_>>,
    ) -> Self {
        Self {
            header: Header {
                stamp: state.stamp.into(),
                frame_id: String::new(),
            },
            name: joint_names
                .iter()
                .cloned()
                .chain(finger.map(|finger| finger.name.to_owned()))
                .collect(),
            position: state
                .q
                .iter()
                .copied()
                .chain(finger.map(|finger| finger.position))
                .collect(),
            velocity: state
                .dq
                .iter()
                .copied()
                .chain(finger.map(|finger| finger.velocity))
                .collect(),
            effort: Vec::new(),
        }
    }
}

impl Message for JointState {
    const TOPIC: Topic = Topic::JointState;
    const TYPE_NAME: &'static str = "sensor_msgs/msg/JointState";
    const VERSION: u8 = 0;
    const MAX_BYTES: usize = 8192;

    fn check(&self) -> Result<(), DecodeError> {
        let invalid = |field, message: String| Err(DecodeError::invalid::<Self>(field, message));
        // Arm and hand of any robot that fits elsewhere, with room for all its fingers.
        let limit = 4 * MAX_JOINTS;
        if self.name.len() > limit {
            return invalid(
                "name",
                format!("{} joints, at most {limit}", self.name.len()),
            );
        }
        let bad_text = |text: &String| text.len() > MAX_NAME || text.contains(misleads);
        if self
            .name
            .iter()
            .chain([&self.header.frame_id])
            .any(bad_text)
        {
            return invalid(
                "name",
                format!("a name has a control character or over {MAX_NAME} bytes"),
            );
        }
        if self.header.stamp.sec < 0 || self.header.stamp.nanosec >= 1_000_000_000 {
            return invalid("header.stamp", "not a time".to_owned());
        }
        for (field, values) in [
            ("position", &self.position),
            ("velocity", &self.velocity),
            ("effort", &self.effort),
        ] {
            if !values.is_empty() && values.len() != self.name.len() {
                let message = format!("{} values for {} names", values.len(), self.name.len());
                return invalid(field, message);
            }
            if let Some(idx) = first_non_finite(values) {
                return invalid(field, format!("value {idx} is not finite"));
            }
        }
        Ok(())
    }
}
