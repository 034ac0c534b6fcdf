//! A flow policy that needs roles, on clouds without any: the pick-and-place network supplies them.

use std::path::Path;
use std::sync::Arc;

use prehend_runtime::LaunchFile;
use prehend_sim::{FamilySet, Pilot, RolloutConfig, SceneConfig, World, rollout};
use prehend_types::Role;
use prehend_types::config::locate;

const LAUNCH: &str = "launch/unmarked.toml";

fn scene(unmarked: bool) -> Arc<SceneConfig> {
    let scene = SceneConfig::load(&locate("scenes/unmarked.toml").expect("shipped"));
    let mut scene = scene.expect("sound");
    scene.cloud.unmarked = unmarked;
    Arc::new(scene)
}

#[test]
fn one_object_goes_into_the_only_receptacle_though_nothing_is_marked() {
    let launch = LaunchFile::load(Path::new(LAUNCH)).expect("shipped");
    let robot = launch.load_robot().expect("shipped");
    let mut policy = launch.load_policy(&robot).expect("shipped").policy;
    let scene = scene(true);
    let mut n_placed = 0;
    for seed in 850_010..850_015 {
        let mut world = World::new(&robot, &scene, seed, FamilySet::Train).expect("a usable scene");
        let roles = world.observe().cloud.roles;
        assert!(roles.iter().all(|role| *role == Role::Other));
        policy.reset(seed);
        let config = RolloutConfig::default();
        let pilot = Pilot::Policy(policy.as_mut());
        let result = rollout(&mut world, pilot, &config, &mut |_| {});
        n_placed += usize::from(result.expect("runs").success);
    }
    assert!(n_placed >= 3, "{n_placed} of 5");
}

#[test]
fn unmarked_clouds_hold_the_same_points_and_the_table() {
    let launch = LaunchFile::load(Path::new(LAUNCH)).expect("shipped");
    let robot = launch.load_robot().expect("shipped");
    let cloud = |unmarked| {
        let world = World::new(&robot, &scene(unmarked), 850_020, FamilySet::Train);
        world.expect("a usable scene").observe().cloud
    };
    let (marked, unmarked) = (cloud(false), cloud(true));
    assert!(marked.roles.contains(&Role::Target) && marked.roles.contains(&Role::Receptacle));
    let n_table = unmarked
        .points
        .iter()
        .filter(|p| p[2].abs() < 0.003)
        .count();
    assert!(n_table > unmarked.points.len() / 2, "{n_table}");
    assert!(unmarked.points.len() > 4 * marked.points.len());
}
