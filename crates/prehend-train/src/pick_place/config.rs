//! Settings of a training run.

use std::path::Path;

use prehend_nets::pick_place::PickPlaceConfig;
use prehend_types::config::{self, ConfigError, require};
use serde::{Deserialize, Serialize};

/// What `models/train_pick_place.toml` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PickPlaceTraining {
    /// Seed of parameters, batches and augmentation.
    pub seed: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Views in a batch.
    pub batch: usize,
    /// Highest learning rate; a warm-up leads there, a cosine to a hundredth of it.
    pub learning_rate: f64,
    /// Steps of the warm-up.
    pub warm_up_steps: u64,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Longest gradient.
    pub clip_norm: f32,
    /// Decay of the averaged weights, which are what is validated and exported.
    pub ema_decay: f32,
    /// Share of all steps in which directions are also fitted by their angles.
    pub angle_share: f64,
    /// Steps between lines of the log, validations and checkpoints.
    pub log_every_steps: u64,
    /// See above.
    pub validate_every_steps: u64,
    /// See above.
    pub checkpoint_every_steps: u64,
    /// Sizes of the network.
    #[serde(default)]
    pub network: PickPlaceConfig,
}

impl PickPlaceTraining {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// [`ConfigError`] naming file, line or field.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let own: Self = config::load(path)?;
        let need = |holds: bool, field: &str, message: &str| require(holds, path, field, message);
        need(
            (1..=10_000_000).contains(&own.steps),
            "steps",
            "needs 1 to 10000000",
        )?;
        need((1..=256).contains(&own.batch), "batch", "needs 1 to 256")?;
        need(
            own.learning_rate > 0.0 && own.learning_rate <= 0.1,
            "learning_rate",
            "needs to be above 0 and at most 0.1",
        )?;
        need(
            own.clip_norm > 0.0 && (0.0..1.0).contains(&own.ema_decay),
            "clip_norm, ema_decay",
            "need a positive norm and a decay from 0 to below 1",
        )?;
        need(
            (0.0..=1.0).contains(&own.angle_share),
            "angle_share",
            "needs 0 to 1",
        )?;
        let intervals = [
            own.log_every_steps,
            own.validate_every_steps,
            own.checkpoint_every_steps,
        ];
        need(
            intervals.iter().all(|n| *n > 0),
            "log_every_steps",
            "every interval needs at least 1",
        )?;
        if let Some((field, message)) = own.network.find_fault() {
            require(false, path, &format!("network.{field}"), message)?;
        }
        Ok(own)
    }
}
