//! Operator, driver, handover and loop together, every order of what they do: a model check.
//!
//! The driver's and the loop's safety states are the real ones, and so is the handover; what lies between
//! them is a queue of messages to the loop, one of its events, and commands that come or do not.

use std::collections::HashMap;

use prehend_control::rt::{LoopEvent, LoopMessage};
use prehend_control::{ArmError, Effect, Mode, SafetyEvent, SafetyState, StopReason};
use prehend_link::messages::StopReason as DriverStop;

use super::{ANSWER_STATUSES, Handover, Phase, RETRY_STATUSES};

/// Sessions that the operator asks for.
const SESSIONS: u64 = 3;
/// Messages and events that may be under way.
const UNDER_WAY: usize = 2;

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    driver: SafetyState,
    control: SafetyState,
    handover: Handover,
    /// Newest session of the driver that was asked for by somebody who acknowledged what had broken.
    acknowledged: u64,
    messages: Vec<LoopMessage>,
    events: Vec<Told>,
    /// The last sessions in which driver and loop were stopped.
    driver_stopped: u64,
    control_stopped: u64,
}

/// What the handover looks at of an event.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Told {
    Armed(u64),
    Refused,
    Stopping,
}

impl World {
    fn new() -> Self {
        Self {
            driver: SafetyState::new(),
            control: SafetyState::new(),
            handover: Handover::new(),
            acknowledged: 0,
            messages: Vec::new(),
            events: Vec::new(),
            driver_stopped: 0,
            control_stopped: 0,
        }
    }

    fn driver(mut self, event: SafetyEvent) -> Self {
        self.driver = self.driver.step(event).0;
        if self.driver.mode().is_stop() {
            self.driver_stopped = self.driver.epoch();
        }
        self
    }

    fn control(mut self, event: SafetyEvent) -> Self {
        let before = self.control;
        let effect;
        (self.control, effect) = self.control.step(event);
        let mode = self.control.mode();
        if mode.is_stop() {
            self.control_stopped = self.control.epoch();
        }
        let was_arming = before.mode() == Mode::Arming;
        if was_arming && mode.is_running() {
            self.events.push(Told::Armed(self.control.epoch()));
        } else if was_arming && mode != Mode::Arming
            || matches!(
                (event, effect),
                (SafetyEvent::Arm { .. }, Effect::Refuse(_))
            )
        {
            self.events.push(Told::Refused);
        }
        if mode.is_stop() && before.stop_reason().is_none() {
            self.events.push(Told::Stopping);
        }
        self
    }

    fn status(mut self, may_be_armed: bool) -> Self {
        let stop = match self.driver.stop_reason() {
            None if self.driver.mode().is_running() => DriverStop::None,
            None if self.driver.mode() == Mode::Disarmed => DriverStop::NoSession,
            None => DriverStop::NotArmed,
            Some(reason) if reason.is_fault() => DriverStop::Fault,
            Some(_) => DriverStop::Expired,
        };
        let mode = self.control.mode();
        let acknowledged = self.acknowledged == self.driver.epoch();
        let verdict = (self.handover).on_status(
            self.driver.epoch(),
            stop,
            may_be_armed,
            acknowledged,
            || mode,
        );
        self.messages.extend(verdict.message);
        // A simulated arm jumps home between two sessions: the loop must not see that while it moves.
        let is_of_the_old = mode.commands() && self.control.epoch() != self.driver.epoch();
        assert!(
            !(verdict.feed && is_of_the_old),
            "a state of another session"
        );
        self
    }

    /// Statuses that only count down change nothing else: the wait is cut short.
    fn without_waiting(mut self) -> Self {
        match &mut self.handover.phase {
            Phase::Settling { statuses } if *statuses == RETRY_STATUSES => *statuses = 2,
            Phase::Arming { statuses } if *statuses == ANSWER_STATUSES => *statuses = 2,
            _ => {}
        }
        self
    }

    /// Everything that may happen next.
    fn next(&self) -> Vec<Self> {
        let this = || self.clone();
        let mut next = Vec::new();
        let epoch = self.driver.epoch();
        if epoch < SESSIONS {
            for acknowledge in [None, Some(SafetyEvent::Reset)] {
                let mut asked = this();
                let stop = [
                    SafetyEvent::Stop(StopReason::Requested),
                    SafetyEvent::AtRest,
                ];
                let arm = SafetyEvent::Arm { epoch: epoch + 1 };
                for event in stop.into_iter().chain(acknowledge).chain([arm]) {
                    asked = asked.driver(event);
                }
                // A driver at fault opens no session without.
                if asked.driver.mode() == Mode::Arming {
                    if acknowledge.is_some() {
                        asked.acknowledged = epoch + 1;
                    }
                    next.push(asked);
                }
            }
        }
        for event in [
            SafetyEvent::Stop(StopReason::Expired),
            SafetyEvent::Stop(StopReason::Requested),
            SafetyEvent::Stop(StopReason::DriverFault),
            SafetyEvent::AtRest,
        ] {
            next.push(this().driver(event));
        }
        // A command arrives: the first arms its session, whose gate it has to pass.
        if self.control.mode().commands() && self.control.epoch() == epoch {
            next.push(this().driver(SafetyEvent::ArmingPassed));
        }
        if self.messages.len() < UNDER_WAY && epoch > 0 {
            for may_be_armed in [true, false] {
                next.push(this().status(may_be_armed).without_waiting());
            }
        }
        if self.events.len() < UNDER_WAY {
            for event in [
                SafetyEvent::ArmingPassed,
                SafetyEvent::ArmingFailed,
                SafetyEvent::PlanEnded,
                SafetyEvent::AtRest,
                SafetyEvent::Stop(StopReason::StaleState),
                SafetyEvent::Stop(StopReason::TrackingError { joint_idx: 3 }),
            ] {
                // The loop judges states only while it has an arm.
                let judges = !matches!(event, SafetyEvent::Stop(_));
                if judges || self.control.mode().is_running() {
                    next.push(this().control(event));
                }
            }
            if self.handover.armed().is_some() {
                next.push(this().control(SafetyEvent::PlanAccepted));
            }
            if let Some(message) = self.messages.first() {
                let mut taken = this();
                taken.messages.remove(0);
                next.push(taken.control(match *message {
                    LoopMessage::Arm { epoch } => SafetyEvent::Arm { epoch },
                    LoopMessage::Stop => SafetyEvent::Stop(StopReason::Requested),
                    LoopMessage::StopFor(reason) => SafetyEvent::Stop(reason),
                    LoopMessage::Reset => SafetyEvent::Reset,
                }));
            }
        }
        if let Some(told) = self.events.first() {
            let mut heard = this();
            heard.events.remove(0);
            heard.handover.on_event(&match *told {
                Told::Armed(epoch) => LoopEvent::Armed { epoch },
                Told::Refused => LoopEvent::ArmRefused(ArmError::Withdrawn),
                Told::Stopping => LoopEvent::Stopping(StopReason::Requested),
            });
            next.push(heard.without_waiting());
        }
        next
    }

    fn works(&self) -> bool {
        self.driver.mode().is_running()
            && self.control.mode() == Mode::Tracking
            && self.driver.epoch() == self.control.epoch()
    }
}

fn check(before: &World, after: &World) {
    let acknowledged = after.acknowledged;
    for (before, after, stopped) in [
        (before.driver, after.driver, before.driver_stopped),
        (before.control, after.control, before.control_stopped),
    ] {
        if after.mode().is_running() && !before.mode().is_running() {
            assert_eq!(before.mode(), Mode::Arming);
            assert!(after.epoch() > stopped, "session {stopped} was stopped");
        }
        let was_at_fault = before.mode() == Mode::Fault && after.mode() != Mode::Fault;
        assert!(
            !was_at_fault || acknowledged > before.epoch(),
            "nobody acknowledged it"
        );
    }
    // Nobody but an operator begins a session, and the loop is never ahead of the driver.
    assert!(after.control.epoch() <= after.driver.epoch());
    // The driver moves in a session only if the loop was armed in it.
    if after.driver.mode().is_running() {
        assert!(after.control.spent() >= after.driver.epoch());
    }
}

#[test]
fn no_order_of_events_moves_a_stopped_arm_and_none_leaves_it_stuck() {
    let mut worlds = vec![World::new()];
    let mut index = HashMap::from([(World::new(), 0)]);
    let mut before: Vec<Vec<usize>> = vec![Vec::new()];
    let mut from = 0;
    while let Some(world) = worlds.get(from).cloned() {
        for next in world.next() {
            check(&world, &next);
            let at = *index.entry(next.clone()).or_insert_with(|| {
                worlds.push(next);
                before.push(Vec::new());
                worlds.len() - 1
            });
            before[at].push(from);
        }
        from += 1;
    }
    assert!(worlds.len() > 10_000, "{} worlds", worlds.len());
    // Backwards from where the arm is driven: every world whose operator may still ask leads there.
    let mut leads = vec![false; worlds.len()];
    let mut queue: Vec<usize> = (0..worlds.len()).filter(|at| worlds[*at].works()).collect();
    while let Some(at) = queue.pop() {
        if !std::mem::replace(&mut leads[at], true) {
            queue.extend(&before[at]);
        }
    }
    for (world, leads) in worlds.iter().zip(leads) {
        let may_ask = world.driver.epoch() < SESSIONS;
        assert!(!may_ask || leads, "an operator is stuck");
    }
}
