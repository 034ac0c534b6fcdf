//! The one interface behind which experts, baselines and networks all stand.

use std::collections::BTreeMap;

use crate::{ActionChunk, Observation};

/// What a policy did and refused to do, counted by name.
pub type Tally = BTreeMap<&'static str, u64>;

/// Turns observations into action chunks.
pub trait Policy: Send {
    /// Name for reports.
    fn name(&self) -> &str;

    /// Starts a new episode. `seed` fixes whatever the policy draws at random.
    fn reset(&mut self, seed: u64);

    /// One chunk for one observation.
    ///
    /// # Errors
    /// [`PolicyError`]; the caller then holds still.
    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError>;

    /// What it did since [`Self::reset`], for reports; nothing if it does not count.
    fn tally(&self) -> Tally {
        Tally::new()
    }
}

/// Why a policy gave no chunk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The observation cannot be used.
    #[error("observation refused: {reason}")]
    BadObservation {
        /// What is wrong with it.
        reason: String,
    },
    /// The network returned NaN or infinity.
    #[error("the policy's output is not finite (action {index})")]
    NonFinite {
        /// First action with a non-finite number.
        index: usize,
    },
    /// Inference itself failed.
    #[error("inference failed: {reason}")]
    Inference {
        /// What the runtime said.
        reason: String,
    },
}
