//! Turns a manifest, a graph and golden cases into a bundle's folder, all or nothing.

use std::path::Path;

use crate::bundle::Bundle;
use crate::error::BundleError;
use crate::folder::{self, MANIFEST_FILE};
use crate::golden::GoldenFile;
use crate::manifest::Manifest;

/// Collects the files of a bundle and writes them at once.
///
/// The folder appears under its name only when every file is on disk and the bundle has been read
/// back and found good, so that a crash or a full disk never leaves half a bundle.
#[derive(Debug, Clone)]
pub struct BundleWriter {
    manifest: Manifest,
    files: Vec<(String, Vec<u8>)>,
}

impl BundleWriter {
    /// Starts a bundle with its graph and golden cases; `manifest.files` is filled in here.
    ///
    /// # Errors
    /// [`BundleError::Golden`] if the cases do not fit the manifest.
    pub fn new(
        manifest: Manifest,
        graph: Vec<u8>,
        golden: &GoldenFile,
    ) -> Result<Self, BundleError> {
        let refused = |reason| BundleError::Golden {
            path: manifest.golden.file.clone().into(),
            reason,
        };
        golden.check(&manifest).map_err(refused)?;
        let json = serde_json::to_vec(golden).map_err(|e| refused(e.to_string()))?;
        let files = vec![
            (manifest.graph.file.clone(), graph),
            (manifest.golden.file.clone(), json),
        ];
        Ok(Self { manifest, files })
    }

    /// Adds another file, such as `README.md`.
    #[must_use]
    pub fn with_file(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.files.push((name.to_owned(), bytes));
        self
    }

    /// Writes the bundle as `dir`, replacing an older bundle of that name, and returns it as read
    /// back.
    ///
    /// # Errors
    /// [`BundleError`]; `dir` is then as it was before.
    pub fn write(mut self, dir: &Path) -> Result<Bundle, BundleError> {
        self.manifest.files = folder::entries(&self.files);
        let text = toml::to_string(&self.manifest).map_err(|error| BundleError::Io {
            path: dir.join(MANIFEST_FILE),
            source: std::io::Error::other(error),
        })?;
        folder::replace(dir, &self.files, &text, |staged| {
            Bundle::load(staged).map(drop)
        })?;
        Bundle::load(dir)
    }
}
