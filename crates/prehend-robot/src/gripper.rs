//! A parallel gripper with two fingers that move as one.

use crate::LinkShape;

/// A two-finger parallel gripper.
#[derive(Debug, Clone, PartialEq)]
pub struct GripperSpec {
    /// Link of the gripper's body.
    pub hand_idx: usize,
    /// The finger that leads.
    pub left: Finger,
    /// The finger that mimics it.
    pub right: Finger,
    /// Distance between the pads when fully open, m.
    pub max_width: f64,
    /// Usual speed of the width, m/s.
    pub speed: f64,
    /// Largest speed of the width, m/s.
    pub max_speed: f64,
    /// Grasping force, N.
    pub force: f64,
    /// How often its command may turn from open to shut or back, 1/s; smaller ways back count in proportion.
    pub max_turns_per_s: f64,
    /// Capsules on the hand link that contain hand and fingers at any width. They stand in for the
    /// shapes of hand and fingers when the robot is kept off itself; nothing is grasped with them.
    pub self_collision: Vec<LinkShape>,
}

impl GripperSpec {
    /// Of a gripper whose description says nothing: a hand like Franka's makes half of its way, at full speed,
    /// in the time of one.
    pub const MAX_TURNS_PER_S: f64 = 5.0;
}

/// One finger. Its joint is in `robot.links()[link_idx].motion`.
#[derive(Debug, Clone, PartialEq)]
pub struct Finger {
    /// The finger's link.
    pub link_idx: usize,
    /// The pad that touches objects: a box in the finger's link frame.
    pub pad: LinkShape,
}
