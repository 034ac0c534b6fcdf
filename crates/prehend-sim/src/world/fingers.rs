//! What a gripper's driver does with a command, and what it reports.

use crate::physics::DT;
use crate::state::ArmState;

/// Fingers slower than this stand still, m/s.
const FINGERS_STILL: f64 = 0.004;
/// The command must be this much ahead of standing fingers before they count as grasping, m.
const GRASP_LEAD: f64 = 0.0015;
/// Shut fingers hold nothing, m.
const GRASP_MIN_WIDTH: f64 = 0.0015;

impl ArmState {
    /// Moves the fingers' target towards the command at the gripper's `speed` for a tick. A target that ran
    /// ahead of blocked fingers comes back to them at once when the command turns round.
    pub(super) fn slew_fingers(&mut self, opening: f64, max_width: f64, speed: f64) {
        let opening = opening.clamp(0.0, 1.0);
        self.gripper.commanded = opening;
        let goal = 0.5 * max_width * opening;
        let mean = 0.5 * (self.fingers[0] + self.fingers[1]);
        let from = if goal > self.finger_target {
            self.finger_target.max(mean.min(goal))
        } else {
            self.finger_target
        };
        let step = speed * DT;
        self.finger_target = from + (goal - from).clamp(-step, step);
    }

    /// Takes over where the fingers are after `span`, s. Nothing is grasped yet when an episode begins.
    pub(super) fn read_fingers(&mut self, fingers: [f64; 2], span: f64, has_begun: bool) {
        let before = self.gripper.width;
        self.fingers = fingers;
        let width = self.fingers[0] + self.fingers[1];
        let speed = (width - before) / span;
        let lead = 0.5 * width - self.finger_target;
        // Once grasping, fingers may creep without letting go of the claim; losing the lead does.
        let is_still = speed.abs() < FINGERS_STILL || self.gripper.is_grasping;
        self.gripper.width = width;
        self.gripper.is_grasping =
            has_begun && lead > GRASP_LEAD && is_still && width > GRASP_MIN_WIDTH;
    }
}
