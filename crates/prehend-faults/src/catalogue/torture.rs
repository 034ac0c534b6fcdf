//! Policies that mean harm: millions of ticks of a controller that is asked for what it must not do.

use std::time::Duration;

use nalgebra::Vector3;
use prehend_control::ControlConfig;
use prehend_robot::Robot;
use prehend_types::{
    Action, ActionChunk, JointPlan, JointPositions, JointSpace, JointStep, MAX_CHUNK,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

use crate::Lab;
use crate::fault::{Finding, Outcome};
use crate::lab::ARMS;
use crate::sim::{Offer, Rig};

/// Ticks between two stops, each of which must succeed.
const BLOCK: u64 = 4000;
/// Ticks within which a stop must be over: more than the slowest arm here takes from its highest speed.
const STOP_WITHIN: u64 = 4000;

/// What a policy asks for, drawn anew for every block.
#[derive(Debug, Clone, Copy)]
struct Habit {
    seed: u64,
    /// Ticks between two plans.
    every: u64,
    /// Length of one step, ms.
    step_millis: u64,
    n_steps: usize,
    /// 0 to 2: joint position, delta, velocity; 3: tool.
    space: u8,
    /// Share of the largest number that is asked for.
    scale: f64,
    /// Whether plans change sides rather than being drawn.
    alternates: bool,
}

/// What many ticks came to.
#[derive(Debug, Default)]
struct Tally {
    ticks: u64,
    violations: u64,
    failed_stops: u64,
    worst: [f64; 3],
    first_bad: Option<String>,
    error: Option<String>,
}

pub(super) fn square_wave(lab: &Lab) -> Outcome {
    judge(lab, "square", lab.of(10_000_000), |_, rng| Habit {
        seed: rng.random(),
        every: 1,
        step_millis: 50,
        n_steps: 2,
        space: 0,
        scale: 1.0,
        alternates: true,
    })
}

pub(super) fn random_jumps(lab: &Lab) -> Outcome {
    judge(lab, "jumps", lab.of(1_000_000), |_, rng| Habit {
        seed: rng.random(),
        every: rng.random_range(1..100),
        step_millis: 50,
        n_steps: rng.random_range(1..=8),
        space: 0,
        scale: 1.0,
        alternates: false,
    })
}

/// A search: blocks that came closest to a limit are varied, others are forgotten.
pub(super) fn adversary(lab: &Lab) -> Outcome {
    judge(
        lab,
        "adversary",
        lab.of(100_000_000),
        |best, rng| match best {
            Some(best) if rng.random_bool(0.7) => vary(best, rng),
            _ => fresh(rng),
        },
    )
}

fn fresh(rng: &mut ChaCha8Rng) -> Habit {
    Habit {
        seed: rng.random(),
        every: 1 << rng.random_range(0..8),
        step_millis: [1, 5, 20, 50, 200][rng.random_range(0..5)],
        n_steps: rng.random_range(1..=MAX_CHUNK),
        space: rng.random_range(0..4),
        scale: libm::pow(10.0, rng.random_range(-2.0..0.5)),
        alternates: rng.random_bool(0.5),
    }
}

fn vary(best: Habit, rng: &mut ChaCha8Rng) -> Habit {
    let other = fresh(rng);
    let mut habit = Habit {
        seed: other.seed,
        scale: best.scale * rng.random_range(0.7..1.4),
        ..best
    };
    match rng.random_range(0..5) {
        0 => habit.every = other.every,
        1 => habit.step_millis = other.step_millis,
        2 => habit.n_steps = other.n_steps,
        3 => habit.space = other.space,
        _ => habit.alternates = other.alternates,
    }
    habit
}

fn judge(
    lab: &Lab,
    name: &str,
    ticks: u64,
    choose: impl Fn(Option<Habit>, &mut ChaCha8Rng) -> Habit + Sync,
) -> Outcome {
    let arms = ARMS.map(|name| lab.robot(name));
    let arms: Vec<Arc<Robot>> = arms.into_iter().collect::<Result<_, _>>()?;
    let seed = lab.rng(name).random::<u64>();
    let tallies = lab.in_parallel(ticks.div_ceil(BLOCK), |blocks| {
        let mut tally = Tally::default();
        let mut best: Option<(f64, Habit)> = None;
        for block in blocks {
            let mut rng = ChaCha8Rng::seed_from_u64(seed ^ block.wrapping_mul(0x9e37_79b9));
            let habit = choose(best.map(|(_, habit)| habit), &mut rng);
            let robot = &arms[block as usize % arms.len()];
            let worst = match self::block(robot, habit, &mut rng, &mut tally) {
                Ok(worst) => worst,
                Err(error) => {
                    tally.error.get_or_insert(error.to_string());
                    continue;
                }
            };
            if best.is_none_or(|(most, _)| worst >= most) {
                best = Some((worst, habit));
            }
        }
        tally
    });
    let mut all = Tally::default();
    for tally in tallies {
        all.ticks += tally.ticks;
        all.violations += tally.violations;
        all.failed_stops += tally.failed_stops;
        for (all, worst) in all.worst.iter_mut().zip(tally.worst) {
            *all = all.max(worst);
        }
        all.first_bad = all.first_bad.or(tally.first_bad);
        all.error = all.error.or(tally.error);
    }
    if let Some(error) = all.error {
        return Err(error.into());
    }
    let [v, a, j] = all.worst;
    let mut measured = format!(
        "{} violations and {} stops that failed in {} ticks of {} arms; velocity, acceleration, jerk up to \
         {v:.9}, {a:.9}, {j:.9} of their limits",
        all.violations,
        all.failed_stops,
        all.ticks,
        arms.len()
    );
    if let Some(bad) = all.first_bad {
        measured = format!("{measured}; first: {bad}");
    }
    Ok(Finding::new(
        all.violations == 0 && all.failed_stops == 0,
        measured,
    ))
}

/// One arm, one habit, then a stop. Returns how close to the limit of jerk or speed it came.
fn block(
    robot: &Arc<Robot>,
    habit: Habit,
    rng: &mut ChaCha8Rng,
    tally: &mut Tally,
) -> Result<f64, Box<dyn std::error::Error>> {
    let config = ControlConfig {
        rate_hz: if habit.seed & 1 == 0 { 500.0 } else { 1000.0 },
        ..ControlConfig::default()
    };
    let mut rig = Rig::new(robot, config)?;
    let mut side = 1.0;
    for tick in 0..BLOCK {
        if tick.is_multiple_of(habit.every) {
            if let Some(offer) = plan(robot, &rig, habit, side, rng) {
                rig.offer(&offer);
            }
            side = -side;
        }
        rig.tick();
    }
    let stopped = rig.stop(STOP_WITHIN);
    tally.ticks += BLOCK + stopped.unwrap_or(STOP_WITHIN);
    tally.failed_stops += u64::from(stopped.is_none());
    tally.violations += rig.violations();
    if rig.violations() > 0 || stopped.is_none() {
        tally
            .first_bad
            .get_or_insert_with(|| format!("{} with {habit:?}", robot.name()));
    }
    let share = rig.wire.report().worst_share;
    for (worst, share) in tally.worst.iter_mut().zip(share) {
        *worst = worst.max(share);
    }
    Ok(share[2].max(share[0]))
}

fn plan(robot: &Robot, rig: &Rig, habit: Habit, side: f64, rng: &mut ChaCha8Rng) -> Option<Offer> {
    let dt = Duration::from_millis(habit.step_millis);
    let mut draw = |most: f64| match habit.alternates {
        true => side * most * habit.scale,
        false => rng.random_range(-1.0..1.0) * most * habit.scale,
    };
    if habit.space == 3 {
        let n_steps = habit.n_steps.min(MAX_CHUNK);
        let actions: Vec<Action> = (0..n_steps)
            .map(|_| Action {
                translation: Vector3::from_fn(|_, _| draw(0.1)),
                rotation: Vector3::from_fn(|_, _| draw(0.5)),
                gripper: 0.5,
            })
            .collect();
        return ActionChunk::new(rig.now(), dt, n_steps, &actions)
            .ok()
            .map(Offer::Tool);
    }
    let (space, limits) = match habit.space {
        0 => (JointSpace::Position, &robot.limits().q_max),
        1 => (JointSpace::Delta, &robot.limits().q_max),
        _ => (JointSpace::Velocity, &robot.limits().q_max),
    };
    let steps: Option<Vec<JointStep>> = (0..habit.n_steps)
        .map(|_| {
            let values: Vec<f64> = limits.iter().map(|_| draw(std::f64::consts::TAU)).collect();
            Some(JointStep {
                values: JointPositions::from_slice(&values).ok()?,
                gripper: 0.5,
            })
        })
        .collect();
    JointPlan::new(rig.now(), dt, space, &steps?)
        .ok()
        .map(Offer::Joints)
}
