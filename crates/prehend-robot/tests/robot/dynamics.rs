//! Gravity, mass matrix, and distance to itself.

use nalgebra::Point3;
use prehend_robot::Robot;
use prehend_types::{JointAccelerations, JointPositions, JointVelocities, Pose};

use crate::{fr3, q, random_q};

/// From link poses and masses alone, so that nothing is shared with the recursion under test.
fn potential_energy(robot: &Robot, q: &JointPositions) -> f64 {
    let mut poses = vec![Pose::identity(); robot.links().len()];
    robot.link_poses(q, 0.04, &mut poses);
    let heights = robot.links().iter().zip(&poses).map(|(link, pose)| {
        link.inertial.mass * (pose * Point3::from(link.inertial.center_of_mass)).z
    });
    9.806_65 * heights.sum::<f64>()
}

/// Kinetic energy by differences of link poses along `dq`.
fn kinetic_energy(robot: &Robot, q: &JointPositions, dq: &[f64]) -> f64 {
    let h = 1e-6;
    let at = |by: f64| {
        let mut moved = *q;
        for (q, dq) in moved.iter_mut().zip(dq) {
            *q += by * dq;
        }
        let mut poses = vec![Pose::identity(); robot.links().len()];
        robot.link_poses(&moved, 0.04, &mut poses);
        poses
    };
    let (before, here, after) = (at(-h), at(0.0), at(h));
    let mut energy = 0.0;
    for (idx, link) in robot.links().iter().enumerate() {
        let center = Point3::from(link.inertial.center_of_mass);
        let v = (after[idx] * center - before[idx] * center) / (2.0 * h);
        let turn = after[idx].rotation * before[idx].rotation.inverse();
        let omega = here[idx].rotation.inverse() * (turn.scaled_axis() / (2.0 * h));
        energy += 0.5 * link.inertial.mass * v.norm_squared();
        energy += 0.5 * omega.dot(&(link.inertial.inertia * omega));
    }
    energy
}

#[test]
fn gravity_torques_are_the_slope_of_potential_energy() {
    let robot = fr3();
    let h = 1e-5;
    for idx in 0..50 {
        let at = random_q(&robot, idx);
        let tau = robot.gravity_torques(&at);
        for joint_idx in 0..robot.n_joints() {
            let energy = |by: f64| {
                let mut q = at;
                q[joint_idx] += by;
                potential_energy(&robot, &q)
            };
            let slope = (energy(h) - energy(-h)) / (2.0 * h);
            assert!(
                (tau[joint_idx] - slope).abs() < 1e-6,
                "{idx} {joint_idx}: {} {slope}",
                tau[joint_idx]
            );
        }
    }
}

#[test]
fn the_shoulder_carries_more_than_the_wrist_and_less_than_its_limit() {
    let robot = fr3();
    let stretched = robot.gravity_torques(&q(&[0.0, 1.5, 0.0, -0.2, 0.0, 1.6, 0.8]));
    assert!(
        stretched[1].abs() > 30.0 && stretched[1].abs() < 87.0,
        "{stretched:?}"
    );
    assert!(stretched[6].abs() < 1.0, "{stretched:?}");
}

#[test]
fn mass_matrix_is_symmetric_and_gives_the_kinetic_energy() {
    let robot = fr3();
    let n = robot.n_joints();
    let dq = [0.3, -0.5, 0.7, 0.2, -0.9, 1.1, 0.4];
    // Armature is not part of any link: it is 0.1 kg m² on each joint of this robot.
    let motors: f64 = dq.iter().map(|dq| 0.5 * 0.1 * dq * dq).sum();
    for idx in 0..20 {
        let at = random_q(&robot, idx);
        let matrix = robot.mass_matrix(&at);
        assert!((matrix - matrix.transpose()).amax() < 1e-9);
        assert!(
            matrix
                .view((0, 0), (n, n))
                .into_owned()
                .cholesky()
                .is_some()
        );
        let speeds =
            nalgebra::SVector::<f64, 8>::from_fn(|row, _| dq.get(row).copied().unwrap_or(0.0));
        let energy = 0.5 * speeds.dot(&(matrix * speeds));
        let expected = kinetic_energy(&robot, &at, &dq) + motors;
        assert!((energy - expected).abs() < 1e-6, "{energy} {expected}");
    }
}

#[test]
fn inverse_dynamics_conserves_energy() {
    // Power put in by the torques is the change of kinetic and potential energy.
    let robot = fr3();
    let dq = [0.3, -0.5, 0.7, 0.2, -0.9, 1.1, 0.4];
    let ddq = [1.0, 0.5, -2.0, 0.1, 3.0, -1.0, 0.7];
    let at = random_q(&robot, 3);
    let tau = robot.inverse_dynamics(
        &at,
        &JointVelocities::from_slice(&dq).expect("seven"),
        &JointAccelerations::from_slice(&ddq).expect("seven"),
    );
    let power: f64 = tau.iter().zip(dq).map(|(tau, dq)| tau * dq).sum();
    let h = 1e-4;
    let energy = |t: f64| {
        let mut q = at;
        let mut speeds = dq;
        for idx in 0..7 {
            q[idx] += dq[idx] * t + 0.5 * ddq[idx] * t * t;
            speeds[idx] += ddq[idx] * t;
        }
        let motors: f64 = speeds.iter().map(|dq| 0.5 * 0.1 * dq * dq).sum();
        kinetic_energy(&robot, &q, &speeds) + potential_energy(&robot, &q) + motors
    };
    let change = (energy(h) - energy(-h)) / (2.0 * h);
    assert!((power - change).abs() < 1e-4, "{power} {change}");
}

#[test]
fn a_folded_arm_is_nearer_to_itself_than_at_home() {
    let robot = fr3();
    let home = robot.self_distance(robot.home());
    assert!(home > 0.01, "{home}");
    // Hand turned back into the upper arm.
    let folded = robot.self_distance(&q(&[0.0, 0.0, 0.0, -3.0, 0.0, 0.6, 0.8]));
    assert!(folded < 0.0, "{folded}");
}
