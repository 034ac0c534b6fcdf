//! Turns a manifest, a graph and golden cases into a bundle's folder, all or nothing.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::bundle::{Bundle, MANIFEST_FILE, check_name, sha256_hex};
use crate::error::BundleError;
use crate::golden::GoldenFile;
use crate::manifest::{FileEntry, Manifest};

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
        let parent = match dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| BundleError::Io { path, source }
        };
        let is_occupied = |dir: &Path| {
            fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
                && !dir.join(MANIFEST_FILE).is_file()
        };
        if is_occupied(dir) || dir.is_file() {
            return Err(BundleError::NotABundle {
                path: dir.to_owned(),
            });
        }
        fs::create_dir_all(parent).map_err(io(parent))?;
        let temp = tempfile::Builder::new()
            .prefix(".bundle-")
            .tempdir_in(parent)
            .map_err(io(parent))?;
        let staged = temp.path().join("new");
        fs::create_dir(&staged).map_err(io(&staged))?;

        self.manifest.files.clear();
        for (name, bytes) in &self.files {
            check_name(&dir.join(MANIFEST_FILE), name)?;
            write_synced(&staged.join(name), bytes)?;
            self.manifest.files.push(FileEntry {
                path: name.clone(),
                sha256: sha256_hex(bytes),
                bytes: bytes.len() as u64,
            });
        }
        let path = staged.join(MANIFEST_FILE);
        let text = toml::to_string(&self.manifest).map_err(|error| BundleError::Io {
            path: path.clone(),
            source: std::io::Error::other(error),
        })?;
        write_synced(&path, text.as_bytes())?;
        Bundle::load(&staged)?;
        File::open(&staged)
            .and_then(|folder| folder.sync_all())
            .map_err(io(&staged))?;

        let old = temp.path().join("old");
        let had_old = dir.exists();
        if had_old {
            fs::rename(dir, &old).map_err(io(dir))?;
        }
        if let Err(source) = fs::rename(&staged, dir) {
            if had_old {
                fs::rename(&old, dir).map_err(io(dir))?;
            }
            return Err(BundleError::Io {
                path: dir.to_owned(),
                source,
            });
        }
        File::open(parent)
            .and_then(|folder| folder.sync_all())
            .map_err(io(parent))?;
        Bundle::load(dir)
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), BundleError> {
    let io = |source| BundleError::Io {
        path: path.to_owned(),
        source,
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io)?;
    }
    let mut file = File::create_new(path).map_err(io)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(io)
}
