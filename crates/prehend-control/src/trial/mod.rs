//! Turns seeds into adversarial runs of the limiter, and into a count of what went wrong.
//!
//! [`run`] drives a [`Follower`], which is the joint limiter and little else, with setpoints that jump, chatter,
//! chase the limits, are huge or are no numbers, from starts inside and outside the limits, at the rates
//! that arms are commanded with, while limits are tightened and loosened. The judge sees positions only.
//! [`run_arm`] drives a whole controller, for what no joint knows alone.

mod adversary;
mod arm;
mod judge;
mod stop;

pub use adversary::Adversary;
use adversary::Attack;
pub use arm::{ArmFindings, run_arm};
pub use judge::Findings;
use judge::JointJudge;
use prehend_types::{JointAccelerations, JointPositions, JointVelocities, MAX_JOINTS};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{ControlError, Follower, JointBounds};

/// Rates that arms are commanded with, Hz: from a servo bus to Franka's.
const RATES_HZ: [f64; 7] = [30.0, 50.0, 100.0, 125.0, 250.0, 500.0, 1000.0];
/// How long an arm that is outside its limits may take to come back when it is asked to, s.
const CALL_BACK_S: f64 = 20.0;

/// One adversarial run.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    /// Limits of the arm.
    pub bounds: &'a [JointBounds],
    /// Who drives it; rate, start and changes of limits are drawn from its seed.
    pub adversary: Adversary,
    /// Length of the run.
    pub ticks: u64,
    /// Every so many ticks the stop is played forward; 1: always.
    pub look_every: u64,
}

/// What one run came to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Outcome {
    /// Ticks of the whole arm.
    pub ticks: u64,
    /// Runs that started, or were made to be by tighter limits, outside the limits.
    pub starts_outside: u64,
    /// What the judges of all joints found.
    pub findings: Findings,
}

impl Outcome {
    /// Adds another run.
    pub fn add(&mut self, other: &Self) {
        self.ticks += other.ticks;
        self.starts_outside += other.starts_outside;
        self.findings.add(&other.findings);
    }
}

/// Runs one trial.
///
/// # Errors
/// [`ControlError`] if the limits cannot be used.
pub fn run(trial: &Trial<'_>) -> Result<Outcome, ControlError> {
    let mut rng = ChaCha8Rng::seed_from_u64(trial.adversary.seed);
    let dt = 1.0 / RATES_HZ[rng.random_range(0..RATES_HZ.len())];
    let (q, dq, ddq) = start(&mut rng, trial.bounds)?;
    let mut follower = Follower::new(trial.bounds, dt, &q, &dq, &ddq)?;
    let mut judges = Judges::new(trial.bounds, dt, &q, &dq, &ddq);
    let mut attack = Attack::new(trial.adversary);
    let mut outcome = Outcome::default();
    let mut bounds = [trial.bounds[0]; MAX_JOINTS];
    bounds[..q.len()].copy_from_slice(trial.bounds);
    let bounds = &mut bounds[..q.len()];
    outcome.starts_outside += u64::from(!judges.are_inside());
    let tighten_at = rng.random_range(trial.ticks / 4..=trial.ticks / 2);
    let loosen_at = rng.random_range(trial.ticks / 2..=trial.ticks);
    for tick in 0..trial.ticks {
        if tick == tighten_at || tick == loosen_at {
            for (bounds, own) in bounds.iter_mut().zip(trial.bounds) {
                *bounds = if tick == tighten_at {
                    tighter(&mut rng, own)
                } else {
                    *own
                };
            }
            follower.set_bounds(bounds)?;
            judges.set_bounds(bounds);
        }
        let (q_d, dq_d) = attack.next(bounds, dt, &follower);
        follower.follow(&q_d, &dq_d);
        let look_ahead = tick % trial.look_every.max(1) == 0;
        judges.tick(follower.q(), look_ahead, &mut outcome.findings);
        outcome.ticks += 1;
    }
    // Whoever ended outside has to come back when asked.
    let still = JointVelocities::zeros(q.len()).unwrap_or(dq);
    let middle = q_from(bounds, |bounds| 0.5 * (bounds.lower + bounds.upper))?;
    for _ in 0..(CALL_BACK_S / dt) as u64 {
        if judges.are_inside() {
            break;
        }
        follower.follow(&middle, &still);
        judges.tick(follower.q(), false, &mut outcome.findings);
        outcome.ticks += 1;
    }
    outcome.findings.astray += u64::from(!judges.are_inside());
    Ok(outcome)
}

/// Climbs from an adversary drawn from `seed` to ones that come nearer to breaking a limit, run by run.
///
/// # Errors
/// [`ControlError`] if the limits cannot be used.
pub fn climb(
    bounds: &[JointBounds],
    seed: u64,
    runs: u64,
    ticks: u64,
) -> Result<Outcome, ControlError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xc11b);
    let mut best = (f64::NEG_INFINITY, Adversary::drawn(seed));
    let mut all = Outcome::default();
    for _ in 0..runs {
        let adversary = best.1.varied(&mut rng);
        let outcome = run(&Trial {
            bounds,
            adversary,
            ticks,
            look_every: 1,
        })?;
        all.add(&outcome);
        let score = nearness(&outcome.findings);
        if score >= best.0 {
            best = (score, adversary);
        }
    }
    Ok(all)
}

/// How near to a violation a run came: shares of the rate limits, and digits of the distance that was left.
fn nearness(found: &Findings) -> f64 {
    let slack = found.least_slack.unwrap_or(1.0).max(1e-12);
    found.worst_share.iter().sum::<f64>() - libm::log10(slack) + found.violations() as f64
}

struct Judges {
    joints: Vec<JointJudge>,
}

impl Judges {
    fn new(
        bounds: &[JointBounds],
        dt: f64,
        q: &JointPositions,
        dq: &JointVelocities,
        ddq: &JointAccelerations,
    ) -> Self {
        let of_joint =
            |(i, bounds): (usize, &JointBounds)| JointJudge::new(bounds, dt, q[i], dq[i], ddq[i]);
        Self {
            joints: bounds.iter().enumerate().map(of_joint).collect(),
        }
    }

    fn set_bounds(&mut self, bounds: &[JointBounds]) {
        for (judge, bounds) in self.joints.iter_mut().zip(bounds) {
            judge.set_bounds(bounds);
        }
    }

    fn tick(&mut self, q: &JointPositions, look_ahead: bool, found: &mut Findings) {
        for (judge, q) in self.joints.iter_mut().zip(q.iter()) {
            judge.tick(*q, look_ahead, found);
        }
    }

    fn are_inside(&self) -> bool {
        self.joints.iter().all(JointJudge::is_inside)
    }
}

/// At rest inside mostly; else too fast, outside by a little, or in any motion.
fn start(
    rng: &mut ChaCha8Rng,
    bounds: &[JointBounds],
) -> Result<(JointPositions, JointVelocities, JointAccelerations), ControlError> {
    let mut q = q_from(bounds, |bounds| bounds.lower)?;
    let zeros = |_| ControlError::JointCount { n_joints: q.len() };
    let mut dq = JointVelocities::zeros(q.len()).map_err(zeros)?;
    let mut ddq = JointAccelerations::zeros(q.len()).map_err(zeros)?;
    let kind = rng.random_range(0..8);
    for (joint_idx, bounds) in bounds.iter().enumerate() {
        let mut within = |most: f64| most * rng.random_range(-1.0..1.0);
        let middle = 0.5 * (bounds.lower + bounds.upper);
        let half = 0.5 * (bounds.upper - bounds.lower);
        q[joint_idx] = middle + within(half);
        let outside = if within(1.0) > 0.0 { 0.005 } else { 0.05 };
        match kind {
            0 => dq[joint_idx] = within(1.5 * bounds.max_velocity),
            1 | 2 => {
                q[joint_idx] = middle + (half + outside) * within(1.0).signum();
                if kind == 2 {
                    dq[joint_idx] = within(1.2 * bounds.max_velocity);
                    ddq[joint_idx] = within(1.2 * bounds.max_acceleration);
                }
            }
            3 => {
                dq[joint_idx] = within(bounds.max_velocity);
                ddq[joint_idx] = within(bounds.max_acceleration);
            }
            _ => {}
        }
    }
    Ok((q, dq, ddq))
}

/// Limits that a user could set: nowhere looser.
fn tighter(rng: &mut ChaCha8Rng, own: &JointBounds) -> JointBounds {
    let mut share = |least: f64| rng.random_range(least..1.0);
    let middle = 0.5 * (own.lower + own.upper);
    let max_acceleration = own.max_acceleration * share(0.3);
    JointBounds {
        lower: middle + (own.lower - middle) * share(0.5),
        upper: middle + (own.upper - middle) * share(0.5),
        max_velocity: own.max_velocity * share(0.3),
        max_acceleration,
        max_jerk: own.max_jerk * share(0.1),
        envelope: own.envelope.map(|envelope| crate::VelocityEnvelope {
            deceleration: envelope.deceleration.min(0.9 * max_acceleration),
            ..envelope
        }),
    }
}

fn q_from(
    bounds: &[JointBounds],
    value: impl Fn(&JointBounds) -> f64,
) -> Result<JointPositions, ControlError> {
    let mut q = JointPositions::zeros(bounds.len())
        .ok()
        .filter(|q| !q.is_empty())
        .ok_or(ControlError::JointCount {
            n_joints: bounds.len(),
        })?;
    for (q, bounds) in q.iter_mut().zip(bounds) {
        *q = value(bounds);
    }
    Ok(q)
}
