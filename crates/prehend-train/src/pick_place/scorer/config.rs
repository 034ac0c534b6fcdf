//! Settings of the scorer's training.

use std::path::Path;

use prehend_types::config::{self, ConfigError, require};
use serde::{Deserialize, Serialize};

/// What `models/train_scorer.toml` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScorerTraining {
    /// Seed of parameters, order and augmentation.
    pub seed: u64,
    /// Times that every trial is seen.
    pub passes: u64,
    /// Trials in a batch.
    pub batch: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Share of all steps that lead there; then a cosine to a hundredth.
    pub warm_up_share: f64,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Of so many scenes one is left out, to see how well it does.
    pub validate_one_in: usize,
}

impl ScorerTraining {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// [`ConfigError`] naming file, line or field.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let own: Self = config::load(path)?;
        let need = |holds: bool, field: &str, message: &str| require(holds, path, field, message);
        need(
            (1..=1000).contains(&own.passes),
            "passes",
            "needs 1 to 1000",
        )?;
        need((2..=4096).contains(&own.batch), "batch", "needs 2 to 4096")?;
        need(
            own.learning_rate > 0.0 && own.learning_rate <= 0.1,
            "learning_rate",
            "needs to be above 0 and at most 0.1",
        )?;
        need(
            own.warm_up_share > 0.0 && own.warm_up_share < 1.0,
            "warm_up_share",
            "needs to be above 0 and below 1",
        )?;
        need(
            own.weight_decay >= 0.0 && own.weight_decay <= 1.0,
            "weight_decay",
            "needs 0 to 1",
        )?;
        need(
            (2..=1000).contains(&own.validate_one_in),
            "validate_one_in",
            "needs 2 to 1000",
        )?;
        Ok(own)
    }
}
