//! What a policy may see.

use serde::{Deserialize, Serialize};

use crate::{Actions, JointPositions, JointVelocities, PointCloud, Pose, Stamp};

/// Measured state of a parallel gripper.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GripperState {
    /// Distance between the finger pads, m.
    pub width: f64,
    /// Last commanded opening: 0 closed, 1 fully open.
    pub commanded: f64,
    /// The fingers were told to close, stand still, and are not shut: something is between them.
    pub is_grasping: bool,
}

/// Measured state of an arm with its gripper.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RobotState {
    /// When it was measured.
    pub stamp: Stamp,
    /// Joint positions.
    pub q: JointPositions,
    /// Joint velocities.
    pub dq: JointVelocities,
    /// Gripper.
    pub gripper: GripperState,
}

/// Everything a policy may look at to decide. It holds nothing that a real cell would not have.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// When the cloud was taken; the first action of a chunk starts here.
    pub stamp: Stamp,
    /// The cropped cloud in the robot's base frame.
    pub cloud: PointCloud,
    /// The robot at `stamp`.
    pub state: RobotState,
    /// Pose of the tool centre point, from forward kinematics at `state.q`.
    pub base_from_tcp: Pose,
    /// What the arm does from `stamp` on whatever is decided now, for until that takes effect it follows
    /// what was decided before. Empty if nothing is known, or answers are quick.
    pub committed: Actions,
}
