//! What a run can be resumed, distilled and exported from: one file, whole or absent.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use crc::{CRC_32_ISCSI, Crc};
use prehend_data::{DataError, write_atomic};
use prehend_nets::{ActionScale, FlowPolicyConfig, FlowPolicyNet, unflatten};
use prehend_types::files;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Name of the newest checkpoint in a run folder.
pub const CHECKPOINT_FILE: &str = "latest.checkpoint";
const VERSION: u32 = 2;
pub(crate) const MAX_BYTES: u64 = 8 << 30;

/// What kind of policy a checkpoint holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The flow policy with its Euler steps.
    Flow,
    /// The one-step student.
    Student,
}

/// State of a run after a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub(crate) version: u32,
    /// Kind of policy.
    pub stage: Stage,
    /// Sizes of the network.
    pub network: FlowPolicyConfig,
    /// Normaliser.
    pub scale: ActionScale,
    /// Euler steps from noise to action.
    pub euler_steps: usize,
    /// The run's settings, as TOML; a resume must have the same.
    pub config: String,
    /// Name and digest of the episodes.
    pub data: String,
    /// Seed of the run.
    pub seed: u64,
    /// Steps done.
    pub step: u64,
    /// Training samples seen.
    pub samples: u64,
    /// Training time so far, s.
    pub elapsed_s: f64,
    /// burn's record of the trained parameters, with their ids.
    pub(crate) parameters: Vec<u8>,
    /// Averaged parameters, flat.
    pub(crate) average: Vec<f32>,
    /// burn's record of the optimiser.
    pub(crate) optimiser: Vec<u8>,
}

impl Checkpoint {
    /// A checkpoint of parameters that have not been trained.
    pub(crate) fn start(
        stage: Stage,
        network: FlowPolicyConfig,
        scale: ActionScale,
        euler_steps: usize,
        config: String,
        data: String,
        seed: u64,
    ) -> Self {
        Self {
            version: VERSION,
            stage,
            network,
            scale,
            euler_steps,
            config,
            data,
            seed,
            step: 0,
            samples: 0,
            elapsed_s: 0.0,
            parameters: Vec::new(),
            average: Vec::new(),
            optimiser: Vec::new(),
        }
    }

    /// The policy with averaged parameters.
    #[must_use]
    pub fn policy_net(&self, device: &Device) -> FlowPolicyNet {
        let fresh = FlowPolicyNet::new(&self.network, &self.scale, self.seed, device);
        unflatten(fresh, &self.average)
    }

    /// Writes the checkpoint, replacing the one before only when all bytes are on disk.
    ///
    /// # Errors
    /// [`TrainError::Data`]; the older file is then untouched.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        Ok(write_atomic(path, &seal(self, path)?)?)
    }

    /// Reads and checks a checkpoint.
    ///
    /// # Errors
    /// [`TrainError::Data`] or [`TrainError::Checkpoint`], naming the file.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        let own: Self = read_sealed(path)?;
        let refuse = |reason: String| {
            Err(TrainError::Checkpoint {
                path: path.to_owned(),
                reason,
            })
        };
        if own.version != VERSION {
            return refuse(format!(
                "is of version {}, this prehend reads {VERSION}",
                own.version
            ));
        }
        if own.average.iter().any(|value| !value.is_finite()) {
            return refuse("holds parameters that are not finite".into());
        }
        let spreads = own.scale.spread.iter().all(|v| v.is_finite() && *v > 0.0);
        if !spreads || own.scale.centre.iter().any(|v| !v.is_finite()) {
            return refuse("has a normaliser that is not finite and positive".into());
        }
        if let Some((field, message)) = own.network.find_fault() {
            return refuse(format!("network.{field} {message}"));
        }
        let fresh = FlowPolicyNet::new(&own.network, &own.scale, own.seed, &Device::flex());
        let (got, expected) = (own.average.len(), fresh.num_params());
        if got != expected {
            return refuse(format!(
                "holds {got} parameters, its network has {expected}"
            ));
        }
        Ok(own)
    }
}

/// postcard's bytes with a checksum behind them.
pub(crate) fn seal(value: &impl Serialize, path: &Path) -> Result<Vec<u8>, TrainError> {
    let crc = Crc::<u32>::new(&CRC_32_ISCSI);
    postcard::to_stdvec_crc32(value, crc.digest()).map_err(|error| TrainError::Checkpoint {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Refuses to keep what a step with a finite loss and gradients that are none has made of the parameters: what was
/// saved before is better.
///
/// # Errors
/// [`TrainError::Diverged`].
pub(crate) fn check_finite(step: u64, parameters: &[f32]) -> Result<(), TrainError> {
    match parameters.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(TrainError::Diverged { step, loss: *value }),
        None => Ok(()),
    }
}

pub(crate) fn read_sealed<T: DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    let refuse = |reason: String| TrainError::Checkpoint {
        path: path.to_owned(),
        reason,
    };
    let bytes = files::read(path, MAX_BYTES).map_err(|error| DataError::read(path, error))?;
    let crc = Crc::<u32>::new(&CRC_32_ISCSI);
    postcard::from_bytes_crc32(&bytes, crc.digest()).map_err(|error| {
        refuse(format!(
            "is damaged, of another version, or another kind of file ({error}); give another one"
        ))
    })
}
