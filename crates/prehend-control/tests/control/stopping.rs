//! Arming, faults, stops.

use std::time::Duration;

use nalgebra::Vector3;
use prehend_control::{
    ArmError, ChunkError, ControlConfig, Follower, LimitReason, Mode, StopReason, joint_bounds,
};
use prehend_types::{
    Action, GripperCommand, JointAccelerations, JointCommand, JointPositions, JointVelocities,
};

use crate::rig::{Rig, action, fr3, state_at};

#[test]
fn arming_is_refused_outside_limits_moving_or_not_finite() {
    let robot = fr3();
    let mut controller =
        prehend_control::Controller::new(robot.clone(), ControlConfig::default()).expect("valid");
    let at = |joint_idx: usize, value: f64| {
        let mut q = *robot.home();
        q[joint_idx] = value;
        state_at(q, prehend_types::Stamp::ZERO)
    };
    assert_eq!(
        controller.arm(&at(2, f64::NAN)),
        Err(ArmError::NonFinite { joint_idx: 2 })
    );
    assert!(matches!(
        controller.arm(&at(3, 0.0)),
        Err(ArmError::OutsideLimits { joint_idx: 3, .. })
    ));
    let mut moving = at(0, 0.0);
    moving.dq[5] = 0.2;
    assert!(matches!(
        controller.arm(&moving),
        Err(ArmError::Moving { joint_idx: 5, .. })
    ));
    let mut short = at(0, 0.0);
    short.q = JointPositions::zeros(6).expect("six");
    assert!(matches!(
        controller.arm(&short),
        Err(ArmError::JointCount { got: 6, .. })
    ));
    assert_eq!(controller.mode(), Mode::Disarmed);
    assert_eq!(controller.arm(&at(0, 0.1)), Ok(()));
    assert_eq!(controller.arm(&at(0, 0.1)), Err(ArmError::AlreadyArmed));
}

fn moving_rig() -> Rig {
    let mut rig = Rig::armed(ControlConfig::default());
    rig.controller
        .accept(&rig.chunk(&[action(0.02, 0.0, 0.0); 8]), rig.now())
        .expect("accepted");
    for _ in 0..75 {
        rig.tick();
    }
    assert!(rig.state.dq.iter().any(|dq| dq.abs() > 0.1));
    rig
}

#[test]
fn a_requested_stop_latches_until_armed_anew() {
    let mut rig = moving_rig();
    rig.controller.soft_stop();
    assert_eq!(rig.controller.mode(), Mode::Stopping);
    assert_eq!(rig.controller.arm(&rig.state), Err(ArmError::Stopping));
    for _ in 0..100 {
        rig.tick();
    }
    assert_eq!(rig.controller.mode(), Mode::Stopped);
    assert_eq!(rig.controller.stop_reason(), Some(StopReason::Requested));
    assert_eq!(
        rig.controller
            .accept(&rig.chunk(&[Action::hold(1.0)]), rig.now()),
        Err(ChunkError::NotArmed)
    );
    assert_eq!(rig.controller.arm(&rig.state), Ok(()));
    assert_eq!(rig.controller.mode(), Mode::Holding);
    rig.assert_clean();
}

#[test]
fn a_short_gap_in_the_state_brakes_a_long_one_latches() {
    type Break = fn(&mut prehend_types::RobotState);
    let breaks: [(Break, Mode); 3] = [
        (|state| state.q[3] = f64::NAN, Mode::Fault),
        (|state| state.dq[0] = f64::NEG_INFINITY, Mode::Fault),
        (
            |state| state.stamp = prehend_types::Stamp::ZERO,
            Mode::Stopped,
        ),
    ];
    for (break_state, ends_as) in breaks {
        let mut rig = moving_rig();
        let speed = |rig: &Rig| rig.state.dq.iter().map(|dq| dq.abs()).fold(0.0, f64::max);
        let broken_tick = |rig: &mut Rig| {
            rig.skip(Duration::from_millis(2));
            let mut broken = rig.state;
            break_state(&mut broken);
            rig.tick_with(&broken)
        };
        let before = speed(&rig);
        for _ in 0..5 {
            assert!(!broken_tick(&mut rig).limited.is_empty());
        }
        assert!(speed(&rig) < before, "brakes within a tick");
        rig.tick();
        assert_eq!(
            rig.controller.mode(),
            Mode::Tracking,
            "a short gap is forgiven"
        );
        for _ in 0..300 {
            broken_tick(&mut rig);
        }
        assert_eq!(rig.controller.mode(), ends_as);
        assert_eq!(speed(&rig), 0.0);
        rig.assert_clean();
    }
}

#[test]
fn the_fourth_bad_chunk_in_a_row_stops_the_arm() {
    let mut rig = moving_rig();
    let mut bad = Action::hold(1.0);
    bad.rotation.y = f64::NAN;
    for attempt in 1..=4 {
        assert_eq!(
            rig.controller.accept(&rig.chunk(&[bad]), rig.now()),
            Err(ChunkError::NonFinite { index: 0 })
        );
        let expected = if attempt < 4 {
            Mode::Tracking
        } else {
            Mode::Stopping
        };
        assert_eq!(rig.controller.mode(), expected, "attempt {attempt}");
        rig.tick();
    }
    assert_eq!(rig.controller.counters().get(LimitReason::NonFinite), 4);
    assert_eq!(rig.controller.stop_reason(), Some(StopReason::BadChunks));
}

#[test]
fn an_arm_that_does_not_follow_is_stopped() {
    let mut rig = moving_rig();
    let mut sunk = 0.0;
    while rig.controller.stop_reason().is_none() {
        assert!(sunk < 0.5, "{sunk}");
        sunk += 0.005;
        rig.skip(Duration::from_millis(2));
        let mut elsewhere = rig.state;
        elsewhere.q[1] -= sunk;
        rig.tick_with(&elsewhere);
    }
    assert_eq!(
        rig.controller.stop_reason(),
        Some(StopReason::TrackingError { joint_idx: 1 })
    );
}

/// A sample that cannot be true changes nothing; a second one in a row stops the arm.
#[test]
fn an_encoder_that_jumps_is_passed_over_once() {
    let (mut rig, mut twin) = (moving_rig(), moving_rig());
    let jumped = |rig: &mut Rig| {
        rig.skip(Duration::from_millis(2));
        let mut state = rig.state;
        state.q[1] += 0.5;
        rig.tick_with(&state)
    };
    for _ in 0..3 {
        let (tick, expected) = (jumped(&mut rig), twin.tick());
        assert_eq!(tick.command, expected.command);
        assert!(tick.limited.contains(LimitReason::ImplausibleState));
        assert_eq!(rig.tick().command, twin.tick().command);
    }
    assert_eq!(rig.controller.mode(), Mode::Tracking);
    jumped(&mut rig);
    jumped(&mut rig);
    assert_eq!(
        rig.controller.stop_reason(),
        Some(StopReason::ImplausibleState { joint_idx: 1 })
    );
    for _ in 0..200 {
        rig.tick();
    }
    assert_eq!(rig.controller.mode(), Mode::Fault);
    let counters = rig.controller.counters();
    assert_eq!(counters.get(LimitReason::ImplausibleState), 5);
    rig.assert_clean();
}

#[test]
fn a_driver_whose_clock_goes_back_stops_the_arm_at_once() {
    let mut rig = moving_rig();
    rig.skip(Duration::from_millis(2));
    let mut state = rig.state;
    state.stamp = prehend_types::Stamp::from_nanos(rig.now().as_nanos() - 10_000_000);
    rig.tick_with(&state);
    assert_eq!(rig.controller.mode(), Mode::Stopping);
    assert_eq!(rig.controller.stop_reason(), Some(StopReason::DriverClock));
}

#[test]
fn a_fault_is_acknowledged_before_the_arm_is_armed_again() {
    let mut rig = moving_rig();
    rig.controller.stop(StopReason::DriverFault);
    assert!(!rig.controller.reset(), "it still moves");
    for _ in 0..200 {
        rig.tick();
    }
    assert_eq!(rig.controller.mode(), Mode::Fault);
    let reason = StopReason::DriverFault;
    assert_eq!(
        rig.controller.arm(&rig.state),
        Err(ArmError::Fault { reason })
    );
    assert!(rig.controller.reset());
    assert_eq!(rig.controller.stop_reason(), None);
    assert_eq!(rig.controller.arm(&rig.state), Ok(()));
    rig.assert_clean();
}

#[test]
fn an_epoch_arms_once() {
    let robot = fr3();
    let mut rig = Rig::armed(ControlConfig::default());
    let armed = rig.controller.epoch();
    rig.controller.soft_stop();
    rig.tick();
    for epoch in [0, armed - 1, armed] {
        let again = rig.controller.begin_arming(epoch, &rig.state, rig.now());
        let refusal = ArmError::OldEpoch {
            epoch,
            spent: armed,
        };
        assert_eq!(again, Err(refusal));
    }
    let again = rig
        .controller
        .begin_arming(armed + 1, &rig.state, rig.now());
    assert_eq!((again, rig.controller.mode()), (Ok(()), Mode::Arming));
    // Stopped before it was armed: that session is over too.
    rig.controller.soft_stop();
    let state = state_at(*robot.home(), rig.now());
    assert!(matches!(
        rig.controller.begin_arming(armed + 1, &state, rig.now()),
        Err(ArmError::OldEpoch { .. })
    ));
}

/// Begins to arm at home and shows one more state, 2 ms later, that `change` has changed.
fn armed_with(change: impl FnOnce(&mut prehend_types::RobotState)) -> prehend_control::Controller {
    let robot = fr3();
    let config = ControlConfig::default();
    let mut controller = prehend_control::Controller::new(robot.clone(), config).expect("valid");
    let mut state = state_at(
        *robot.home(),
        prehend_types::Stamp::from_nanos(1_000_000_000),
    );
    let now = state.stamp;
    assert_eq!(controller.begin_arming(1, &state, now), Ok(()));
    // The state that it was taken over at proves nothing about itself.
    let same = controller.tick(&state, now.after(Duration::from_millis(1)));
    assert_eq!(same.mode, Mode::Arming);
    assert!(!same.mode.commands());
    let now = now.after(Duration::from_millis(2));
    state.stamp = now;
    change(&mut state);
    controller.tick(&state, now);
    controller
}

#[test]
fn an_arm_that_stands_where_it_was_taken_over_is_armed() {
    let controller = armed_with(|state| state.q[2] += 0.001);
    assert_eq!(controller.mode(), Mode::Holding);
    assert_eq!(controller.arm_error(), None);
}

#[test]
fn an_arm_that_is_not_where_it_is_commanded_to_be_is_not_armed() {
    let controller = armed_with(|state| state.q[2] -= 0.3);
    assert_eq!(controller.mode(), Mode::Disarmed);
    let error = controller.arm_error().expect("refused");
    assert!(
        matches!(error, ArmError::Distance { joint_idx: 2, distance, .. } if (distance - 0.3).abs() < 1e-12)
    );
    let shown = error.to_string();
    assert!(
        shown.contains("joint 2") && shown.contains("0.3"),
        "{shown}"
    );
}

#[test]
fn what_goes_wrong_while_arming_disarms() {
    let moving = armed_with(|state| state.dq[5] = 0.2);
    assert!(matches!(
        moving.arm_error(),
        Some(ArmError::Moving { joint_idx: 5, .. })
    ));
    let broken = armed_with(|state| state.q[0] = f64::NAN);
    assert_eq!(
        broken.arm_error(),
        Some(ArmError::NonFinite { joint_idx: 0 })
    );
    let other = armed_with(|state| state.q = JointPositions::zeros(6).expect("six"));
    assert!(matches!(
        other.arm_error(),
        Some(ArmError::JointCount { got: 6, .. })
    ));
    for controller in [moving, broken, other] {
        assert_eq!(controller.mode(), Mode::Disarmed);
    }
    // No later state comes at all.
    let robot = fr3();
    let config = ControlConfig::default();
    let mut silent = prehend_control::Controller::new(robot.clone(), config).expect("valid");
    let state = state_at(
        *robot.home(),
        prehend_types::Stamp::from_nanos(1_000_000_000),
    );
    silent
        .begin_arming(1, &state, state.stamp)
        .expect("fresh enough");
    silent.tick(&state, state.stamp.after(Duration::from_millis(101)));
    assert_eq!(silent.mode(), Mode::Disarmed);
    assert!(matches!(
        silent.arm_error(),
        Some(ArmError::StaleState { .. })
    ));
}

#[test]
fn a_joint_that_starts_a_little_outside_moves_inward_only_and_one_far_outside_is_refused() {
    let robot = fr3();
    let upper = robot.limits().q_max[6];
    let at = |q6: f64| {
        let mut q = *robot.home();
        q[6] = q6;
        q
    };
    let config = ControlConfig {
        max_tcp_angular_speed_rad_per_s: 10.0,
        max_lag_rad: 1.5,
        ..ControlConfig::default()
    };
    let mut far = prehend_control::Controller::new(robot.clone(), config).expect("valid");
    let refused = far.arm(&state_at(at(upper + 0.05), prehend_types::Stamp::ZERO));
    assert!(matches!(
        refused,
        Err(ArmError::OutsideLimits { joint_idx: 6, .. })
    ));
    for turn in [0.4, -0.4] {
        let mut rig = Rig::armed_at(robot.clone(), at(upper + 0.005), config);
        let spin = Action {
            translation: Vector3::zeros(),
            rotation: Vector3::new(0.0, 0.0, turn),
            gripper: 1.0,
        };
        rig.controller
            .accept(&rig.chunk(&[spin; 8]), rig.now())
            .expect("accepted");
        let mut before = upper + 0.005;
        let mut moved = 0.0;
        for _ in 0..300 {
            let q6 = rig.tick().command.q_d[6];
            if before > upper {
                assert!(q6 <= before, "{turn}: outward from {before} to {q6}");
            }
            moved += before - q6;
            before = q6;
        }
        // One of the two directions leads inside.
        assert!(moved >= 0.0 && before <= upper + 0.005);
        assert_eq!(moved > 0.1, turn < 0.0, "{turn}: moved {moved}");
    }
}

#[test]
fn the_drivers_stop_stays_inside_the_limits_from_any_commanded_motion() {
    let robot = fr3();
    let bounds = joint_bounds(&robot).expect("valid");
    let bounds = &bounds[..robot.n_joints()];
    // Turn the wrist as fast as allowed towards its stop, and cut the wire at every 5th tick.
    let mut rig = Rig::armed(ControlConfig {
        max_tcp_angular_speed_rad_per_s: 10.0,
        max_tcp_speed_m_per_s: 3.0,
        max_lag_rad: 1.5,
        ..ControlConfig::default()
    });
    let spin = Action {
        translation: Vector3::zeros(),
        rotation: Vector3::new(0.0, 0.0, 0.4),
        gripper: 1.0,
    };
    let mut last_dq = JointVelocities::zeros(robot.n_joints()).expect("fits");
    let mut fastest = 0.0_f64;
    for k in 0..600_u64 {
        if k % 100 == 0 {
            rig.controller
                .accept(&rig.chunk(&[spin; 8]), rig.now())
                .expect("accepted");
        }
        let command = rig.tick().command;
        fastest = fastest.max(command.dq_d[6].abs());
        let mut ddq = JointAccelerations::zeros(robot.n_joints()).expect("fits");
        for (i, ddq) in ddq.iter_mut().enumerate() {
            *ddq = (command.dq_d[i] - last_dq[i]) / 0.002;
        }
        last_dq = command.dq_d;
        if k % 5 == 0 {
            let mut wire = rig.wire;
            let mut stop =
                Follower::new(bounds, 0.002, &command.q_d, &command.dq_d, &ddq).expect("finite");
            let mut seq = k + 1;
            while !stop.is_at_rest() {
                stop.stop();
                let (q_d, dq_d) = (*stop.q(), *stop.dq());
                seq += 1;
                let gripper = GripperCommand { opening: 1.0 };
                wire.check(0, seq, &JointCommand { q_d, dq_d, gripper });
                assert!(seq < k + 2000, "it ends");
            }
            assert_eq!(
                wire.report().limit_violations,
                0,
                "{k}: {:?}",
                wire.report()
            );
            assert_eq!(wire.report().missing, 0);
        }
    }
    assert!(fastest > 3.0, "the wrist was fast: {fastest}");
    rig.assert_clean();
}

#[test]
fn a_stop_from_a_hostile_motion_is_refused_or_ends() {
    let robot = fr3();
    let bounds = joint_bounds(&robot).expect("valid");
    let bounds = &bounds[..robot.n_joints()];
    let n = robot.n_joints();
    let zero = JointAccelerations::zeros(n).expect("fits");
    let nan = JointVelocities::zeros(n).expect("fits").map(|_| f64::NAN);
    assert!(Follower::new(bounds, 0.001, robot.home(), &nan, &zero).is_err());
    let moving_at = |share: f64| {
        let mut dq = nan;
        for (dq, bounds) in dq.iter_mut().zip(bounds) {
            *dq = share * bounds.max_velocity;
        }
        Follower::new(bounds, 0.001, robot.home(), &dq, &zero)
    };
    assert!(moving_at(1e30).is_err());
    let mut stop = moving_at(2.0).expect("an arm that was pushed");
    let mut ticks = 0;
    while !stop.is_at_rest() {
        let before = *stop.dq();
        stop.stop();
        for (dq, before) in stop.dq().iter().zip(before.iter()) {
            assert!(dq <= before, "it only gets slower");
        }
        ticks += 1;
    }
    assert!(ticks < 2000, "{ticks}");
}
