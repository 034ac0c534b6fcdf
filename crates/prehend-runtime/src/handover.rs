//! Decides when the control loop lets one session of the driver go and takes the next one over.
//!
//! Pure: statuses and the loop's mode come in, messages to the loop come out. The loop must never see
//! a state of a new session while it still tracks the old one: a simulated arm jumps home in between.

use prehend_control::rt::{LoopEvent, LoopMessage};
use prehend_control::{Mode, StopReason};
use prehend_link::messages::StopReason as DriverStop;

/// Statuses between two attempts to arm, 100 ms at the driver's 200 per second.
const RETRY_STATUSES: u32 = 20;
/// Statuses without an answer after which the loop is asked again, half a second.
const ANSWER_STATUSES: u32 = 100;

/// Where the loop stands with the driver's sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    /// No session was announced yet.
    Waiting,
    /// The loop comes to rest in the old session.
    Leaving,
    /// The loop sees the new session's states; it is asked to arm after so many more.
    Settling { statuses: u32 },
    /// The loop was asked to arm and has not answered; it is asked again after so many more statuses.
    Arming { statuses: u32 },
    /// The loop commands the arm.
    Armed,
    /// The loop or the driver stopped for good: nothing moves until the driver announces a new session.
    Latched,
}

/// What to do with one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether the loop may see the state.
    pub feed: bool,
    /// What the loop is told after it.
    pub message: Option<LoopMessage>,
    /// Whether this status says that the driver stopped an arm that the loop was commanding.
    pub driver_stopped: bool,
    /// Whether the session is not armed because the loop is at fault and nobody has acknowledged that.
    pub is_unacknowledged: bool,
}

impl Verdict {
    const fn new(feed: bool, message: Option<LoopMessage>) -> Self {
        Self {
            feed,
            message,
            driver_stopped: false,
            is_unacknowledged: false,
        }
    }
}

/// Follows the sessions that a driver announces.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

    /// The newest session that the driver announced; 0 before the first.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The session that chunks may belong to now.
    pub fn armed(&self) -> Option<u64> {
        (self.phase == Phase::Armed).then_some(self.epoch)
    }

    /// Whether a chunk of this epoch may still become welcome.
    pub fn may_arm(&self, epoch: u64) -> bool {
        match self.phase {
            Phase::Armed | Phase::Latched => epoch > self.epoch,
            _ => epoch >= self.epoch,
        }
    }

    /// Decides about a status of session `epoch` whose driver stands as `driver_stop` says; the loop is asked
    /// to arm only while the session `may_be_armed`, and after a fault only if whoever asked for the session
    /// acknowledged it. `mode` asks the loop what it is doing.
    pub fn on_status(
        &mut self,
        epoch: u64,
        driver_stop: DriverStop,
        may_be_armed: bool,
        is_acknowledged: bool,
        mode: impl FnOnce() -> Mode,
    ) -> Verdict {
        if epoch < self.epoch {
            // Epochs only rise: this is late, or from somebody who is not the driver any more.
            return Verdict::new(false, None);
        }
        if epoch != self.epoch || self.phase == Phase::Waiting {
            self.epoch = epoch;
            self.phase = Phase::Leaving;
            // Whatever it does, or was just asked to do, for the old session is over.
            return Verdict::new(false, Some(LoopMessage::Stop));
        }
        let mode = (self.phase == Phase::Leaving).then(mode);
        if mode.is_some_and(is_busy) {
            return Verdict::new(false, None);
        }
        if let Some(reason) = latched(driver_stop).filter(|_| self.phase != Phase::Latched) {
            return self.latch(reason);
        }
        let mut message = None;
        match self.phase {
            Phase::Leaving if mode == Some(Mode::Fault) && !is_acknowledged => {
                self.phase = Phase::Latched;
                return Verdict {
                    is_unacknowledged: true,
                    ..Verdict::new(true, None)
                };
            }
            Phase::Leaving => {
                // The state goes in with this status and the request with a later one, so that the
                // loop cannot take the arm over where the old session left it.
                self.phase = Phase::Settling { statuses: 1 };
                message = is_acknowledged.then_some(LoopMessage::Reset);
            }
            // Nothing is asked of the loop; once it may be armed it is asked at once.
            Phase::Settling { .. } | Phase::Arming { .. } if !may_be_armed => {
                self.phase = Phase::Settling { statuses: 1 };
            }
            Phase::Settling { statuses: 0 | 1 } | Phase::Arming { statuses: 0 | 1 } => {
                self.phase = Phase::Arming {
                    statuses: ANSWER_STATUSES,
                };
                message = Some(LoopMessage::Arm { epoch });
            }
            Phase::Settling { statuses } => {
                self.phase = Phase::Settling {
                    statuses: statuses - 1,
                };
            }
            Phase::Arming { statuses } => {
                self.phase = Phase::Arming {
                    statuses: statuses - 1,
                };
            }
            Phase::Waiting | Phase::Armed | Phase::Latched => {}
        }
        Verdict::new(true, message)
    }

    /// The driver follows nobody in this epoch any more: to go on would be to track an arm that stands,
    /// and to arm would be to believe that it moves. Telling a loop to stop that is not armed does no harm.
    fn latch(&mut self, reason: StopReason) -> Verdict {
        let was_armed = self.phase == Phase::Armed;
        self.phase = Phase::Latched;
        Verdict {
            feed: true,
            message: Some(LoopMessage::StopFor(reason)),
            driver_stopped: was_armed,
            is_unacknowledged: false,
        }
    }

    /// Learns what became of a message, and of the arm.
    pub fn on_event(&mut self, event: &LoopEvent) {
        match (event, self.phase) {
            (_, Phase::Waiting | Phase::Latched) => {}
            // Also while settling: the refusal that led there may have answered an older session.
            (LoopEvent::Armed { epoch }, _) if *epoch == self.epoch => self.phase = Phase::Armed,
            (LoopEvent::ArmRefused(_), Phase::Arming { .. }) => {
                self.phase = Phase::Settling {
                    statuses: RETRY_STATUSES,
                };
            }
            (LoopEvent::Stopping(_), Phase::Armed) => self.phase = Phase::Latched,
            _ => {}
        }
    }
}

/// What it means for the loop that a driver stays as it is until a new session, if it does.
const fn latched(stop: DriverStop) -> Option<StopReason> {
    match stop {
        DriverStop::None | DriverStop::NotArmed => None,
        DriverStop::Expired
        | DriverStop::Requested
        | DriverStop::Shutdown
        | DriverStop::NoSession => Some(StopReason::Peer),
        DriverStop::Fault => Some(StopReason::DriverFault),
    }
}

/// Whether the loop still has to do with a session.
fn is_busy(mode: Mode) -> bool {
    mode.commands() || mode == Mode::Arming
}

#[cfg(test)]
mod whole;

#[cfg(test)]
mod tests {
    use prehend_control::ArmError;

    use super::*;

    const FREE: DriverStop = DriverStop::NotArmed;

    /// Shows the session until the loop is asked to arm.
    fn ask(handover: &mut Handover, epoch: u64) {
        let wanted = [LoopMessage::Reset, LoopMessage::Arm { epoch }];
        let mut asked = Vec::new();
        while asked.last() != Some(&LoopMessage::Arm { epoch }) {
            let verdict = handover.on_status(epoch, FREE, true, true, || Mode::Disarmed);
            asked.extend(verdict.message);
            assert!(asked.len() <= 3, "{asked:?}");
        }
        assert_eq!(asked[asked.len() - 2..], wanted, "acknowledged, then armed");
    }

    fn arm(handover: &mut Handover, epoch: u64) {
        ask(handover, epoch);
        handover.on_event(&LoopEvent::Armed { epoch });
        assert_eq!(handover.armed(), Some(epoch));
    }

    #[test]
    fn the_first_session_is_armed_after_its_states_are_seen() {
        let mut handover = Handover::new();
        assert!(handover.may_arm(7));
        arm(&mut handover, 7);
        let verdict = handover.on_status(7, FREE, true, true, || Mode::Tracking);
        assert_eq!(verdict, Verdict::new(true, None));
        assert!(!handover.may_arm(6));
    }

    #[test]
    fn a_new_session_is_hidden_until_the_arm_stands() {
        let mut handover = Handover::new();
        arm(&mut handover, 7);
        let verdict = handover.on_status(8, FREE, true, true, || Mode::Tracking);
        assert_eq!(verdict, Verdict::new(false, Some(LoopMessage::Stop)));
        handover.on_event(&LoopEvent::Stopping(StopReason::Requested));
        assert_eq!(handover.armed(), None);
        let verdict = handover.on_status(8, FREE, true, true, || Mode::Stopping);
        assert_eq!(verdict, Verdict::new(false, None));
        arm(&mut handover, 8);
    }

    #[test]
    fn a_fault_stays_until_a_new_session() {
        let mut handover = Handover::new();
        arm(&mut handover, 7);
        handover.on_event(&LoopEvent::Stopping(StopReason::StaleState));
        for _ in 0..100 {
            let verdict = handover.on_status(7, FREE, true, true, || Mode::Stopped);
            assert_eq!(verdict, Verdict::new(true, None));
        }
        assert!(!handover.may_arm(7) && handover.may_arm(8));
        arm(&mut handover, 8);
    }

    #[test]
    fn a_loop_at_fault_is_armed_only_by_who_acknowledges_it() {
        let mut handover = Handover::new();
        arm(&mut handover, 7);
        handover.on_event(&LoopEvent::Stopping(StopReason::StaleState));
        let mut said = 0;
        for _ in 0..100 {
            let verdict = handover.on_status(8, FREE, true, false, || Mode::Fault);
            said += u64::from(verdict.is_unacknowledged);
            assert!(matches!(verdict.message, None | Some(LoopMessage::Stop)));
        }
        assert_eq!((said, handover.armed()), (1, None));
        arm(&mut handover, 9);
    }

    #[test]
    fn an_older_session_changes_nothing() {
        let mut handover = Handover::new();
        arm(&mut handover, 7);
        let verdict = handover.on_status(6, FREE, true, true, || Mode::Tracking);
        assert_eq!(verdict, Verdict::new(false, None));
        assert_eq!(handover.armed(), Some(7));
    }

    #[test]
    fn a_refusal_is_tried_again_later() {
        let mut handover = Handover::new();
        ask(&mut handover, 7);
        handover.on_event(&LoopEvent::ArmRefused(ArmError::AlreadyArmed));
        let asked = (0..RETRY_STATUSES)
            .filter(|_| {
                handover
                    .on_status(7, FREE, true, true, || Mode::Disarmed)
                    .message
                    .is_some()
            })
            .count();
        assert_eq!(asked, 1);
    }

    #[test]
    fn a_driver_that_stopped_stops_the_loop_until_a_new_session() {
        let mut handover = Handover::new();
        arm(&mut handover, 7);
        assert!(
            handover
                .on_status(7, DriverStop::None, true, true, || Mode::Tracking)
                .message
                .is_none()
        );
        let verdict = handover.on_status(7, DriverStop::Expired, true, true, || Mode::Tracking);
        assert_eq!(
            verdict,
            Verdict {
                feed: true,
                message: Some(LoopMessage::StopFor(StopReason::Peer)),
                driver_stopped: true,
                is_unacknowledged: false,
            }
        );
        handover.on_event(&LoopEvent::Stopping(StopReason::Requested));
        // Said once, and no answer that was under way takes the arm back.
        handover.on_event(&LoopEvent::Armed { epoch: 7 });
        let verdict = handover.on_status(7, DriverStop::Expired, true, true, || Mode::Stopped);
        assert_eq!(verdict, Verdict::new(true, None));
        assert!(handover.armed().is_none() && !handover.may_arm(7));
        arm(&mut handover, 8);
    }

    #[test]
    fn a_driver_that_had_stopped_before_is_not_armed() {
        let mut handover = Handover::new();
        for status in 0..5 * RETRY_STATUSES {
            let verdict = handover.on_status(7, DriverStop::Expired, true, true, || Mode::Disarmed);
            assert_eq!(verdict.feed, status > 0, "the first one announces");
            assert!(!verdict.driver_stopped);
            assert!(!matches!(verdict.message, Some(LoopMessage::Arm { .. })));
        }
        arm(&mut handover, 8);
    }

    #[test]
    fn a_stopped_new_session_is_hidden_while_the_arm_moves() {
        let mut handover = Handover::new();
        arm(&mut handover, 7);
        let verdict = handover.on_status(8, DriverStop::Fault, true, true, || Mode::Tracking);
        assert_eq!(verdict, Verdict::new(false, Some(LoopMessage::Stop)));
        assert!(
            !handover
                .on_status(8, DriverStop::Fault, true, true, || Mode::Stopping)
                .feed
        );
        assert!(
            handover
                .on_status(8, DriverStop::Fault, true, true, || Mode::Stopped)
                .feed
        );
        assert!(!handover.may_arm(8));
    }

    #[test]
    fn a_late_refusal_of_an_older_session_does_not_hide_the_answer() {
        let mut handover = Handover::new();
        ask(&mut handover, 7);
        ask(&mut handover, 8);
        // The loop refused session 7 and took 8 over before either answer was read.
        handover.on_event(&LoopEvent::ArmRefused(ArmError::NoState));
        handover.on_event(&LoopEvent::Armed { epoch: 7 });
        assert_eq!(handover.armed(), None);
        handover.on_event(&LoopEvent::Armed { epoch: 8 });
        assert_eq!(handover.armed(), Some(8));
    }

    #[test]
    fn a_request_without_an_answer_is_repeated() {
        let mut handover = Handover::new();
        ask(&mut handover, 7);
        let asked = (0..=ANSWER_STATUSES)
            .filter(|_| {
                handover
                    .on_status(7, FREE, true, true, || Mode::Disarmed)
                    .message
                    .is_some()
            })
            .count();
        assert_eq!(asked, 1);
    }
}
