//! Tools of the shipped arms against published poses, and against Denavit-Hartenberg products, which know
//! nothing of the URDFs.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2, FRAC_PI_4, PI};

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_robot::Robot;
use prehend_types::{JointPositions, Pose};

use crate::forward::{READY, check};
use crate::{q, random_q, shipped};

/// Pose of a link, gripper shut.
fn link_pose(robot: &Robot, link: &str, q: &JointPositions) -> Pose {
    let mut out = vec![Pose::identity(); robot.links().len()];
    robot.link_poses(q, 0.0, &mut out);
    out[robot.link_idx(link).expect(link)]
}

/// Robot, link, joint positions, its position, its quaternion (wxyz). Rows have six decimals; those of
/// xArm and SO-101 are for exact right angles, where the vendors' files have 1.5708.
type Row<'a> = (&'a str, &'a str, &'a [f64], [f64; 3], [f64; 4]);

#[test]
fn shipped_arms_equal_the_golden_rows() {
    let rows: [Row; 13] = [
        (
            "panda",
            "panda_link8",
            &READY,
            [0.306891, 0.0, 0.590282],
            [0.0, 0.923880, -0.382683, 0.0],
        ),
        (
            "panda",
            "panda_hand_tcp",
            &READY,
            [0.306891, 0.0, 0.486882],
            [0.0, 1.0, 0.0, 0.0],
        ),
        (
            "panda",
            "panda_link8",
            &[0.1, -0.2, 0.3, -1.4, 0.5, 1.6, 0.7],
            [0.402317, 0.252428, 0.814917],
            [0.281764, -0.953107, 0.099747, -0.047393],
        ),
        (
            "ur5e",
            "tool0",
            &[0.0; 6],
            [0.8172, 0.2329, 0.0628],
            [0.0, 0.0, FRAC_1_SQRT_2, FRAC_1_SQRT_2],
        ),
        (
            "ur5e",
            "tool0",
            &[0.0, -FRAC_PI_2, FRAC_PI_2, -FRAC_PI_2, -FRAC_PI_2, 0.0],
            [0.4919, 0.1333, 0.4879],
            [0.0, -FRAC_1_SQRT_2, FRAC_1_SQRT_2, 0.0],
        ),
        (
            "ur5e",
            "tool0",
            &[0.1, -1.2, 1.3, -0.4, 0.5, 0.6],
            [0.594196, 0.281434, 0.438326],
            [0.017412, 0.229530, 0.613577, 0.755339],
        ),
        (
            "xarm6",
            "link6",
            &[0.0; 6],
            [0.207, 0.0, 0.112],
            [0.0, 1.0, 0.0, 0.0],
        ),
        (
            "xarm6",
            "link6",
            &[0.1, -0.2, -0.3, 0.4, 0.5, 0.6],
            [0.302002, 0.022399, 0.195277],
            [0.089473, -0.906464, 0.411401, 0.032660],
        ),
        (
            "xarm7",
            "link7",
            &[0.0; 7],
            [0.206, 0.0, 0.1205],
            [0.0, 1.0, 0.0, 0.0],
        ),
        (
            "xarm7",
            "link7",
            &[0.1, -0.2, 0.3, 0.4, 0.5, 0.6, 0.7],
            [0.302866, 0.119265, 0.225581],
            [0.095121, -0.930047, 0.350494, 0.055848],
        ),
        (
            "xarm7",
            "link_tcp",
            &[0.0; 7],
            [0.206, 0.0, 0.1205 - 0.172],
            [0.0, 1.0, 0.0, 0.0],
        ),
        (
            "so101",
            "gripper_frame_link",
            &[0.0; 5],
            [0.391362, -0.000011, 0.226469],
            [0.706897, 0.017209, 0.706897, 0.017209],
        ),
        (
            "so101",
            "gripper_frame_link",
            &[0.1, -0.2, 0.3, 0.4, 0.5],
            [0.343517, -0.034409, 0.141702],
            [0.490922, -0.150304, 0.846830, -0.138863],
        ),
    ];
    for (name, link, values, position, quat_wxyz) in rows {
        let pose = link_pose(&shipped(name), link, &q(values));
        check(&pose, position, quat_wxyz);
    }
}

fn turn(axis: Vector3<f64>, angle: f64) -> Pose {
    Pose::new(Vector3::zeros(), axis * angle)
}

fn shift(x: f64, z: f64) -> Pose {
    Pose::from_parts(Translation3::new(x, 0.0, z), UnitQuaternion::identity())
}

/// One row of a table: a [m], alpha [rad], d [m], what is added to the joint's angle [rad].
type Dh = [f64; 4];

/// Craig's convention: alpha and a belong to the axis before.
fn craig(rows: &[Dh], q: &[f64]) -> Pose {
    (rows.iter().zip(q)).fold(Pose::identity(), |pose, ([a, alpha, d, offset], q)| {
        pose * turn(Vector3::x(), *alpha)
            * shift(*a, 0.0)
            * turn(Vector3::z(), q + offset)
            * shift(0.0, *d)
    })
}

/// Standard convention: alpha and a follow the joint.
fn standard(rows: &[Dh], q: &[f64]) -> Pose {
    (rows.iter().zip(q)).fold(Pose::identity(), |pose, ([a, alpha, d, offset], q)| {
        pose * turn(Vector3::z(), q + offset) * shift(*a, *d) * turn(Vector3::x(), *alpha)
    })
}

fn check_product(name: &str, link: &str, product: &dyn Fn(&JointPositions) -> Pose) {
    let robot = shipped(name);
    for idx in 0..50 {
        let q = random_q(&robot, idx);
        let (got, expected) = (link_pose(&robot, link, &q), product(&q));
        let off = (got.translation.vector - expected.translation.vector).norm();
        assert!(off < 1e-9, "{name} {q:?}: {off} m");
        let off = got.rotation.angle_to(&expected.rotation);
        assert!(off < 1e-7, "{name} {q:?}: {off} rad");
    }
}

#[test]
fn franka_arms_equal_their_denavit_hartenberg_product() {
    let rows = [
        [0.0, 0.0, 0.333, 0.0],
        [0.0, -FRAC_PI_2, 0.0, 0.0],
        [0.0, FRAC_PI_2, 0.316, 0.0],
        [0.0825, FRAC_PI_2, 0.0, 0.0],
        [-0.0825, -FRAC_PI_2, 0.384, 0.0],
        [0.0, FRAC_PI_2, 0.0, 0.0],
        [0.088, FRAC_PI_2, 0.0, 0.0],
    ];
    let flange = |q: &JointPositions| craig(&rows, q) * shift(0.0, 0.107);
    check_product("fr3", "fr3_link8", &flange);
    check_product("panda", "panda_link8", &flange);
    let hand = turn(Vector3::z(), -FRAC_PI_4) * shift(0.0, 0.1034);
    check_product("panda", "panda_hand_tcp", &|q| flange(q) * hand);
}

#[test]
fn ur5e_equals_its_denavit_hartenberg_product() {
    let rows = [
        [0.0, FRAC_PI_2, 0.1625, 0.0],
        [-0.425, 0.0, 0.0, 0.0],
        [-0.3922, 0.0, 0.0, 0.0],
        [0.0, FRAC_PI_2, 0.1333, 0.0],
        [0.0, -FRAC_PI_2, 0.0997, 0.0],
        [0.0, 0.0, 0.0996, 0.0],
    ];
    // The vendor's controller has the base turned by half a turn against its ROS description.
    let half_turn = turn(Vector3::z(), PI);
    check_product("ur5e", "tool0", &|q| half_turn * standard(&rows, q));
}

#[test]
fn xarms_equal_their_denavit_hartenberg_products() {
    // From the shoulder to the elbow of the xArm 6: 53.5 mm forward and 284.5 mm up.
    let (a, lean) = (libm::hypot(0.0535, 0.2845), libm::atan2(0.2845, 0.0535));
    let six = [
        [0.0, 0.0, 0.267, 0.0],
        [0.0, -FRAC_PI_2, 0.0, -lean],
        [a, 0.0, 0.0, lean],
        [0.0775, -FRAC_PI_2, 0.3425, 0.0],
        [0.0, FRAC_PI_2, 0.0, 0.0],
        [0.076, -FRAC_PI_2, 0.097, 0.0],
    ];
    check_product("xarm6", "link6", &|q| craig(&six, q));
    let seven = [
        [0.0, 0.0, 0.267, 0.0],
        [0.0, -FRAC_PI_2, 0.0, 0.0],
        [0.0, FRAC_PI_2, 0.293, 0.0],
        [0.0525, FRAC_PI_2, 0.0, 0.0],
        [0.0775, FRAC_PI_2, 0.3425, 0.0],
        [0.0, FRAC_PI_2, 0.0, 0.0],
        [0.076, -FRAC_PI_2, 0.097, 0.0],
    ];
    check_product("xarm7", "link7", &|q| craig(&seven, q));
}
