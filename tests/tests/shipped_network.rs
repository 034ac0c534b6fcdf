//! The pick-and-place network in `models/` loads, reproduces its golden scenes, and still grasps.

use prehend_policy::pick_place::{HandFilter, SceneInputs, SceneNetwork, grasps, places};
use prehend_policy::{RuntimeOptions, is_offline};
use prehend_robot::Jaw;
use prehend_sim::tabletop::{LabelledScene, Split, TableView, try_grasp};
use prehend_types::config::locate;

/// Scenes that neither training, validation nor reports use.
const FIRST_SEED: u64 = 850_000;

fn network() -> SceneNetwork {
    let options = RuntimeOptions {
        allow_install: !is_offline(),
        ..RuntimeOptions::default()
    };
    let folder = locate("models/pick-place").expect("a shipped bundle");
    SceneNetwork::load(&folder, &options).expect("a whole bundle")
}

fn inputs(network: &SceneNetwork, view: &TableView) -> SceneInputs {
    let manifest = network.manifest();
    let order: Vec<usize> = (0..view.points.len()).collect();
    let n_points = manifest.grouping.n_points;
    let chosen = SceneInputs::choose(&view.points, &order, n_points, None);
    let normals: Vec<[f32; 3]> = chosen.iter().map(|i| view.normals[*i]).collect();
    let held = view.held.as_ref().map_or(&[][..], |held| &held.points);
    SceneInputs::new(
        &manifest.grouping,
        chosen.iter().map(|i| view.points[*i]).collect(),
        &normals,
        held,
        manifest.n_held,
    )
}

#[test]
fn the_network_still_grasps_and_places() {
    let jaw = Jaw::load(&locate("robots/grippers/franka_hand.toml").expect("shipped"));
    let jaw = jaw.expect("sound");
    let mut network = network();
    assert_eq!(network.manifest().gripper, jaw.name);
    let (mut held, mut n_grasps, mut fitting, mut n_places) = (0, 0, 0, 0);
    for seed in FIRST_SEED..FIRST_SEED + 16 {
        let Some(scene) = LabelledScene::new(seed, Split::Validation, None, &jaw) else {
            continue;
        };
        let view = &scene.picking;
        if !view.grasps.is_empty() {
            let inputs = inputs(&network, view);
            let raw = network.infer(&inputs).expect("infers");
            let filter = HandFilter::new(&jaw, &view.points);
            let proposed = grasps(&raw, &inputs, 0.2);
            let best = proposed
                .iter()
                .find_map(|p| filter.check(&p.grasp, |_| true).ok());
            n_grasps += 1;
            held +=
                usize::from(best.is_some_and(|grasp| {
                    try_grasp(&scene.arrangement.bodies, &jaw, &grasp).is_held()
                }));
        }
        for placing in &scene.placings {
            let view = &placing.view;
            let inputs = inputs(&network, view);
            let raw = network.infer(&inputs).expect("infers");
            let turns = &view.held.as_ref().expect("something is held").turns;
            let Some(best) = places(&raw, &inputs, 0.2).first().copied() else {
                continue;
            };
            let index = view.points.iter().position(|p| {
                p.iter()
                    .zip(&best.point.coords)
                    .all(|(a, b)| f64::from(*a) == *b)
            });
            let label = turns[index.expect("one of the points")];
            n_places += 1;
            fitting += usize::from((label.fit | label.unsure) >> best.turn & 1);
        }
    }
    assert!(
        n_grasps >= 12 && held * 10 >= n_grasps * 7,
        "{held} of {n_grasps}"
    );
    assert!(
        n_places >= 10 && fitting * 10 >= n_places * 8,
        "{fitting} of {n_places}"
    );
}
