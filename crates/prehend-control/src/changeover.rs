//! Turns limits that change while a joint moves into one motion: the old ones brake until the new ones hold.

use crate::limiter::{JointLimiter, JointMotion};
use crate::{JointBounds, LimitSet};

/// The limiter of a joint that nothing but its own limits stops, and the one before it for as long as the joint
/// cannot stop inside the new limits.
///
/// Until then the joint brakes inside the old ones, from which a stop is proven: no limit is broken that
/// held when the motion began, and every tick comes nearer to the new ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changeover {
    new: JointLimiter,
    old: Option<JointLimiter>,
}

impl Changeover {
    pub(crate) fn new(bounds: &JointBounds, dt: f64) -> Self {
        Self {
            new: JointLimiter::new(bounds, dt),
            old: None,
        }
    }

    /// Other limits from the next tick on, valid ones.
    pub(crate) fn replace(&mut self, bounds: &JointBounds, dt: f64) {
        self.old = Some(*self.in_force());
        self.new = JointLimiter::new(bounds, dt);
    }

    /// The limiter that holds now.
    pub(crate) fn in_force(&self) -> &JointLimiter {
        self.old.as_ref().unwrap_or(&self.new)
    }

    /// As [`JointLimiter::advance`].
    pub(crate) fn advance(
        &mut self,
        motion: JointMotion,
        ddq_wanted: f64,
        limited: &mut LimitSet,
    ) -> (JointMotion, bool) {
        if let Some(old) = self.old {
            if let Err(reason) = self.new.admits(&motion) {
                limited.insert(reason);
                return (old.stop_step(&motion), true);
            }
            self.old = None;
        }
        self.new.advance(motion, ddq_wanted, limited)
    }

    /// As [`JointLimiter::stop_step`].
    pub(crate) fn stop_step(&self, motion: &JointMotion) -> JointMotion {
        self.in_force().stop_step(motion)
    }
}
