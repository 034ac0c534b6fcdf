//! Turns a folder into a checked bundle: sizes and hashes first, parsing after.

use std::fs;
use std::path::{Component, Path, PathBuf};

use prehend_types::config::{self, ConfigError};
use sha2::{Digest, Sha256};

use crate::error::BundleError;
use crate::golden::GoldenFile;
use crate::graph::check_graph;
use crate::manifest::{FileEntry, Manifest};

/// Name of the manifest inside a bundle.
pub(crate) const MANIFEST_FILE: &str = "policy.toml";

/// The largest file that is read: policies here have about a million parameters, 4 MB.
const MAX_FILE_BYTES: u64 = 512 << 20;

/// The largest golden file that is parsed.
const MAX_GOLDEN_BYTES: u64 = 32 << 20;

/// A policy on disk, every file of it checked.
#[derive(Debug, Clone)]
pub struct Bundle {
    dir: PathBuf,
    manifest: Manifest,
    graph: Vec<u8>,
    golden: GoldenFile,
}

impl Bundle {
    /// Reads a bundle. No file but the manifest is parsed before the size and SHA-256 of all files
    /// are found right, and no file outside `dir` is opened.
    ///
    /// # Errors
    /// [`BundleError`] naming the file and what to do.
    pub fn load(dir: &Path) -> Result<Self, BundleError> {
        let path = dir.join(MANIFEST_FILE);
        let io = |source| BundleError::Io {
            path: path.clone(),
            source,
        };
        let root = dir.canonicalize().map_err(|source| BundleError::Io {
            path: dir.to_owned(),
            source,
        })?;
        if path.canonicalize().map_err(io)?.parent() != Some(&root) {
            return Err(escape(
                &path,
                MANIFEST_FILE,
                "is a symbolic link that leads out",
            ));
        }
        let manifest: Manifest = config::load(&path)?;
        manifest.check(&path)?;
        let (mut graph, mut golden) = (None, None);
        for entry in &manifest.files {
            let bytes = read_checked(&path, &root, entry)?;
            if entry.path == manifest.graph.file {
                graph = Some(bytes);
            } else if entry.path == manifest.golden.file {
                golden = Some(bytes);
            }
        }
        // `Manifest::check` saw an entry for each; only the same file for both can get here.
        let (Some(graph), Some(golden)) = (graph, golden) else {
            return Err(BundleError::Manifest(ConfigError::Value {
                path,
                field: "golden.file".into(),
                message: "must not be the graph's file".into(),
            }));
        };
        let golden_path = root.join(&manifest.golden.file);
        if golden.len() as u64 > MAX_GOLDEN_BYTES {
            return Err(BundleError::TooLarge {
                path: golden_path,
                bytes: golden.len() as u64,
                limit: MAX_GOLDEN_BYTES,
            });
        }
        let golden =
            GoldenFile::parse(&golden, &manifest).map_err(|reason| BundleError::Golden {
                path: golden_path,
                reason,
            })?;
        check_graph(&graph, &manifest.graph).map_err(|reason| BundleError::Graph {
            path: root.join(&manifest.graph.file),
            reason,
        })?;
        Ok(Self {
            dir: dir.to_owned(),
            manifest,
            graph,
            golden,
        })
    }

    /// What `policy.toml` says.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The ONNX file's bytes: the very ones whose hash was checked.
    #[must_use]
    pub fn graph(&self) -> &[u8] {
        &self.graph
    }

    /// The golden cases.
    #[must_use]
    pub fn golden(&self) -> &GoldenFile {
        &self.golden
    }

    /// Where the ONNX file lies, for messages.
    #[must_use]
    pub fn graph_path(&self) -> PathBuf {
        self.dir.join(&self.manifest.graph.file)
    }

    /// Where the golden file lies, for messages.
    #[must_use]
    pub fn golden_path(&self) -> PathBuf {
        self.dir.join(&self.manifest.golden.file)
    }

    /// Refuses a bundle that was trained for another robot description.
    ///
    /// # Errors
    /// [`BundleError::WrongRobot`] naming both.
    pub fn check_robot(&self, name: &str, fingerprint: &str) -> Result<(), BundleError> {
        let robot = &self.manifest.robot;
        if robot.name == name && robot.fingerprint == fingerprint {
            return Ok(());
        }
        Err(BundleError::WrongRobot {
            bundle: self.manifest.name.clone(),
            expected_name: robot.name.clone(),
            expected_fingerprint: robot.fingerprint.clone(),
            name: name.to_owned(),
            fingerprint: fingerprint.to_owned(),
        })
    }
}

fn escape(manifest: &Path, named: &str, reason: &'static str) -> BundleError {
    BundleError::PathEscape {
        manifest: manifest.to_owned(),
        named: named.to_owned(),
        reason,
    }
}

/// The rules for names inside a bundle, before the file system is asked.
pub(crate) fn check_name(manifest: &Path, named: &str) -> Result<(), BundleError> {
    let mut n_parts = 0;
    for part in Path::new(named).components() {
        match part {
            Component::Normal(_) => n_parts += 1,
            Component::ParentDir => return Err(escape(manifest, named, "`..` leads out")),
            Component::RootDir | Component::Prefix(_) => {
                return Err(escape(manifest, named, "the path is absolute"));
            }
            Component::CurDir => return Err(escape(manifest, named, "write it without `.`")),
        }
    }
    if n_parts == 0 {
        return Err(escape(manifest, named, "the name is empty"));
    }
    if named == MANIFEST_FILE {
        return Err(escape(manifest, named, "the manifest cannot list itself"));
    }
    Ok(())
}

fn read_checked(manifest: &Path, root: &Path, entry: &FileEntry) -> Result<Vec<u8>, BundleError> {
    check_name(manifest, &entry.path)?;
    let path = root.join(&entry.path);
    let io = |source| BundleError::Io {
        path: path.clone(),
        source,
    };
    let real = path.canonicalize().map_err(io)?;
    if !real.starts_with(root) {
        return Err(escape(
            manifest,
            &entry.path,
            "is a symbolic link that leads out",
        ));
    }
    let metadata = fs::metadata(&real).map_err(io)?;
    if !metadata.is_file() {
        return Err(escape(manifest, &entry.path, "is not a regular file"));
    }
    let bytes = metadata.len();
    if bytes > MAX_FILE_BYTES {
        return Err(BundleError::TooLarge {
            path,
            bytes,
            limit: MAX_FILE_BYTES,
        });
    }
    if bytes != entry.bytes {
        return Err(BundleError::WrongSize {
            path,
            got: bytes,
            expected: entry.bytes,
        });
    }
    let content = fs::read(&real).map_err(io)?;
    let got = sha256_hex(&content);
    if got != entry.sha256 {
        return Err(BundleError::WrongHash {
            path,
            got,
            expected: entry.sha256.clone(),
        });
    }
    Ok(content)
}

/// SHA-256 as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
