//! Where a run comes from: a file beside its checkpoint, written when it starts.

use std::path::{Path, PathBuf};

use prehend_data::{DataError, write_atomic};
use prehend_policy::{Ancestor, sha256_hex};
use prehend_types::{config, files};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::checkpoint::{Checkpoint, MAX_BYTES, Stage};

/// Name of the file in a run folder.
const FILE: &str = "provenance.toml";

/// Who started a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Starter {
    /// The command, as typed.
    pub command: String,
    /// Package and commit.
    pub version: String,
    /// When, RFC 3339; a label only.
    pub started_wall: String,
}

/// Where a run comes from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Who started it.
    pub starter: Starter,
    /// The runs it was started or distilled from, oldest first.
    #[serde(default)]
    pub ancestors: Vec<Ancestor>,
}

impl Provenance {
    /// That of the run whose checkpoint this is; `None` if none was kept beside it.
    ///
    /// # Errors
    /// [`TrainError::Config`] if the file is damaged.
    pub fn beside(checkpoint: &Path) -> Result<Option<Self>, TrainError> {
        let path = checkpoint.with_file_name(FILE);
        if !path.exists() {
            return Ok(None);
        }
        Ok(Some(config::load(&path)?))
    }

    pub(crate) fn save(&self, run_dir: &Path) -> Result<(), TrainError> {
        let path = run_dir.join(FILE);
        let text = toml::to_string(self).map_err(|error| DataError::encode(&path, error))?;
        Ok(write_atomic(&path, text.as_bytes())?)
    }
}

/// A teacher to go on from, or to distil.
#[derive(Debug, Clone)]
pub struct Parent {
    /// Its state.
    pub checkpoint: Checkpoint,
    /// The file it was read from.
    pub(crate) path: PathBuf,
    /// It and its own ancestors, oldest first.
    pub(crate) lineage: Vec<Ancestor>,
}

impl Parent {
    /// Reads a checkpoint, and where it comes from.
    ///
    /// # Errors
    /// [`TrainError`] if it is damaged, or no teacher.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        let checkpoint = Checkpoint::load(path)?;
        if checkpoint.stage != Stage::Flow {
            return Err(TrainError::Checkpoint {
                path: path.to_owned(),
                reason: "is a student of one step: give its teacher".into(),
            });
        }
        let bytes = files::read(path, MAX_BYTES).map_err(|error| DataError::read(path, error))?;
        let mut lineage = Provenance::beside(path)?.unwrap_or_default().ancestors;
        lineage.push(Ancestor {
            data: checkpoint.data.clone(),
            seed: checkpoint.seed,
            steps: checkpoint.step,
            elapsed_s: checkpoint.elapsed_s,
            checkpoint_sha256: sha256_hex(&bytes),
        });
        Ok(Self {
            checkpoint,
            path: path.to_owned(),
            lineage,
        })
    }
}
