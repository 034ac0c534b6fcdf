//! A tape runs again to the bit, and tells when anything is not what it was.

use std::time::Duration;

use prehend_control::rt::{LoopMessage, LoopReplay, TickRecord};
use prehend_control::{ControlConfig, Controller, Mode, StopReason};

use crate::lockstep::run;
use crate::rig::fr3;

const TICKS: u64 = 3000;

/// Plans, a stop, a new session, a late wake-up, states that cease.
fn recorded() -> Vec<TickRecord> {
    let (records, _) = run(ControlConfig::default(), |done| {
        let mut records = Vec::new();
        Box::new(move |world, _| {
            let message = match world.ticks {
                800 => Some(LoopMessage::StopFor(StopReason::DriverFault)),
                1200 => Some(LoopMessage::Reset),
                1201 => Some(LoopMessage::Arm { epoch: 2 }),
                _ => None,
            };
            if let Some(message) = message {
                world.ports.messages.push(message).expect("room");
            }
            world.states = world.ticks < 2000;
            records.extend(std::iter::from_fn(|| world.tape.pop()));
            if world.ticks == TICKS {
                let _ = done.send(std::mem::take(&mut records));
            }
            match world.ticks {
                500 => Duration::from_millis(7),
                _ => Duration::ZERO,
            }
        })
    });
    records
}

/// The first tick that gives something else now.
fn first_difference(config: ControlConfig, records: &[TickRecord]) -> Option<u64> {
    let mut replay = LoopReplay::new(Controller::new(fr3(), config).expect("valid"));
    let differs = |record: &&TickRecord| replay.step(record) != record.outcome;
    let found = records.iter().find(differs);
    found.map(|record| record.moment.tick)
}

#[test]
fn a_tape_runs_again_to_the_bit() {
    let records = recorded();
    let ticks = records.iter().map(|record| record.moment.tick);
    assert!(ticks.eq(0..records.len() as u64), "every tick is on it");
    for mode in [Mode::Tracking, Mode::Stopping, Mode::Stopped, Mode::Fault] {
        let is_there = records.iter().any(|record| record.outcome.mode == mode);
        assert!(is_there, "{mode:?}");
    }
    assert!(records.iter().any(|record| record.moment.late_nanos > 0));
    assert_eq!(first_difference(ControlConfig::default(), &records), None);
}

#[test]
fn another_setting_or_another_bit_is_found_where_it_begins_to_matter() {
    let mut records = recorded();
    let moves = |record: &TickRecord| record.outcome.mode == Mode::Tracking;
    let first = records.iter().find(|record| moves(record)).expect("moves");
    let first = first.moment.tick;
    let config = ControlConfig {
        pose_gain_per_s: 15.000_001,
        ..ControlConfig::default()
    };
    let found = first_difference(config, &records).expect("another gain, other commands");
    assert!((first..first + 50).contains(&found), "{found}, {first}");

    let record = &mut records[first as usize + 20];
    let command = record.outcome.command.as_mut().expect("it moves");
    command.command.q_d[3] = f64::from_bits(command.command.q_d[3].to_bits() ^ 1);
    let found = first_difference(ControlConfig::default(), &records);
    assert_eq!(found, Some(first + 20));
}

#[test]
fn a_tape_without_a_reader_ends_and_the_loop_does_not() {
    let ((kept, full_at, commands), report) = run(ControlConfig::default(), |done| {
        Box::new(move |world, _| {
            if world.ticks == 10_000 {
                let kept = std::iter::from_fn(|| world.tape.pop()).count() as u64;
                let _ = done.send((kept, world.tape.full_at(), world.commands));
            }
            Duration::ZERO
        })
    });
    assert_eq!(full_at, Some(kept), "whole up to where it ends");
    assert!(kept < 10_000 && commands > 9_900, "{kept} {commands}");
    assert_eq!(report.commands_lost, 0);
}
