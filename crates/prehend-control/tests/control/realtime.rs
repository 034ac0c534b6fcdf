//! The thread around the controller: commands flow, statistics add up, it ends at rest.

use std::time::Duration;

use prehend_control::rt::{ControlLoop, LoopEvent, LoopMessage, RealtimeConfig, measure_floor};
use prehend_control::{ArmError, ControlConfig, Controller, Mode, WireChecker, joint_bounds};
use prehend_types::Stamp;

use crate::rig::{action, chunk, fr3, state_at};

const NORMAL: RealtimeConfig = RealtimeConfig {
    fifo_priority: 0,
    lock_memory: false,
    pin_core: None,
};

#[test]
fn a_loop_arms_moves_stops_and_reports() {
    let robot = fr3();
    let config = ControlConfig::default();
    let bounds = joint_bounds(&robot).expect("valid");
    let mut wire = WireChecker::new(&bounds[..robot.n_joints()], config.dt_s());
    let controller = Controller::new(robot.clone(), config).expect("valid");
    let (control, mut ports) = ControlLoop::start(controller, &NORMAL).expect("starts");
    assert_eq!(control.realtime().scheduler, "SCHED_OTHER");

    ports
        .messages
        .push(LoopMessage::Arm { epoch: 7 })
        .expect("room");
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(
        ports.events.pop(),
        Ok(LoopEvent::ArmRefused(ArmError::NoState))
    );

    let mut state = state_at(*robot.home(), Stamp::now());
    ports.states.push(state).expect("room");
    ports
        .messages
        .push(LoopMessage::Arm { epoch: 8 })
        .expect("room");
    let mut pump = |ports: &mut prehend_control::rt::LoopPorts, millis: u64| {
        let until = Stamp::now().after(Duration::from_millis(millis));
        while Stamp::now() < until {
            while let Ok(timed) = ports.commands.pop() {
                assert_eq!(timed.epoch, 8);
                wire.check(timed.epoch, timed.seq, &timed.command);
                state.q = timed.command.q_d;
                state.dq = timed.command.dq_d;
            }
            state.stamp = Stamp::now();
            // A full ring only means that the loop sleeps longer than usual.
            let _ = ports.states.push(state);
            std::thread::sleep(Duration::from_millis(1));
        }
        *wire.report()
    };
    pump(&mut ports, 60);
    let plan = chunk(Stamp::now(), &[action(0.01, 0.0, 0.0); 16]);
    ports.chunks.push(plan).expect("room");
    pump(&mut ports, 300);
    assert_eq!(control.report().mode, Mode::Tracking);

    let finishing = std::thread::spawn(move || control.finish());
    let seen = pump(&mut ports, 200);
    let (controller, report) = finishing.join().expect("no panic").expect("no panic");
    assert!(controller.is_at_rest());
    assert_eq!(
        seen.limit_violations + seen.non_finite + seen.missing,
        0,
        "{seen:?}"
    );
    assert_eq!(seen.commands, report.commands);
    assert_eq!(report.commands_lost, 0);
    assert!(report.ticks > 100, "{report:?}");
    assert_eq!(report.period_us.n + 1, report.latency_us.n);
    assert_eq!(report.chunk_age_us.n, 1);
    let mut events = Vec::new();
    while let Ok(event) = ports.events.pop() {
        events.push(event);
    }
    assert_eq!(events.first(), Some(&LoopEvent::Armed { epoch: 8 }));
    assert!(
        events
            .iter()
            .any(|event| matches!(event, LoopEvent::Stopping(_)))
    );
}

#[test]
fn the_floor_is_measured_and_a_refusal_is_said() {
    let wishes = RealtimeConfig {
        pin_core: Some(100_000),
        ..NORMAL
    };
    let floor = measure_floor(1000.0, Duration::from_millis(200), &wishes).expect("starts");
    assert!(floor.latency_us.n > 20, "{floor:?}");
    assert!(floor.period_us.max >= floor.period_us.p50);
    assert_eq!(floor.realtime.pinned_core, None);
    assert_eq!(floor.realtime.notes.len(), 1, "{floor:?}");
}
