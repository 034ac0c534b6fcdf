//! Turns a folder into a checked bundle: sizes and hashes first, parsing after.

use std::path::{Path, PathBuf};

use prehend_types::config::{self, ConfigError};

use crate::error::BundleError;
use crate::folder::{self, read_checked};
use crate::golden::GoldenFile;
use crate::graph::check_graph;
use crate::manifest::Manifest;

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
        let (root, path) = folder::open(dir)?;
        let manifest: Manifest = config::load(&path)?;
        manifest.check(&path)?;
        let (mut graph, mut golden) = (None, None);
        for entry in &manifest.files {
            let bytes = read_checked(&path, &root, entry, MAX_FILE_BYTES)?;
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
