//! The arm's dynamics against Lagrange's equations: terms, motion, energy.

use nalgebra::{DMatrix, DVector};
use prehend_robot::Robot;
use prehend_types::{
    JointAccelerations, JointPositions, JointTorques, JointVelocities, Stream, derive_seed,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::lagrange::Lagrangian;
use super::runner::{Test, value};
use super::{Bench, Requirement, VerifyRow};
use crate::settings::TICK;

/// Advances an arm: positions, velocities and torques (constant over the step) of the joints and the
/// length of the step, s, to positions and velocities after it. No friction, no joint stops.
pub type ArmStep<'a> = dyn FnMut(
        &JointPositions,
        &JointVelocities,
        &JointTorques,
        f64,
    ) -> (JointPositions, JointVelocities)
    + 'a;

/// Semi-implicit sub-steps per tick of the arm that is tested until the simulator has one of its own.
const SUBSTEPS: u32 = 64;
/// Configurations at which terms are compared.
const N_CONFIGURATIONS: u64 = 200;
/// Runge-Kutta steps of the reference per tick: halving them changes the last digits only.
const REFERENCE_STEPS: u32 = 10;

pub(super) fn dynamics(bench: Bench<'_>) -> Test<'_> {
    Test::single(
        move || Ok(terms(bench.robot, bench.options.first_seed)),
        |numbers| {
            let limit = Requirement::Below(1e-5);
            let row = |what: &str, index| {
                let name = format!("dynamics: {what}");
                VerifyRow::new(name, value(numbers, index), limit, "relative")
            };
            vec![
                row("gravity torques", 0),
                row("mass matrix", 1),
                row("inverse dynamics", 2),
            ]
        },
    )
}

/// Largest differences over random configurations, each relative to the largest entry there.
fn terms(robot: &Robot, first_seed: u64) -> Vec<f64> {
    let arm = Lagrangian::new(robot);
    let n = robot.n_joints();
    let limits = robot.limits();
    let mut worst = [0.0; 3];
    for index in 0..N_CONFIGURATIONS {
        let seed = derive_seed(first_seed, Stream::Sampling, index);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut q = limits.q_min;
        for (q, high) in q.iter_mut().zip(limits.q_max.iter()) {
            *q = rng.random_range(*q..=*high);
        }
        let mut draw =
            |most: f64| -> Vec<f64> { (0..n).map(|_| rng.random_range(-most..=most)).collect() };
        let (dq, ddq) = (draw(2.0), draw(10.0));

        let gravity = arm.gravity(&q);
        let mass = arm.mass_matrix(&q);
        let torques = &mass * DVector::from_column_slice(&ddq) + arm.coriolis(&q, &dq) + &gravity;
        let ours = robot.mass_matrix(&q);
        let ours = DMatrix::from_fn(n, n, |row, column| ours[(row, column)]);
        let inverse = match (
            JointVelocities::from_slice(&dq),
            JointAccelerations::from_slice(&ddq),
        ) {
            (Ok(dq), Ok(ddq)) => DVector::from_column_slice(&robot.inverse_dynamics(&q, &dq, &ddq)),
            _ => DVector::repeat(n, f64::NAN),
        };
        let errors = [
            relative(
                &DVector::from_column_slice(&robot.gravity_torques(&q)),
                &gravity,
            ),
            (ours - &mass).amax() / mass.amax(),
            relative(&inverse, &torques),
        ];
        for (worst, error) in worst.iter_mut().zip(errors) {
            // `max` would pass over a NaN.
            *worst = if error.is_nan() {
                error
            } else {
                error.max(*worst)
            };
        }
    }
    worst.to_vec()
}

fn relative(ours: &DVector<f64>, truth: &DVector<f64>) -> f64 {
    (ours - truth).amax() / truth.amax()
}

pub(super) fn free_arm(bench: Bench<'_>) -> Test<'_> {
    Test::single(
        move || {
            let robot = bench.robot;
            let substeps = |n: u32| {
                free_arm_error(robot, &mut |q, dq, tau, dt| swing(robot, n, q, dq, tau, dt))
            };
            Ok(vec![
                substeps(SUBSTEPS),
                substeps(1),
                free_arm_error(robot, &mut |q, dq, tau, dt| {
                    runge_kutta(robot, q, dq, tau, dt)
                }),
            ])
        },
        |numbers| {
            let name = |what: &str| format!("free_arm: joint error, {what}");
            let shipped = name(&format!("{SUBSTEPS} sub-steps"));
            vec![
                VerifyRow::new(shipped, value(numbers, 0), Requirement::Below(1e-3), "rad"),
                VerifyRow::reported(name("1 sub-step"), value(numbers, 1), "rad"),
                VerifyRow::reported(name("Runge-Kutta"), value(numbers, 2), "rad"),
            ]
        },
    )
}

/// Largest difference of any joint to the reference over 2 s, rad: the arm starts at home, moving,
/// under torques that hold it up at home and change in every tick.
///
/// The reference integrates [`Lagrangian`] with Runge-Kutta steps of 0.5 ms.
pub fn free_arm_error(robot: &Robot, step: &mut ArmStep<'_>) -> f64 {
    error_to_reference(robot, step, REFERENCE_STEPS, 2.0)
}

fn error_to_reference(
    robot: &Robot,
    step: &mut ArmStep<'_>,
    reference_steps: u32,
    seconds: f64,
) -> f64 {
    let arm = Lagrangian::new(robot);
    let mut q = *robot.home();
    let Ok(mut dq) = JointVelocities::zeros(robot.n_joints()) else {
        return f64::NAN;
    };
    for (joint, dq) in dq.iter_mut().enumerate() {
        *dq = if joint % 2 == 0 { 0.3 } else { -0.3 };
    }
    let holding = robot.gravity_torques(&q);
    let mut true_q = DVector::from_column_slice(&q);
    let mut true_dq = DVector::from_column_slice(&dq);
    let h = TICK / f64::from(reference_steps);
    let mut worst: f64 = 0.0;
    for tick in 0..(seconds / TICK).round() as u64 {
        let t = tick as f64 * TICK;
        let mut tau = holding;
        for (joint, tau) in tau.iter_mut().enumerate() {
            // A share of the joint's own inertia: every joint is moved, none runs away.
            let swing = (std::f64::consts::TAU * (0.5 + 0.1 * joint as f64) * t).sin();
            *tau += swing * 2.0 / (1.0 + joint as f64);
        }
        for _ in 0..reference_steps {
            if arm
                .runge_kutta(&mut true_q, &mut true_dq, &tau, h)
                .is_none()
            {
                return f64::NAN;
            }
        }
        (q, dq) = step(&q, &dq, &tau, TICK);
        let error = (DVector::from_column_slice(&q) - &true_q).amax();
        if !error.is_finite() {
            return f64::NAN;
        }
        worst = worst.max(error);
    }
    worst
}

pub(super) fn energy(bench: Bench<'_>) -> Test<'_> {
    Test::single(
        move || {
            let robot = bench.robot;
            let substeps =
                |n: u32| energy_drift(robot, &mut |q, dq, tau, dt| swing(robot, n, q, dq, tau, dt));
            Ok(vec![substeps(SUBSTEPS), substeps(1)])
        },
        |numbers| {
            let percent = |index| value(numbers, index) * 100.0;
            vec![
                VerifyRow::new(
                    format!("energy: drift over 10 s, {SUBSTEPS} sub-steps"),
                    percent(0),
                    Requirement::Below(1.0),
                    "%",
                ),
                VerifyRow::reported("energy: drift over 10 s, 1 sub-step", percent(1), "%"),
            ]
        },
    )
}

/// Largest change of T + V while the arm swings for 10 s without torques, from rest at home, as a
/// share of the largest kinetic energy on the way.
pub fn energy_drift(robot: &Robot, step: &mut ArmStep<'_>) -> f64 {
    let arm = Lagrangian::new(robot);
    let mut q = *robot.home();
    let (Ok(mut dq), Ok(tau)) = (
        JointVelocities::zeros(robot.n_joints()),
        JointTorques::zeros(robot.n_joints()),
    ) else {
        return f64::NAN;
    };
    let start = arm.energy(&q, &dq);
    let (mut worst, mut most): (f64, f64) = (0.0, 0.0);
    for _ in 0..(10.0 / TICK).round() as u64 {
        (q, dq) = step(&q, &dq, &tau, TICK);
        let kinetic = arm.kinetic(&q, &dq);
        let drift = (kinetic + arm.potential(&q) - start).abs();
        if !drift.is_finite() {
            return f64::NAN;
        }
        worst = worst.max(drift);
        most = most.max(kinetic);
    }
    worst / most
}

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

/// Semi-implicit Euler: velocities first, positions with the new ones.
fn swing(
    robot: &Robot,
    substeps: u32,
    q: &JointPositions,
    dq: &JointVelocities,
    tau: &JointTorques,
    dt: f64,
) -> (JointPositions, JointVelocities) {
    let (mut q, mut dq) = (*q, *dq);
    let h = dt / f64::from(substeps.max(1));
    for _ in 0..substeps.max(1) {
        let ddq = forward_dynamics(robot, &q, &dq, tau);
        for joint in 0..robot.n_joints() {
            dq[joint] += h * ddq[joint];
            q[joint] += h * dq[joint];
        }
    }
    (q, dq)
}

/// One classical Runge-Kutta step.
fn runge_kutta(
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

#[cfg(test)]
mod tests {
    use super::super::tests::with_bench;
    use super::*;

    #[test]
    fn both_formulations_agree() {
        with_bench(|bench| {
            let worst = terms(bench.robot, 3);
            assert!(worst.iter().all(|error| *error < 1e-7), "{worst:?}");
        });
    }

    #[test]
    fn a_finer_step_is_nearer_to_the_reference() {
        with_bench(|bench| {
            let robot = bench.robot;
            let error = |n| {
                let step: &mut ArmStep<'_> = &mut |q, dq, tau, dt| swing(robot, n, q, dq, tau, dt);
                error_to_reference(robot, step, 2, 0.5)
            };
            let (coarse, fine) = (error(1), error(8));
            assert!(
                fine < coarse / 6.0 && fine > coarse / 10.0,
                "{coarse} and {fine}"
            );
        });
    }

    #[test]
    fn an_arm_that_forgets_gravity_is_found_out() {
        with_bench(|bench| {
            let robot = bench.robot;
            let step: &mut ArmStep<'_> = &mut |q, dq, tau, dt| {
                let mut tau = *tau;
                for (tau, g) in tau.iter_mut().zip(robot.gravity_torques(q).iter()) {
                    *tau += g;
                }
                swing(robot, 8, q, dq, &tau, dt)
            };
            assert!(error_to_reference(robot, step, 2, 0.5) > 0.1);
        });
    }
}
