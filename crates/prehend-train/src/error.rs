//! What can go wrong between episodes and a bundle.

use std::path::PathBuf;

use burn::store::RecordError;
use burn_onnx::export::ExportError;
use prehend_data::DataError;
use prehend_policy::BundleError;
use prehend_sim::SimError;
use prehend_types::PolicyError;
use prehend_types::config::ConfigError;

/// Why training, distilling or exporting stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A configuration was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Episodes or files of a run could not be read or written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A cloud could not be rebuilt.
    #[error("episode with seed {seed}: {source}")]
    Cloud {
        /// Seed of the episode.
        seed: u64,
        /// What the simulator said.
        #[source]
        source: SimError,
    },
    /// A rebuilt observation is none that a policy would take.
    #[error("episode with seed {seed}, step {step}: {source}")]
    Observation {
        /// Seed of the episode.
        seed: u64,
        /// Its step.
        step: usize,
        /// What is wrong.
        #[source]
        source: PolicyError,
    },
    /// Episodes come from another scene or robot than the ones given.
    #[error("{path:?} was collected with another {what}; collect again or give the right file")]
    OtherOrigin {
        /// Folder of the episodes.
        path: PathBuf,
        /// `scene`, `robot` or `version of the simulator`.
        what: &'static str,
    },
    /// There is nothing to learn from.
    #[error(
        "{n_windows} windows for training and {n_validation} for validation are too few for \
         batches of {batch}; collect more episodes"
    )]
    TooFewWindows {
        /// For training.
        n_windows: usize,
        /// For validation.
        n_validation: usize,
        /// Batch size.
        batch: usize,
    },
    /// A checkpoint cannot be used.
    #[error("checkpoint {path:?}: {reason}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// burn refused recorded parameters.
    #[error("recorded parameters do not fit: {0:?}")]
    Record(RecordError),
    /// The loss is not a number any more.
    #[error(
        "the loss is {loss} at step {step}; the last checkpoint is whole: begin in another run folder with a \
         lower learning rate (`train flow` goes on from a checkpoint with --from)"
    )]
    Diverged {
        /// Step.
        step: u64,
        /// The loss.
        loss: f32,
    },
    /// The background thread that prepares batches ended.
    #[error("the thread that prepares batches ended early")]
    Loader,
    /// The caller's validation failed.
    #[error("validation rollouts: {reason}")]
    Validation {
        /// What went wrong.
        reason: String,
    },
    /// burn-onnx could not lower the network.
    #[error("export to ONNX: {0}")]
    Export(#[from] ExportError),
    /// The exported graph is not what was expected.
    #[error("exported graph: {reason}")]
    Graph {
        /// What is wrong.
        reason: String,
    },
    /// The bundle could not be written.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

impl From<RecordError> for TrainError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}
