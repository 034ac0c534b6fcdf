//! What the shipped robot holds after loading.

use prehend_robot::{Part, Shape};

use crate::fr3;

#[test]
fn fr3_carries_the_published_numbers() {
    let robot = fr3();
    assert_eq!((robot.name(), robot.n_joints()), ("fr3", 7));
    let limits = robot.limits();
    assert_eq!(limits.q_max[3], -0.1518);
    assert_eq!(limits.q_min[5], 0.5445);
    assert_eq!(limits.dq_max[5], 4.18);
    assert_eq!(limits.tau_max[4], 12.0);
    assert_eq!((limits.ddq_max[6], limits.dddq_max[6]), (10.0, 5000.0));
    let mass: f64 = robot
        .links()
        .iter()
        .filter(|link| link.part == Part::Arm)
        .map(|link| link.inertial.mass)
        .sum();
    assert!((mass - 17.89).abs() < 0.01, "{mass}");
    let gripper = robot.gripper().expect("the FR3 has a hand");
    assert_eq!(
        (gripper.max_width, gripper.speed, gripper.force),
        (0.08, 0.1, 30.0)
    );
}

#[test]
fn the_envelope_can_be_followed_on_every_joint() {
    // Published: 17 rad/s² on joints 5 and 7, which may only do 10.
    let robot = fr3();
    let limits = robot.limits();
    for joint_idx in 0..robot.n_joints() {
        let deceleration = limits.envelope[joint_idx].deceleration;
        assert!(
            deceleration <= 0.9 * limits.ddq_max[joint_idx],
            "joint {joint_idx}"
        );
    }
    assert_eq!(limits.envelope[4].deceleration, 9.0);
    assert_eq!(limits.envelope[1].deceleration, 2.585);
}

#[test]
fn the_arm_has_capsules_and_the_hand_boxes() {
    let robot = fr3();
    let count = |part: Part, is_capsule: bool| {
        let shapes = robot
            .links()
            .iter()
            .filter(|link| link.part == part)
            .flat_map(|l| &l.shapes);
        shapes
            .filter(|s| matches!(s.shape, Shape::Capsule { .. }) == is_capsule)
            .count()
    };
    assert_eq!((count(Part::Arm, true), count(Part::Arm, false)), (10, 0));
    assert_eq!((count(Part::Hand, true), count(Part::Hand, false)), (0, 1));
    assert_eq!(
        (
            count(Part::LeftFinger, false),
            count(Part::RightFinger, false)
        ),
        (4, 4)
    );
    assert_eq!(
        robot.gripper().map(|gripper| gripper.self_collision.len()),
        Some(2)
    );
}

#[test]
fn the_content_hash_is_stable_and_of_the_files() {
    let (first, second) = (fr3(), fr3());
    assert_eq!(first.content_hash(), second.content_hash());
    assert_eq!(first.content_hash().len(), 64);
}
