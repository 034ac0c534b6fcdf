//! Poses and Jacobians.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use prehend_robot::{Motion, Robot, Shape};
use prehend_types::Pose;

use crate::{fr3, q, random_q, shipped};

pub(crate) const READY: [f64; 7] = [
    0.0,
    -FRAC_PI_4,
    0.0,
    -3.0 * FRAC_PI_4,
    0.0,
    FRAC_PI_2,
    FRAC_PI_4,
];

fn poses(robot: &Robot, values: &[f64], width: f64) -> Vec<Pose> {
    let mut out = vec![Pose::identity(); robot.links().len()];
    robot.link_poses(&q(values), width, &mut out);
    out
}

/// Published golden values have six decimals.
pub(crate) fn check(pose: &Pose, position: [f64; 3], quat_wxyz: [f64; 4]) {
    let [w, x, y, z] = quat_wxyz;
    let rotation = UnitQuaternion::from_quaternion(Quaternion::new(w, x, y, z));
    let off = (pose.translation.vector - Vector3::from(position)).norm();
    assert!(
        off < 1e-6,
        "{} is {off} m from {position:?}",
        pose.translation
    );
    let off = pose.rotation.angle_to(&rotation);
    assert!(off < 3e-6, "{} is {off} rad off", pose.rotation);
}

#[test]
fn forward_kinematics_equals_the_golden_rows() {
    let robot = fr3();
    let flange = robot.link_idx("fr3_link8").expect("flange");
    let cases = [
        (
            READY,
            [0.306891, 0.0, 0.590282],
            [0.0, 0.923880, -0.382683, 0.0],
        ),
        (
            [0.1, -0.2, 0.3, -1.4, 0.5, 1.6, 0.7],
            [0.402317, 0.252428, 0.814917],
            [0.281764, -0.953107, 0.099747, -0.047393],
        ),
    ];
    for (values, position, quat_wxyz) in cases {
        check(&poses(&robot, &values, 0.0)[flange], position, quat_wxyz);
    }
    check(
        &robot.forward(&q(&READY)),
        [0.306891, 0.0, 0.486882],
        [0.0, 1.0, 0.0, 0.0],
    );
}

#[test]
fn home_is_the_ready_pose_with_the_hand_pointing_down() {
    let robot = fr3();
    assert_eq!(*robot.home(), q(&READY));
    let down = robot.forward(robot.home()).rotation * Vector3::z();
    assert!((down + Vector3::z()).norm() < 1e-9);
}

#[test]
fn chain_and_tree_agree_on_the_tool() {
    let robot = fr3();
    for idx in 0..50 {
        let q = random_q(&robot, idx);
        let mut out = vec![Pose::identity(); robot.links().len()];
        robot.link_poses(&q, 0.05, &mut out);
        let (a, b) = (out[robot.tcp_idx()], robot.forward(&q));
        assert!((a.translation.vector - b.translation.vector).norm() < 1e-12);
        assert!(a.rotation.angle_to(&b.rotation) < 1e-7);
    }
}

#[test]
fn jacobian_equals_central_differences() {
    let robot = fr3();
    let h = 1e-6;
    for idx in 0..100 {
        let at = random_q(&robot, idx);
        let (pose, jacobian) = robot.forward_and_jacobian(&at);
        for joint_idx in 0..robot.n_joints() {
            let moved = |by: f64| {
                let mut q = at;
                q[joint_idx] += by;
                robot.forward(&q)
            };
            let (before, after) = (moved(-h), moved(h));
            let linear = (after.translation.vector - before.translation.vector) / (2.0 * h);
            let angular = (after.rotation * before.rotation.inverse()).scaled_axis() / (2.0 * h);
            let column = jacobian.column(joint_idx);
            assert!(
                (column.fixed_rows::<3>(0) - linear).norm() < 1e-8,
                "{idx} {joint_idx}"
            );
            assert!(
                (column.fixed_rows::<3>(3) - angular).norm() < 1e-8,
                "{idx} {joint_idx}"
            );
        }
        assert_eq!(jacobian.column(7).norm(), 0.0, "an unused column is zero");
        assert_eq!(pose, robot.forward(&at));
    }
}

#[test]
fn pads_stand_as_far_apart_as_the_width_says() {
    let robot = fr3();
    let gripper = robot.gripper().expect("the FR3 has a hand");
    for width in [0.0, 0.03, gripper.max_width] {
        let poses = poses(&robot, &READY, width);
        let inner_face = |finger: &prehend_robot::Finger| {
            let Shape::Cuboid { half_extents } = finger.pad.shape else {
                panic!("pads are boxes");
            };
            let Motion::Finger { axis } = robot.links()[finger.link_idx].motion else {
                panic!("fingers move");
            };
            let inwards = axis * half_extents.dot(&axis.abs());
            let point = finger.pad.link_from_shape.translation.vector - inwards;
            poses[finger.link_idx] * nalgebra::Point3::from(point)
        };
        let (left, right) = (inner_face(&gripper.left), inner_face(&gripper.right));
        assert!(
            ((left - right).norm() - width).abs() < 1e-4,
            "{width}: {left} {right}"
        );
        // The tool centre point lies between them.
        let middle = nalgebra::center(&left, &right);
        let tcp = poses[robot.tcp_idx()].translation.vector;
        assert!((middle.coords - tcp).norm() < 1e-3, "{middle} {tcp}");
    }
}

#[test]
fn a_vector_of_the_wrong_length_gives_no_plausible_pose() {
    let robot = fr3();
    assert!(robot.forward(&q(&READY[..6])).translation.x.is_nan());
    assert!(robot.self_distance(&q(&READY[..6])).is_nan());
}

#[test]
fn no_distance_changes_by_more_than_the_joints_reach() {
    for name in ["fr3", "panda", "ur5e", "xarm6", "xarm7", "so101"] {
        let robot = shipped(name);
        let (reach, n_joints) = (robot.reach(), robot.n_joints());
        for seed in 0..200 {
            let (from, to) = (random_q(&robot, seed), random_q(&robot, seed + 1_000));
            let (near, near_tcp) = robot.self_distance_and_forward(&from);
            let (far, far_tcp) = robot.self_distance_and_forward(&to);
            assert_eq!(
                (near, near_tcp),
                (robot.self_distance(&from), robot.forward(&from))
            );
            let most: f64 = (0..n_joints)
                .map(|i| reach[i] * (from[i] - to[i]).abs())
                .sum();
            let moved = (near_tcp.translation.vector - far_tcp.translation.vector).norm();
            assert!((near - far).abs() <= most && moved <= most, "{name}");
        }
    }
}
