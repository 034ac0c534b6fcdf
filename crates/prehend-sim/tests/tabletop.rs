//! Labels against physics: what geometry allows must hold, and what it forbids must not.

use prehend_robot::Jaw;
use prehend_sim::tabletop::{LabelAudit, LabelledScene, Split, TableView, TrialOutcome, try_grasp};
use prehend_types::config::locate;

fn jaw() -> Jaw {
    Jaw::load(&locate("robots/grippers/franka_hand.toml").expect("shipped")).expect("sound")
}

fn scenes(n: u64) -> impl Iterator<Item = LabelledScene> {
    let jaw = jaw();
    (710_000..710_000 + n)
        .filter_map(move |seed| LabelledScene::new(seed, Split::Train, None, &jaw))
}

#[test]
fn equal_seeds_give_equal_labels() {
    let jaw = jaw();
    let make = || LabelledScene::new(710_003, Split::Train, None, &jaw).expect("comes to rest");
    let (first, second) = (make(), make());
    assert_eq!(first.picking, second.picking);
    let views = |scene: LabelledScene| -> Vec<TableView> {
        let placings = scene.placings.into_iter();
        placings.map(|placing| placing.view).collect()
    };
    assert_eq!(views(first), views(second));
}

fn audit(n: u64) -> LabelAudit {
    let mut sum = LabelAudit::default();
    for scene in scenes(n) {
        sum.add(&LabelAudit::of(&scene, &jaw()));
    }
    sum
}

#[test]
fn labels_agree_with_physics() {
    let found = audit(40);
    let grasps = found.grasps_hold();
    assert!(grasps.n > 40, "{grasps}");
    assert!(grasps.success_rate >= Some(0.95), "{grasps}");
    let [[forbidden, _], [_, allowed]] = found.places;
    assert!(forbidden > 20 && allowed > 20, "{found:?}");
    let places = found.places_agree();
    assert!(places.success_rate >= Some(0.98), "{places}");
}

#[test]
fn a_grasp_beside_everything_misses() {
    let jaw = jaw();
    let scene = scenes(1).next().expect("comes to rest");
    let view = &scene.picking;
    let mut grasp = view.grasps.first().expect("graspable").at(&view.points);
    grasp.contact.z += 0.3;
    let outcome = try_grasp(&scene.arrangement.bodies, &jaw, &grasp);
    assert_eq!(outcome, TrialOutcome::Missed);
}
