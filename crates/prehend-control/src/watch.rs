//! Turns measured states as they come into one that a tick may go by, or into a reason to brake or to stop.

use prehend_types::{RobotState, Stamp};

use crate::witness::{Verdict, Witness};
use crate::{JointBounds, LimitReason, LimitSet, StopReason, check};

/// Watches the states of one arm. Never allocates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch {
    stale_after_s: f64,
    max_gap_s: f64,
    witness: Witness,
    /// Since when the state has been unusable.
    bad_since: Option<Stamp>,
}

impl Watch {
    /// States older than `stale_after_s` are not used; without any for `max_gap_s` the arm stops for good.
    pub fn new(stale_after_s: f64, max_gap_s: f64) -> Self {
        Self {
            stale_after_s,
            max_gap_s,
            witness: Witness::default(),
            bad_since: None,
        }
    }

    /// Begins with a state that was checked by other means.
    pub fn begin(&mut self, state: &RobotState) {
        self.witness.begin(state);
        self.bad_since = None;
    }

    /// The state to go by.
    ///
    /// # Errors
    /// There is none: why to stop for good, or to brake for now if there is no such reason.
    pub fn judge(
        &mut self,
        state: &RobotState,
        bounds: &[JointBounds],
        now: Stamp,
        limited: &mut LimitSet,
    ) -> Result<RobotState, Option<StopReason>> {
        if let Some(problem) = check::state(state, bounds.len(), now, self.stale_after_s) {
            limited.insert(problem);
            let since = *self.bad_since.get_or_insert(now);
            let lasts = now.seconds_since(since) >= self.max_gap_s;
            return Err(lasts.then_some(match problem {
                LimitReason::StaleState => StopReason::StaleState,
                _ => StopReason::BadState,
            }));
        }
        self.bad_since = None;
        let verdict = self.witness.judge(state, bounds);
        if verdict != Verdict::Believed {
            limited.insert(LimitReason::ImplausibleState);
        }
        match verdict {
            Verdict::Believed => Ok(*state),
            Verdict::Doubted(before) => Ok(before),
            Verdict::Refuted(reason) => Err(Some(reason)),
        }
    }
}
