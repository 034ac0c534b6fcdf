//! Random joint motion while a cube is held, over many seeds.

use prehend_types::{JointPositions, Stream, derive_seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::hand::{Cell, FRICTION};
use super::path::{JointPath, KNOT};
use super::runner::{Job, Test, value};
use super::{Bench, Requirement, VerifyRow};
use crate::SimError;

/// Control steps of 50 ms.
const N_STEPS: usize = 150;
/// Fastest motion of a joint, rad/s: that of ManiSkill's FrankaPickCubeBenchmark-v1.
const MAX_SPEED: f64 = 1.25;
/// Farthest that a joint goes from where the cube was lifted to, rad.
const MAX_WAY: f64 = 0.3;
/// A cube that moved farther than this in the hand was not kept, m.
const KEPT: f64 = 0.01;

pub(super) fn test(bench: Bench<'_>) -> Test<'_> {
    let options = bench.options;
    let seeds = options.first_seed..options.first_seed + options.shake_seeds;
    let jobs = seeds.map(|seed| -> Job<'_> { Box::new(move || Ok(vec![slip(bench, seed)?])) });
    let n_seeds = options.shake_seeds;
    Test {
        jobs: jobs.collect(),
        rows: Box::new(move |all| {
            let slips = || all.iter().map(|numbers| value(numbers, 0));
            let kept = slips().filter(|slip| *slip < KEPT).count();
            let worst = slips().fold(0.0, |worst: f64, slip| {
                if slip.is_nan() {
                    f64::INFINITY
                } else {
                    worst.max(slip)
                }
            });
            let required = Requirement::AtLeast(n_seeds as f64);
            let name = format!("shake: cubes kept of {n_seeds}");
            vec![
                VerifyRow::new(name, kept as f64, required, ""),
                VerifyRow::reported("shake: largest slip", worst * 1e3, "mm"),
            ]
        }),
    }
}

/// Slip of the cube in the hand over one random shake, m; NaN if it was lost.
fn slip(bench: Bench<'_>, seed: u64) -> Result<f64, SimError> {
    let mut cell = Cell::around_cube(bench, FRICTION)?;
    cell.rest(0.2);
    cell.grasp();
    let before = cell.cube_in_hand();
    // High enough that no motion brings the cube back to the table.
    cell.lift(0.4, |_, _| {})?;
    let path = random_path(bench, &cell.q, seed);
    cell.follow(&path, |_, _| {});
    cell.rest(0.5);
    let slip = before
        .inv_mul(&cell.cube_in_hand())
        .translation
        .vector
        .norm();
    Ok(if cell.is_held() { slip } else { f64::NAN })
}

fn random_path(bench: Bench<'_>, q_start: &JointPositions, seed: u64) -> JointPath {
    let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Disturbance, 0));
    let mut q = *q_start;
    let mut knots = vec![q];
    for _ in 0..N_STEPS {
        for (q, start) in q.iter_mut().zip(q_start.iter()) {
            let step = rng.random_range(-1.0..=1.0) * MAX_SPEED * KNOT;
            *q = (*q + step).clamp(start - MAX_WAY, start + MAX_WAY);
        }
        q = bench.robot.limits().clamp(q);
        knots.push(q);
    }
    JointPath::from_knots(knots)
}

#[cfg(test)]
mod tests {
    use super::super::tests::with_bench;
    use super::*;

    #[test]
    fn some_seeds_keep_the_cube() {
        with_bench(|bench| {
            for seed in 0..5 {
                let slip = slip(bench, seed).expect("in reach");
                assert!(slip < KEPT, "seed {seed}: {slip}");
            }
        });
    }

    #[test]
    fn seeds_shake_differently() {
        with_bench(|bench| {
            let end = |seed| {
                let path = random_path(bench, bench.robot.home(), seed);
                path.at(path.duration()).expect("not empty")
            };
            assert_eq!(end(1), end(1));
            assert_ne!(end(1), end(2));
        });
    }
}
