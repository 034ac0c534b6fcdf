//! The topics of a robot: their keys, and how urgently and how surely each is carried.

use zenoh::qos::{CongestionControl, Priority};

use crate::messages::{
    ActionChunk, ControlStatistics, EpisodeEvent, EpisodeRequest, Inquiry, JointCommand,
    JointState, PointCloud2, Report, RobotStatus, StopRequest, SwapAnswer, SwapRequest,
};
use crate::{DecodeError, Message, decode};

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
    /// New sessions that are asked for: after one, the arm may move again.
    Request,
    /// Stops that are asked for.
    Stop,
    /// What the driver is asked to say again.
    Inquiry,
    /// The driver's account of the commands it received.
    Report,
    /// What the control loop has done, once per second.
    Statistics,
    /// Another policy that is asked for.
    Swap,
    /// What became of it.
    SwapAnswer,
}

/// How a topic is carried.
pub(crate) struct Qos {
    pub priority: Priority,
    pub congestion: CongestionControl,
    /// Sent at once instead of waiting for a batch to fill.
    pub express: bool,
}

impl Topic {
    /// Every topic, in the order of the data flow.
    pub const ALL: [Self; 13] = [
        Self::Status,
        Self::JointState,
        Self::Cloud,
        Self::Chunk,
        Self::Command,
        Self::Request,
        Self::Stop,
        Self::Inquiry,
        Self::Swap,
        Self::SwapAnswer,
        Self::Event,
        Self::Report,
        Self::Statistics,
    ];

    /// The topic of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }

    /// ROS 2 name of the type of its messages.
    #[must_use]
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Command => JointCommand::TYPE_NAME,
            Self::Status => RobotStatus::TYPE_NAME,
            Self::JointState => JointState::TYPE_NAME,
            Self::Cloud => PointCloud2::TYPE_NAME,
            Self::Chunk => ActionChunk::TYPE_NAME,
            Self::Event => EpisodeEvent::TYPE_NAME,
            Self::Request => EpisodeRequest::TYPE_NAME,
            Self::Stop => StopRequest::TYPE_NAME,
            Self::Inquiry => Inquiry::TYPE_NAME,
            Self::Report => Report::TYPE_NAME,
            Self::Statistics => ControlStatistics::TYPE_NAME,
            Self::Swap => SwapRequest::TYPE_NAME,
            Self::SwapAnswer => SwapAnswer::TYPE_NAME,
        }
    }

    /// Largest payload of its messages, bytes.
    #[must_use]
    pub const fn max_bytes(self) -> usize {
        match self {
            Self::Command => JointCommand::MAX_BYTES,
            Self::Status => RobotStatus::MAX_BYTES,
            Self::JointState => JointState::MAX_BYTES,
            Self::Cloud => PointCloud2::MAX_BYTES,
            Self::Chunk => ActionChunk::MAX_BYTES,
            Self::Event => EpisodeEvent::MAX_BYTES,
            Self::Request => EpisodeRequest::MAX_BYTES,
            Self::Stop => StopRequest::MAX_BYTES,
            Self::Inquiry => Inquiry::MAX_BYTES,
            Self::Report => Report::MAX_BYTES,
            Self::Statistics => ControlStatistics::MAX_BYTES,
            Self::Swap => SwapRequest::MAX_BYTES,
            Self::SwapAnswer => SwapAnswer::MAX_BYTES,
        }
    }

    /// A payload of this topic as JSON, every field under its name. Numbers that are not finite are
    /// null; the bytes of a cloud are written as points.
    ///
    /// # Errors
    /// [`DecodeError`], as [`decode`].
    pub fn to_json(self, payload: &[u8]) -> Result<serde_json::Value, DecodeError> {
        match self {
            Self::Command => json::<JointCommand>(payload),
            Self::Status => json::<RobotStatus>(payload),
            Self::JointState => json::<JointState>(payload),
            Self::Cloud => decode::<PointCloud2>(payload)?.to_json(),
            Self::Chunk => json::<ActionChunk>(payload),
            Self::Event => json::<EpisodeEvent>(payload),
            Self::Request => json::<EpisodeRequest>(payload),
            Self::Stop => json::<StopRequest>(payload),
            Self::Inquiry => json::<Inquiry>(payload),
            Self::Report => json::<Report>(payload),
            Self::Statistics => json::<ControlStatistics>(payload),
            Self::Swap => json::<SwapRequest>(payload),
            Self::SwapAnswer => json::<SwapAnswer>(payload),
        }
    }

    /// Whether a sender waits for a receiver that does not keep up, instead of dropping what is late.
    #[must_use]
    pub fn waits_for_receivers(self) -> bool {
        self.qos().congestion == CongestionControl::Block
    }

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
            Self::Stop => "stop",
            Self::Inquiry => "inquiry",
            Self::Report => "report",
            Self::Statistics => "statistics",
            Self::Swap => "swap",
            Self::SwapAnswer => "swap_answer",
        }
    }

    /// The whole key of one robot's topic.
    #[must_use]
    pub fn key(self, robot: &str) -> String {
        format!("prehend/{robot}/{}", self.name())
    }

    /// An old setpoint is worthless, so commands and states are dropped rather than delayed, before
    /// anything else on the wire; who wants a stop asks until it came. Nothing that a driver sends may hold up its arm, so events and reports
    /// are dropped too when a receiver does not keep up, and can be asked for again; who asks for a
    /// session waits.
    /// Clouds have a priority of their own, so that a large one never stands before a command in a queue.
    pub(crate) const fn qos(self) -> Qos {
        let (priority, congestion, express) = match self {
            Self::Command | Self::Stop => (Priority::RealTime, CongestionControl::Drop, true),
            Self::Status | Self::Chunk => {
                (Priority::InteractiveHigh, CongestionControl::Drop, true)
            }
            Self::Event | Self::Inquiry | Self::Swap | Self::SwapAnswer => {
                (Priority::InteractiveLow, CongestionControl::Drop, true)
            }
            Self::Request => (Priority::InteractiveLow, CongestionControl::Block, true),
            Self::Cloud => (Priority::DataHigh, CongestionControl::Drop, true),
            Self::JointState => (Priority::DataLow, CongestionControl::Drop, false),
            Self::Report | Self::Statistics => (Priority::DataLow, CongestionControl::Drop, true),
        };
        Qos {
            priority,
            congestion,
            express,
        }
    }
}

fn json<M: Message>(payload: &[u8]) -> Result<serde_json::Value, DecodeError> {
    let message = decode::<M>(payload)?;
    // Plain data with field names always has a JSON form.
    serde_json::to_value(message)
        .map_err(|error| DecodeError::invalid::<M>("message", error.to_string()))
}
