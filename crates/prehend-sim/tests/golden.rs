//! The bits that every machine must agree on: one episode of every scene file with every arm.
//!
//! When physics changes on purpose, `PREHEND_BLESS=1 cargo test --release -p prehend-sim --test golden`
//! writes the new ones; the change of `golden.txt` then shows in review.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use prehend_robot::Robot;
use prehend_sim::{ArmMode, FamilySet, Pilot, RolloutConfig, SceneConfig, World, rollout};
use prehend_types::config::locate;

const SEED: u64 = 42;

/// FNV-1a, going on from `hash`.
fn hashed(hash: u64, bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// What the cameras see, noise included: every bit of every point.
fn seen(world: &World) -> u64 {
    let cloud = world.observe().cloud;
    let points = cloud.points.iter().flatten();
    let hash = hashed(
        BASIS,
        points.flat_map(|value| value.to_bits().to_le_bytes()),
    );
    hashed(hash, cloud.roles.iter().map(|role| *role as u8))
}

/// Scene, arm, number of actions, hash of the start, hash over all steps, hashes of the first cloud and the last;
/// where nobody can act, of the start and the first cloud alone.
fn episode(robot: &Arc<Robot>, scene: &Path, arm: ArmMode) -> String {
    let config = Arc::new(SceneConfig::load(scene).expect("a valid scene"));
    let world = World::with_arm(robot, &config, SEED, FamilySet::Train, arm);
    let mut world = world.expect("a scene");
    let (start, first) = (world.hash(), seen(&world));
    if !world.episode().has_expert() {
        return format!("{} {} {start:016x} {first:016x}", config.name, arm.name());
    }
    let (mut n_actions, mut all) = (0, BASIS);
    rollout(
        &mut world,
        Pilot::Expert,
        &RolloutConfig::default(),
        &mut |step| {
            n_actions += 1;
            all = hashed(all, step.hash.to_le_bytes());
        },
    )
    .expect("a rollout");
    format!(
        "{} {} {n_actions} {start:016x} {all:016x} {first:016x} {:016x}",
        config.name,
        arm.name(),
        seen(&world)
    )
}

#[test]
fn this_machine_agrees_with_the_one_that_wrote_the_hashes() {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("a valid robot");
    let robot = Arc::new(robot);
    let mut scenes: Vec<_> = std::fs::read_dir(locate("scenes").expect("scenes"))
        .expect("scenes")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    scenes.sort();
    let mut found = String::new();
    for scene in &scenes {
        for arm in ArmMode::ALL {
            writeln!(found, "{}", episode(&robot, scene, arm)).expect("written");
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/golden.txt");
    if std::env::var_os("PREHEND_BLESS").is_some() {
        std::fs::write(&path, &found).expect("written");
    }
    let expected = std::fs::read_to_string(&path).expect("src/golden.txt");
    let differing: Vec<_> = expected
        .lines()
        .zip(found.lines())
        .filter(|(a, b)| a != b)
        .collect();
    assert!(expected == found, "expected and found: {differing:#?}");
}
