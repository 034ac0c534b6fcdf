//! The simulator's arm of [`ArmMode::Dynamic`] against Lagrange's equations: terms, motion, energy.
//!
//! What is stepped is the very arm that worlds step, at their step, freed of what Lagrange's equations
//! here do not know: friction, limits of its drives, stops.

use std::sync::Arc;

use nalgebra::{DVector, Vector3};
use prehend_robot::{JointActuator, Robot};
use prehend_types::{
    GripperCommand, JointCommand, JointPositions, JointTorques, JointVelocities, Pose, Stream,
    derive_seed,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::lagrange::Lagrangian;
use super::runner::{Test, value};
use super::{Bench, Requirement, VerifyRow};
use crate::SimError;
use crate::arm::coupling::Reaction;
use crate::arm::{Arm, ArmMode};
use crate::command_line::Order;
use crate::settings::TICK;

/// Advances an arm by a tick: positions, velocities and torques (constant over it) of the joints to
/// positions and velocities after it. No friction, no joint stops.
type ArmStep<'a> = dyn FnMut(&JointPositions, &JointVelocities, &JointTorques) -> (JointPositions, JointVelocities)
    + 'a;

/// Configurations at which terms are compared.
const N_CONFIGURATIONS: u64 = 200;
/// A step in which nothing changes that terms depend on, s.
const INSTANT: f64 = 1e-5;
/// Runge-Kutta steps of the reference per tick: halving them changes the last digits only.
const REFERENCE_STEPS: u32 = 10;

pub(super) fn dynamics(bench: Bench<'_>) -> Test<'_> {
    Test::single(
        move || terms(bench.robot, bench.options.first_seed),
        |numbers| {
            let limit = Requirement::Below(1e-5);
            let row = |what: &str, index| {
                let name = format!("dynamics: {what}");
                VerifyRow::new(name, value(numbers, index), limit, "relative")
            };
            let links = VerifyRow::new(
                "dynamics: forward kinematics",
                value(numbers, 3),
                Requirement::Below(1e-6),
                "m",
            );
            vec![
                row("gravity torques", 0),
                row("mass matrix", 1),
                row("inverse dynamics", 2),
                links,
            ]
        },
    )
}

/// The simulator's arm, freed.
struct Simulated {
    robot: Arc<Robot>,
    arm: Arm,
    /// Length of its steps, s.
    dt: f64,
}

impl Simulated {
    fn new(robot: &Arc<Robot>, dt: f64) -> Result<Self, SimError> {
        let mut arm = Arm::new(robot, ArmMode::Dynamic, dt)?;
        let drives = robot.actuators().joints().iter();
        let freed = drives.map(|drive| JointActuator {
            max_torque: f64::INFINITY,
            viscous_friction: 0.0,
            coulomb_friction: 0.0,
            ..*drive
        });
        arm.set_drives(&freed.collect::<Vec<_>>());
        arm.remove_stops();
        Ok(Self {
            robot: Arc::clone(robot),
            arm,
            dt,
        })
    }

    /// One step under these torques.
    fn step(
        &mut self,
        q: &JointPositions,
        dq: &JointVelocities,
        tau: &JointTorques,
    ) -> (JointPositions, JointVelocities) {
        // Its drives push with the arm's weight half way through the step on top of what they are told.
        let weight = self.robot.gravity_torques(&self.half_way(q, dq));
        let mut over_gravity = *tau;
        for (tau, weight) in over_gravity.iter_mut().zip(weight.iter()) {
            *tau -= weight;
        }
        self.arm.place(*q, *dq);
        let order = Order {
            joints: JointCommand {
                q_d: *q,
                dq_d: *dq,
                gripper: GripperCommand { opening: 1.0 },
            },
            torques: Some(over_gravity),
        };
        let prediction = self.arm.predict(&order, &[]);
        self.arm.correct(&prediction, Reaction::NONE);
        (*self.arm.q(), *self.arm.dq())
    }

    fn half_way(&self, q: &JointPositions, dq: &JointVelocities) -> JointPositions {
        let mut half = *q;
        for (q, dq) in half.iter_mut().zip(dq.iter()) {
            *q += 0.5 * self.dt * dq;
        }
        half
    }
}

/// Largest differences over random configurations, each relative to the largest entry there: the torques
/// with which the simulated arm holds itself still, what its joints answer to small torques, and the
/// torques that Lagrange's equations ask for the motion that it made of given ones. Last, how far its links are
/// from where they should be, m.
fn terms(robot: &Arc<Robot>, first_seed: u64) -> Result<Vec<f64>, SimError> {
    let truth = Lagrangian::new(robot);
    let mut own = Simulated::new(robot, INSTANT)?;
    let n = robot.n_joints();
    let limits = robot.limits();
    let mut worst = [0.0; 4];
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
        let errors = [
            gravity_error(&truth, &own, &q)?,
            mass_error(&truth, &mut own, &q)?,
            motion_error(&truth, &mut own, &q, &dq, &ddq)?,
            kinematics_error(&truth, robot, &q),
        ];
        for (worst, error) in worst.iter_mut().zip(errors) {
            *worst = worse(*worst, error);
        }
    }
    Ok(worst.to_vec())
}

fn kinematics_error(truth: &Lagrangian, robot: &Robot, q: &JointPositions) -> f64 {
    let mut poses = vec![Pose::identity(); robot.links().len()];
    robot.link_poses(q, truth.finger_width(), &mut poses);
    let origins = truth.origins(q);
    let far = |(pose, origin): (&Pose, &Vector3<f64>)| (pose.translation.vector - origin).norm();
    poses.iter().zip(&origins).map(far).fold(0.0, worse)
}

/// The larger error; `max` would pass over a NaN.
fn worse(worst: f64, error: f64) -> f64 {
    if worst.is_nan() || error.is_nan() {
        f64::NAN
    } else {
        error.max(worst)
    }
}

fn gravity_error(truth: &Lagrangian, own: &Simulated, q: &JointPositions) -> Result<f64, SimError> {
    let mut arm = own.arm.clone();
    let still = JointVelocities::zeros(q.len())?;
    arm.place(*q, still);
    let hold = Order::from(JointCommand {
        q_d: *q,
        dq_d: still,
        gripper: GripperCommand { opening: 1.0 },
    });
    let prediction = arm.predict(&hold, &[]);
    arm.correct(&prediction, Reaction::NONE);
    let held = DVector::from_column_slice(&arm.report().tau);
    Ok(relative(&held, &truth.gravity(q)))
}

/// M times the accelerations that small torques on one joint each bring about, less those torques.
fn mass_error(
    truth: &Lagrangian,
    own: &mut Simulated,
    q: &JointPositions,
) -> Result<f64, SimError> {
    /// N·m: so little that the speeds that come of it matter nowhere.
    const PUSH: f64 = 1e-3;
    let still = JointVelocities::zeros(q.len())?;
    let weight = own.robot.gravity_torques(q);
    let mass = truth.mass_matrix(q);
    let mut worst = 0.0_f64;
    for joint in 0..q.len() {
        let mut tau = weight;
        tau[joint] += PUSH;
        let (_, dq) = own.step(q, &still, &tau);
        let answer = &mass * DVector::from_column_slice(&dq) / own.dt / PUSH;
        let wanted = DVector::from_fn(q.len(), |row, _| f64::from(u8::from(row == joint)));
        worst = worse(worst, (answer - wanted).amax());
    }
    Ok(worst)
}

fn motion_error(
    truth: &Lagrangian,
    own: &mut Simulated,
    q: &JointPositions,
    dq: &[f64],
    ddq: &[f64],
) -> Result<f64, SimError> {
    let lagrange = |q: &[f64], dq: &[f64], ddq: DVector<f64>| {
        truth.mass_matrix(q) * ddq + truth.coriolis(q, dq) + truth.gravity(q)
    };
    let wanted = lagrange(q, dq, DVector::from_column_slice(ddq));
    let tau = JointTorques::from_slice(wanted.as_slice())?;
    let before = JointVelocities::from_slice(dq)?;
    let (_, after) = own.step(q, &before, &tau);
    let mean: Vec<f64> = (before.iter().zip(after.iter()))
        .map(|(before, after)| 0.5 * (before + after))
        .collect();
    let made = DVector::from_fn(q.len(), |idx, _| (after[idx] - before[idx]) / own.dt);
    let needed = lagrange(&own.half_way(q, &before), &mean, made);
    Ok(relative(&needed, &wanted))
}

fn relative(ours: &DVector<f64>, truth: &DVector<f64>) -> f64 {
    (ours - truth).amax() / truth.amax()
}

pub(super) fn free_arm(bench: Bench<'_>) -> Test<'_> {
    test_arm(bench, free_arm_error, |error| {
        let name = "free_arm: joint error, arm `dynamic`";
        VerifyRow::new(name, error, Requirement::Below(1e-3), "rad")
    })
}

pub(super) fn energy(bench: Bench<'_>) -> Test<'_> {
    test_arm(bench, energy_drift, |drift| {
        let name = "energy: drift, arm `dynamic`";
        VerifyRow::new(name, drift * 100.0, Requirement::Below(1.0), "%")
    })
}

/// Measures the simulated arm.
fn test_arm<'a>(
    bench: Bench<'a>,
    measure: impl Fn(&Robot, &mut ArmStep<'_>) -> f64 + Send + Sync + 'a,
    row: impl Fn(f64) -> VerifyRow + 'a,
) -> Test<'a> {
    let robot = bench.robot;
    Test::single(
        move || {
            let mut arm = Simulated::new(robot, TICK)?;
            let step: &mut ArmStep<'_> = &mut |q, dq, tau| arm.step(q, dq, tau);
            Ok(vec![measure(robot, step)])
        },
        move |numbers| vec![row(value(numbers, 0))],
    )
}

/// Largest difference of any joint to the reference over 2 s, rad. The arm starts at rest at home,
/// inside its limits, under torques that would take it along a smooth path if nothing were held
/// constant within ticks; nothing corrects it on the way.
///
/// The reference integrates Lagrange's equations with Runge-Kutta steps of 0.5 ms.
fn free_arm_error(robot: &Robot, step: &mut ArmStep<'_>) -> f64 {
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
        (q, dq) = step(&q, &dq, &tau);
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
fn energy_drift(robot: &Robot, step: &mut ArmStep<'_>) -> f64 {
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
        (q, dq) = step(&q, &dq, &tau);
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
            let worst = terms(bench.robot, 3).expect("an arm");
            assert!(worst.iter().all(|error| *error < 1e-5), "{worst:?}");
        });
    }

    /// The error that is left is that of the step: of fourth order in its length.
    #[test]
    fn a_finer_step_is_nearer_to_the_reference() {
        with_bench(|bench| {
            let robot = bench.robot;
            let error = |n: u32| {
                let mut arm = Simulated::new(robot, TICK / f64::from(n)).expect("an arm");
                let step: &mut ArmStep<'_> =
                    &mut |q, dq, tau| (0..n).fold((*q, *dq), |(q, dq), _| arm.step(&q, &dq, tau));
                error_to_reference(robot, step, 8, 0.5)
            };
            let (coarse, fine) = (error(1), error(4));
            assert!(
                fine < coarse / 100.0 && fine > coarse / 400.0,
                "{coarse} and {fine}"
            );
        });
    }

    #[test]
    fn an_arm_that_forgets_gravity_is_found_out() {
        with_bench(|bench| {
            let robot = bench.robot;
            let mut arm = Simulated::new(robot, TICK).expect("an arm");
            let step: &mut ArmStep<'_> = &mut |q, dq, tau| {
                let mut tau = *tau;
                for (tau, g) in tau.iter_mut().zip(robot.gravity_torques(q).iter()) {
                    *tau += g;
                }
                arm.step(q, dq, &tau)
            };
            assert!(error_to_reference(robot, step, 2, 0.5) > 0.1);
        });
    }
}
