//! A free arm from the terms of `prehend-robot`, under Runge-Kutta.

use nalgebra::{DMatrix, DVector};
use prehend_robot::Robot;
use prehend_types::{JointAccelerations, JointPositions, JointTorques, JointVelocities};

/// Accelerations by solving the mass matrix of the recursive Newton-Euler code; NaN if it cannot be.
fn forward_dynamics(
    robot: &Robot,
    q: &JointPositions,
    dq: &JointVelocities,
    tau: &JointTorques,
) -> DVector<f64> {
    let n = robot.n_joints();
    let Ok(still) = JointAccelerations::zeros(n) else {
        return DVector::repeat(n, f64::NAN);
    };
    let bias = robot.inverse_dynamics(q, dq, &still);
    let mass = robot.mass_matrix(q);
    let mass = DMatrix::from_fn(n, n, |row, column| mass[(row, column)]);
    let force = DVector::from_fn(n, |joint, _| tau[joint] - bias[joint]);
    mass.cholesky()
        .map_or_else(|| DVector::repeat(n, f64::NAN), |mass| mass.solve(&force))
}

/// One classical Runge-Kutta step.
pub(super) fn runge_kutta(
    robot: &Robot,
    q: &JointPositions,
    dq: &JointVelocities,
    tau: &JointTorques,
    dt: f64,
) -> (JointPositions, JointVelocities) {
    let n = robot.n_joints();
    let ahead = |h: f64, v: &JointVelocities, a: &DVector<f64>| {
        let (mut q, mut dq) = (*q, *dq);
        for joint in 0..n {
            q[joint] += h * v[joint];
            dq[joint] += h * a[joint];
        }
        (q, dq)
    };
    let a1 = forward_dynamics(robot, q, dq, tau);
    let (q2, v2) = ahead(0.5 * dt, dq, &a1);
    let a2 = forward_dynamics(robot, &q2, &v2, tau);
    let (q3, v3) = ahead(0.5 * dt, &v2, &a2);
    let a3 = forward_dynamics(robot, &q3, &v3, tau);
    let (q4, v4) = ahead(dt, &v3, &a3);
    let a4 = forward_dynamics(robot, &q4, &v4, tau);
    let (mut q, mut out) = (*q, *dq);
    for joint in 0..n {
        let v = dq[joint] + 2.0 * v2[joint] + 2.0 * v3[joint] + v4[joint];
        let a = a1[joint] + 2.0 * a2[joint] + 2.0 * a3[joint] + a4[joint];
        q[joint] += dt / 6.0 * v;
        out[joint] += dt / 6.0 * a;
    }
    (q, out)
}
