//! Labels against physics: what geometry allows must hold, and what it forbids must not.

use nalgebra::{Point3, Vector3};
use prehend_robot::Jaw;
use prehend_sim::tabletop::{
    LabelledScene, PlaceOutcome, Split, TableView, TrialOutcome, try_grasp, try_place,
};
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

#[test]
fn labelled_grasps_hold_in_physics() {
    let jaw = jaw();
    let (mut held, mut n) = (0, 0);
    for scene in scenes(12) {
        let view = &scene.picking;
        let stride = view.grasps.len().div_ceil(6).max(1);
        for grasp in view.grasps.iter().step_by(stride) {
            let object = view.objects[usize::from(grasp.point)].expect("on an object");
            let outcome = try_grasp(&scene.arrangement.bodies, &jaw, &grasp.at(&view.points));
            n += 1;
            held += usize::from(
                outcome
                    == TrialOutcome::Held {
                        body: object.into(),
                    },
            );
        }
    }
    assert!(n > 40, "{n}");
    assert!(held * 100 >= n * 95, "{held} of {n}");
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

#[test]
fn labelled_places_agree_with_physics() {
    let jaw = jaw();
    // [forbidden or allowed][fails or stands]
    let mut counts = [[0_usize; 2]; 2];
    for placing in scenes(16).flat_map(|scene| scene.placings) {
        let held = placing
            .view
            .held
            .as_ref()
            .expect("placing views hold something");
        for (index, point) in placing.view.points.iter().enumerate().step_by(97) {
            let turns = held.turns[index];
            let turn = index % 8;
            if turns.unsure >> turn & 1 == 1 {
                continue;
            }
            let point = Point3::from(Vector3::from(*point).cast::<f64>());
            let bodies = &placing.rest.bodies;
            let outcome = try_place(bodies, &placing.carried, &jaw, &point, turn);
            let stands = usize::from(outcome == PlaceOutcome::Stands);
            counts[usize::from(turns.fit >> turn & 1)][stands] += 1;
        }
    }
    let [[no_no, no_yes], [yes_no, yes_yes]] = counts;
    let n = no_no + no_yes + yes_no + yes_yes;
    assert!(yes_yes > 20 && no_no > 20, "{counts:?}");
    assert!((no_no + yes_yes) * 100 >= n * 96, "{counts:?}");
}
