//! A trained scorer: one file, whole or absent.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use prehend_data::write_atomic;
use prehend_nets::pick_place::CloseUpScorer;
use prehend_nets::unflatten;
use prehend_policy::pick_place::Judged;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::checkpoint::{read_sealed, seal};

const VERSION: u32 = 2;

/// A scorer after a pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScorerCheckpoint {
    version: u32,
    /// What it judges.
    pub judged: Judged,
    /// What it was trained on.
    pub data: String,
    /// Digest of the gripper that they were tried with.
    pub gripper_fingerprint: String,
    /// Seed of the run.
    pub seed: u64,
    /// Training time, s.
    pub elapsed_s: f64,
    parameters: Vec<f32>,
}

impl ScorerCheckpoint {
    pub(super) fn new(
        judged: Judged,
        data: String,
        gripper_fingerprint: String,
        seed: u64,
        elapsed_s: f64,
        parameters: Vec<f32>,
    ) -> Self {
        Self {
            version: VERSION,
            judged,
            data,
            gripper_fingerprint,
            seed,
            elapsed_s,
            parameters,
        }
    }

    /// The scorer.
    #[must_use]
    pub fn net(&self, device: &Device) -> CloseUpScorer {
        unflatten(CloseUpScorer::new(0, device), &self.parameters)
    }

    /// Numbers that it has learned.
    #[must_use]
    pub fn n_parameters(&self) -> usize {
        self.parameters.len()
    }

    /// Writes it, replacing one before only when all bytes are on disk.
    ///
    /// # Errors
    /// [`TrainError::Data`]; the older file is then untouched.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        Ok(write_atomic(path, &seal(self, path)?)?)
    }

    /// Reads and checks one.
    ///
    /// # Errors
    /// [`TrainError`] naming the file.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        let own: Self = read_sealed(path)?;
        let expected = CloseUpScorer::new(0, &Device::flex()).num_params();
        let got = own.parameters.len();
        let reason = if own.version != VERSION {
            format!(
                "is of version {}, this prehend reads {VERSION}",
                own.version
            )
        } else if got != expected {
            format!("holds {got} parameters, a scorer has {expected}")
        } else if !own.parameters.iter().all(|value| value.is_finite()) {
            "holds parameters that are not finite".to_owned()
        } else {
            return Ok(own);
        };
        let path = path.to_owned();
        Err(TrainError::Checkpoint { path, reason })
    }
}
