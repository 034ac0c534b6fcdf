//! The table of every event in every mode, and what follows from it for every path through the states.

use std::collections::HashSet;

use super::*;

/// Sessions that the paths try: each may be new, running, or used before.
const EPOCHS: u64 = 3;

/// One event of each kind, as a row of the table. A new kind does not compile without one.
fn row(event: SafetyEvent) -> usize {
    match event {
        SafetyEvent::Arm { epoch: NEW } => 0,
        SafetyEvent::Arm { .. } => 1,
        SafetyEvent::ArmingPassed => 2,
        SafetyEvent::ArmingFailed => 3,
        SafetyEvent::PlanAccepted => 4,
        SafetyEvent::PlanEnded => 5,
        SafetyEvent::Stop(reason) if !reason.is_fault() => 6,
        SafetyEvent::Stop(_) => 7,
        SafetyEvent::AtRest => 8,
        SafetyEvent::Reset => 9,
    }
}

const OLD: u64 = 5;
const NEW: u64 = 6;

/// Events that do the same, and what they do in each mode.
type Row = (Vec<SafetyEvent>, [(Mode, Effect); 7]);

/// Where each event leads from each mode, in the order of [`Mode::ALL`], and what has to be done.
/// The states have used up session 5; the arming one is of session 6.
#[rustfmt::skip]
fn table() -> Vec<Row> {
    use Effect::{Brake, Engage, None, Refuse, TakeOver};
    use Mode::{Arming, Disarmed, Fault, Holding, Stopped, Stopping, Tracking};
    use Refusal::{AlreadyArmed, NotArmed, OldEpoch};
    let (already, stopping) = (Refuse(AlreadyArmed), Refuse(Refusal::Stopping));
    let (old, fault, not_armed) = (Refuse(OldEpoch), Refuse(Refusal::Fault), Refuse(NotArmed));
    let stops = |of_fault: bool| {
        let reasons = StopReason::ALL.into_iter().filter(|reason| reason.is_fault() == of_fault);
        reasons.map(SafetyEvent::Stop).collect::<Vec<_>>()
    };
    vec![
        //                                    Disarmed             Arming              Holding              Tracking              Stopping              Stopped              Fault
        (vec![SafetyEvent::Arm { epoch: NEW }], [(Arming, TakeOver), (Arming, already),  (Holding, already),  (Tracking, already),  (Stopping, stopping), (Arming, TakeOver),  (Fault, fault)]),
        (vec![SafetyEvent::Arm { epoch: OLD }, SafetyEvent::Arm { epoch: 0 }],
                                                [(Disarmed, old),    (Arming, already),  (Holding, already),  (Tracking, already),  (Stopping, stopping), (Stopped, old),      (Fault, fault)]),
        (vec![SafetyEvent::ArmingPassed],       [(Disarmed, None),   (Holding, Engage),  (Holding, None),     (Tracking, None),     (Stopping, None),     (Stopped, None),     (Fault, None)]),
        (vec![SafetyEvent::ArmingFailed],       [(Disarmed, None),   (Disarmed, None),   (Holding, None),     (Tracking, None),     (Stopping, None),     (Stopped, None),     (Fault, None)]),
        (vec![SafetyEvent::PlanAccepted],       [(Disarmed, not_armed), (Arming, not_armed), (Tracking, None), (Tracking, None),    (Stopping, not_armed), (Stopped, not_armed), (Fault, not_armed)]),
        (vec![SafetyEvent::PlanEnded],          [(Disarmed, None),   (Arming, None),     (Holding, None),     (Holding, None),      (Stopping, None),     (Stopped, None),     (Fault, None)]),
        (stops(false),                          [(Stopped, None),    (Stopped, None),    (Stopping, Brake),   (Stopping, Brake),    (Stopping, Brake),    (Stopped, None),     (Fault, None)]),
        (stops(true),                           [(Fault, None),      (Fault, None),      (Stopping, Brake),   (Stopping, Brake),    (Stopping, Brake),    (Fault, None),       (Fault, None)]),
        (vec![SafetyEvent::AtRest],             [(Disarmed, None),   (Arming, None),     (Holding, None),     (Tracking, None),     (Stopped, None),      (Stopped, None),     (Fault, None)]),
        (vec![SafetyEvent::Reset],              [(Disarmed, None),   (Disarmed, None),   (Holding, already),  (Tracking, already),  (Stopping, stopping), (Disarmed, None),    (Disarmed, None)]),
    ]
}

fn state(mode: Mode) -> SafetyState {
    SafetyState {
        mode,
        epoch: if mode == Mode::Arming { NEW } else { OLD },
        spent: OLD,
        stop_reason: match mode {
            Mode::Stopping | Mode::Stopped => Some(StopReason::Requested),
            Mode::Fault => Some(StopReason::DriverFault),
            _ => None,
        },
    }
}

#[test]
fn every_event_in_every_mode_does_what_the_table_says() {
    let table = table();
    let mut seen = HashSet::new();
    for (events, expected) in &table {
        for event in events {
            seen.insert(row(*event));
            for (from, expected) in Mode::ALL.into_iter().zip(expected) {
                let (to, effect) = state(from).step(*event);
                assert_eq!((to.mode, effect), *expected, "{event:?} in {from:?}");
            }
        }
    }
    let all: HashSet<_> = (0..table.len()).collect();
    assert_eq!(seen, all, "every kind of event has its row");
    for (index, mode) in Mode::ALL.into_iter().enumerate() {
        assert_eq!(mode as usize, index, "every mode has its column");
    }
}

fn events() -> Vec<SafetyEvent> {
    let arms = (0..=EPOCHS).map(|epoch| SafetyEvent::Arm { epoch });
    let stops = StopReason::ALL.into_iter().map(SafetyEvent::Stop);
    let others = [
        SafetyEvent::ArmingPassed,
        SafetyEvent::ArmingFailed,
        SafetyEvent::PlanAccepted,
        SafetyEvent::PlanEnded,
        SafetyEvent::AtRest,
        SafetyEvent::Reset,
    ];
    arms.chain(stops).chain(others).collect()
}

/// Every state there could be, reachable or not.
fn all_states() -> Vec<SafetyState> {
    let mut states = Vec::new();
    let reasons: Vec<_> = std::iter::once(None)
        .chain(StopReason::ALL.map(Some))
        .collect();
    for mode in Mode::ALL {
        for epoch in 0..=EPOCHS {
            for spent in 0..=EPOCHS {
                states.extend(reasons.iter().map(|stop_reason| SafetyState {
                    mode,
                    epoch,
                    spent,
                    stop_reason: *stop_reason,
                }));
            }
        }
    }
    states
}

/// All states that can be reached from some by events that `may` happen, breadth first.
fn reachable(
    from: impl IntoIterator<Item = SafetyState>,
    may: impl Fn(&SafetyState, &SafetyEvent) -> bool,
) -> Vec<SafetyState> {
    let mut found: Vec<_> = from.into_iter().collect();
    let mut seen: HashSet<_> = found.iter().copied().collect();
    let mut at = 0;
    while let Some(state) = found.get(at).copied() {
        for event in events().iter().filter(|event| may(&state, event)) {
            let (next, _) = state.step(*event);
            if seen.insert(next) {
                found.push(next);
            }
        }
        at += 1;
    }
    found
}

fn real() -> Vec<SafetyState> {
    reachable([SafetyState::new()], |_, _| true)
}

#[test]
fn motion_begins_only_by_arming_a_session_that_was_never_used() {
    for state in all_states() {
        for event in events() {
            let (next, effect) = state.step(event);
            if next.mode == Mode::Arming && state.mode != Mode::Arming {
                let SafetyEvent::Arm { epoch } = event else {
                    panic!("{event:?} led from {state:?} to arming");
                };
                assert!(epoch > state.spent && next.epoch == epoch, "{state:?}");
                assert!(matches!(state.mode, Mode::Disarmed | Mode::Stopped));
                assert_eq!(effect, Effect::TakeOver);
            }
            if next.mode.commands() && !state.mode.commands() {
                assert_eq!(
                    (state.mode, event, effect),
                    (Mode::Arming, SafetyEvent::ArmingPassed, Effect::Engage)
                );
                assert_eq!(next.spent, next.epoch, "the session is used up");
            } else {
                assert_ne!(effect, Effect::Engage, "{state:?} {event:?}");
            }
            if next.mode.is_running() && !state.mode.is_running() {
                assert_eq!(state.mode, Mode::Arming, "never out of a stop");
            }
        }
    }
}

#[test]
fn used_sessions_stay_used_on_every_path() {
    for state in real() {
        for event in events() {
            let (next, _) = state.step(event);
            assert!(next.spent >= state.spent, "{state:?} {event:?}");
        }
        if state.mode == Mode::Arming {
            assert!(state.epoch > state.spent, "{state:?}");
        }
        if state.mode.commands() {
            assert_eq!(state.epoch, state.spent, "{state:?}");
        }
        assert_eq!(
            state.mode.is_stop(),
            state.stop_reason.is_some(),
            "{state:?}"
        );
    }
}

#[test]
fn a_stop_stops_in_every_state_and_a_lost_peer_does_too() {
    for state in all_states() {
        for reason in StopReason::ALL {
            let (next, effect) = state.step(SafetyEvent::Stop(reason));
            assert!(next.mode.is_stop(), "{state:?} {reason:?} {next:?}");
            assert!(!next.mode.is_running());
            let brakes = state.mode.commands();
            assert_eq!(effect == Effect::Brake, brakes, "{state:?} {reason:?}");
        }
    }
    for lost in [StopReason::StaleState, StopReason::Expired] {
        for state in real().into_iter().filter(|state| state.mode.is_running()) {
            let (next, _) = state.step(SafetyEvent::Stop(lost));
            let (rest, _) = next.step(SafetyEvent::AtRest);
            assert_eq!((next.mode, rest.mode), (Mode::Stopping, Mode::Stopped));
            assert_eq!(rest.stop_reason, Some(lost));
        }
    }
}

#[test]
fn no_path_leads_from_a_stop_to_motion_without_an_operator_and_a_new_epoch() {
    let stops: Vec<_> = real()
        .into_iter()
        .filter(|state| state.mode.is_stop())
        .collect();
    assert!(stops.len() > 20, "the search finds stops: {}", stops.len());
    let without_arm = reachable(stops.iter().copied(), |_, event| {
        !matches!(event, SafetyEvent::Arm { .. })
    });
    assert!(without_arm.iter().all(|state| !state.mode.is_running()));
    // With arming, but of old sessions only.
    let without_new_epoch = reachable(
        stops.iter().copied(),
        |state, event| !matches!(event, SafetyEvent::Arm { epoch } if *epoch > state.spent),
    );
    assert!(
        without_new_epoch
            .iter()
            .all(|state| !state.mode.is_running())
    );
    // A fault needs its acknowledgement on top.
    let faults = stops.iter().filter(|state| {
        state.mode == Mode::Fault || state.stop_reason.is_some_and(StopReason::is_fault)
    });
    let unacknowledged = reachable(faults.copied(), |_, event| *event != SafetyEvent::Reset);
    assert!(!unacknowledged.is_empty());
    assert!(unacknowledged.iter().all(|state| state.mode.is_stop()));
    // And with all of it there is a way: the proof above is not of a machine that never moves.
    for stop in stops.iter().filter(|state| state.spent < EPOCHS) {
        let free = reachable([*stop], |_, _| true);
        assert!(free.iter().any(|state| state.mode == Mode::Tracking));
    }
}

#[test]
fn a_fault_outlives_a_stop_that_was_none() {
    let (stopping, _) = state(Mode::Stopping).step(SafetyEvent::Stop(StopReason::TrackingError {
        joint_idx: 2,
    }));
    let (again, _) = stopping.step(SafetyEvent::Stop(StopReason::Requested));
    let (rest, _) = again.step(SafetyEvent::AtRest);
    assert_eq!(rest.mode, Mode::Fault);
    assert_eq!(
        rest.stop_reason,
        Some(StopReason::TrackingError { joint_idx: 2 })
    );
}
