//! Placements to try in a scene: the network's, and the same a little off.

use nalgebra::{Point3, Vector3};
use prehend_cloud::{N_TURNS, PlaceSight};
use prehend_policy::InferenceError;
use prehend_policy::pick_place::{
    HandFilter, LEAST_PLACE, MOST_TRIED, ProposedPlace, SceneInputs, places,
};
use prehend_sim::tabletop::{HeldView, LabelledScene, Measured, PlaceOutcome, Placing, try_place};
use prehend_types::{Stream, derive_seed};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::tried::{Trial, TriedScene};
use super::trier::{N_MEASURED, Trier};

/// Placements of a look at a slot, and of any other: the surest, any others, and some of both shaken. Where there is
/// no slot most of them stand.
const IN_SLOT: [usize; 3] = [10, 14, 12];
const ANYWHERE: [usize; 3] = [4, 4, 4];
/// How far they are shaken at most, m, and how often they are turned.
const SHAKE: f64 = 0.015;
const SHAKE_TURN: f64 = 0.25;
/// Two with the same turn that are nearer to each other than this are one, m.
const APART: f64 = 0.004;
/// Within this of where the object is wanted a placement is in question, m.
const WANTED: f64 = 0.07;

impl Trier<'_> {
    /// The placements of a scene that the hand can carry out, each object in a hand seen twice: sparsely, and as
    /// densely as cameras see; `None` if nothing came to rest.
    pub(super) fn try_places(&mut self, seed: u64) -> Result<Option<TriedScene>, InferenceError> {
        let Some(scene) = LabelledScene::new(seed, &self.objects, None, self.jaw) else {
            return Ok(None);
        };
        let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Labels, 91));
        let mut trials = Vec::new();
        for (index, placing) in scene.placings.iter().enumerate() {
            let Some(held) = &placing.view.held else {
                continue;
            };
            let camera = derive_seed(seed, Stream::Camera, 91 + index as u64);
            let n_points = rng.random_range(N_MEASURED);
            let sparse = Measured {
                points: placing.view.points.clone(),
                normals: placing.view.normals.clone(),
            };
            for seen in [sparse, placing.measure(self.jaw, camera, n_points)] {
                trials.extend(self.try_look(placing, held, &seen, seed, &mut rng)?);
            }
        }
        Ok(Some(TriedScene { seed, trials }))
    }

    fn try_look(
        &mut self,
        placing: &Placing,
        held: &HeldView,
        seen: &Measured,
        seed: u64,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Trial>, InferenceError> {
        let manifest = self.network.manifest();
        let normal = |index: usize| seen.normals[index];
        let (points, focus) = (&seen.points, held.focus);
        let (inputs, _) = SceneInputs::look(manifest, points, normal, &held.points, focus, seed);
        let said = self.network.infer(&inputs)?;
        let mut proposed = places(&said, &inputs, LEAST_PLACE);
        if let Some(focus) = focus {
            let at = Vector3::new(focus[0], focus[1], 0.0).cast::<f64>();
            proposed.retain(|place| (place.point.coords - at).xy().norm() < WANTED);
        }
        proposed.truncate(MOST_TRIED);
        let (carried, jaw) = (&placing.carried, self.jaw);
        let filter = HandFilter::new(jaw, points);
        let sight = PlaceSight::new(points, &held.points);
        let numbers = if placing.slot.is_some() {
            IN_SLOT
        } else {
            ANYWHERE
        };
        let trials = candidates(&proposed, numbers, rng)
            .into_iter()
            .filter(|place| {
                let (tool, bottom) = (&carried.base_from_tool, &carried.bottom);
                filter
                    .check_place(tool, bottom, carried.opening, place)
                    .is_ok()
            });
        let trials = trials.map(|ProposedPlace { point, turn, .. }| Trial {
            close_up: sight.close_up(&point.cast::<f32>().into(), turn),
            is_good: try_place(&placing.rest.bodies, carried, jaw, &point, turn)
                == PlaceOutcome::Stands,
        });
        Ok(trials.collect())
    }
}

/// What is worth trying of placements that were proposed, surest first.
fn candidates(
    proposed: &[ProposedPlace],
    [surest, any, n_shaken]: [usize; 3],
    rng: &mut ChaCha8Rng,
) -> Vec<ProposedPlace> {
    let mut chosen: Vec<ProposedPlace> = Vec::new();
    let mut others: Vec<ProposedPlace> = proposed.to_vec();
    others.shuffle(rng);
    for (list, n) in [(proposed, surest), (&others, any)] {
        let most = chosen.len() + n;
        for place in list {
            let is_known = |other: &ProposedPlace| {
                other.turn == place.turn && (other.point - place.point).norm() < APART
            };
            if chosen.len() == most {
                break;
            }
            if !chosen.iter().any(is_known) {
                chosen.push(*place);
            }
        }
    }
    let shaken = (0..n_shaken).filter_map(|_| Some(shaken(chosen.choose(rng)?, rng)));
    let shaken: Vec<ProposedPlace> = shaken.collect();
    chosen.extend(shaken);
    chosen
}

/// The same placement, a little off along the table.
fn shaken(place: &ProposedPlace, rng: &mut ChaCha8Rng) -> ProposedPlace {
    let mut draw = || rng.random_range(-SHAKE..SHAKE);
    let point: Point3<f64> = place.point + Vector3::new(draw(), draw(), 0.0);
    let turn = if rng.random_bool(SHAKE_TURN) {
        rng.random_range(0..N_TURNS)
    } else {
        place.turn
    };
    ProposedPlace {
        point,
        turn,
        ..*place
    }
}
