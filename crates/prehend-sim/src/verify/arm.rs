//! The arm's dynamics against Lagrange's equations: terms, motion, energy.
//!
//! Simulated arms are kinematic, so motion and energy are those of `prehend-robot`'s own terms,
//! integrated in two ways. An arm with dynamics plugs its step into [`free_arm_error`] and
//! [`energy_drift`].

use nalgebra::{DMatrix, DVector};
use prehend_robot::Robot;
use prehend_types::{
    JointAccelerations, JointPositions, JointTorques, JointVelocities, Stream, derive_seed,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::integrate::{runge_kutta, semi_implicit};
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

/// Sub-steps per tick of the semi-implicit integration that is reported for comparison.
const SUBSTEPS: u32 = 32;
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
    test_arms(bench, free_arm_error, |numbers| {
        let name = |what: &str| format!("free_arm: joint error, {what}");
        let error = value(numbers, 0);
        vec![
            VerifyRow::new(name("Runge-Kutta"), error, Requirement::Below(1e-3), "rad"),
            VerifyRow::reported(name(&semi_implicit_name()), value(numbers, 1), "rad"),
        ]
    })
}

pub(super) fn energy(bench: Bench<'_>) -> Test<'_> {
    test_arms(bench, energy_drift, |numbers| {
        let name = |what: &str| format!("energy: drift, {what}");
        let percent = |index| value(numbers, index) * 100.0;
        vec![
            VerifyRow::new(
                name("Runge-Kutta"),
                percent(0),
                Requirement::Below(1.0),
                "%",
            ),
            VerifyRow::reported(name(&semi_implicit_name()), percent(1), "%"),
        ]
    })
}

fn semi_implicit_name() -> String {
    format!("Euler, {SUBSTEPS} sub-steps")
}

/// Measures the robot's arm, integrated in two ways: what is required, and for comparison.
fn test_arms<'a>(
    bench: Bench<'a>,
    measure: impl Fn(&Robot, &mut ArmStep<'_>) -> f64 + Send + Sync + Copy + 'a,
    rows: impl Fn(&[f64]) -> Vec<VerifyRow> + 'a,
) -> Test<'a> {
    let robot = bench.robot;
    Test {
        jobs: vec![
            Box::new(move || {
                let step: &mut ArmStep<'_> =
                    &mut |q, dq, tau, dt| runge_kutta(robot, q, dq, tau, dt);
                Ok(vec![measure(robot, step)])
            }),
            Box::new(move || {
                let step: &mut ArmStep<'_> =
                    &mut |q, dq, tau, dt| semi_implicit(robot, SUBSTEPS, q, dq, tau, dt);
                Ok(vec![measure(robot, step)])
            }),
        ],
        rows: Box::new(move |all| rows(&all.concat())),
    }
}

/// Largest difference of any joint to the reference over 2 s, rad. The arm starts at rest at home,
/// inside its limits, under torques that would take it along a smooth path if nothing were held
/// constant within ticks; nothing corrects it on the way.
///
/// The reference integrates Lagrange's equations with Runge-Kutta steps of 0.5 ms.
pub fn free_arm_error(robot: &Robot, step: &mut ArmStep<'_>) -> f64 {
    error_to_reference(robot, step, REFERENCE_STEPS, 2.0)
}

/// Torques that move the arm along `home + way (1 - cos(2 pi f t))`, way and f differing by joint.
fn torques_at(arm: &Lagrangian, home: &[f64], t: f64) -> DVector<f64> {
    let way = |joint: usize| if joint.is_multiple_of(2) { 0.2 } else { -0.15 };
    let omega = |joint: usize| std::f64::consts::TAU * (0.5 + 0.05 * joint as f64);
    let n = home.len();
    let q: Vec<f64> = (0..n)
        .map(|j| home[j] + way(j) * (1.0 - libm::cos(omega(j) * t)))
        .collect();
    let dq: Vec<f64> = (0..n)
        .map(|j| way(j) * omega(j) * libm::sin(omega(j) * t))
        .collect();
    let ddq = DVector::from_fn(n, |j, _| {
        way(j) * omega(j).powi(2) * libm::cos(omega(j) * t)
    });
    arm.mass_matrix(&q) * ddq + arm.coriolis(&q, &dq) + arm.gravity(&q)
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
    let Ok(mut tau) = JointTorques::zeros(robot.n_joints()) else {
        return f64::NAN;
    };
    let mut true_q = DVector::from_column_slice(&q);
    let mut true_dq = DVector::from_column_slice(&dq);
    let h = TICK / f64::from(reference_steps);
    let mut worst: f64 = 0.0;
    for tick in 0..(seconds / TICK).round() as u64 {
        let t = tick as f64 * TICK;
        tau.copy_from_slice(torques_at(&arm, robot.home(), t + 0.5 * TICK).as_slice());
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
                let step: &mut ArmStep<'_> =
                    &mut |q, dq, tau, dt| semi_implicit(robot, n, q, dq, tau, dt);
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
                semi_implicit(robot, 8, q, dq, &tau, dt)
            };
            assert!(error_to_reference(robot, step, 2, 0.5) > 0.1);
        });
    }
}
