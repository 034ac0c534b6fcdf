//! Turns a robot description into what the controller needs per tick: the only file that knows
//! `prehend-robot`.

use std::sync::Arc;

use nalgebra::SMatrix;
use prehend_robot::Robot;
use prehend_types::{JointPositions, MAX_JOINTS, Pose};

use crate::joint_path::Joints;
use crate::{ControlError, JointBounds, VelocityEnvelope};

/// Columns of joints; those beyond the robot's last are zero.
pub(crate) type Jacobian = SMatrix<f64, 6, MAX_JOINTS>;

/// The robot and its limits as plain numbers.
#[derive(Debug, Clone)]
pub(crate) struct Arm {
    robot: Arc<Robot>,
    bounds: [JointBounds; MAX_JOINTS],
    n_joints: usize,
}

impl Arm {
    pub(crate) fn new(robot: Arc<Robot>) -> Result<Self, ControlError> {
        let bounds = joint_bounds(&robot)?;
        Ok(Self {
            n_joints: robot.limits().q_min.len(),
            robot,
            bounds,
        })
    }

    pub(crate) fn bounds(&self) -> &[JointBounds] {
        &self.bounds[..self.n_joints]
    }

    /// Other limits, valid ones, of as many joints.
    pub(crate) fn set_bounds(&mut self, bounds: &[JointBounds]) {
        for (own, bounds) in self.bounds.iter_mut().zip(bounds) {
            *own = *bounds;
        }
    }

    /// Smallest distance of the arm to itself, m, and where the tool is.
    pub(crate) fn clearance(&self, q: &JointPositions) -> (f64, Pose) {
        self.robot.self_distance_and_forward(q)
    }

    /// How far one rad of each joint moves any part of the arm at most, m.
    pub(crate) fn reach(&self) -> Joints {
        self.robot.reach()
    }

    /// Tool pose and Jacobian (linear rows first, in the base frame at the tool centre point).
    pub(crate) fn kinematics(&self, q: &JointPositions) -> (Pose, Jacobian) {
        self.robot.forward_and_jacobian(q)
    }

    pub(crate) fn home(&self) -> &JointPositions {
        self.robot.home()
    }
}

/// The limits of every joint of a robot, as the limiter and the wire checker take them; entries
/// beyond its last joint repeat the first.
///
/// # Errors
/// [`ControlError::JointCount`], or [`ControlError::Limits`] naming the joint whose limits cannot be used.
pub fn joint_bounds(robot: &Robot) -> Result<[JointBounds; MAX_JOINTS], ControlError> {
    let limits = robot.limits();
    let n_joints = limits.q_min.len();
    if n_joints == 0 || n_joints > MAX_JOINTS {
        return Err(ControlError::JointCount { n_joints });
    }
    let of_joint = |joint_idx: usize| JointBounds {
        lower: limits.q_min[joint_idx],
        upper: limits.q_max[joint_idx],
        max_velocity: limits.dq_max[joint_idx],
        max_acceleration: limits.ddq_max[joint_idx],
        max_jerk: limits.dddq_max[joint_idx],
        // A deceleration of zero means that the maker gives no envelope.
        envelope: Some(limits.envelope[joint_idx])
            .filter(|envelope| envelope.deceleration != 0.0)
            .map(|envelope| VelocityEnvelope {
                offset: envelope.offset,
                deceleration: envelope.deceleration,
            }),
    };
    let mut bounds = [of_joint(0); MAX_JOINTS];
    for (joint_idx, bound) in bounds.iter_mut().enumerate().take(n_joints) {
        *bound = of_joint(joint_idx);
        if !bound.is_valid() {
            return Err(ControlError::Limits { joint_idx });
        }
    }
    Ok(bounds)
}
