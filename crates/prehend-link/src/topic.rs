//! The topics of a robot: their keys, and how urgently and how surely each is carried.

use zenoh::qos::{CongestionControl, Priority};

/// Every topic that prehend speaks on. The key is `prehend/<robot>/<name>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Topic {
    /// Joint commands to the driver.
    Command,
    /// Small state of arm and gripper, at the driver's rate.
    Status,
    /// `sensor_msgs/JointState`, slower, for viewers.
    JointState,
    /// Clouds of the camera.
    Cloud,
    /// Action chunks from the policy to the control loop.
    Chunk,
    /// What happens to episodes.
    Event,
    /// What is asked of the driver.
    Request,
    /// The driver's account of the commands it received.
    Report,
}

/// How a topic is carried.
pub(crate) struct Qos {
    pub priority: Priority,
    pub congestion: CongestionControl,
    /// Sent at once instead of waiting for a batch to fill.
    pub express: bool,
}

impl Topic {
    /// Last part of the key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Status => "status",
            Self::JointState => "joint_states",
            Self::Cloud => "points",
            Self::Chunk => "chunk",
            Self::Event => "event",
            Self::Request => "request",
            Self::Report => "report",
        }
    }

    /// The whole key of one robot's topic.
    #[must_use]
    pub fn key(self, robot: &str) -> String {
        format!("prehend/{robot}/{}", self.name())
    }

    /// An old setpoint is worthless, so commands and states are dropped rather than delayed, before
    /// anything else on the wire. Nothing that a driver sends may hold up its arm, so events and reports
    /// are dropped too when a receiver does not keep up, and can be asked for again; who asks, waits.
    /// Clouds have a priority of their own, so that a large one never stands before a command in a queue.
    pub(crate) const fn qos(self) -> Qos {
        let (priority, congestion, express) = match self {
            Self::Command => (Priority::RealTime, CongestionControl::Drop, true),
            Self::Status | Self::Chunk => {
                (Priority::InteractiveHigh, CongestionControl::Drop, true)
            }
            Self::Event => (Priority::InteractiveLow, CongestionControl::Drop, true),
            Self::Request => (Priority::InteractiveLow, CongestionControl::Block, true),
            Self::Cloud => (Priority::DataHigh, CongestionControl::Drop, true),
            Self::JointState => (Priority::DataLow, CongestionControl::Drop, false),
            Self::Report => (Priority::DataLow, CongestionControl::Drop, true),
        };
        Qos {
            priority,
            congestion,
            express,
        }
    }
}
