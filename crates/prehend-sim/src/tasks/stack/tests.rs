//! What counts as stacked, what only nearly does, and how a try fails.

use nalgebra::{Translation3, UnitQuaternion};
use prehend_types::config::locate;

use super::*;

struct Case {
    config: SceneConfig,
    episode: StackEpisode,
    memory: Memory,
}

impl Case {
    fn new() -> Self {
        let path = locate("scenes/stack.toml").expect("is there");
        let config = SceneConfig::load(&path).expect("valid");
        let episode = (0..).find_map(|seed| StackEpisode::draw(&config, seed, 0));
        Self {
            config,
            episode: episode.expect("one of them fits"),
            memory: Memory::default(),
        }
    }

    /// The other cube where it was put, the moved one on it and this much off.
    fn bodies(&self, off: Vector3<f64>) -> [BodyState; 2] {
        let base = self.episode.scene.bodies[BASE].base_from_body;
        let [half, half_below] = self.episode.half;
        let up = Vector3::new(0.0, 0.0, half + half_below) + off;
        let still = |base_from_body| BodyState {
            base_from_body,
            linear: Vector3::zeros(),
            angular: Vector3::zeros(),
        };
        let moved = Translation3::from(base.translation.vector + up);
        [
            still(Pose::from_parts(moved, UnitQuaternion::identity())),
            still(base),
        ]
    }

    fn judge(&mut self, bodies: &[BodyState; 2], is_held: bool, seconds: f64) -> bool {
        let [moved, base] = bodies;
        (0..(seconds / DT).round() as u64).fold(false, |_, step| {
            let bodies = [moved, base];
            let status = self
                .episode
                .step(&self.config, bodies, is_held, step, &mut self.memory);
            status.success
        })
    }
}

#[test]
fn resting_on_the_other_cube_is_success() {
    let mut case = Case::new();
    let there = case.bodies(Vector3::zeros());
    let rest = case.config.task.rest_s;
    assert!(!case.judge(&there, false, rest - 0.01));
    assert!(case.judge(&there, false, 0.02));
}

#[test]
fn near_misses_are_not() {
    let case = Case::new();
    let there = case.bodies(Vector3::zeros());
    let tilt = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), 0.4);
    let with = |change: &dyn Fn(&mut [BodyState; 2])| {
        let mut bodies = there;
        change(&mut bodies);
        bodies
    };
    let cases = [
        (there, true),
        (with(&|b| b[MOVED].linear.x = 0.02), false),
        (with(&|b| b[MOVED].angular.z = 0.5), false),
        (with(&|b| b[BASE].linear.x = 0.02), false),
        (with(&|b| b[MOVED].base_from_body.rotation = tilt), false),
        (with(&|b| b[BASE].base_from_body.rotation = tilt), false),
        (
            // Both in the air.
            with(&|b| {
                for body in b {
                    body.base_from_body.translation.z += 0.05;
                }
            }),
            false,
        ),
        // Half beside the other, hovering over it, and on the table next to it.
        (case.bodies(Vector3::new(0.03, 0.0, 0.0)), false),
        (case.bodies(Vector3::new(0.0, 0.0, 0.01)), false),
        (
            case.bodies(Vector3::new(0.06, 0.0, -2.0 * case.episode.half[BASE])),
            false,
        ),
        // Within the other, as if both were one.
        (
            case.bodies(Vector3::new(0.0, 0.0, -2.0 * case.episode.half[BASE])),
            false,
        ),
    ];
    for (index, (bodies, is_held)) in cases.into_iter().enumerate() {
        assert!(!Case::new().judge(&bodies, is_held, 2.0), "case {index}");
    }
}

#[test]
fn a_rest_that_is_interrupted_starts_again() {
    let mut case = Case::new();
    let there = case.bodies(Vector3::zeros());
    let most = 0.8 * case.config.task.rest_s;
    assert!(!case.judge(&there, false, most));
    assert!(!case.judge(&there, true, DT));
    assert!(!case.judge(&there, false, most));
    assert!(case.judge(&there, false, 0.3 * case.config.task.rest_s));
}

#[test]
fn success_stays_when_the_cube_falls_later() {
    let mut case = Case::new();
    let there = case.bodies(Vector3::zeros());
    assert!(case.judge(&there, false, case.config.task.rest_s + 0.01));
    let beside = case.bodies(Vector3::new(0.06, 0.0, -2.0 * case.episode.half[BASE]));
    assert!(case.judge(&beside, false, DT));
}

#[test]
fn failures_say_what_went_wrong() {
    let late = |was_lifted: bool, is_held: bool| {
        let mut case = Case::new();
        let on_table = case.episode.half[MOVED] - 2.0 * case.episode.half[BASE];
        let [moved, base] =
            case.bodies(Vector3::new(0.06, 0.0, on_table - case.episode.half[MOVED]));
        let mut up = moved;
        up.base_from_body.translation.z += 2.0 * LIFT;
        let end = (case.config.task.time_limit_s / DT).ceil() as u64;
        let mut step = |body: &BodyState, is_held, step| {
            let bodies = [body, &base];
            let memory = &mut case.memory;
            case.episode
                .step(&case.config, bodies, is_held, step, memory)
        };
        if was_lifted {
            assert_eq!(step(&up, true, 1), TaskStatus::default());
        }
        assert_eq!(step(&moved, is_held, end - 2), TaskStatus::default());
        step(&moved, is_held, end).failure
    };
    assert_eq!(late(false, false), Some(Failure::NeverLifted));
    assert_eq!(late(true, true), Some(Failure::NotReleased));
    assert_eq!(late(true, false), Some(Failure::Dropped));

    let at_height = |z: f64| {
        let mut case = Case::new();
        let [mut moved, base] = case.bodies(Vector3::zeros());
        moved.base_from_body.translation.z = z;
        let memory = &mut case.memory;
        let status = case
            .episode
            .step(&case.config, [&moved, &base], false, 1, memory);
        status.failure
    };
    assert_eq!(at_height(-0.1), Some(Failure::OffTable));
    assert_eq!(at_height(f64::NAN), Some(Failure::Diverged));
}

#[test]
fn draws_keep_to_the_scene_files_ranges() {
    let Case { config, .. } = Case::new();
    let ranges = config.stack.as_ref().expect("a section");
    let mut seen = [0_usize; 4];
    for seed in 0..200 {
        let Some(episode) = StackEpisode::draw(&config, seed, 0) else {
            continue;
        };
        let bodies = &episode.scene.bodies;
        seen[bodies.len() - 2] += 1;
        let roles: Vec<Role> = bodies.iter().map(|body| body.role).collect();
        assert_eq!(roles[..2], [Role::Target, Role::Receptacle]);
        assert!(roles[2..].iter().all(|role| *role == Role::Other));
        for (index, body) in bodies.iter().enumerate() {
            let at = body.base_from_body.translation.vector;
            let within = |[low, high]: [f64; 2], value: f64| (low..=high).contains(&value);
            assert!(within(ranges.size_m, 2.0 * at.z), "seed {seed}");
            assert!(within(ranges.mass_kg, body.mass), "seed {seed}");
            assert!(within(ranges.friction, body.friction), "seed {seed}");
            assert!(within(config.table.x_m, at.x) && within(config.table.y_m, at.y));
            for other in &bodies[..index] {
                let apart = at - other.base_from_body.translation.vector;
                assert!(apart.xy().norm() >= ranges.apart_m, "seed {seed}");
            }
        }
    }
    assert!(seen.iter().all(|n| *n > 10), "{seen:?}");
}
