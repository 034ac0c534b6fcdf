//! What `[randomise]` draws: inside its ranges, felt by physics and cameras, and nowhere else.

use std::path::Path;
use std::sync::Arc;

use prehend_robot::Robot;
use prehend_sim::{
    ArmMode, Factor, FamilySet, Offset, Pilot, RandomiseConfig, RolloutConfig, SceneConfig, View,
    World, rollout,
};
use prehend_types::config::{locate, parse};
use prehend_types::{JointCommand, Role};

fn robot() -> Arc<Robot> {
    let folder = locate("robots/fr3").expect("robots/fr3");
    Arc::new(Robot::load(&folder).expect("a valid robot"))
}

fn scene(randomise: Option<RandomiseConfig>) -> Arc<SceneConfig> {
    let path = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
    let scene = SceneConfig::load(&path).expect("a valid scene");
    Arc::new(SceneConfig { randomise, ..scene })
}

/// Everything at once.
fn wide() -> RandomiseConfig {
    let path = locate("scenes/randomised.toml").expect("scenes/randomised.toml");
    let scene = SceneConfig::load(&path).expect("a valid scene");
    scene.randomise.expect("a section")
}

fn hashes(world: &mut World, n_actions: usize) -> Vec<u64> {
    let mut hashes = Vec::new();
    let config = RolloutConfig::default();
    rollout(world, Pilot::Expert, &config, &mut |step| {
        hashes.push(step.hash);
    })
    .expect("a rollout");
    hashes.truncate(n_actions);
    hashes
}

fn draw(world: &World, name: &str) -> f64 {
    let draws = world.draws();
    let found = draws.iter().find(|(draw, _)| draw == name);
    found.unwrap_or_else(|| panic!("no {name} in {draws:?}")).1
}

#[test]
fn a_section_that_changes_nothing_changes_no_bit() {
    let robot = robot();
    let run = |randomise| {
        let scene = scene(randomise);
        let mut world = World::new(&robot, &scene, 41, FamilySet::Train).expect("a scene");
        (world.observe(), hashes(&mut world, 80))
    };
    let (cloud, bits) = run(None);
    let (same_cloud, same_bits) = run(Some(RandomiseConfig::default()));
    assert_eq!(bits, same_bits);
    assert_eq!(cloud.cloud.points, same_cloud.cloud.points);
    assert_ne!(bits, run(Some(wide())).1);
}

#[test]
fn draws_stay_in_their_ranges_and_know_nothing_of_each_other() {
    let robot = robot();
    let whole = scene(Some(wide()));
    let mut other = wide();
    other.gripper.force_factor = Factor([0.5, 0.6]);
    let other = scene(Some(other));
    let mut masses = Vec::new();
    for seed in 50..62 {
        let world = World::new(&robot, &whole, seed, FamilySet::Train).expect("a scene");
        let again = World::new(&robot, &whole, seed, FamilySet::Train).expect("a scene");
        assert_eq!(world.draws(), again.draws());
        let changed = World::new(&robot, &other, seed, FamilySet::Train).expect("a scene");
        for ((name, value), (_, in_other)) in world.draws().into_iter().zip(changed.draws()) {
            assert!(value.is_finite(), "{name}");
            assert_eq!(value == in_other, name != "gripper.force_factor", "{name}");
        }
        let ranges = wide();
        for (name, [low, high]) in [
            ("bodies.0.mass_factor", ranges.bodies.mass_factor.0),
            ("bodies.0.inertia_factor", ranges.bodies.inertia_factor.0),
            (
                "bodies.0.center_of_mass_share_z",
                ranges.bodies.center_of_mass_share.0,
            ),
            ("gripper.force_factor", ranges.gripper.force_factor.0),
            ("arm.delay_s", ranges.arm.delay_s.0),
            ("cameras.1.fov_factor", ranges.cameras.fov_factor.0),
        ] {
            let value = draw(&world, name);
            assert!((low..=high).contains(&value), "{name} {value}");
        }
        let body = &world.scene().bodies[0];
        let mass = draw(&world, "bodies.0.mass_kg");
        assert!((mass - body.mass * draw(&world, "bodies.0.mass_factor")).abs() < 1e-12);
        masses.push(draw(&world, "bodies.0.mass_factor"));
    }
    masses.dedup();
    assert_eq!(masses.len(), 12, "every seed draws anew");
}

#[test]
fn commands_arrive_late_by_the_drawn_delay() {
    let robot = robot();
    let mut randomise = RandomiseConfig::default();
    randomise.arm.delay_s = Offset([0.02, 0.02]);
    let scene = scene(Some(randomise));
    let world = World::with_arm(&robot, &scene, 3, FamilySet::Train, ArmMode::Exact);
    let mut world = world.expect("a scene");
    let start = world.robot_state();
    let mut q_d = start.q;
    q_d[0] += 0.01;
    let command = JointCommand {
        q_d,
        dq_d: start.dq,
        gripper: prehend_types::GripperCommand { opening: 0.0 },
    };
    for tick in 0..8 {
        world.write(&command);
        world.step();
        let state = world.robot_state();
        let has_arrived = tick >= 4;
        assert_eq!(state.q[0] == q_d[0], has_arrived, "tick {tick}");
        assert_eq!(state.gripper.commanded == 0.0, has_arrived, "tick {tick}");
    }
}

#[test]
fn a_saved_world_keeps_the_commands_on_their_way() {
    let robot = robot();
    let scene = scene(Some(wide()));
    let mut world =
        World::with_arm(&robot, &scene, 44, FamilySet::Train, ArmMode::Actuated).expect("a scene");
    let home = world.robot_state();
    let command = |tick: usize| {
        let mut q_d = home.q;
        q_d[1] += 0.001 * tick as f64;
        JointCommand {
            q_d,
            dq_d: home.dq,
            gripper: prehend_types::GripperCommand { opening: 0.5 },
        }
    };
    for tick in 0..30 {
        world.write(&command(tick));
        world.step();
    }
    let bytes = world.save().expect("bytes");
    let mut loaded = World::load(&robot, &scene, &bytes).expect("a world");
    for tick in 30..80 {
        for world in [&mut world, &mut loaded] {
            world.write(&command(tick));
            world.step();
        }
        assert_eq!(world.hash(), loaded.hash(), "tick {tick}");
    }
    // A line of another length is another scene.
    let mut other = wide();
    other.arm.delay_s = Offset([0.1, 0.1]);
    let other = Arc::new(SceneConfig {
        randomise: Some(other),
        ..(*scene).clone()
    });
    assert!(World::load(&robot, &other, &bytes).is_err());
}

#[test]
fn cameras_see_through_their_own_draws() {
    let robot = robot();
    let mut randomise = RandomiseConfig::default();
    randomise.cameras.fov_factor = Factor([1.3, 1.3]);
    let (wide_angle, plain) = (scene(Some(randomise)), scene(None));
    let see = |scene: &Arc<SceneConfig>| {
        let world = World::new(&robot, scene, 9, FamilySet::Train).expect("a scene");
        let seen = world.observe();
        let view = View::new(&robot, scene, 9, FamilySet::Train, &world.state_vector());
        let again = view.expect("a view").observe(&world.state_vector());
        assert_eq!(seen.cloud.points, again.expect("a cloud").cloud.points);
        let of_target = |role: &&Role| **role == Role::Target;
        seen.cloud.roles.iter().filter(of_target).count()
    };
    // A wider angle leaves fewer pixels for the same object.
    assert!(see(&wide_angle) < see(&plain));
}

#[test]
fn the_expert_copes_with_everything_at_once() {
    let robot = robot();
    let scene = scene(Some(wide()));
    for mode in [ArmMode::Exact, ArmMode::Actuated] {
        let run = |seed: u64| {
            let world = World::with_arm(&robot, &scene, seed, FamilySet::Train, mode);
            let mut world = world.expect("a scene");
            let config = RolloutConfig::default();
            let result = rollout(&mut world, Pilot::Expert, &config, &mut |_| {});
            result.expect("a rollout").success
        };
        let successes = (61_000..61_020).filter(|seed| run(*seed)).count();
        assert!(successes >= 17, "{mode:?}: {successes} of 20");
    }
}

#[test]
fn ranges_that_make_no_sense_are_refused() {
    let path = locate("scenes/randomised.toml").expect("scenes/randomised.toml");
    let good = std::fs::read_to_string(&path).expect("readable");
    let parsed: SceneConfig = parse(&good, Path::new("good.toml")).expect("valid");
    assert!(parsed.randomise.is_some());
    let folder = tempfile::tempdir().expect("a folder");
    for (from, to, word) in [
        (
            "mass_factor = [",
            "mass_factor = [-1.0, 1.0] #",
            "randomise.bodies.mass_factor",
        ),
        (
            "delay_s = [",
            "delay_s = [0.0, 2.0] #",
            "randomise.arm.delay_s",
        ),
        (
            "fov_factor = [",
            "fov_factor = [1.2, 0.8] #",
            "randomise.cameras.fov_factor",
        ),
        (
            "force_factor = [",
            "force_factor = [nan, 1.0] #",
            "randomise.gripper.force_factor",
        ),
        ("mass_factor = [", "mas_factor = [", "mas_factor"),
    ] {
        let file = folder.path().join("bad.toml");
        std::fs::write(&file, good.replacen(from, to, 1)).expect("written");
        let error = SceneConfig::load(&file).expect_err(word).to_string();
        assert!(error.contains(word), "{error}");
    }
}
