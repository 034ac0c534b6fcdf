//! What a run really runs with: the launch file with every default filled in and every flag applied.

use std::path::PathBuf;

use prehend_data::{DataError, RunDir, write_atomic};
use prehend_policy::sha256_hex;
use prehend_runtime::LaunchFile;

use crate::exit::Failure;

/// Settings as they were frozen in the run's folder.
pub struct Effective {
    /// `launch.toml` in the run's folder, a launch file itself.
    pub path: PathBuf,
    /// SHA-256 of that file.
    pub sha256: String,
}

/// A run that is to be recorded, by the flag or by its launch file, is recorded into its own folder.
pub fn record_into(launch: &mut LaunchFile, is_asked: bool, run_dir: &RunDir) {
    if is_asked || launch.record.is_some() {
        launch.record = Some(run_dir.path().to_owned());
    }
}

/// Freezes the settings of a run. Flags win over the launch file, which wins over the defaults;
/// whoever edits the launch file afterwards changes nothing.
///
/// # Errors
/// The file cannot be written.
pub fn freeze(launch: &LaunchFile, run_dir: &RunDir) -> Result<Effective, Failure> {
    let path = run_dir.path().join("launch.toml");
    let text = toml::to_string(launch).map_err(|error| DataError::encode(&path, error))?;
    write_atomic(&path, text.as_bytes())?;
    let sha256 = sha256_hex(text.as_bytes());
    tracing::info!("settings in {}, SHA-256 {sha256}", path.display());
    Ok(Effective { path, sha256 })
}
