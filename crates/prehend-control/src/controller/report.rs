//! What the controller says about itself.

use prehend_types::{JointCommand, Pose};

use crate::{LimitSet, Mode};

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
