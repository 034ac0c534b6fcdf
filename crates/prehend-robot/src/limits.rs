//! What an arm may do: positions, speeds, accelerations, jerks, torques.

use prehend_types::{
    JointAccelerations, JointPositions, JointTorques, JointVelocities, MAX_JOINTS,
};

/// Share of the acceleration limit that braking before a stop may use; the rest is for tracking.
pub(crate) const BRAKING_SHARE: f64 = 0.9;

/// How speed must fall towards a position limit.
///
/// Both directions: `dq_max(q) = min(dq_max, max(0, -offset + sqrt(max(0, 2 deceleration (q_max - q)))))`
/// (Franka Research 3 documentation).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct VelocityEnvelope {
    /// Subtracted from the speed, rad/s: speed reaches zero this much before the stop.
    pub offset: f64,
    /// Deceleration that the envelope assumes, rad/s²; never above 0.9 `ddq_max`, because an
    /// envelope that is steeper than the arm can brake cannot be followed (FR3 joints 5 and 7 are
    /// published with 17 rad/s² at a limit of 10).
    pub deceleration: f64,
}

/// Limits of an arm, one value per joint, base to tip; m instead of rad on prismatic joints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Lower position limits, rad.
    pub q_min: JointPositions,
    /// Upper position limits, rad.
    pub q_max: JointPositions,
    /// Speed limits, rad/s.
    pub dq_max: JointVelocities,
    /// Acceleration limits, rad/s².
    pub ddq_max: JointAccelerations,
    /// Jerk limits, rad/s³; entries beyond the joint count are zero.
    pub dddq_max: [f64; MAX_JOINTS],
    /// Torque limits, N·m.
    pub tau_max: JointTorques,
    /// Position-dependent speed limits; entries beyond the joint count are zero.
    pub envelope: [VelocityEnvelope; MAX_JOINTS],
}

impl Limits {
    /// Lowest and highest speed that joint `joint_idx` may have at position `q`, rad/s.
    ///
    /// Beyond a limit only the way back is open. A position of NaN, or a joint that does not exist,
    /// allows no motion. Never allocates.
    #[must_use]
    pub fn velocity_range(&self, joint_idx: usize, q: f64) -> (f64, f64) {
        if joint_idx >= self.dq_max.len() || q.is_nan() {
            return (0.0, 0.0);
        }
        let VelocityEnvelope {
            offset,
            deceleration,
        } = self.envelope[joint_idx];
        let towards_stop = |distance: f64| {
            let speed = (2.0 * deceleration * distance.max(0.0)).sqrt() - offset;
            speed.clamp(0.0, self.dq_max[joint_idx])
        };
        (
            -towards_stop(q - self.q_min[joint_idx]),
            towards_stop(self.q_max[joint_idx] - q),
        )
    }

    /// The nearest positions inside the limits. NaN stays NaN.
    #[must_use]
    pub fn clamp(&self, mut q: JointPositions) -> JointPositions {
        for ((q, min), max) in q.iter_mut().zip(self.q_min.iter()).zip(self.q_max.iter()) {
            *q = q.clamp(*min, *max);
        }
        q
    }

    /// Whether every joint is finite and inside its position limits.
    #[must_use]
    pub fn contains(&self, q: &JointPositions) -> bool {
        q.len() == self.q_min.len()
            && (q.iter().zip(self.q_min.iter()).zip(self.q_max.iter()))
                .all(|((q, min), max)| q >= min && q <= max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            q_min: JointPositions::from_slice(&[-2.8065]).expect("one"),
            q_max: JointPositions::from_slice(&[2.8065]).expect("one"),
            dq_max: JointVelocities::from_slice(&[5.26]).expect("one"),
            ddq_max: JointAccelerations::from_slice(&[10.0]).expect("one"),
            dddq_max: [5000.0; MAX_JOINTS],
            tau_max: JointTorques::from_slice(&[12.0]).expect("one"),
            envelope: [VelocityEnvelope {
                offset: 0.35,
                deceleration: 9.0,
            }; MAX_JOINTS],
        }
    }

    #[test]
    fn riding_the_envelope_needs_no_more_than_the_acceleration_limit() {
        let limits = limits();
        let (mut q, mut dq, dt) = (0.0, 5.26, 1e-4);
        while q < 2.8 && dq > 0.01 {
            let next = limits.velocity_range(0, q).1;
            assert!((dq - next) / dt <= 10.0, "{q} {dq} {next}");
            dq = next;
            q += dq * dt;
        }
        assert!(q > 2.7, "braked too early, at {q}");
    }

    #[test]
    fn beyond_a_limit_only_the_way_back_is_open() {
        assert_eq!(limits().velocity_range(0, 3.0), (-5.26, 0.0));
        assert_eq!(limits().velocity_range(0, -3.0), (-0.0, 5.26));
    }

    #[test]
    fn nan_and_unknown_joints_may_not_move() {
        assert_eq!(limits().velocity_range(0, f64::NAN), (0.0, 0.0));
        assert_eq!(limits().velocity_range(5, 0.0), (0.0, 0.0));
    }
}
