//! Turns time into the place on a plan: which step, how far into it, how fast.

use std::time::Duration;

use prehend_types::Stamp;

/// When the steps of a plan happen.
///
/// The end is approached with a constant deceleration of time itself: the last `time_to_hold / 2` of the
/// plan take `time_to_hold`, so that a plan nobody renews ends where it should without overshoot. A newer
/// one normally replaces it long before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub start: Stamp,
    pub n_steps: usize,
    step_s: f64,
    time_to_hold_s: f64,
}

/// A place on a plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub step: usize,
    /// How much of the step is done, 0 to 1.
    pub share: f64,
    /// Steps per second.
    pub rate: f64,
    /// The gripper keeps its own time: it must not close late because the arm slows down.
    pub gripper_step: usize,
    /// The plan stands still at its end.
    pub ended: bool,
}

impl Timing {
    /// At least one step.
    pub fn new(start: Stamp, step: Duration, n_steps: usize, time_to_hold_s: f64) -> Self {
        let step_s = step.as_secs_f64();
        Self {
            start,
            n_steps,
            step_s,
            time_to_hold_s: time_to_hold_s.min(2.0 * step_s * n_steps as f64),
        }
    }

    /// Length of one step, s.
    pub fn step_s(&self) -> f64 {
        self.step_s
    }

    pub fn at(&self, now: Stamp) -> Moment {
        let elapsed = now.seconds_since(self.start);
        let (plan_s, rate, ended) = self.plan_time(elapsed);
        let last = self.n_steps - 1;
        let at = plan_s / self.step_s;
        let step = (at as usize).min(last);
        Moment {
            step,
            share: (at - step as f64).clamp(0.0, 1.0),
            rate: rate / self.step_s,
            gripper_step: ((elapsed / self.step_s).max(0.0) as usize).min(last),
            ended,
        }
    }

    /// Time on the plan, its rate, and whether the end is reached.
    fn plan_time(&self, elapsed: f64) -> (f64, f64, bool) {
        let end = self.step_s * self.n_steps as f64;
        let brake_at = end - 0.5 * self.time_to_hold_s;
        let braking = elapsed - brake_at;
        if elapsed < 0.0 {
            (0.0, 0.0, false)
        } else if braking < 0.0 {
            (elapsed, 1.0, false)
        } else if braking < self.time_to_hold_s {
            let rate = 1.0 - braking / self.time_to_hold_s;
            let plan_s = brake_at + braking * (1.0 - 0.5 * braking / self.time_to_hold_s);
            (plan_s, rate, false)
        } else {
            (end, 0.0, true)
        }
    }
}
