//! The bundles in `models/` load, reproduce their golden outputs, and still work.

use std::sync::Arc;

use prehend_policy::{OnnxPolicy, RuntimeOptions, is_offline};
use prehend_robot::Robot;
use prehend_sim::{Delay, FamilySet, Pilot, RolloutConfig, SceneConfig, Seams, World, rollout};
use prehend_types::config::locate;

/// Scenes that neither training, validation nor reports use.
const FIRST_SEED: u64 = 850_000;

fn options() -> RuntimeOptions {
    RuntimeOptions {
        allow_install: !is_offline(),
        ..RuntimeOptions::default()
    }
}

/// Successes of a bundle on `n` scenes of trained families whose answers come so many actions late, and the mean
/// width of the seams between its plans, m. Loading checks hashes and golden outputs.
fn successes(model: &str, n: u64, late: u8) -> (usize, f64) {
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
    let config = RolloutConfig {
        delay: Delay {
            least: late,
            most: late,
        },
        ..RolloutConfig::default()
    };
    let mut seams = Seams::default();
    let seeds = FIRST_SEED..FIRST_SEED + n;
    let n = seeds
        .filter(|seed| {
            let mut world =
                World::new(&robot, &scene, *seed, FamilySet::Train).expect("a settled world");
            let pilot = Pilot::Policy(&mut policy);
            let result = rollout(&mut world, pilot, &config, &mut |_| {});
            let result = result.expect("a whole episode");
            seams.merge(result.seams);
            result.success
        })
        .count();
    (n, seams.sum_m / seams.n as f64)
}

#[test]
fn the_student_still_picks_and_places() {
    let (n, _) = successes("models/fr3_pick_place", 12, 0);
    assert!(n >= 7, "{n} of 12");
}

#[test]
fn the_teacher_still_picks_and_places() {
    let (n, _) = successes("models/fr3_pick_place_teacher", 12, 0);
    assert!(n >= 7, "{n} of 12");
}

#[test]
fn who_is_told_what_is_decided_goes_on_from_it_when_answers_are_late() {
    let (n, told) = successes("models/fr3_pick_place_rtc", 12, 2);
    assert!(n >= 7, "{n} of 12");
    let (_, untold) = successes("models/fr3_pick_place", 12, 2);
    assert!(told < 0.6 * untold, "seams of {told} m, untold {untold} m");
}
