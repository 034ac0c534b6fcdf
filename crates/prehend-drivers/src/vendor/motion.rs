//! The motion of a kinematic arm, by differences.

use prehend_types::{JointAccelerations, JointPositions, JointVelocities, TooManyJoints};

/// Positions and their differences over one cycle of a vendor's controller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Motion {
    /// rad.
    pub q: JointPositions,
    /// rad/s.
    pub dq: JointVelocities,
    /// rad/s².
    pub ddq: JointAccelerations,
}

impl Motion {
    /// An arm that stands.
    ///
    /// # Errors
    /// [`TooManyJoints`] cannot happen for positions that exist; it is passed on.
    pub fn at_rest(q: &JointPositions) -> Result<Self, TooManyJoints> {
        Ok(Self {
            q: *q,
            dq: JointVelocities::zeros(q.len())?,
            ddq: JointAccelerations::zeros(q.len())?,
        })
    }

    /// Whether every joint stands still.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.dq.iter().all(|dq| *dq == 0.0)
    }

    /// The motion `dt` s later, if the arm is at `q` then, which has as many joints.
    pub(super) fn moved_to(&self, q: &JointPositions, dt: f64) -> Self {
        let mut next = *self;
        for i in 0..self.q.len() {
            next.q[i] = q[i];
            next.dq[i] = (q[i] - self.q[i]) / dt;
            next.ddq[i] = (next.dq[i] - self.dq[i]) / dt;
        }
        next
    }

    /// The motion `dt` s later, if the acceleration stays.
    pub(super) fn accelerated(&self, dt: f64) -> Self {
        let mut next = *self;
        for i in 0..self.q.len() {
            next.dq[i] += next.ddq[i] * dt;
            next.q[i] += next.dq[i] * dt;
        }
        next
    }

    /// The motion `dt` s later, if the speed stays.
    pub(super) fn coasted(&self, dt: f64) -> Self {
        let mut next = *self;
        for i in 0..self.q.len() {
            next.ddq[i] = 0.0;
            next.q[i] += next.dq[i] * dt;
        }
        next
    }

    /// The motion `dt` s later, if every joint brakes with `deceleration`, rad/s², or to a stop.
    pub(super) fn braked(&self, deceleration: f64, dt: f64) -> Self {
        let mut next = *self;
        for i in 0..self.q.len() {
            let speed = (self.dq[i].abs() - deceleration * dt).max(0.0);
            next.dq[i] = speed.copysign(self.dq[i]);
            if speed == 0.0 {
                next.dq[i] = 0.0;
            }
            next.ddq[i] = (next.dq[i] - self.dq[i]) / dt;
            next.q[i] += next.dq[i] * dt;
        }
        next
    }

    /// The motion if the arm stays where it is.
    pub(super) fn held(&self) -> Self {
        let mut next = *self;
        next.dq.iter_mut().for_each(|dq| *dq = 0.0);
        next.ddq.iter_mut().for_each(|ddq| *ddq = 0.0);
        next
    }
}
