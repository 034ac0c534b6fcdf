//! Inverse kinematics.

use std::time::Instant;

use nalgebra::Vector3;
use prehend_robot::{IkError, IkOptions};
use prehend_types::Pose;

use crate::{fr3, q, random_q};

#[test]
#[expect(
    clippy::print_stderr,
    reason = "the rate is worth seeing, not only whether it passes"
)]
fn at_least_99_percent_of_reachable_poses_are_solved() {
    let robot = fr3();
    let options = IkOptions::default();
    let n = 1000;
    let (mut solved, mut worst_position, mut worst_rotation) = (0, 0.0_f64, 0.0_f64);
    let started = Instant::now();
    for idx in 0..n {
        let target = robot.forward(&random_q(&robot, idx));
        let Ok(found) = robot.inverse(&target, robot.home(), &options) else {
            continue;
        };
        // Judged by forward kinematics, not by what the solver says of itself.
        let reached = robot.forward(&found);
        let position = (reached.translation.vector - target.translation.vector).norm();
        let rotation = reached.rotation.angle_to(&target.rotation);
        if position <= 1e-4 && rotation <= 1e-3 && robot.limits().contains(&found) {
            solved += 1;
            worst_position = worst_position.max(position);
            worst_rotation = worst_rotation.max(rotation);
        }
    }
    let each = started.elapsed() / n as u32;
    eprintln!(
        "inverse kinematics: {solved} of {n} solved, worst {worst_position:.1e} m and \
         {worst_rotation:.1e} rad, {each:?} each"
    );
    assert!(solved >= 990, "only {solved} of {n}");
}

#[test]
fn a_pose_out_of_reach_is_said_to_be() {
    let robot = fr3();
    let mut target = robot.forward(robot.home());
    target.translation.x = 1.5;
    match robot.inverse(&target, robot.home(), &IkOptions::default()) {
        // The arm is 0.855 m long from its shoulder, so at least 0.4 m are missing.
        Err(IkError::NotReached { position_m, .. }) => assert!(position_m > 0.4, "{position_m}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_tool_below_the_base_through_the_column_is_not_claimed() {
    let robot = fr3();
    let target = Pose::new(
        Vector3::new(0.0, 0.0, 0.1),
        Vector3::new(std::f64::consts::PI, 0.0, 0.0),
    );
    match robot.inverse(&target, robot.home(), &IkOptions::default()) {
        Ok(found) => {
            let off = robot.forward(&found).translation.vector - target.translation.vector;
            assert!(off.norm() <= 1e-4, "claimed, but {} m away", off.norm());
        }
        Err(error) => assert!(matches!(error, IkError::NotReached { .. }), "{error}"),
    }
}

#[test]
fn the_same_question_gets_the_same_answer() {
    let robot = fr3();
    for idx in 0..20 {
        let target = robot.forward(&random_q(&robot, idx));
        let ask = || robot.inverse(&target, robot.home(), &IkOptions::default());
        assert_eq!(ask(), ask());
    }
}

#[test]
fn a_small_step_from_the_seed_stays_near_it() {
    let robot = fr3();
    let mut target = robot.forward(robot.home());
    target.translation.x += 0.01;
    let found = robot
        .inverse(&target, robot.home(), &IkOptions::default())
        .expect("near home");
    for (found, home) in found.iter().zip(robot.home().iter()) {
        assert!((found - home).abs() < 0.1, "{found} {home}");
    }
}

#[test]
fn senseless_questions_are_refused() {
    let robot = fr3();
    let options = IkOptions::default();
    let mut target = robot.forward(robot.home());
    let short = robot.inverse(&target, &q(&[0.0; 6]), &options);
    assert_eq!(
        short,
        Err(IkError::JointCount {
            got: 6,
            expected: 7
        })
    );
    assert_eq!(
        robot.inverse(&target, &q(&[f64::NAN; 7]), &options),
        Err(IkError::NonFinite)
    );
    target.translation.y = f64::INFINITY;
    assert_eq!(
        robot.inverse(&target, robot.home(), &options),
        Err(IkError::NonFinite)
    );
}
