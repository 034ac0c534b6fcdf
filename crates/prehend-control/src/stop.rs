//! Turns the last commanded motion into the quickest stop inside the rate limits.

use prehend_types::{JointAccelerations, JointPositions, JointVelocities, MAX_JOINTS};

use crate::limiter::{JointLimiter, JointMotion};
use crate::{ControlError, JointBounds};

/// Brings an arm to rest when commands cease: jerk-limited, tick by tick, ending at exact standstill.
///
/// Started from the last command of a [`crate::Controller`] of the same rate it also stays inside the
/// position limits, because the controller never commands a motion from which this very stop would
/// leave them. Started from another motion it brakes as hard as the rate limits allow. Never allocates.
#[derive(Debug, Clone, Copy)]
pub struct SoftStop {
    limiters: [JointLimiter; MAX_JOINTS],
    motion: [JointMotion; MAX_JOINTS],
    q: JointPositions,
    dq: JointVelocities,
}

impl SoftStop {
    /// A stop from a motion, for ticks of `dt_s`. Speeds and accelerations above the limits are
    /// taken as the limits.
    ///
    /// `ddq` is `(dq_k - dq_{k-1}) / dt` of the last two commands, zero if it is not known.
    ///
    /// # Errors
    /// [`ControlError`] if a number is not finite, a limit is not usable, or lengths differ.
    pub fn new(
        bounds: &[JointBounds],
        dt_s: f64,
        q: &JointPositions,
        dq: &JointVelocities,
        ddq: &JointAccelerations,
    ) -> Result<Self, ControlError> {
        let n_joints = q.len();
        let Some((first, true)) = bounds
            .first()
            .map(|first| (first, [bounds.len(), dq.len(), ddq.len()] == [n_joints; 3]))
        else {
            return Err(ControlError::JointCount { n_joints });
        };
        if !(dt_s > 0.0 && dt_s <= 1.0) {
            return Err(ControlError::Config {
                field: "dt_s",
                value: dt_s,
                low: 0.0,
                high: 1.0,
            });
        }
        let mut stop = Self {
            limiters: [JointLimiter::new(first, dt_s); MAX_JOINTS],
            motion: [JointMotion::default(); MAX_JOINTS],
            q: *q,
            dq: *dq,
        };
        for (joint_idx, bounds) in bounds.iter().enumerate() {
            if !bounds.is_valid() {
                return Err(ControlError::Limits { joint_idx });
            }
            let (q, dq, ddq) = (q[joint_idx], dq[joint_idx], ddq[joint_idx]);
            if !(q.is_finite() && dq.is_finite() && ddq.is_finite()) {
                return Err(ControlError::NonFinite { joint_idx });
            }
            let limiter = JointLimiter::new(bounds, dt_s);
            stop.limiters[joint_idx] = limiter;
            stop.motion[joint_idx] = limiter.clamped(JointMotion { q, dq, ddq });
        }
        Ok(stop)
    }

    /// The next tick's positions and velocities.
    pub fn advance(&mut self) -> (JointPositions, JointVelocities) {
        for joint_idx in 0..self.q.len() {
            let motion = self.limiters[joint_idx].stop_step(&self.motion[joint_idx]);
            self.motion[joint_idx] = motion;
            self.q[joint_idx] = motion.q;
            self.dq[joint_idx] = motion.dq;
        }
        (self.q, self.dq)
    }

    /// Whether every joint stands still.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.motion[..self.q.len()]
            .iter()
            .all(JointMotion::is_at_rest)
    }
}
