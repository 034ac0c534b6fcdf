//! Numerical settings must not decide whether a task succeeds.

use super::runner::{Job, Test, value};
use super::{Bench, Requirement, VerifyRow};
use crate::{FamilySet, PhysicsSettings, Pilot, RolloutConfig, SimError, World, rollout};

/// The shipped settings and what they are compared with.
fn variants(shipped: &PhysicsSettings) -> [(&'static str, PhysicsSettings); 3] {
    [
        ("as shipped", *shipped),
        ("half the time step", shipped.with_half_dt()),
        ("twice the iterations", shipped.with_double_iterations()),
    ]
}

pub(super) fn test(bench: Bench<'_>) -> Test<'_> {
    let options = bench.options;
    let (first, n_seeds) = (options.first_seed, options.task_seeds);
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for (_, settings) in variants(bench.settings()) {
        jobs.extend((first..first + n_seeds).map(|seed| -> Job<'_> {
            Box::new(move || Ok(vec![f64::from(u8::from(succeeds(bench, seed, &settings)?))]))
        }));
    }
    let names = variants(bench.settings()).map(|(name, _)| name);
    Test {
        jobs,
        rows: Box::new(move |all| {
            let per_variant = usize::try_from(n_seeds).unwrap_or(usize::MAX).max(1);
            let rate = |nth: usize| {
                let results = all.chunks(per_variant).nth(nth).unwrap_or_default();
                let sum: f64 = results.iter().map(|numbers| value(numbers, 0)).sum();
                100.0 * sum / results.len() as f64
            };
            let mut rows = vec![VerifyRow::reported(
                format!("settings: success {} ({n_seeds} scenes)", names[0]),
                rate(0),
                "%",
            )];
            for (nth, name) in names.iter().enumerate().skip(1) {
                rows.push(VerifyRow::new(
                    format!("settings: change by {name}"),
                    (rate(nth) - rate(0)).abs(),
                    Requirement::AtMost(2.0),
                    "points",
                ));
            }
            rows
        }),
    }
}

/// Whether the scripted expert picks and places under these settings. A scene that cannot be settled
/// is a failure of the settings.
fn succeeds(bench: Bench<'_>, seed: u64, settings: &PhysicsSettings) -> Result<bool, SimError> {
    let world = World::with_settings(bench.robot, bench.scene, seed, FamilySet::Train, settings);
    let mut world = match world {
        Err(SimError::NoScene { .. }) => return Ok(false),
        other => other?,
    };
    let config = RolloutConfig::default();
    Ok(rollout(&mut world, Pilot::Expert, &config, &mut |_| {})?.success)
}

#[cfg(test)]
mod tests {
    use super::super::tests::with_bench;
    use super::*;

    #[test]
    fn most_scenes_succeed_under_any_of_the_settings() {
        with_bench(|bench| {
            for (name, settings) in variants(bench.settings()) {
                let n = (0..5)
                    .filter(|seed| succeeds(bench, *seed, &settings).expect("runs"))
                    .count();
                assert!(n >= 4, "{name}: {n} of 5");
            }
        });
    }
}
