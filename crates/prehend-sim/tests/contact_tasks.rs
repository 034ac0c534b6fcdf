//! Opening a drawer, pushing a T and putting a peg in, seen from outside.

use std::sync::Arc;

use prehend_robot::Robot;
use prehend_sim::{
    Disturbance, FamilySet, Pilot, RolloutConfig, RolloutStep, SceneConfig, World, rollout,
};
use prehend_types::config::locate;
use prehend_types::{Action, ActionChunk, Observation, Policy, PolicyError, Role};

fn cell(scene: &str) -> (Arc<Robot>, Arc<SceneConfig>) {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let scene = locate(format!("scenes/{scene}.toml")).expect("a scene file");
    (
        Arc::new(robot),
        Arc::new(SceneConfig::load(&scene).expect("valid scene")),
    )
}

fn run(scene: &str, seed: u64, disturbance: Option<Disturbance>) -> (bool, Vec<RolloutStep>) {
    let (robot, scene) = cell(scene);
    let mut world = World::new(&robot, &scene, seed, FamilySet::Train).expect("a scene");
    let config = RolloutConfig {
        disturbance,
        ..RolloutConfig::default()
    };
    let mut steps = Vec::new();
    let result = rollout(&mut world, Pilot::Expert, &config, &mut |step| {
        steps.push(step.clone());
    });
    let success = result.expect("a rollout").success;
    assert_eq!(world.progress() == 1.0, success, "only success is worth 1");
    (success, steps)
}

#[test]
fn the_experts_do_their_tasks() {
    for (scene, seeds) in [
        ("drawer", 500..510),
        ("push_t", 500..506),
        ("peg", 500..510),
    ] {
        let n = seeds.end - seeds.start;
        let successes = seeds.filter(|seed| run(scene, *seed, None).0).count();
        assert!(successes as u64 + 1 >= n, "{scene}: {successes} of {n}");
    }
}

#[test]
fn experts_that_are_pushed_about_still_succeed() {
    for (scene, n) in [("drawer", 6), ("push_t", 3), ("peg", 6)] {
        let disturbed = (540..540 + n).map(|seed| run(scene, seed, Some(Disturbance::default())));
        let (successes, steps): (Vec<bool>, Vec<_>) = disturbed.unzip();
        let successes = successes.into_iter().filter(|success| *success).count();
        assert!(successes as u64 + 1 >= n, "{scene}: {successes} of {n}");
        assert!(steps.iter().flatten().any(|step| !step.is_expert));
    }
}

#[test]
fn equal_seeds_give_equal_bits() {
    for scene in ["drawer", "push_t", "peg"] {
        let hashes = |seed| -> Vec<u64> {
            let (_, steps) = run(scene, seed, None);
            steps.iter().map(|step| step.hash).collect()
        };
        assert_eq!(hashes(501), hashes(501));
        assert_ne!(hashes(501), hashes(502));
    }
}

#[test]
fn cameras_see_what_the_task_is_about() {
    let count = |scene: &str, role: Role| {
        let (robot, scene) = cell(scene);
        let world = World::new(&robot, &scene, 503, FamilySet::Train).expect("a scene");
        let roles = world.observe().cloud.roles;
        roles.into_iter().filter(|own| *own == role).count()
    };
    assert!(count("drawer", Role::Target) > 100);
    assert!(count("drawer", Role::Other) > 100);
    assert!(count("peg", Role::Target) > 100);
    assert!(count("peg", Role::Receptacle) > 100);
    assert!(count("push_t", Role::Target) > 100);
    assert!(count("push_t", Role::Receptacle) > 30, "the paint is seen");
}

/// Moves nothing.
struct Idle;

impl Policy for Idle {
    fn name(&self) -> &str {
        "idle"
    }
    fn reset(&mut self, _seed: u64) {}
    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
        let dt = std::time::Duration::from_millis(50);
        let hold = [Action::hold(1.0); 8];
        Ok(ActionChunk::new(observation.stamp, dt, 8, &hold).expect("eight fit"))
    }
}

#[test]
fn doing_nothing_times_out() {
    for scene in ["drawer", "push_t"] {
        let (robot, scene) = cell(scene);
        let mut world = World::new(&robot, &scene, 801, FamilySet::Train).expect("a scene");
        let start = world.progress();
        let config = RolloutConfig::default();
        let result = rollout(&mut world, Pilot::Policy(&mut Idle), &config, &mut |_| {});
        let result = result.expect("a rollout");
        assert_eq!(result.failure.map(|f| f.name()), Some("timed_out"));
        assert!((world.progress() - start).abs() < 0.05);
    }
}

#[test]
fn scene_files_are_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |scene: &str, from: &str, to: &str| {
        let good = std::fs::read_to_string(locate(scene).expect("a scene file")).expect("readable");
        assert!(good.contains(from), "{from}");
        let path = folder.path().join("scene.toml");
        std::fs::write(&path, good.replacen(from, to, 1)).expect("written");
        SceneConfig::load(&path).expect_err(to).to_string()
    };
    let cases = [
        (
            "scenes/peg.toml",
            "clearance_m = 0.002",
            "clearance_m = 0.0",
            "peg.clearance_m",
        ),
        (
            "scenes/peg.toml",
            "width_m = [0.030, 0.050]",
            "width_m = [0.030, 0.090]",
            "peg.width_m",
        ),
        (
            "scenes/peg.toml",
            "depth_m = 0.045",
            "depth_m = 0.2",
            "peg.depth_m",
        ),
        (
            "scenes/peg.toml",
            "length_m = [0.17",
            "length_m = [nan",
            "peg.length_m",
        ),
        ("scenes/peg.toml", "[peg]", "[pag]", "pag"),
        ("scenes/drawer.toml", "[drawer]", "[drawr]", "drawr"),
        (
            "scenes/drawer.toml",
            "kind = \"drawer\"",
            "kind = \"push_t\"",
            "push_t",
        ),
        (
            "scenes/drawer.toml",
            "travel_m = [0.14",
            "travel_m = [0.10",
            "drawer.travel_m",
        ),
        (
            "scenes/drawer.toml",
            "handle_gap_m = [0.030",
            "handle_gap_m = [0.010",
            "handle_gap_m",
        ),
        (
            "scenes/drawer.toml",
            "friction_n = [0.5",
            "friction_n = [nan",
            "drawer.friction_n",
        ),
        (
            "scenes/push_t.toml",
            "goal_m = [0.52",
            "goal_m = [0.92",
            "push_t.goal_m",
        ),
        (
            "scenes/push_t.toml",
            "min_overlap = 0.90",
            "min_overlap = 1.10",
            "min_overlap",
        ),
        (
            "scenes/push_t.toml",
            "max_start_overlap = 0.5",
            "max_start_overlap = 0.9",
            "max_start",
        ),
        (
            "scenes/push_t.toml",
            "mass_kg = [0.2",
            "mass_kg = [-0.2",
            "push_t.mass_kg",
        ),
    ];
    for (scene, from, to, expected) in cases {
        let message = refused(scene, from, to);
        assert!(message.contains(expected), "{message}");
    }
}
