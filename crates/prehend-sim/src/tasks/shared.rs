//! What the tasks' judges, rewards and experts have in common.

use prehend_types::Pose;
use serde::{Deserialize, Serialize};

use super::Facts;
use crate::physics::DT;
use crate::pilots::rule::Situation;

/// What a judge remembers from one physics step to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// For so many steps in a row it has been as wanted.
    pub good_steps: u32,
    /// The target has been lifted.
    pub lifted: bool,
    /// It was as wanted for long enough.
    pub success: bool,
}

impl Memory {
    /// Counts a step. Whether it has ever been as wanted for `seconds` on end.
    pub fn lasted(&mut self, is_good: bool, seconds: f64) -> bool {
        self.good_steps = if is_good { self.good_steps + 1 } else { 0 };
        self.success |= is_good && f64::from(self.good_steps) * DT >= seconds;
        self.success
    }
}

/// A reward for coming nearer: 1 at no distance, a half at 11 cm.
pub(super) fn near(distance: f64) -> f64 {
    1.0 - libm::tanh(5.0 * distance)
}

impl Facts<'_> {
    /// Whether the gripper is told to be open.
    pub(super) fn is_let_go(&self) -> bool {
        self.gripper().commanded >= 0.5
    }

    /// What the rule that picks and places looks at.
    pub(super) fn situation(
        &self,
        target_idx: usize,
        is_placed: bool,
        base_from_tcp_d: &Pose,
    ) -> Situation {
        let gripper = self.gripper();
        Situation {
            base_from_tcp: *base_from_tcp_d,
            width: gripper.width,
            commanded: gripper.commanded,
            holds_target: gripper.is_grasping
                && !self.is_let_go()
                && self.touches(target_idx).contains(&true),
            is_placed,
            max_width: self.robot.gripper().map_or(0.08, |g| g.max_width),
        }
    }
}
