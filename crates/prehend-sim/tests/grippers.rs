//! Labels hold with every shipped gripper: most objects can be grasped, and what is labelled is held.

use std::collections::BTreeSet;

use prehend_robot::Jaw;
use prehend_sim::tabletop::{LabelledScene, Split, TrialOutcome, try_grasp};
use prehend_types::config::locate;

/// Grasps of each scene that are tried.
const TRIED: usize = 6;

#[derive(Debug, Default)]
struct Counts {
    objects: usize,
    graspable: usize,
    trials: usize,
    held: usize,
    /// Scenes in which one object is held over the others.
    placings: usize,
}

fn count(gripper: &str, n_scenes: u64) -> Counts {
    let path = locate(format!("robots/grippers/{gripper}.toml")).expect("shipped");
    let jaw = Jaw::load(&path).expect("sound");
    let mut counts = Counts::default();
    for seed in 720_000..720_000 + n_scenes {
        let scene = LabelledScene::new(seed, Split::Train, None, &jaw).expect("comes to rest");
        let view = &scene.picking;
        let object_of = |point: u16| view.objects[usize::from(point)].expect("on an object");
        let graspable: BTreeSet<u8> = view.grasps.iter().map(|g| object_of(g.point)).collect();
        counts.objects += scene.arrangement.instances.len();
        counts.graspable += graspable.len();
        counts.placings += usize::from(!scene.placings.is_empty());
        let stride = view.grasps.len().div_ceil(TRIED).max(1);
        for grasp in view.grasps.iter().step_by(stride) {
            let body = object_of(grasp.point).into();
            let outcome = try_grasp(&scene.arrangement.bodies, &jaw, &grasp.at(&view.points));
            counts.trials += 1;
            counts.held += usize::from(outcome == TrialOutcome::Held { body });
        }
    }
    counts
}

#[track_caller]
fn check(gripper: &str) {
    let counts = count(gripper, 20);
    assert!(counts.graspable * 10 >= counts.objects * 7, "{counts:?}");
    assert!(counts.trials > 80, "{counts:?}");
    assert!(counts.held * 100 >= counts.trials * 95, "{counts:?}");
    assert!(counts.placings >= 14, "{counts:?}");
}

#[test]
fn labels_hold_with_the_franka_hand() {
    check("franka_hand");
}

#[test]
fn labels_hold_with_the_jaw_of_the_so101() {
    check("so101_jaw");
}
