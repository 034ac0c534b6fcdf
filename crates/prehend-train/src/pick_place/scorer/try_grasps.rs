//! Grasps to try in a scene: the network's, the same a little off, and those of two rules.

use nalgebra::{UnitQuaternion, Vector3};
use prehend_cloud::{SURFACE, close_up};
use prehend_policy::InferenceError;
use prehend_policy::pick_place::{
    HandFilter, ProposedGrasp, SceneInputs, antipodal_grasps, centroid_grasps, grasps, surest_apart,
};
use prehend_robot::Jaw;
use prehend_sim::tabletop::{Arrangement, Measured, attempt_grasp};
use prehend_types::{Stream, TableGrasp, derive_seed};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::tried::{Trial, TriedScene};
use super::trier::{LEAST, N_MEASURED, Trier};

/// Grasps of a scene: as the network proposes them, the same shaken, and those of two geometric rules.
const N_PROPOSED: usize = 14;
const N_SHAKEN: usize = 10;
const N_CENTROID: usize = 4;
const N_ANTIPODAL: usize = 8;
/// How far they are shaken at most: about each axis (rad), along it, and in width (m).
const SHAKE_TURN: f64 = 0.5;
const SHAKE_SHIFT: f64 = 0.012;
const SHAKE_WIDTH: std::ops::Range<f64> = -0.006..0.012;
/// Points above the table that pairs are looked for among, and pairs.
const MOST_FACING: usize = 1280;
const MOST_PAIRS: usize = 60;

impl Trier<'_> {
    /// The grasps of a scene that the hand can carry out; `None` if nothing came to rest.
    pub(super) fn try_grasps(&mut self, seed: u64) -> Result<Option<TriedScene>, InferenceError> {
        let Some(table) = Arrangement::new(seed, &self.objects, None) else {
            return Ok(None);
        };
        let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Labels, 90));
        let n_points = rng.random_range(N_MEASURED);
        let seen = table.measure(derive_seed(seed, Stream::Camera, 90), n_points);
        let filter = HandFilter::new(self.jaw, &seen.points);
        let candidates = self.candidate_grasps(&seen, seed, &mut rng)?;
        let feasible = candidates
            .iter()
            .filter_map(|grasp| filter.check(grasp, |_| true).ok());
        let trials = feasible.map(|grasp| Trial {
            close_up: close_up(&seen.points, &grasp),
            is_good: attempt_grasp(&table.bodies, self.jaw, &grasp).holds_level(&table.bodies),
        });
        let trials = trials.collect();
        Ok(Some(TriedScene { seed, trials }))
    }

    fn candidate_grasps(
        &mut self,
        seen: &Measured,
        seed: u64,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<TableGrasp>, InferenceError> {
        let manifest = self.network.manifest();
        let normal = |index: usize| seen.normals[index];
        let (inputs, _) = SceneInputs::look(manifest, &seen.points, normal, &[], None, seed);
        let said = self.network.infer(&inputs)?;
        let mut proposed: Vec<ProposedGrasp> = grasps(&said, &inputs, LEAST);
        // Not the surest alone: what is seen should span good and bad.
        proposed.shuffle(rng);
        let [apart, _] = surest_apart(&proposed);
        let mut all: Vec<TableGrasp> = apart.iter().take(N_PROPOSED).map(|p| p.grasp).collect();
        let rest = apart.iter().rev().take(N_SHAKEN);
        all.extend(rest.map(|p| shaken(&p.grasp, self.jaw, rng)));
        let mut add = |mut some: Vec<TableGrasp>, n: usize| {
            some.shuffle(rng);
            all.extend(some.into_iter().take(n));
        };
        add(centroid_grasps(&seen.points), N_CENTROID);
        let above = (0..seen.points.len()).filter(|index| seen.points[*index][2] > SURFACE);
        let above: Vec<usize> = above.take(MOST_FACING).collect();
        let of = |all: &[[f32; 3]]| above.iter().map(|index| all[*index]).collect::<Vec<_>>();
        let (points, normals) = (of(&seen.points), of(&seen.normals));
        let width = self.jaw.max_width_m - 0.006;
        let pairs = antipodal_grasps(&points, &normals, width, MOST_PAIRS, seed);
        add(pairs, N_ANTIPODAL);
        Ok(all)
    }
}

/// The same grasp, a little off.
fn shaken(grasp: &TableGrasp, jaw: &Jaw, rng: &mut ChaCha8Rng) -> TableGrasp {
    let mut draw = |most: f64| Vector3::from_fn(|_, _| rng.random_range(-most..most));
    let turn = UnitQuaternion::from_scaled_axis(draw(SHAKE_TURN));
    let shift = draw(SHAKE_SHIFT);
    let width = grasp.width + rng.random_range(SHAKE_WIDTH);
    TableGrasp {
        contact: grasp.contact + shift,
        closing: turn * grasp.closing,
        approach: turn * grasp.approach,
        width: width.clamp(0.002, jaw.max_width_m - 0.002),
        ..*grasp
    }
}
