//! Forward dynamics against the recursion it inverts, and against energy.

use nalgebra::{Point3, Vector3};
use prehend_robot::{JointLoad, Llt, Robot, Wrench};
use prehend_types::{JointAccelerations, JointPositions, JointTorques, JointVelocities};

use crate::{fr3, random_q};

const DQ: [f64; 7] = [0.3, -0.5, 0.7, 0.2, -0.9, 1.1, 0.4];

fn dq(scale: f64) -> JointVelocities {
    JointVelocities::from_slice(&DQ.map(|v| v * scale)).expect("seven")
}

#[test]
fn composite_bodies_give_the_recursions_mass_matrix() {
    let robot = fr3();
    for idx in 0..100 {
        let q = random_q(&robot, idx);
        let difference = robot.articulation(&q).mass_matrix() - robot.mass_matrix(&q);
        assert!(difference.amax() < 1e-12, "{idx}: {:e}", difference.amax());
    }
}

#[test]
fn bias_is_the_recursions_inverse_dynamics_at_rest_speed() {
    let robot = fr3();
    let still = JointAccelerations::zeros(7).expect("seven");
    for idx in 0..100 {
        let q = random_q(&robot, idx);
        let bias = robot.articulation(&q).bias(&dq(1.0), &[]);
        let expected = robot.inverse_dynamics(&q, &dq(1.0), &still);
        for (got, expected) in bias.iter().zip(expected.iter()) {
            assert!((got - expected).abs() < 1e-11, "{got} {expected}");
        }
    }
}

#[test]
fn inverse_of_forward_is_identity() {
    let robot = fr3();
    for idx in 0..100 {
        let q = random_q(&robot, idx);
        let tau = JointTorques::from_slice(&DQ.map(|v| 20.0 * v - 3.0)).expect("seven");
        let ddq = robot
            .forward_dynamics(&q, &dq(2.0), &tau, &[])
            .expect("finite");
        let back = robot.inverse_dynamics(&q, &dq(2.0), &ddq);
        for (got, expected) in back.iter().zip(tau.iter()) {
            assert!((got - expected).abs() < 1e-9, "{idx}: {got} {expected}");
        }
    }
}

#[test]
fn a_payload_is_the_torque_of_its_weight() {
    // Jᵀ of the tool, from kinematics, against the wrench on the last joint's body.
    let robot = fr3();
    let force = Vector3::new(1.0, -2.0, -9.81);
    let torque = Vector3::new(0.1, 0.3, -0.2);
    for idx in 0..50 {
        let q = random_q(&robot, idx);
        let (tcp, jacobian) = robot.forward_and_jacobian(&q);
        let wrench = Wrench::at(&Point3::from(tcp.translation.vector), force, torque);
        let arm = robot.articulation(&q);
        let tau = arm.torques_of(6, &wrench);
        let load = JointLoad {
            joint_idx: 6,
            wrench,
        };
        let (free, loaded) = (arm.bias(&dq(1.0), &[]), arm.bias(&dq(1.0), &[load]));
        for joint_idx in 0..7 {
            let column = jacobian.column(joint_idx);
            let expected =
                column.fixed_rows::<3>(0).dot(&force) + column.fixed_rows::<3>(3).dot(&torque);
            assert!((tau[joint_idx] - expected).abs() < 1e-12);
            assert!((free[joint_idx] - loaded[joint_idx] - expected).abs() < 1e-11);
        }
    }
}

#[test]
fn mobility_is_what_an_impulse_does() {
    let robot = fr3();
    let q = random_q(&robot, 5);
    let arm = robot.articulation(&q);
    let (tcp, jacobian) = robot.forward_and_jacobian(&q);
    let mass = Llt::new(&arm.mass_matrix(), 7).expect("positive definite");
    let mobility = arm.mobility(6, &Point3::from(tcp.translation.vector), &mass);
    let inverse = arm
        .mass_matrix()
        .view((0, 0), (7, 7))
        .into_owned()
        .try_inverse()
        .expect("regular");
    let jacobian = jacobian.columns(0, 7).into_owned();
    let expected = &jacobian * inverse * jacobian.transpose();
    assert!((mobility - expected).amax() < 1e-9);
}

#[test]
fn energies_are_those_of_the_matrix_and_the_gravity_torques() {
    let robot = fr3();
    for idx in 0..20 {
        let q = random_q(&robot, idx);
        let speeds = nalgebra::SVector::<f64, 8>::from_fn(|i, _| DQ.get(i).copied().unwrap_or(0.0));
        let expected = 0.5 * speeds.dot(&(robot.mass_matrix(&q) * speeds));
        assert!((robot.kinetic_energy(&q, &dq(1.0)) - expected).abs() < 1e-12);
        let tau = robot.gravity_torques(&q);
        let h = 1e-5;
        for joint_idx in 0..7 {
            let energy = |by: f64| {
                let mut q = q;
                q[joint_idx] += by;
                robot.potential_energy(&q)
            };
            let slope = (energy(h) - energy(-h)) / (2.0 * h);
            assert!((slope - tau[joint_idx]).abs() < 1e-6);
        }
    }
}

/// Classical Runge-Kutta, fine enough to be the truth for other integrators.
fn swing(robot: &Robot, mut q: JointPositions, mut dq: JointVelocities, h: f64, n: usize) -> f64 {
    let tau = JointTorques::zeros(7).expect("seven");
    let slope = |q: &JointPositions, dq: &JointVelocities| {
        robot
            .forward_dynamics(q, dq, &tau, &[])
            .expect("a finite swing")
    };
    let energy = |q: &JointPositions, dq: &JointVelocities| {
        robot.kinetic_energy(q, dq) + robot.potential_energy(q)
    };
    let start = energy(&q, &dq);
    for _ in 0..n {
        let at = |dq_k: &[f64], ddq_k: &[f64], by: f64| {
            let (mut q, mut v) = (q, dq);
            for i in 0..7 {
                q[i] += by * dq_k[i];
                v[i] += by * ddq_k[i];
            }
            (q, v)
        };
        let (v1, a1) = (dq, slope(&q, &dq));
        let (q2, v2) = at(&v1, &a1, h / 2.0);
        let a2 = slope(&q2, &v2);
        let (q3, v3) = at(&v2, &a2, h / 2.0);
        let a3 = slope(&q3, &v3);
        let (q4, v4) = at(&v3, &a3, h);
        let a4 = slope(&q4, &v4);
        for i in 0..7 {
            q[i] += h / 6.0 * (v1[i] + 2.0 * v2[i] + 2.0 * v3[i] + v4[i]);
            dq[i] += h / 6.0 * (a1[i] + 2.0 * a2[i] + 2.0 * a3[i] + a4[i]);
        }
    }
    (energy(&q, &dq) - start).abs()
}

#[test]
fn a_swing_keeps_its_energy() {
    let robot = fr3();
    let drift = swing(&robot, *robot.home(), dq(0.5), 5e-4, 20_000);
    // The home pose is some 50 J above hanging.
    assert!(drift < 1e-4, "{drift:e} J in 10 s");
}

#[test]
fn wrong_lengths_and_nan_give_no_acceleration() {
    let robot = fr3();
    let tau = JointTorques::zeros(7).expect("seven");
    let short = JointVelocities::zeros(3).expect("three");
    assert!(
        robot
            .forward_dynamics(robot.home(), &short, &tau, &[])
            .is_none()
    );
    let nan = JointVelocities::from_slice(&[f64::NAN; 7]).expect("seven");
    assert!(
        robot
            .forward_dynamics(robot.home(), &nan, &tau, &[])
            .is_none()
    );
    let lost = robot.home().map(|_| f64::INFINITY);
    assert!(robot.forward_dynamics(&lost, &dq(1.0), &tau, &[]).is_none());
}
