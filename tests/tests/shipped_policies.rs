//! The bundles in `models/` load, reproduce their golden outputs, and still work.

use std::sync::Arc;

use prehend_policy::{OnnxPolicy, RuntimeOptions, is_offline};
use prehend_robot::Robot;
use prehend_sim::{FamilySet, Pilot, RolloutConfig, SceneConfig, World, rollout};
use prehend_types::config::locate;

/// Scenes that neither training, validation nor reports use.
const FIRST_SEED: u64 = 850_000;

fn options() -> RuntimeOptions {
    RuntimeOptions {
        allow_install: !is_offline(),
        ..RuntimeOptions::default()
    }
}

/// Successes of a bundle on `n` scenes of trained families. Loading checks hashes and golden outputs.
fn successes(model: &str, n: u64) -> usize {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let scene = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
    let scene = Arc::new(SceneConfig::load(&scene).expect("valid scene"));
    let robot = Arc::new(robot);
    let folder = locate(model).expect("a shipped bundle");
    let mut policy = OnnxPolicy::load(&folder, &options()).expect("a whole bundle");
    let id = &policy.manifest().robot;
    assert_eq!(
        (id.name.as_str(), id.fingerprint.as_str()),
        (robot.name(), robot.content_hash()),
        "{model} was made for another robot"
    );
    (FIRST_SEED..FIRST_SEED + n)
        .filter(|seed| {
            let mut world =
                World::new(&robot, &scene, *seed, FamilySet::Train).expect("a settled world");
            let pilot = Pilot::Policy(&mut policy);
            rollout(&mut world, pilot, &RolloutConfig::default(), &mut |_| {})
                .expect("a whole episode")
                .success
        })
        .count()
}

#[test]
fn the_student_still_picks_and_places() {
    let n = successes("models/fr3_pick_place", 12);
    assert!(n >= 7, "{n} of 12");
}

#[test]
fn the_teacher_still_picks_and_places() {
    let n = successes("models/fr3_pick_place_teacher", 12);
    assert!(n >= 7, "{n} of 12");
}
