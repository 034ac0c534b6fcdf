//! Proposals that were tried: what they looked like, and whether they were good.

use std::path::Path;

use prehend_cloud::{CLOSE_UP_POINTS, CloseUp};
use prehend_data::write_atomic;
use prehend_policy::pick_place::Judged;
use prehend_robot::Jaw;
use prehend_sim::tabletop::{ObjectSource, SceneObjects, Split};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::checkpoint::{read_sealed, seal};

/// Changes whenever close-ups do, or what is good.
const VERSION: u32 = 3;
/// Seeds from here on are for validation and reports.
const FIRST_UNTRAINED: u64 = 700_000;

/// One grasp or placement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// What was measured around it.
    pub close_up: CloseUp,
    /// Whether the grasp held and the object hangs as it lay, or whether it stood.
    pub is_good: bool,
}

/// What was tried in one scene, each on the scene as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriedScene {
    /// Seed of the scene.
    pub seed: u64,
    /// Each with what came of it.
    pub trials: Vec<Trial>,
}

/// Trials in many scenes, with what they have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    version: u32,
    /// What was tried.
    pub judged: Judged,
    objects: SceneObjects,
    gripper: String,
    gripper_fingerprint: String,
    /// SHA-256 of the graph that proposed.
    pub network: String,
    /// By seed.
    pub scenes: Vec<TriedScene>,
}

impl Tried {
    /// Those of some scenes, in any order.
    #[must_use]
    pub fn new(
        judged: Judged,
        objects: &ObjectSource,
        jaw: &Jaw,
        network: String,
        mut scenes: Vec<TriedScene>,
    ) -> Self {
        scenes.sort_by_key(|scene| scene.seed);
        Self {
            version: VERSION,
            judged,
            objects: objects.describe(),
            gripper: jaw.name.clone(),
            gripper_fingerprint: jaw.fingerprint(),
            network,
            scenes,
        }
    }

    /// Trials in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scenes.iter().map(|scene| scene.trials.len()).sum()
    }

    /// Whether nothing was tried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Grasps that held as it lay, placements that stood.
    #[must_use]
    pub fn n_good(&self) -> usize {
        let trials = self.scenes.iter().flat_map(|scene| &scene.trials);
        trials.filter(|trial| trial.is_good).count()
    }

    /// What they are of.
    pub(super) fn describe(&self) -> String {
        format!(
            "{} {}s in {} scenes of {}, proposed by network {}",
            self.len(),
            self.judged.one(),
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
        let mut trials = own.scenes.iter().flat_map(|scene| &scene.trials);
        let is_whole = |trial: &Trial| {
            let numbers = trial.close_up.iter().flatten();
            trial.close_up.len() == 2 * CLOSE_UP_POINTS && numbers.copied().all(f32::is_finite)
        };
        if !trials.all(is_whole) {
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
                "holds trials of {}, which are never trained on",
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
