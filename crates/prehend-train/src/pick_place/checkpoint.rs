//! What a run can be resumed and exported from: one file, whole or absent.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use prehend_data::write_atomic;
use prehend_nets::pick_place::{PickPlaceConfig, PickPlaceNet};
use prehend_nets::unflatten;
use prehend_robot::Jaw;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::checkpoint::{read_sealed, seal};

const VERSION: u32 = 2;

/// State of a run after a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PickPlaceCheckpoint {
    version: u32,
    /// Sizes of the network.
    pub network: PickPlaceConfig,
    /// The run's settings, as TOML; a resume must have the same.
    pub config: String,
    /// Gripper that the labels were made for.
    pub gripper: String,
    /// [`Jaw::fingerprint`] of that gripper.
    pub gripper_fingerprint: String,
    /// Number, seeds and digest of the scenes that it was trained on.
    pub data: String,
    /// Seed of the run.
    pub seed: u64,
    /// Steps done.
    pub step: u64,
    /// Views seen.
    pub samples: u64,
    /// Training time so far, s.
    pub elapsed_s: f64,
    pub(super) parameters: Vec<u8>,
    /// Averaged parameters, flat.
    pub(super) average: Vec<f32>,
    pub(super) optimiser: Vec<u8>,
}

impl PickPlaceCheckpoint {
    pub(super) fn start(
        network: PickPlaceConfig,
        config: String,
        jaw: &Jaw,
        data: String,
        seed: u64,
    ) -> Self {
        Self {
            version: VERSION,
            network,
            config,
            gripper: jaw.name.clone(),
            gripper_fingerprint: jaw.fingerprint(),
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

    /// The network with averaged parameters.
    #[must_use]
    pub fn net(&self, device: &Device) -> PickPlaceNet {
        unflatten(
            PickPlaceNet::new(&self.network, self.seed, device),
            &self.average,
        )
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
    /// [`TrainError`] naming the file.
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
        // Before anything is built: its sizes decide how much memory that takes.
        if let Some((field, message)) = own.network.find_fault() {
            return refuse(format!("network.{field} {message}; give another one"));
        }
        let expected = PickPlaceNet::new(&own.network, 0, &Device::flex()).num_params();
        if own.average.len() != expected {
            let got = own.average.len();
            return refuse(format!(
                "holds {got} parameters, its network has {expected}"
            ));
        }
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use prehend_types::config::locate;

    use super::*;

    #[test]
    fn sizes_that_no_network_can_have_are_refused_before_it_is_built() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("latest.checkpoint");
        let gripper = locate("robots/grippers/franka_hand.toml").expect("shipped");
        let jaw = Jaw::load(&gripper).expect("sound");
        let refused = |change: fn(&mut PickPlaceConfig)| {
            let mut network = PickPlaceConfig::default();
            change(&mut network);
            let own = PickPlaceCheckpoint::start(network, String::new(), &jaw, String::new(), 0);
            own.save(&path).expect("writes");
            let error = PickPlaceCheckpoint::load(&path).expect_err("must be refused");
            error.to_string()
        };
        let said = refused(|network| network.grouping.n_points = usize::MAX);
        assert!(said.contains("network.grouping.n_points"), "{said}");
        let said = refused(|network| network.n_held = 0);
        assert!(said.contains("network.n_held"), "{said}");
        let said = refused(|network| network.grouping.levels[1].radii_m[0] = f32::NAN);
        assert!(said.contains("radii_m"), "{said}");
        let said = refused(|_| {});
        assert!(said.contains("holds 0 parameters"), "{said}");
    }
}
