//! Turns the simulator's settings into a table of measured against required: does contact behave?
//!
//! Every test builds its own rig from the very functions and settings that worlds are made of, steps
//! it, and compares with what Newton and Coulomb say. Nothing here knows policies or cameras, and
//! nothing is tuned: a row that falls short says so.
//!
//! | test | rig | truth |
//! |---|---|---|
//! | `capsule` | a 45 g capsule between a fixed and a force-limited pad, 60 s | it stays |
//! | `critical` | a 64 g cube between the same pads at 0.90 to 1.10 of critical friction | slides below 1, holds above |
//! | `frictionless` | the robot's gripper closes on a cube without friction and lifts | the cube stays on the table |
//! | `balance` | the gripper holds a cube still | contact forces equal its weight |
//! | `grasp` | lift, shake, then a minute of motion | the cube does not slip in the hand |
//! | `shake` | 150 random joint motions of 50 ms, many seeds | the cube stays in the hand |
//! | `stack` | ten cubes on each other, 60 s | they stand |
//! | `mass_ratio` | 1 kg on 1 g, 60 s | it stands |
//! | `chain` | a ball of 1 kg swings on ten links of 1 g | no joint comes apart |
//! | `dynamics` | what the `dynamic` arm holds itself with, and how it answers torques | Lagrange's equations |
//! | `free_arm` | the `dynamic` arm under torques, 2 s | Lagrange's equations, integrated finely |
//! | `energy` | the `dynamic` arm swings without friction, 10 s | energy is kept |
//! | `settings` | the pick-and-place expert with half the time step, with twice the iterations | same success |

mod arm;
mod capsule;
mod chain;
mod critical;
mod grasp;
mod gripper;
mod hand;
mod lagrange;
mod path;
mod pinch;
mod row;
mod runner;
mod seeds;
mod stack;
mod success;
mod touch;

use std::sync::Arc;

use prehend_robot::Robot;

use crate::{PhysicsSettings, SceneConfig, SimError};

pub use row::{Requirement, VerifyRow};

use runner::Test;

/// What is run, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifyOptions {
    /// Only tests whose name starts with one of these; empty runs all.
    pub only: Vec<String>,
    /// Threads; the results do not depend on it.
    pub threads: usize,
    /// Seeds of `shake`.
    pub shake_seeds: u64,
    /// Scenes of `settings`, for each of its three settings.
    pub task_seeds: u64,
    /// First seed of both.
    pub first_seed: u64,
    /// Factor on the minutes that grasps and stacks must last; 1 is what is required.
    pub time_scale: f64,
    /// What is tested. Anything but the default is a comparison, not a proof.
    pub settings: PhysicsSettings,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            only: Vec::new(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            shake_seeds: 1000,
            task_seeds: 200,
            first_seed: 0,
            time_scale: 1.0,
            settings: PhysicsSettings::default(),
        }
    }
}

/// What every test gets.
#[derive(Clone, Copy)]
struct Bench<'a> {
    robot: &'a Arc<Robot>,
    scene: &'a Arc<SceneConfig>,
    options: &'a VerifyOptions,
}

impl Bench<'_> {
    fn settings(&self) -> &PhysicsSettings {
        &self.options.settings
    }

    /// A duration, scaled, s.
    fn seconds(&self, full: f64) -> f64 {
        full * self.options.time_scale
    }
}

type MakeTest = for<'a> fn(Bench<'a>) -> Test<'a>;

/// All tests, in the order of the table.
const TESTS: [(&str, MakeTest); 13] = [
    ("capsule", capsule::test),
    ("critical", critical::test),
    ("frictionless", gripper::frictionless),
    ("balance", gripper::balance),
    ("grasp", grasp::test),
    ("shake", seeds::test),
    ("stack", stack::ten_cubes),
    ("mass_ratio", stack::mass_ratio),
    ("chain", chain::test),
    ("dynamics", arm::dynamics),
    ("free_arm", arm::free_arm),
    ("energy", arm::energy),
    ("settings", success::test),
];

/// Names for [`VerifyOptions::only`].
#[must_use]
pub fn names() -> Vec<&'static str> {
    TESTS.iter().map(|(name, _)| *name).collect()
}

/// Runs the table. `on_row` sees every row as soon as it and all before it are known.
///
/// The rows depend on robot, scene file and options alone, not on threads or time. `scene` gives the
/// table's friction, and the task for `settings`.
///
/// # Errors
/// [`SimError::NoTest`] for a name that matches nothing; whatever else keeps a rig from being built.
/// A test that is run and fails is a row with `pass` false, never an error.
pub fn verify(
    robot: &Arc<Robot>,
    scene: &Arc<SceneConfig>,
    options: &VerifyOptions,
    on_row: &mut dyn FnMut(&VerifyRow),
) -> Result<Vec<VerifyRow>, SimError> {
    if let Some(name) = options
        .only
        .iter()
        .find(|wanted| !names().iter().any(|name| name.starts_with(*wanted)))
    {
        return Err(SimError::NoTest {
            name: name.clone(),
            known: names().join(", "),
        });
    }
    let bench = Bench {
        robot,
        scene,
        options,
    };
    let is_wanted = |name: &str| {
        options.only.is_empty() || options.only.iter().any(|wanted| name.starts_with(wanted))
    };
    let tests: Vec<Test> = TESTS
        .iter()
        .filter(|(name, _)| is_wanted(name))
        .map(|(_, make)| make(bench))
        .collect();
    runner::run(&tests, options.threads, on_row)
}

#[cfg(test)]
mod tests {
    use prehend_types::config::locate;

    use super::*;

    /// The shipped robot, scene and settings.
    pub(super) fn with_bench(run: impl FnOnce(Bench<'_>)) {
        let folder = locate("robots/fr3").expect("robots/fr3");
        let robot = Arc::new(Robot::load(&folder).expect("valid robot"));
        let path = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
        let scene = Arc::new(SceneConfig::load(&path).expect("valid scene"));
        run(Bench {
            robot: &robot,
            scene: &scene,
            options: &VerifyOptions::default(),
        });
    }

    fn verified(options: &VerifyOptions) -> Result<Vec<VerifyRow>, SimError> {
        let mut rows = None;
        with_bench(|bench| {
            rows = Some(verify(bench.robot, bench.scene, options, &mut |_| {}));
        });
        rows.expect("ran")
    }

    #[test]
    fn a_name_chooses_a_test() {
        let options = VerifyOptions {
            only: vec!["crit".to_owned()],
            ..VerifyOptions::default()
        };
        let rows = verified(&options).expect("runs");
        assert_eq!(rows.len(), 5);
        assert!(rows.iter().all(|row| row.test.starts_with("critical")));
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let options = VerifyOptions {
            only: vec!["stack".to_owned(), "gravity".to_owned()],
            ..VerifyOptions::default()
        };
        let error = verified(&options).expect_err("there is no such test");
        assert!(error.to_string().contains("gravity"), "{error}");
        assert!(error.to_string().contains("mass_ratio"), "{error}");
    }

    #[test]
    fn threads_do_not_matter() {
        let rows = |threads| {
            let options = VerifyOptions {
                only: vec!["shake".to_owned(), "mass".to_owned()],
                threads,
                shake_seeds: 4,
                time_scale: 0.05,
                ..VerifyOptions::default()
            };
            verified(&options).expect("runs")
        };
        assert_eq!(rows(1), rows(4));
    }
}
