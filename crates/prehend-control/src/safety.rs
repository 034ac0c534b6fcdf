//! Decides when an arm may move: one pure, total function from (state, event) to (state, effect).
//!
//! The controller and the driver's shell both keep a [`SafetyState`] and change it through
//! [`SafetyState::step`] alone, so what is proved about the function holds on both sides of the wire:
//!
//! - Motion begins only after an [`SafetyEvent::Arm`] with an epoch that was never used before: an operator
//!   asked the driver for a session.
//! - A stop is obeyed in every state, latches, and uses up the epoch that it stopped.
//! - What broke has to be acknowledged ([`SafetyEvent::Reset`]) before the arm can be armed at all.
//!
//! ```text
//!                Arm(new)            ArmingPassed            PlanAccepted
//!   Disarmed ---------------> Arming ------------> Holding <=============> Tracking
//!    ^  ^  ^ <--ArmingFailed--- |                     |        PlanEnded      |
//!    |  |                       | Stop                +-------- Stop ---------+
//!    |  |Reset                  v                     v
//!    |  +------------------- Stopped <---AtRest--- Stopping
//!    |Reset                     | Stop(fault)         | AtRest, after a fault
//!    +----------------------- Fault <-----------------+
//! ```
//! Arm(new) also leads from Stopped to Arming; Stop leads from Disarmed to Stopped or Fault.

use serde::{Deserialize, Serialize};

use crate::StopReason;

/// What an arm's controller, or the shell of its driver, is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Mode {
    /// Not armed. Commands of this mode repeat a position and must not be sent.
    Disarmed = 0,
    /// An operator asked to arm; what that takes is not yet seen. Nothing is sent.
    Arming,
    /// Armed, standing still (or coming to it) because there is no plan or it has ended.
    Holding,
    /// Armed and following a plan.
    Tracking,
    /// Stopping for good.
    Stopping,
    /// Stands still until armed anew.
    Stopped,
    /// Stands still because something broke, until that is acknowledged and the arm armed anew.
    Fault,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 7] = [
        Self::Disarmed,
        Self::Arming,
        Self::Holding,
        Self::Tracking,
        Self::Stopping,
        Self::Stopped,
        Self::Fault,
    ];

    /// Whether plans are followed.
    #[must_use]
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Holding | Self::Tracking)
    }

    /// Whether commands of this mode are sent: the arm may move.
    #[must_use]
    pub const fn commands(self) -> bool {
        matches!(self, Self::Holding | Self::Tracking | Self::Stopping)
    }

    /// Whether the arm has stopped for good, or is about to.
    #[must_use]
    pub const fn is_stop(self) -> bool {
        matches!(self, Self::Stopping | Self::Stopped | Self::Fault)
    }
}

/// Everything that can happen to an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SafetyEvent {
    /// An operator asks to arm. Only an epoch above all that were armed or stopped before counts.
    Arm {
        /// The session.
        epoch: u64,
    },
    /// Everything that arming takes was seen: the right arm, fresh, still, where it is commanded to be.
    ArmingPassed,
    /// Something that arming takes is not so.
    ArmingFailed,
    /// A plan was accepted.
    PlanAccepted,
    /// The plan ran out, and nothing came after it.
    PlanEnded,
    /// Stop for good: an operator's wish, a peer that fell silent, something that broke.
    Stop(StopReason),
    /// The commanded motion has come to rest.
    AtRest,
    /// An operator acknowledges what happened; or lets an arm go that was never armed.
    Reset,
}

/// What has to be done about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing.
    None,
    /// Take the arm over where it was measured, and begin to judge whether it may be armed.
    TakeOver,
    /// The arm is armed: commands are sent from now on.
    Engage,
    /// Forget the plan and brake.
    Brake,
    /// Say that arming is refused.
    Refuse(Refusal),
}

/// Why an event was refused by the state it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Armed already, or being armed.
    AlreadyArmed,
    /// Still stopping.
    Stopping,
    /// The epoch was used before.
    OldEpoch,
    /// Something broke and was not acknowledged.
    Fault,
    /// Not armed: no plan is taken.
    NotArmed,
}

/// Where an arm stands between a wish to move it and its motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SafetyState {
    mode: Mode,
    /// The session that is, or was last, armed or being armed.
    epoch: u64,
    /// No session up to this one can be armed any more.
    spent: u64,
    stop_reason: Option<StopReason>,
}

impl Default for SafetyState {
    fn default() -> Self {
        Self::new()
    }
}

impl SafetyState {
    /// Not armed, no epoch used; the first that can be armed is 1.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            mode: Mode::Disarmed,
            epoch: 0,
            spent: 0,
            stop_reason: None,
        }
    }

    /// What happens next. Total: every event has an answer in every state.
    #[must_use]
    pub const fn step(self, event: SafetyEvent) -> (Self, Effect) {
        match event {
            SafetyEvent::Arm { epoch } => self.arm(epoch),
            SafetyEvent::ArmingPassed if matches!(self.mode, Mode::Arming) => {
                (self.spend().to(Mode::Holding), Effect::Engage)
            }
            SafetyEvent::ArmingFailed if matches!(self.mode, Mode::Arming) => {
                (self.to(Mode::Disarmed), Effect::None)
            }
            SafetyEvent::PlanAccepted if self.mode.is_running() => {
                (self.to(Mode::Tracking), Effect::None)
            }
            SafetyEvent::PlanAccepted => (self, Effect::Refuse(Refusal::NotArmed)),
            SafetyEvent::PlanEnded if matches!(self.mode, Mode::Tracking) => {
                (self.to(Mode::Holding), Effect::None)
            }
            SafetyEvent::Stop(reason) => self.stop(reason),
            SafetyEvent::AtRest if matches!(self.mode, Mode::Stopping) => {
                (self.to(self.latch()), Effect::None)
            }
            SafetyEvent::Reset => self.reset(),
            SafetyEvent::ArmingPassed
            | SafetyEvent::ArmingFailed
            | SafetyEvent::PlanEnded
            | SafetyEvent::AtRest => (self, Effect::None),
        }
    }

    const fn arm(self, epoch: u64) -> (Self, Effect) {
        let refusal = match self.mode {
            Mode::Arming | Mode::Holding | Mode::Tracking => Refusal::AlreadyArmed,
            Mode::Stopping => Refusal::Stopping,
            Mode::Fault => Refusal::Fault,
            Mode::Disarmed | Mode::Stopped if epoch <= self.spent => Refusal::OldEpoch,
            Mode::Disarmed | Mode::Stopped => {
                let arming = Self {
                    mode: Mode::Arming,
                    epoch,
                    stop_reason: None,
                    ..self
                };
                return (arming, Effect::TakeOver);
            }
        };
        (self, Effect::Refuse(refusal))
    }

    /// The first reason stays, unless a fault follows what was none.
    const fn stop(self, reason: StopReason) -> (Self, Effect) {
        let stopped = Self {
            stop_reason: match self.stop_reason {
                Some(first) if first.is_fault() || !reason.is_fault() => Some(first),
                _ => Some(reason),
            },
            ..self
        };
        match self.mode {
            Mode::Holding | Mode::Tracking => (stopped.to(Mode::Stopping), Effect::Brake),
            Mode::Stopping => (stopped, Effect::Brake),
            // Nothing moves, so there is nothing to brake. Who stops an arming stops its session.
            Mode::Arming => (stopped.spend().to(stopped.latch()), Effect::None),
            Mode::Disarmed | Mode::Stopped | Mode::Fault => {
                (stopped.spend().to(stopped.latch()), Effect::None)
            }
        }
    }

    const fn reset(self) -> (Self, Effect) {
        match self.mode {
            Mode::Disarmed | Mode::Arming | Mode::Stopped | Mode::Fault => {
                let reset = Self {
                    stop_reason: None,
                    ..self
                };
                (reset.to(Mode::Disarmed), Effect::None)
            }
            Mode::Holding | Mode::Tracking => (self, Effect::Refuse(Refusal::AlreadyArmed)),
            Mode::Stopping => (self, Effect::Refuse(Refusal::Stopping)),
        }
    }

    /// Where a stop ends.
    const fn latch(self) -> Mode {
        match self.stop_reason {
            Some(reason) if reason.is_fault() => Mode::Fault,
            _ => Mode::Stopped,
        }
    }

    const fn to(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    const fn spend(self) -> Self {
        Self {
            spent: self.epoch,
            ..self
        }
    }

    /// What the arm's controller or driver is doing.
    #[must_use]
    pub const fn mode(self) -> Mode {
        self.mode
    }

    /// The session that is, or was last, armed or being armed; 0 if there was none.
    #[must_use]
    pub const fn epoch(self) -> u64 {
        self.epoch
    }

    /// The highest session that cannot be armed any more.
    #[must_use]
    pub const fn spent(self) -> u64 {
        self.spent
    }

    /// Why it stopped for good, if it did.
    #[must_use]
    pub const fn stop_reason(self) -> Option<StopReason> {
        self.stop_reason
    }
}

#[cfg(test)]
mod tests;
