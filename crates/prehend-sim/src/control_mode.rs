//! What the numbers of an action mean.

use nalgebra::Vector3;
use prehend_control::{is_plausible, is_plausible_step};
use prehend_types::Action;
use serde::{Deserialize, Serialize};

/// The ways to drive an arm. Every one of them goes through `prehend-control`, the code that drives the
/// real one; an action is a flat list of numbers for 50 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlMode {
    /// How the tool moves, in its own frame: translation (m), rotation vector (rad). What policies use.
    #[default]
    ToolDelta,
    /// Where every joint goes, rad.
    JointPosition,
    /// How far every joint goes, rad.
    JointDelta,
    /// How fast every joint goes, rad/s.
    JointVelocity,
    /// How the goal of a compliant tool moves, in the goal's frame: translation (m), rotation vector
    /// (rad). Needs the arm `dynamic`.
    OperationalSpace,
    /// Torques over gravity, N·m. Needs the arm `dynamic`.
    Torque,
}

impl ControlMode {
    /// All modes.
    pub const ALL: [Self; 6] = [
        Self::ToolDelta,
        Self::JointPosition,
        Self::JointDelta,
        Self::JointVelocity,
        Self::OperationalSpace,
        Self::Torque,
    ];

    /// Numbers in an action; the last is the gripper's opening, 0 shut to 1 open.
    #[must_use]
    pub fn action_len(self, n_joints: usize) -> usize {
        match self {
            Self::ToolDelta | Self::OperationalSpace => 7,
            Self::JointPosition | Self::JointDelta | Self::JointVelocity | Self::Torque => {
                n_joints + 1
            }
        }
    }

    /// Whether it commands torques, which only the arm `dynamic` takes.
    #[must_use]
    pub fn is_torque(self) -> bool {
        matches!(self, Self::OperationalSpace | Self::Torque)
    }

    /// Whether such numbers can be meant as an action of this mode; what cannot is refused. Torques are only
    /// asked to be finite: the controller holds them to their limits.
    #[must_use]
    pub fn may_mean(self, action: &[f64]) -> bool {
        let is_finite = action.iter().all(|value| value.is_finite());
        let Some((_, motion)) = action.split_last().filter(|_| is_finite) else {
            return false;
        };
        match self {
            Self::ToolDelta | Self::OperationalSpace => is_plausible(&tool_action(motion, 0.0)),
            Self::JointPosition | Self::JointDelta | Self::JointVelocity => {
                is_plausible_step(motion)
            }
            Self::Torque => true,
        }
    }

    /// Name for files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ToolDelta => "tool_delta",
            Self::JointPosition => "joint_position",
            Self::JointDelta => "joint_delta",
            Self::JointVelocity => "joint_velocity",
            Self::OperationalSpace => "operational_space",
            Self::Torque => "torque",
        }
    }
}

/// Six numbers as a motion of the tool.
pub(crate) fn tool_action(values: &[f64], gripper: f64) -> Action {
    let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
    Action {
        translation: Vector3::new(at(0), at(1), at(2)),
        rotation: Vector3::new(at(3), at(4), at(5)),
        gripper,
    }
}
