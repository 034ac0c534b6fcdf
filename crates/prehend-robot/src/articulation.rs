//! The arm's equations of motion at one configuration: mass matrix, bias torques, mobility, energy.
//!
//! M(q) ddq + b(q, dq) = tau + Σ Jᵀ f, with armature in M. Everything is in the base frame about its
//! origin, so that forces and inertias of all links add up without transforms (Featherstone, *Rigid
//! Body Dynamics Algorithms*, 2008, chapters 5 and 6, here in base coordinates). Nothing here
//! allocates.

use nalgebra::{Matrix6, Point3, Vector3};
use prehend_types::{
    JointAccelerations, JointPositions, JointTorques, JointVelocities, MAX_JOINTS, Pose,
};

use crate::dynamics::GRAVITY;
use crate::llt::{JointMatrix, Llt};
use crate::spatial::SpatialInertia;
use crate::{Robot, Twist, Wrench};

/// An external force on the body that a joint carries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointLoad {
    /// The joint that carries the body.
    pub joint_idx: usize,
    /// What acts on it from outside, gravity excluded.
    pub wrench: Wrench,
}

/// The arm at one configuration. Made once per step, then asked for terms.
#[derive(Debug, Clone)]
pub struct Articulation {
    n: usize,
    /// Velocity of what a joint carries, per joint speed.
    axes: [Twist; MAX_JOINTS],
    /// What each joint carries rigidly.
    bodies: [SpatialInertia; MAX_JOINTS],
    /// Poses of what the joints carry.
    base_from_joints: [Pose; MAX_JOINTS],
    armature: [f64; MAX_JOINTS],
}

impl Robot {
    /// The equations of motion at `q`. Real-time safe: no allocation.
    ///
    /// The gripper counts as empty and half open. Joint values that are missing count as NaN.
    #[must_use]
    pub fn articulation(&self, q: &JointPositions) -> Articulation {
        let mut out = Articulation {
            n: self.n_joints(),
            axes: [Twist::ZERO; MAX_JOINTS],
            bodies: [SpatialInertia::ZERO; MAX_JOINTS],
            base_from_joints: [Pose::identity(); MAX_JOINTS],
            armature: self.joint_dynamics.map(|joint| joint.armature),
        };
        let mut base_from_joint = Pose::identity();
        for (idx, (joint, body)) in self.chain.joints.iter().zip(&self.chain.bodies).enumerate() {
            base_from_joint *= joint.pose(q.get(idx).copied().unwrap_or(f64::NAN));
            let axis = base_from_joint.rotation * joint.axis.into_inner();
            out.axes[idx] = if joint.is_prismatic {
                Twist {
                    angular: Vector3::zeros(),
                    linear: axis,
                }
            } else {
                Twist {
                    angular: axis,
                    linear: base_from_joint.translation.vector.cross(&axis),
                }
            };
            out.bodies[idx] = SpatialInertia::new(body, &base_from_joint);
            out.base_from_joints[idx] = base_from_joint;
        }
        out
    }

    /// Accelerations that torques `tau` and external forces give, rad/s²; without friction.
    ///
    /// `None` if a value is not finite or a length does not match. Real-time safe: no allocation.
    #[must_use]
    pub fn forward_dynamics(
        &self,
        q: &JointPositions,
        dq: &JointVelocities,
        tau: &JointTorques,
        external: &[JointLoad],
    ) -> Option<JointAccelerations> {
        let n = self.n_joints();
        if q.len() != n || dq.len() != n || tau.len() != n {
            return None;
        }
        let arm = self.articulation(q);
        let bias = arm.bias(dq, external);
        let mut ddq = [0.0; MAX_JOINTS];
        for idx in 0..n {
            ddq[idx] = tau[idx] - bias[idx];
        }
        Llt::new(&arm.mass_matrix(), n)?.solve(&mut ddq);
        let ddq = JointAccelerations::from_slice(&ddq[..n]).ok()?;
        ddq.is_finite().then_some(ddq)
    }

    /// Energy of motion, armature included, J. Real-time safe: no allocation.
    #[must_use]
    pub fn kinetic_energy(&self, q: &JointPositions, dq: &JointVelocities) -> f64 {
        self.articulation(q).kinetic_energy(dq)
    }

    /// Energy of height above the base's origin, J. Real-time safe: no allocation.
    #[must_use]
    pub fn potential_energy(&self, q: &JointPositions) -> f64 {
        self.articulation(q).potential_energy()
    }
}

#[allow(clippy::needless_range_loop, reason = "indices are the formula's own")]
impl Articulation {
    /// Number of joints.
    #[must_use]
    pub fn n_joints(&self) -> usize {
        self.n
    }

    /// Pose of what a joint carries, in the base frame; the base's own for a joint that does not
    /// exist.
    #[must_use]
    pub fn base_from_joint(&self, joint_idx: usize) -> Pose {
        self.base_from_joints
            .get(joint_idx)
            .copied()
            .unwrap_or_else(Pose::identity)
    }

    /// Joint-space mass matrix with armature, kg m², by the composite rigid body algorithm.
    #[must_use]
    pub fn mass_matrix(&self) -> JointMatrix {
        let mut matrix = JointMatrix::zeros();
        let mut composite = SpatialInertia::ZERO;
        for column in (0..self.n).rev() {
            composite += self.bodies[column];
            let force = composite.times(&self.axes[column]);
            for row in 0..=column {
                let value = self.axes[row].dot(&force);
                matrix[(row, column)] = value;
                matrix[(column, row)] = value;
            }
            matrix[(column, column)] += self.armature[column];
        }
        matrix
    }

    /// Torques that keep the arm's speeds as they are, N·m: gravity, Coriolis and centrifugal terms,
    /// less what the external forces carry.
    #[must_use]
    pub fn bias(&self, dq: &[f64], external: &[JointLoad]) -> [f64; MAX_JOINTS] {
        self.inverse(dq, &[], external)
    }

    /// Torques that give accelerations `ddq` at speeds `dq` under external forces, N·m. Speeds and
    /// accelerations that are missing count as zero.
    #[must_use]
    pub fn inverse(&self, dq: &[f64], ddq: &[f64], external: &[JointLoad]) -> [f64; MAX_JOINTS] {
        let mut forces = [Wrench::ZERO; MAX_JOINTS];
        let mut velocity = Twist::ZERO;
        // The base accelerating upwards is the same as gravity pulling downwards.
        let mut acceleration = Twist {
            angular: Vector3::zeros(),
            linear: Vector3::z() * GRAVITY,
        };
        for (idx, force) in forces.iter_mut().enumerate().take(self.n) {
            let speed = dq.get(idx).copied().unwrap_or(0.0);
            let joint = self.axes[idx] * speed;
            velocity = velocity + joint;
            acceleration = acceleration
                + velocity.cross(&joint)
                + self.axes[idx] * ddq.get(idx).copied().unwrap_or(0.0);
            let momentum = self.bodies[idx].times(&velocity);
            *force = self.bodies[idx].times(&acceleration) + velocity.cross_wrench(&momentum);
        }
        for load in external {
            if let Some(force) = forces.get_mut(load.joint_idx) {
                *force = *force - load.wrench;
            }
        }
        let mut tau = [0.0; MAX_JOINTS];
        let mut carried = Wrench::ZERO;
        for idx in (0..self.n).rev() {
            carried += forces[idx];
            let own = self.armature[idx] * ddq.get(idx).copied().unwrap_or(0.0);
            tau[idx] = self.axes[idx].dot(&carried) + own;
        }
        tau
    }

    /// Jᵀ f: joint torques that a wrench on the body of `joint_idx` has the effect of, N·m.
    #[must_use]
    pub fn torques_of(&self, joint_idx: usize, wrench: &Wrench) -> [f64; MAX_JOINTS] {
        let mut tau = [0.0; MAX_JOINTS];
        for (tau, axis) in tau.iter_mut().zip(&self.axes[..self.n]).take(joint_idx + 1) {
            *tau = axis.dot(wrench);
        }
        tau
    }

    /// Velocity of the body of `joint_idx` at joint speeds `dq`.
    #[must_use]
    pub fn twist(&self, joint_idx: usize, dq: &[f64]) -> Twist {
        let moving = self.axes[..self.n].iter().zip(dq).take(joint_idx + 1);
        moving.fold(Twist::ZERO, |sum, (axis, speed)| sum + *axis * *speed)
    }

    /// J M⁻¹ Jᵀ at a point of the body of `joint_idx`: its velocity (rows 0-2 linear, 3-5 angular)
    /// per impulse (columns likewise), the inverse of the operational-space inertia.
    #[must_use]
    pub fn mobility(&self, joint_idx: usize, point: &Point3<f64>, mass: &Llt) -> Matrix6<f64> {
        let mut mobility = Matrix6::zeros();
        for column in 0..6 {
            let mut unit = [Vector3::zeros(), Vector3::zeros()];
            unit[column / 3][column % 3] = 1.0;
            let wrench = Wrench::at(point, unit[0], unit[1]);
            let mut speeds = self.torques_of(joint_idx, &wrench);
            mass.solve(&mut speeds);
            let twist = self.twist(joint_idx, &speeds);
            mobility
                .fixed_view_mut::<3, 1>(0, column)
                .copy_from(&twist.at(point));
            mobility
                .fixed_view_mut::<3, 1>(3, column)
                .copy_from(&twist.angular);
        }
        mobility
    }

    /// Energy of motion, armature included, J.
    #[must_use]
    pub fn kinetic_energy(&self, dq: &[f64]) -> f64 {
        let mut velocity = Twist::ZERO;
        let mut energy = 0.0;
        for idx in 0..self.n {
            let speed = dq.get(idx).copied().unwrap_or(f64::NAN);
            velocity = velocity + self.axes[idx] * speed;
            energy += 0.5 * velocity.dot(&self.bodies[idx].times(&velocity));
            energy += 0.5 * self.armature[idx] * speed * speed;
        }
        energy
    }

    /// Energy of height above the base's origin, J.
    #[must_use]
    pub fn potential_energy(&self) -> f64 {
        let heights = self.bodies[..self.n].iter().map(|body| body.moment.z);
        GRAVITY * heights.sum::<f64>()
    }
}
