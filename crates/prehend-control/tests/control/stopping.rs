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
    assert_eq!(controller.mode(), Mode::Idle);
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
    for break_state in [
        |state: &mut prehend_types::RobotState| state.q[3] = f64::NAN,
        |state: &mut prehend_types::RobotState| state.dq[0] = f64::NEG_INFINITY,
        |state: &mut prehend_types::RobotState| state.stamp = prehend_types::Stamp::ZERO,
    ] {
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
        assert_eq!(rig.controller.mode(), Mode::Stopped);
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
    let mut elsewhere = rig.state;
    elsewhere.q[1] += 0.5;
    rig.skip(Duration::from_millis(2));
    elsewhere.stamp = rig.now();
    rig.tick_with(&elsewhere);
    assert_eq!(
        rig.controller.stop_reason(),
        Some(StopReason::TrackingError)
    );
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
