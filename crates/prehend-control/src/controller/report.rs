//! What the controller says about itself.

use prehend_types::{JointCommand, Pose};

use crate::LimitSet;

/// What the controller is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Not armed. Commands of this mode repeat a position and must not be sent.
    Idle = 0,
    /// Following a plan.
    Tracking,
    /// Armed, standing still (or coming to it) because there is no plan or it has ended.
    Holding,
    /// Stopping for good.
    Stopping,
    /// Stands still until armed anew.
    Stopped,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 5] = [
        Self::Idle,
        Self::Tracking,
        Self::Holding,
        Self::Stopping,
        Self::Stopped,
    ];
}

/// What one tick produced.
#[derive(Debug, Clone, Copy)]
pub struct Tick {
    /// The command; every number in it is finite.
    pub command: JointCommand,
    /// What the controller was doing.
    pub mode: Mode,
    /// What kept the command from being the plan.
    pub limited: LimitSet,
    /// Tool pose at the commanded positions.
    pub base_from_tcp_d: Pose,
}

/// What became of an accepted chunk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChunkReport {
    /// Actions that were already past and were dropped.
    pub dropped: usize,
    /// Time between the chunk's start and its acceptance, s; negative if it starts in the future.
    pub age_s: f64,
    /// Distance between the old and the new plan at acceptance, which fades out, m.
    pub seam_m: f64,
    /// The same for rotation, rad.
    pub seam_rad: f64,
}
