//! What passes between the loop and the threads around it.

use prehend_types::{ActionChunk, JointCommand, Pose, RobotState, Stamp};
use rtrb::{Consumer, Producer};
use serde::{Deserialize, Serialize};

use crate::{ArmError, ChunkError, ChunkReport, Mode, StopReason};

/// What the loop is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LoopMessage {
    /// Take the arm over; commands from now on carry this epoch.
    Arm {
        /// A number that was never used before with this driver.
        epoch: u64,
    },
    /// Stop for good.
    Stop,
    /// Stop for good, for a reason that the loop cannot see itself.
    StopFor(StopReason),
    /// An operator acknowledges a stop or a fault: the arm may be armed again.
    Reset,
}

/// What the loop tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LoopEvent {
    /// Armed.
    Armed {
        /// As asked.
        epoch: u64,
    },
    /// Not armed.
    ArmRefused(ArmError),
    /// A chunk was taken or refused.
    Chunk {
        /// The chunk's start.
        start: Stamp,
        /// What became of it.
        outcome: Result<ChunkReport, ChunkError>,
    },
    /// A stop began that stays until armed anew.
    Stopping(StopReason),
}

/// A command with everything the wire needs but its time to live.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedCommand {
    /// Rises by one per command over the loop's life, epochs included; after the last of u64 comes 0.
    pub seq: u64,
    /// The epoch it was armed with.
    pub epoch: u64,
    /// When it was made, monotonic clock.
    pub stamp: Stamp,
    /// The command.
    pub command: JointCommand,
    /// What the controller was doing.
    pub mode: Mode,
    /// Tool pose at the commanded positions.
    pub base_from_tcp_d: Pose,
}

/// The loop's ends that other threads hold. Each is wait-free; each may go to a thread of its own.
#[derive(Debug)]
pub struct LoopPorts {
    /// Measured states. The loop takes all that wait and uses the newest.
    pub states: Producer<RobotState>,
    /// Plans.
    pub chunks: Producer<ActionChunk>,
    /// Arm and stop.
    pub messages: Producer<LoopMessage>,
    /// Commands to send.
    pub commands: Consumer<TimedCommand>,
    /// What happened.
    pub events: Consumer<LoopEvent>,
}
