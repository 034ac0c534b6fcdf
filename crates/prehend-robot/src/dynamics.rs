//! Inverse dynamics, gravity and the mass matrix by recursive Newton-Euler. Nothing here allocates.

use nalgebra::{SMatrix, Vector3};
use prehend_types::{
    JointAccelerations, JointPositions, JointTorques, JointVelocities, MAX_JOINTS, Pose,
};

use crate::Robot;

/// Standard gravity, m/s², along -z of the base.
pub(crate) const GRAVITY: f64 = 9.806_65;

impl Robot {
    /// Torques that hold the arm still at `q` against gravity, N·m. Real-time safe: no allocation.
    ///
    /// The gripper counts as empty and half open.
    #[must_use]
    pub fn gravity_torques(&self, q: &JointPositions) -> JointTorques {
        let still = [0.0; MAX_JOINTS];
        self.newton_euler(q, &still, &still, GRAVITY)
    }

    /// Torques that give accelerations `ddq` at positions `q` and speeds `dq`, with gravity and
    /// armature, without friction, N·m. Real-time safe: no allocation.
    #[must_use]
    pub fn inverse_dynamics(
        &self,
        q: &JointPositions,
        dq: &JointVelocities,
        ddq: &JointAccelerations,
    ) -> JointTorques {
        self.newton_euler(q, &padded(dq), &padded(ddq), GRAVITY)
    }

    /// Torques that viscous and Coulomb friction take from the joints at speeds `dq`, N·m: what has to
    /// be added to [`Self::inverse_dynamics`]. Real-time safe: no allocation.
    ///
    /// A joint that stands still has no Coulomb friction here, where it could point either way.
    #[must_use]
    pub fn friction_torques(&self, dq: &JointVelocities) -> JointTorques {
        let mut tau = self.limits.tau_max.map(|_| 0.0);
        for (idx, tau) in tau.iter_mut().enumerate() {
            let dq = dq.get(idx).copied().unwrap_or(f64::NAN);
            let direction = if dq == 0.0 { 0.0 } else { dq.signum() };
            let joint = &self.joint_dynamics[idx];
            *tau = joint.damping * dq + joint.friction * direction;
        }
        tau
    }

    /// Joint-space mass matrix with armature, kg m²; rows and columns beyond the joint count are
    /// zero. Real-time safe: no allocation.
    #[must_use]
    pub fn mass_matrix(&self, q: &JointPositions) -> SMatrix<f64, MAX_JOINTS, MAX_JOINTS> {
        let mut matrix = SMatrix::zeros();
        for column_idx in 0..self.n_joints() {
            let mut unit = [0.0; MAX_JOINTS];
            unit[column_idx] = 1.0;
            let column = self.newton_euler(q, &[0.0; MAX_JOINTS], &unit, 0.0);
            for (row_idx, value) in column.iter().enumerate() {
                matrix[(row_idx, column_idx)] = *value;
            }
        }
        matrix
    }

    /// Luh, Walker, Paul 1980: speeds and accelerations outwards, forces inwards, in link frames.
    fn newton_euler(
        &self,
        q: &JointPositions,
        dq: &[f64; MAX_JOINTS],
        ddq: &[f64; MAX_JOINTS],
        gravity: f64,
    ) -> JointTorques {
        let n_joints = self.n_joints();
        let mut poses = [Pose::identity(); MAX_JOINTS];
        let mut forces = [Vector3::zeros(); MAX_JOINTS];
        let mut moments = [Vector3::zeros(); MAX_JOINTS];
        let (mut omega, mut alpha) = (Vector3::zeros(), Vector3::zeros());
        // The base accelerating upwards is the same as gravity pulling downwards.
        let mut acceleration = Vector3::z() * gravity;

        for (idx, (joint, body)) in self.chain.joints.iter().zip(&self.chain.bodies).enumerate() {
            let pose = joint.pose(q.get(idx).copied().unwrap_or(f64::NAN));
            let (axis, r) = (joint.axis.into_inner(), pose.translation.vector);
            acceleration += alpha.cross(&r) + omega.cross(&omega.cross(&r));
            acceleration = pose.rotation.inverse() * acceleration;
            omega = pose.rotation.inverse() * omega;
            alpha = pose.rotation.inverse() * alpha;
            if joint.is_prismatic {
                acceleration += axis * ddq[idx] + 2.0 * omega.cross(&(axis * dq[idx]));
            } else {
                alpha += axis * ddq[idx] + omega.cross(&(axis * dq[idx]));
                omega += axis * dq[idx];
            }
            let c = body.center_of_mass;
            let center_acceleration =
                acceleration + alpha.cross(&c) + omega.cross(&omega.cross(&c));
            forces[idx] = body.mass * center_acceleration;
            moments[idx] =
                body.inertia * alpha + omega.cross(&(body.inertia * omega)) + c.cross(&forces[idx]);
            poses[idx] = pose;
        }

        let mut tau = self.limits.tau_max.map(|_| 0.0);
        for idx in (0..n_joints).rev() {
            let joint = &self.chain.joints[idx];
            let along = if joint.is_prismatic {
                forces[idx]
            } else {
                moments[idx]
            };
            tau[idx] = along.dot(&joint.axis) + self.joint_dynamics[idx].armature * ddq[idx];
            if idx > 0 {
                let force = poses[idx].rotation * forces[idx];
                let moment = poses[idx].rotation * moments[idx];
                forces[idx - 1] += force;
                moments[idx - 1] += moment + poses[idx].translation.vector.cross(&force);
            }
        }
        tau
    }
}

fn padded(values: &[f64]) -> [f64; MAX_JOINTS] {
    let mut out = [0.0; MAX_JOINTS];
    for (slot, value) in out.iter_mut().zip(values) {
        *slot = *value;
    }
    out
}
