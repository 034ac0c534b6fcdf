//! Taking an arm over: what has to be seen before anything is sent.

use prehend_types::{RobotState, Stamp};

use super::{Controller, place};
use crate::safety::{Effect, SafetyEvent};
use crate::{ArmError, ChunkError, Mode, check};

impl Controller {
    /// Takes the arm over where it was measured, in a session numbered after the last one, without
    /// waiting for a second state. For those who step the arm themselves; a live loop uses
    /// [`Self::begin_arming`].
    ///
    /// # Errors
    /// [`ArmError`]; the arm is not armed then.
    pub fn arm(&mut self, state: &RobotState) -> Result<(), ArmError> {
        let next = self.safety.epoch().max(self.safety.spent()) + 1;
        self.take_over(next, state)?;
        self.change(SafetyEvent::ArmingPassed);
        Ok(())
    }

    /// Begins to take the arm over in session `epoch`, from [`Mode::Disarmed`] or [`Mode::Stopped`]
    /// only. The arm counts as armed once a later state has shown it standing where it was taken over:
    /// [`Self::tick`] decides that, and until then its commands must not be sent.
    ///
    /// # Errors
    /// [`ArmError`], also if the epoch was used before; the arm is not armed then.
    pub fn begin_arming(
        &mut self,
        epoch: u64,
        state: &RobotState,
        now: Stamp,
    ) -> Result<(), ArmError> {
        check::freshness(state, now, self.config.stale_after_s())?;
        self.take_over(epoch, state)
    }

    /// Why the last attempt to arm failed, if it did.
    #[must_use]
    pub fn arm_error(&self) -> Option<ArmError> {
        self.arm_error
    }

    fn take_over(&mut self, epoch: u64, state: &RobotState) -> Result<(), ArmError> {
        let result = match self.change(SafetyEvent::Arm { epoch }) {
            Effect::Refuse(refusal) => return Err(ArmError::refused(refusal, &self.safety, epoch)),
            _ => check::arming(state, self.drive.bounds(), &(&self.config).into()),
        };
        self.arm_error = result.err();
        if let Err(error) = result {
            self.change(SafetyEvent::ArmingFailed);
            return Err(error);
        }
        self.drive.place(&state.q);
        self.history.clear();
        self.history.push(state.stamp, place(&self.drive));
        self.plan = None;
        self.taken_over_at = state.stamp;
        self.watch.begin(state);
        self.tracking.begin();
        self.bad_chunks = 0;
        if state.gripper.commanded.is_finite() {
            let opening = state.gripper.commanded.clamp(0.0, 1.0);
            self.gripper.place(opening);
        }
        Ok(())
    }

    /// Looks at the first state after the one that the arm was taken over at.
    pub(super) fn judge_arming(&mut self, state: &RobotState, now: Stamp) {
        let is_newer = state.stamp > self.taken_over_at;
        let verdict = check::freshness(state, now, self.config.stale_after_s())
            .and_then(|()| check::arming(state, self.drive.bounds(), &(&self.config).into()))
            .and_then(|()| check::distance(state, self.drive.q(), &self.config));
        match verdict {
            Ok(()) if is_newer => _ = self.change(SafetyEvent::ArmingPassed),
            Ok(()) => {}
            Err(error) => {
                self.arm_error = Some(error);
                self.change(SafetyEvent::ArmingFailed);
            }
        }
    }

    pub(super) fn check_armed(&self) -> Result<(), ChunkError> {
        if self.mode().is_running() {
            Ok(())
        } else {
            Err(ChunkError::NotArmed)
        }
    }

    /// The only place where the safety state changes; plans are dropped where it says so.
    pub(super) fn change(&mut self, event: SafetyEvent) -> Effect {
        let (next, effect) = self.safety.step(event);
        self.safety = next;
        if effect == Effect::Brake || next.mode() == Mode::Disarmed {
            self.plan = None;
        }
        effect
    }
}
