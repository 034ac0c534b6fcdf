//! A late loop: what is past is skipped, and each stage's policy does what it says in the same tick.

use std::time::Duration;

use prehend_control::rt::{DeadlineConfig, MissPolicy, Stage};
use prehend_control::{ControlConfig, Mode, StopReason};
use prehend_types::Stamp;

use crate::lockstep::run;

/// Tick at which something is late; the arm moves by then.
const LATE_AT: u64 = 100;
const PERIOD: Duration = Duration::from_millis(2);

/// Stamps of the commands around a sleep that ends late, and the ticks that were left out.
fn stamps_around_a_stall(late: Duration) -> (Vec<Stamp>, u64) {
    let ((stamps, violations), report) = run(ControlConfig::default(), |done| {
        let mut stamps = Vec::new();
        Box::new(move |world, _| {
            stamps.extend(world.command.map(|timed| timed.stamp));
            if world.ticks == LATE_AT + 50 {
                let violations = world.wire.report().limit_violations;
                let _ = done.send((stamps.clone(), violations));
            }
            if world.ticks == LATE_AT {
                late
            } else {
                Duration::ZERO
            }
        })
    });
    assert_eq!(violations, 0);
    assert_eq!(
        report.late.get(Stage::Wake),
        u64::from(late > PERIOD.mul_f64(0.5))
    );
    (stamps, report.deadline_misses)
}

fn gaps(stamps: &[Stamp]) -> Vec<Duration> {
    (stamps.windows(2))
        .map(|pair| pair[1].saturating_since(pair[0]))
        .collect()
}

#[test]
fn an_overrun_of_ten_periods_gives_one_command_and_then_the_old_rhythm() {
    let (stamps, misses) = stamps_around_a_stall(PERIOD * 10);
    let gaps = gaps(&stamps);
    let late: Vec<_> = gaps.iter().filter(|gap| **gap != PERIOD).collect();
    // Eleven periods without a command, then one, then one per period: never a burst.
    assert_eq!(late, [&(PERIOD * 11)], "{gaps:?}");
    assert_eq!(misses, 10);
    assert!(gaps.len() > 100);
}

#[test]
fn a_stall_of_a_minute_gives_no_burst_either() {
    let (stamps, _) = stamps_around_a_stall(PERIOD * 30_000);
    assert_eq!(gaps(&stamps).into_iter().min(), Some(PERIOD));
}

/// A sleep may end anywhere between two planned ticks: the next command follows a period later, not at
/// the moment that had been planned for it.
#[test]
fn after_a_late_tick_commands_keep_their_distance() {
    for (percent, left_out) in [(30, 0), (95, 0), (150, 1), (1037, 10), (1099, 10)] {
        let late = PERIOD * percent / 100;
        let (stamps, misses) = stamps_around_a_stall(late);
        let odd: Vec<_> = (gaps(&stamps).into_iter())
            .filter(|gap| *gap != PERIOD)
            .collect();
        assert_eq!(odd, [PERIOD + late], "{percent} % late");
        assert_eq!(misses, left_out, "{percent} % late");
    }
    // A little lateness is made up for, or the rhythm would drift.
    let late = PERIOD.mul_f64(0.19);
    let (stamps, _) = stamps_around_a_stall(late);
    let odd: Vec<_> = (gaps(&stamps).into_iter())
        .filter(|gap| *gap != PERIOD)
        .collect();
    assert_eq!(odd, [PERIOD + late, PERIOD - late]);
}

/// What the tick after a stall of 3 ms did: the mode and the speed of its command, if there was one, and
/// the speed before.
struct Answer {
    mode: Option<Mode>,
    speed: f64,
    before: f64,
    /// Mode of the command after it.
    next: Option<Mode>,
}

fn answer_to(policy: MissPolicy) -> (Answer, u64) {
    let mut deadlines = DeadlineConfig::default();
    deadlines.wake.policy = policy;
    let config = ControlConfig {
        deadlines,
        ..ControlConfig::default()
    };
    let (answer, report) = run(config, |done| {
        let mut answer = Answer {
            mode: None,
            speed: 0.0,
            before: 0.0,
            next: None,
        };
        Box::new(move |world, _| {
            let mode = world.command.map(|timed| timed.mode);
            match world.ticks {
                LATE_AT => {
                    answer.before = world.speed();
                    return Duration::from_millis(3);
                }
                tick if tick == LATE_AT + 1 => {
                    (answer.mode, answer.speed) = (mode, world.speed());
                }
                tick if tick == LATE_AT + 2 => {
                    assert_eq!(world.wire.report().limit_violations, 0);
                    let _ = done.send(Answer {
                        next: mode,
                        ..answer
                    });
                }
                _ => {}
            }
            Duration::ZERO
        })
    });
    (answer, report.late.get(Stage::Wake))
}

#[test]
fn every_policy_is_reached_in_the_tick_that_notices() {
    let (warn, counted) = answer_to(MissPolicy::Warn);
    assert!(warn.before > 0.02, "it moves: {}", warn.before);
    assert_eq!((warn.mode, counted), (Some(Mode::Tracking), 1));

    let (skip, counted) = answer_to(MissPolicy::Skip);
    assert_eq!((skip.mode, skip.next), (None, Some(Mode::Tracking)));
    assert_eq!(counted, 1);

    let (hold, counted) = answer_to(MissPolicy::Hold);
    assert_eq!(
        (hold.mode, hold.next),
        (Some(Mode::Tracking), Some(Mode::Tracking))
    );
    assert!(hold.speed < warn.speed, "{} {}", hold.speed, warn.speed);
    assert_eq!(counted, 1);

    let (stop, counted) = answer_to(MissPolicy::Stop);
    assert_eq!(
        (stop.mode, stop.next),
        (Some(Mode::Stopping), Some(Mode::Stopping))
    );
    assert!(stop.speed < warn.speed);
    assert_eq!(counted, 1);
}

/// A driver that falls silent, and a policy that does: each stage has its own deadline.
#[test]
fn silence_of_a_peer_is_answered_as_its_stage_says() {
    for (stage, after_millis) in [(Stage::State, 20.0), (Stage::Plan, 100.0)] {
        let mut deadlines = DeadlineConfig::default();
        let own = match stage {
            Stage::State => &mut deadlines.state,
            _ => &mut deadlines.plan,
        };
        own.after_millis = after_millis;
        own.policy = MissPolicy::Stop;
        let config = ControlConfig {
            deadlines,
            ..ControlConfig::default()
        };
        let (seen, report) = run(config, |done| {
            Box::new(move |world, _| {
                if world.ticks == LATE_AT {
                    world.states = stage != Stage::State;
                    world.plans = false;
                }
                if let Some(timed) = world.command.filter(|timed| !timed.mode.commands()) {
                    let _ = done.send((timed.mode, world.wire.report().limit_violations));
                }
                Duration::ZERO
            })
        });
        assert_eq!(seen, (Mode::Stopped, 0), "{stage:?}");
        assert_eq!(report.late.get(stage), 1, "once it stops nobody counts");
    }
    assert!(!StopReason::Deadline.is_fault());
}

/// Skipping late ticks is no way round the limit of trust in old states.
#[test]
fn a_driver_that_stays_silent_stops_the_arm_though_its_ticks_are_skipped() {
    let mut deadlines = DeadlineConfig::default();
    deadlines.state.after_millis = 20.0;
    deadlines.state.policy = MissPolicy::Skip;
    let config = ControlConfig {
        deadlines,
        ..ControlConfig::default()
    };
    let (seen, _) = run(config, |done| {
        Box::new(move |world, _| {
            if world.ticks == LATE_AT {
                world.states = false;
            }
            if let Some(timed) = world.command.filter(|timed| !timed.mode.commands()) {
                let _ = done.send((timed.mode, world.ticks));
            }
            Duration::ZERO
        })
    });
    assert_eq!(seen.0, Mode::Stopped);
    assert!(seen.1 > LATE_AT + 20, "{seen:?}");
}
