//! Grasps that were tried: what they looked like, and whether they held.

use std::path::Path;

use nalgebra::{UnitQuaternion, Vector3};
use prehend_cloud::{CLOSE_UP_POINTS, CloseUp, SURFACE, close_up};
use prehend_data::write_atomic;
use prehend_policy::InferenceError;
use prehend_policy::pick_place::{
    HandFilter, ProposedGrasp, SceneInputs, SceneNetwork, antipodal_grasps, centroid_grasps,
    grasps, surest_apart,
};
use prehend_robot::Jaw;
use prehend_sim::tabletop::{Arrangement, Measured, ObjectSource, SceneObjects, Split, try_grasp};
use prehend_types::{Stream, TableGrasp, derive_seed};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::checkpoint::{read_sealed, seal};

/// Changes whenever close-ups do.
const VERSION: u32 = 1;
/// Seeds from here on are for validation and reports.
const FIRST_UNTRAINED: u64 = 700_000;

/// Less sure than this nothing is tried: what the network hardly believes is there to be told apart.
const LEAST: f64 = 0.05;
/// Grasps of a scene: as the network proposes them, the same shaken, and those of two geometric rules.
const N_PROPOSED: usize = 14;
const N_SHAKEN: usize = 10;
const N_CENTROID: usize = 4;
const N_ANTIPODAL: usize = 8;
/// How far they are shaken at most: about each axis (rad), along it, and in width (m).
const SHAKE_TURN: f64 = 0.5;
const SHAKE_SHIFT: f64 = 0.012;
const SHAKE_WIDTH: std::ops::Range<f64> = -0.006..0.012;
/// Points that two cameras measure, from sparse to dense.
const N_MEASURED: std::ops::Range<usize> = 4_000..20_000;
/// Points above the table that pairs are looked for among, and pairs.
const MOST_FACING: usize = 1280;
const MOST_PAIRS: usize = 60;

/// One grasp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriedGrasp {
    /// What was measured around it.
    pub close_up: CloseUp,
    /// Whether it held.
    pub is_held: bool,
}

/// The grasps that were tried in one scene, each on the scene as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriedScene {
    /// Seed of the scene.
    pub seed: u64,
    /// The grasps.
    pub grasps: Vec<TriedGrasp>,
}

/// Grasps of many scenes, with what they have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriedGrasps {
    version: u32,
    objects: SceneObjects,
    gripper: String,
    gripper_fingerprint: String,
    /// SHA-256 of the graph that proposed.
    pub network: String,
    /// By seed.
    pub scenes: Vec<TriedScene>,
}

/// Tries grasps in scenes.
pub struct Trier<'a> {
    /// Proposes.
    pub network: SceneNetwork,
    /// The gripper.
    pub jaw: &'a Jaw,
    /// What scenes are made of.
    pub objects: ObjectSource,
}

impl Trier<'_> {
    /// The grasps of the scene of a seed that the hand can carry out; `None` if nothing came to rest.
    ///
    /// # Errors
    /// [`InferenceError`] if the network fails.
    pub fn try_scene(&mut self, seed: u64) -> Result<Option<TriedScene>, InferenceError> {
        let Some(table) = Arrangement::new(seed, &self.objects, None) else {
            return Ok(None);
        };
        let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Labels, 90));
        let n_points = rng.random_range(N_MEASURED);
        let seen = table.measure(derive_seed(seed, Stream::Camera, 90), n_points);
        let filter = HandFilter::new(self.jaw, &seen.points);
        let candidates = self.candidates(&seen, seed, &mut rng)?;
        let feasible = candidates
            .iter()
            .filter_map(|grasp| filter.check(grasp, |_| true).ok());
        let grasps = feasible.map(|grasp| TriedGrasp {
            close_up: close_up(&seen.points, &grasp),
            is_held: try_grasp(&table.bodies, self.jaw, &grasp).is_held(),
        });
        let grasps = grasps.collect();
        Ok(Some(TriedScene { seed, grasps }))
    }

    fn candidates(
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

impl TriedGrasps {
    /// Those of some scenes, in any order.
    #[must_use]
    pub fn new(
        objects: &ObjectSource,
        jaw: &Jaw,
        network: String,
        mut scenes: Vec<TriedScene>,
    ) -> Self {
        scenes.sort_by_key(|scene| scene.seed);
        Self {
            version: VERSION,
            objects: objects.describe(),
            gripper: jaw.name.clone(),
            gripper_fingerprint: jaw.fingerprint(),
            network,
            scenes,
        }
    }

    /// Grasps in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scenes.iter().map(|scene| scene.grasps.len()).sum()
    }

    /// Whether nothing was tried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Grasps that held.
    #[must_use]
    pub fn n_held(&self) -> usize {
        let grasps = self.scenes.iter().flat_map(|scene| &scene.grasps);
        grasps.filter(|grasp| grasp.is_held).count()
    }

    /// What they are of.
    pub(super) fn describe(&self) -> String {
        format!(
            "{} grasps in {} scenes of {}, proposed by network {}",
            self.len(),
            self.scenes.len(),
            self.objects,
            self.network
        )
    }

    /// Writes them as one file, whole or not at all.
    ///
    /// # Errors
    /// [`TrainError::Data`].
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        Ok(write_atomic(path, &seal(self, path)?)?)
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`TrainError`] naming it.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        let own: Self = read_sealed(path)?;
        let refuse = |reason: String| {
            Err(TrainError::Checkpoint {
                path: path.to_owned(),
                reason: format!("{reason}; make another with `prehend scenes try`"),
            })
        };
        if own.version != VERSION {
            let version = own.version;
            return refuse(format!(
                "is of version {version}, this prehend reads {VERSION}"
            ));
        }
        let grasps = own.scenes.iter().flat_map(|scene| &scene.grasps);
        let is_whole = |grasp: &TriedGrasp| {
            let numbers = grasp.close_up.iter().flatten();
            grasp.close_up.len() == 2 * CLOSE_UP_POINTS && numbers.copied().all(f32::is_finite)
        };
        if !grasps.clone().all(is_whole) {
            return refuse("holds a close-up that is none".to_owned());
        }
        Ok(own)
    }

    /// The same, if one may learn from it for this gripper.
    ///
    /// # Errors
    /// [`TrainError`] as for [`Self::load`], or if it is of objects, seeds or a gripper that are kept for
    /// something else.
    pub fn load_for_training(path: &Path, jaw: &Jaw) -> Result<Self, TrainError> {
        let own = Self::load(path)?;
        let refuse = |reason: String| {
            Err(TrainError::Checkpoint {
                path: path.to_owned(),
                reason,
            })
        };
        if own
            .objects
            .split()
            .is_some_and(|split| split != Split::Train)
        {
            return refuse(format!(
                "holds grasps of {}, which are never trained on",
                own.objects
            ));
        }
        if own.scenes.iter().any(|scene| scene.seed >= FIRST_UNTRAINED) {
            return refuse(format!("seeds from {FIRST_UNTRAINED} are kept for tests"));
        }
        if own.gripper_fingerprint != jaw.fingerprint() {
            let gripper = &own.gripper;
            return refuse(format!(
                "was tried with another gripper, {gripper:?} as it was then"
            ));
        }
        Ok(own)
    }
}
