//! Torques: what a compliant tool feels like, and what no input can make of them.

use nalgebra::{SVector, Vector3};
use prehend_control::{LimitReason, Mode, StopReason, TorqueConfig, TorqueController, TorqueGoal};
use prehend_robot::Llt;
use prehend_types::{JointTorques, Pose, Stamp};

use crate::rig::{fr3, state_at};

const DT: f64 = 0.001;

fn controller() -> TorqueController {
    TorqueController::new(fr3(), TorqueConfig::default(), DT).expect("valid")
}

/// The torques after the rate limit has let them come.
fn settled(goal: &TorqueGoal, q: prehend_types::JointPositions) -> JointTorques {
    let mut controller = controller();
    let state = state_at(q, Stamp::ZERO);
    controller.arm(&state).expect("stands inside");
    (0..500)
        .map(|_| controller.tick(&state, goal, Stamp::ZERO).tau_d)
        .last()
        .expect("ticks")
}

#[test]
fn the_tool_accelerates_towards_its_goal_and_nowhere_else() {
    let robot = fr3();
    let mut q = *robot.home();
    for turned in [0.0, 0.3, -0.4] {
        q[0] = turned;
        q[5] += 0.2 * turned;
        let tool = robot.forward(&q);
        let error = Vector3::new(0.01, -0.02, 0.015);
        let goal = TorqueGoal::Tool(Pose::from_parts(
            (tool.translation.vector + error).into(),
            tool.rotation,
        ));
        let tau = settled(&goal, q);
        let terms = robot.articulation(&q);
        let mut ddq = [0.0; 8];
        ddq[..7].copy_from_slice(&tau);
        Llt::new(&terms.mass_matrix(), 7)
            .expect("a mass matrix")
            .solve(&mut ddq);
        let twist = robot.jacobian(&q) * SVector::<f64, 8>::from(ddq);
        let expected = error * TorqueConfig::default().tool_gain_per_s2;
        let linear: Vector3<f64> = twist.fixed_rows::<3>(0).into();
        let angular: Vector3<f64> = twist.fixed_rows::<3>(3).into();
        assert!(
            (linear - expected).norm() < 0.01 * expected.norm(),
            "{linear} {expected}"
        );
        assert!(angular.norm() < 0.02, "{angular}");
    }
}

#[test]
fn nothing_that_comes_in_makes_a_torque_that_is_not_finite_or_jumps() {
    let robot = fr3();
    let mut controller = controller();
    let good = state_at(*robot.home(), Stamp::ZERO);
    let mut bad = good;
    bad.q[2] = f64::NAN;
    let mut fast = good;
    fast.dq[3] = 1e6;
    let mut old = good;
    old.stamp = Stamp::from_nanos(9_000_000_000);
    let torques =
        |value: f64| TorqueGoal::Joints(JointTorques::from_slice(&[value; 7]).expect("seven"));
    let goals = [
        torques(1e9),
        torques(f64::NAN),
        torques(-1e9),
        TorqueGoal::Joints(JointTorques::from_slice(&[1.0; 3]).expect("three")),
        TorqueGoal::Tool(Pose::translation(f64::INFINITY, 0.0, 0.0)),
        TorqueGoal::Tool(Pose::translation(100.0, 0.0, 0.0)),
    ];
    let limits = robot.limits();
    let mut before = [0.0; 7];
    for round in 0..2000 {
        let state = [good, bad, fast, old][round / 7 % 4];
        if controller.reset() {
            controller.arm(&good).expect("stands inside");
        }
        let tick = controller.tick(&state, &goals[round % goals.len()], Stamp::ZERO);
        for (idx, tau) in tick.tau_d.iter().enumerate() {
            assert!(tau.is_finite());
            assert!(
                (tau - before[idx]).abs() <= 1.0 + 1e-9,
                "1000 N m/s for 1 ms"
            );
            // The weight that the arm itself carries is at most another limit.
            assert!(tau.abs() <= 2.0 * limits.tau_max[idx]);
            before[idx] = *tau;
        }
    }
    let tick = controller.tick(&bad, &goals[0], Stamp::ZERO);
    assert!(tick.limited.contains(LimitReason::NonFinite));
}

/// An arm on no more than its own inertia: what it does under the torques that it is given.
fn drop_in(
    controller: &mut TorqueController,
    state: &mut prehend_types::RobotState,
    goal: &TorqueGoal,
    ticks: u32,
) -> f64 {
    let robot = fr3();
    let mut fastest = 0.0_f64;
    for _ in 0..ticks {
        state.stamp = state.stamp.after(std::time::Duration::from_secs_f64(DT));
        let tau = controller.tick(state, goal, state.stamp).tau_d;
        let mut ddq = [0.0; 8];
        ddq[..7].copy_from_slice(&tau);
        Llt::new(&robot.articulation(&state.q).mass_matrix(), 7)
            .expect("a mass matrix")
            .solve(&mut ddq);
        for (joint_idx, ddq) in ddq.iter().enumerate().take(7) {
            state.dq[joint_idx] += ddq * DT;
            state.q[joint_idx] += state.dq[joint_idx] * DT;
            fastest = fastest.max(state.dq[joint_idx].abs());
        }
    }
    fastest
}

fn pushing() -> TorqueGoal {
    let tau = JointTorques::from_slice(&[3.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.2]).expect("seven");
    TorqueGoal::Joints(tau)
}

#[test]
fn it_pushes_only_once_armed_and_a_stop_is_held_until_armed_anew() {
    let mut controller = controller();
    let mut state = state_at(*fr3().home(), Stamp::from_nanos(1_000_000_000));
    assert_eq!(drop_in(&mut controller, &mut state, &pushing(), 100), 0.0);
    assert_eq!(controller.mode(), Mode::Disarmed);

    controller.arm(&state).expect("stands");
    assert!(controller.arm(&state).is_err(), "armed already");
    assert!(drop_in(&mut controller, &mut state, &pushing(), 300) > 0.2);
    controller.stop(StopReason::Requested);
    assert_eq!(controller.mode(), Mode::Stopping);
    assert!(controller.arm(&state).is_err(), "it still moves");
    drop_in(&mut controller, &mut state, &pushing(), 1500);
    assert_eq!(controller.mode(), Mode::Stopped);
    // Somebody leans on it, and lets go.
    let rest = state.q;
    state.q[0] += 0.02;
    state.dq[4] = 0.2;
    drop_in(&mut controller, &mut state, &pushing(), 2000);
    let away = state
        .q
        .iter()
        .zip(rest.iter())
        .map(|(q, rest)| (q - rest).abs());
    assert!(away.fold(0.0, f64::max) < 2e-3, "{:?} {rest:?}", state.q);
    controller.arm(&state).expect("stands");
    assert!(drop_in(&mut controller, &mut state, &pushing(), 300) > 0.2);
}

#[test]
fn a_stop_holds_an_arm_where_it_stands_and_nowhere_else() {
    let mut controller = controller();
    let home = *fr3().home();
    // Never armed: as it stands.
    controller.stop(StopReason::Requested);
    let mut second = 0;
    let mut push = |controller: &mut TorqueController, q| {
        // Long after the last tick, or nobody believes that it went so far.
        second += 1;
        let now = Stamp::from_nanos(1_000_000_000 * second);
        let tau = controller.tick(&state_at(q, now), &pushing(), now).tau_d;
        tau.iter().fold(0.0_f64, |most, tau| most.max(tau.abs()))
    };
    assert_eq!(push(&mut controller, home), 0.0);
    // Acknowledged, led elsewhere by hand, stopped again: there.
    assert!(controller.reset());
    let mut elsewhere = home;
    elsewhere[0] += 0.5;
    assert_eq!(push(&mut controller, elsewhere), 0.0, "it floats");
    controller.stop(StopReason::Requested);
    assert_eq!(push(&mut controller, elsewhere), 0.0);
    assert!(push(&mut controller, home) > 0.1, "it is held");
    // An attempt to arm it that is refused does not let it go.
    let mut moving = state_at(elsewhere, Stamp::ZERO);
    moving.dq[1] = 0.5;
    controller.arm(&moving).expect_err("it moves");
    assert_eq!(controller.mode(), Mode::Stopped);
}

#[test]
fn what_lasts_stops_it() {
    type Break = fn(&mut prehend_types::RobotState, &mut TorqueGoal);
    let breaks: [(Break, StopReason); 4] = [
        (|state, _| state.q[3] = f64::NAN, StopReason::BadState),
        (|state, _| state.stamp = Stamp::ZERO, StopReason::StaleState),
        (
            |_, goal| *goal = TorqueGoal::Tool(Pose::translation(f64::NAN, 0.0, 0.0)),
            StopReason::BadChunks,
        ),
        (
            |state, _| state.q[5] += 0.5,
            StopReason::ImplausibleState { joint_idx: 5 },
        ),
    ];
    for (break_it, expected) in breaks {
        let mut controller = controller();
        let mut state = state_at(*fr3().home(), Stamp::from_nanos(1_000_000_000));
        controller.arm(&state).expect("stands");
        drop_in(&mut controller, &mut state, &pushing(), 100);
        let mut ticks = 0;
        while controller.stop_reason().is_none() {
            let mut now = state;
            now.stamp = state
                .stamp
                .after(std::time::Duration::from_millis(ticks + 1));
            let (mut shown, mut goal) = (now, pushing());
            break_it(&mut shown, &mut goal);
            controller.tick(&shown, &goal, now.stamp);
            ticks += 1;
            assert!(ticks < 500, "{expected:?}");
        }
        assert_eq!(controller.stop_reason(), Some(expected));
        assert!(!controller.mode().is_running());
    }
}

#[test]
fn a_joint_near_its_limit_is_pushed_back_and_never_further() {
    let robot = fr3();
    for (sign, limit) in [
        (1.0, robot.limits().q_max[4]),
        (-1.0, robot.limits().q_min[4]),
    ] {
        let mut q = *robot.home();
        q[4] = limit - sign * 0.01;
        for push in [0.0, sign * 5.0] {
            let mut wanted = [0.0; 7];
            wanted[4] = push;
            let goal = TorqueGoal::Joints(JointTorques::from_slice(&wanted).expect("seven"));
            let tau = settled(&goal, q)[4];
            assert!(tau * sign < -0.01, "{push} gives {tau}");
        }
    }
}

#[test]
fn settings_that_could_not_be_stable_are_refused() {
    for config in [
        TorqueConfig {
            tool_gain_per_s2: 1e6,
            ..TorqueConfig::default()
        },
        TorqueConfig {
            damping_ratio: f64::NAN,
            ..TorqueConfig::default()
        },
        TorqueConfig {
            max_torque_rate_nm_per_s: 0.0,
            ..TorqueConfig::default()
        },
    ] {
        assert!(
            TorqueController::new(fr3(), config, 0.002).is_err(),
            "{config:?}"
        );
    }
    assert!(TorqueController::new(fr3(), TorqueConfig::default(), 1.0).is_err());
}
