//! The pick-and-place network in `models/` loads, reproduces its golden scenes, and still grasps.

use nalgebra::{Point3, Vector3};
use prehend_cloud::{PlaceSight, mirrored};
use prehend_policy::pick_place::{
    HandFilter, Judged, ProposedGrasp, ProposedPlace, SceneInputs, SceneNetwork, grasps, places,
};
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
    let held = view.held.as_ref().map_or(&[][..], |held| &held.points);
    let normal = |index: usize| view.normals[index];
    SceneInputs::look(network.manifest(), &view.points, normal, held, None, 0).0
}

#[test]
fn the_network_still_grasps_and_places() {
    let jaw = Jaw::load(&locate("robots/grippers/franka_hand.toml").expect("shipped"));
    let jaw = jaw.expect("sound");
    let mut network = network();
    assert_eq!(network.manifest().gripper, jaw.name);
    for judged in [Judged::Grasps, Judged::Places] {
        assert!(network.manifest().scorer_of(judged).is_some());
    }
    let (mut held, mut n_grasps) = (0, 0);
    // Fitting, tried; anywhere, and into slots.
    let mut n_places = [[0; 2]; 2];
    for seed in FIRST_SEED..FIRST_SEED + 40 {
        let Some(scene) = LabelledScene::new(seed, Split::Validation, None, &jaw) else {
            continue;
        };
        let view = &scene.picking;
        if !view.grasps.is_empty() {
            let inputs = inputs(&network, view);
            let raw = network.infer(&inputs).expect("infers");
            let filter = HandFilter::new(&jaw, &view.points);
            let proposed = grasps(&raw, &inputs, 0.2);
            let ranked = network.rank(&proposed, &view.points, &filter);
            let ranked = ranked.expect("scores").grasps;
            n_grasps += 1;
            held += usize::from(ranked.first().is_some_and(|best| {
                try_grasp(&scene.arrangement.bodies, &jaw, &best.grasp).is_held()
            }));
        }
        for placing in &scene.placings {
            let view = &placing.view;
            let shown = view.held.as_ref().expect("something is held");
            let turns = &shown.turns;
            let at = |index: usize| Point3::from(view.points[index]).cast::<f64>();
            // Where there is a slot, the object has to go into it.
            let counts = |index: &usize| placing.slot.is_none_or(|s| s.contains(&at(*index)));
            let all = || (0..view.points.len()).filter(counts);
            if all().all(|index| turns[index].fit == 0) {
                continue;
            }
            let inputs = inputs(&network, view);
            let raw = network.infer(&inputs).expect("infers");
            let index = |place: &ProposedPlace| all().find(|index| at(*index) == place.point);
            let mut proposed = places(&raw, &inputs, 0.05);
            proposed.retain(|place| index(place).is_some());
            let (filter, carried) = (HandFilter::new(&jaw, &view.points), &placing.carried);
            let lets_go = |place: &ProposedPlace| {
                let (tool, bottom) = (&carried.base_from_tool, &carried.bottom);
                filter.check_place(tool, bottom, carried.opening, place)
            };
            let ranked = network.rank_places(&proposed, &view.points, &shown.points, lets_go);
            let ranked = ranked.expect("scores").places;
            let label = ranked.first().and_then(|place| {
                let turns = turns[index(place)?];
                Some((turns.fit | turns.unsure) >> place.turn & 1)
            });
            let count = &mut n_places[usize::from(placing.slot.is_some())];
            count[0] += label.map_or(0, usize::from);
            count[1] += 1;
        }
    }
    assert!(
        n_grasps >= 30 && held * 20 >= n_grasps * 17,
        "{held} of {n_grasps}"
    );
    let [[fit, free], [in_slots, slots]] = n_places;
    assert!(free >= 20 && fit * 10 >= free * 8, "{fit} of {free}");
    assert!(
        slots >= 4 && in_slots * 5 >= slots,
        "{in_slots} of {slots} slots"
    );
}

#[test]
fn where_the_surest_grasps_cannot_be_carried_out_less_sure_ones_are_ranked() {
    let jaw = Jaw::load(&locate("robots/grippers/franka_hand.toml").expect("shipped"));
    let jaw = jaw.expect("sound");
    let mut network = network();
    let scene = LabelledScene::new(FIRST_SEED, Split::Validation, None, &jaw).expect("rests");
    let view = &scene.picking;
    let inputs = inputs(&network, view);
    let raw = network.infer(&inputs).expect("infers");
    let filter = HandFilter::new(&jaw, &view.points);
    let ranked = network.rank(&grasps(&raw, &inputs, 0.2), &view.points, &filter);
    let good = ranked.expect("scores").grasps[0];
    // In the table, and each far enough from the next to count as another one.
    let sunk = |index: u8| {
        let mut proposal = good;
        proposal.grasp.contact += Vector3::new(0.011 * f64::from(index), 0.0, -0.3);
        proposal
    };
    let mut proposed: Vec<ProposedGrasp> = (0..60).map(sunk).collect();
    proposed.push(good);
    let once = network.rank(&proposed, &view.points, &filter);
    let once = once.expect("scores");
    assert!(once.grasps.is_empty() && once.rest.contains(&good));
    let ranked = network.rank_until_good(&proposed, &view.points, &filter);
    let ranked = ranked.expect("scores");
    assert_eq!(ranked.grasps.first().map(|own| own.grasp), Some(good.grasp));
    assert_eq!((ranked.refused.len(), ranked.rest.len()), (60, 0));
}

#[test]
fn the_surest_placements_are_ranked_by_their_mirror_images_too() {
    let jaw = Jaw::load(&locate("robots/grippers/franka_hand.toml").expect("shipped"));
    let jaw = jaw.expect("sound");
    let mut network = network();
    let scene = LabelledScene::new(FIRST_SEED, Split::Validation, None, &jaw).expect("rests");
    let view = &scene.placings.first().expect("something is held").view;
    let held = &view.held.as_ref().expect("something is held").points;
    let inputs = inputs(&network, view);
    let raw = network.infer(&inputs).expect("infers");
    let proposed = places(&raw, &inputs, 0.05);
    let ranked = network.rank_places(&proposed, &view.points, held, |_| Ok(()));
    let ranked = ranked.expect("scores").places;
    let best = ranked.first().expect("a place");
    let point = best.point.cast::<f32>().into();
    let seen = PlaceSight::new(&view.points, held).close_up(&point, best.turn);
    let sides = [[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]];
    let images = sides.map(|sides| mirrored(&seen, sides));
    let scores = network.score(Judged::Places, &images).expect("scores");
    let scores = scores.expect("the bundle has a scorer");
    let mean = f64::from(scores.iter().sum::<f32>()) / 4.0;
    assert!((best.confidence - mean).abs() < 1e-6, "{best:?} {scores:?}");
    assert!(scores.iter().any(|score| (score - scores[0]).abs() > 1e-6));
}
