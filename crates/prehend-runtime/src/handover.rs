//! Decides when the control loop lets one session of the driver go and takes the next one over.
//!
//! Pure: statuses and the loop's mode come in, messages to the loop come out. The loop must never see
//! a state of a new session while it still tracks the old one: a simulated arm jumps home in between.

use prehend_control::Mode;
use prehend_control::rt::{LoopEvent, LoopMessage};

/// Statuses between two attempts to arm, 100 ms at the driver's 200 per second.
const RETRY_STATUSES: u32 = 20;

/// Where the loop stands with the driver's sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No session was announced yet.
    Waiting,
    /// The loop comes to rest in the old session.
    Leaving,
    /// The loop sees the new session's states; it is asked to arm after so many more.
    Settling { statuses: u32 },
    /// The loop was asked to arm and has not answered.
    Arming,
    /// The loop commands the arm.
    Armed,
    /// The loop stopped for good: nothing moves until the driver announces a new session.
    Latched,
}

/// What to do with one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether the loop may see the state.
    pub feed: bool,
    /// What the loop is told after it.
    pub message: Option<LoopMessage>,
}

/// Follows the sessions that a driver announces.
#[derive(Debug)]
pub(crate) struct Handover {
    phase: Phase,
    epoch: u64,
}

impl Handover {
    pub fn new() -> Self {
        Self {
            phase: Phase::Waiting,
            epoch: 0,
        }
    }

    /// The session that chunks may belong to now.
    pub fn armed(&self) -> Option<u64> {
        (self.phase == Phase::Armed).then_some(self.epoch)
    }

    /// Whether a chunk of this session may still become welcome.
    pub fn may_arm(&self, epoch: u64) -> bool {
        match self.phase {
            Phase::Armed | Phase::Latched => epoch > self.epoch,
            _ => epoch >= self.epoch,
        }
    }

    /// Decides about a status of session `epoch`; `mode` asks the loop what it is doing.
    pub fn on_status(&mut self, epoch: u64, mode: impl FnOnce() -> Mode) -> Verdict {
        let mut message = None;
        if epoch < self.epoch {
            // Epochs only rise: this is late, or from somebody who is not the driver any more.
            return Verdict {
                feed: false,
                message,
            };
        }
        if epoch != self.epoch || self.phase == Phase::Waiting {
            self.epoch = epoch;
            self.phase = Phase::Leaving;
            message = Some(LoopMessage::Stop);
        }
        match self.phase {
            Phase::Leaving => {
                if is_moving(mode()) {
                    return Verdict {
                        feed: false,
                        message,
                    };
                }
                // The state goes in with this status and the request with a later one, so that the
                // loop cannot take the arm over where the old session left it.
                self.phase = Phase::Settling { statuses: 1 };
                Verdict {
                    feed: true,
                    message,
                }
            }
            Phase::Settling { statuses: 0 | 1 } => {
                self.phase = Phase::Arming;
                Verdict {
                    feed: true,
                    message: Some(LoopMessage::Arm { epoch }),
                }
            }
            Phase::Settling { statuses } => {
                self.phase = Phase::Settling {
                    statuses: statuses - 1,
                };
                Verdict {
                    feed: true,
                    message,
                }
            }
            Phase::Waiting | Phase::Arming | Phase::Armed | Phase::Latched => Verdict {
                feed: true,
                message,
            },
        }
    }

    /// Learns what became of a message, and of the arm.
    pub fn on_event(&mut self, event: &LoopEvent) {
        match (event, self.phase) {
            (LoopEvent::Armed { epoch }, Phase::Arming) if *epoch == self.epoch => {
                self.phase = Phase::Armed;
            }
            (LoopEvent::ArmRefused(_), Phase::Arming) => {
                self.phase = Phase::Settling {
                    statuses: RETRY_STATUSES,
                };
            }
            (LoopEvent::Stopping(_), Phase::Armed) => self.phase = Phase::Latched,
            _ => {}
        }
    }
}

fn is_moving(mode: Mode) -> bool {
    matches!(mode, Mode::Tracking | Mode::Holding | Mode::Stopping)
}

#[cfg(test)]
mod tests {
    use prehend_control::{ArmError, StopReason};

    use super::*;

    fn arm(handover: &mut Handover, epoch: u64) {
        assert!(handover.on_status(epoch, || Mode::Idle).feed);
        let verdict = handover.on_status(epoch, || Mode::Idle);
        assert_eq!(verdict.message, Some(LoopMessage::Arm { epoch }));
        handover.on_event(&LoopEvent::Armed { epoch });
        assert_eq!(handover.armed(), Some(epoch));
    }

    #[test]
    fn the_first_session_is_armed_after_its_states_are_seen() {
        let mut handover = Handover::new();
        assert!(handover.may_arm(7));
        arm(&mut handover, 7);
        let verdict = handover.on_status(7, || Mode::Tracking);
        assert_eq!(
            verdict,
            Verdict {
                feed: true,
                message: None
            }
        );
        assert!(!handover.may_arm(6));
    }

    #[test]
    fn a_new_session_is_hidden_until_the_arm_stands() {
        let mut handover = Handover::new();
        arm(&mut handover, 7);
        let verdict = handover.on_status(8, || Mode::Tracking);
        assert_eq!(
            verdict,
            Verdict {
                feed: false,
                message: Some(LoopMessage::Stop)
            }
        );
        handover.on_event(&LoopEvent::Stopping(StopReason::Requested));
        assert_eq!(handover.armed(), None);
        let verdict = handover.on_status(8, || Mode::Stopping);
        assert_eq!(
            verdict,
            Verdict {
                feed: false,
                message: None
            }
        );
        arm(&mut handover, 8);
    }

    #[test]
    fn a_fault_stays_until_a_new_session() {
        let mut handover = Handover::new();
        arm(&mut handover, 7);
        handover.on_event(&LoopEvent::Stopping(StopReason::StaleState));
        for _ in 0..100 {
            let verdict = handover.on_status(7, || Mode::Stopped);
            assert_eq!(
                verdict,
                Verdict {
                    feed: true,
                    message: None
                }
            );
        }
        assert!(!handover.may_arm(7) && handover.may_arm(8));
        arm(&mut handover, 8);
    }

    #[test]
    fn an_older_session_changes_nothing() {
        let mut handover = Handover::new();
        arm(&mut handover, 7);
        let verdict = handover.on_status(6, || Mode::Tracking);
        assert_eq!(
            verdict,
            Verdict {
                feed: false,
                message: None
            }
        );
        assert_eq!(handover.armed(), Some(7));
    }

    #[test]
    fn a_refusal_is_tried_again_later() {
        let mut handover = Handover::new();
        handover.on_status(7, || Mode::Idle);
        handover.on_status(7, || Mode::Idle);
        handover.on_event(&LoopEvent::ArmRefused(ArmError::AlreadyArmed));
        let asked = (0..RETRY_STATUSES)
            .filter(|_| handover.on_status(7, || Mode::Idle).message.is_some())
            .count();
        assert_eq!(asked, 1);
    }
}
