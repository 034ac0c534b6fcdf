//! A folder with a pick-and-place network: manifest, graph, golden scenes. Sizes and hashes come first,
//! parsing after.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prehend_cloud::{CLEARANCE_DIM, Grouping, N_TURNS};
use prehend_types::N_WIDTHS;
use prehend_types::config::{self, is_plain_name, require};
use serde::{Deserialize, Serialize};

use super::decode::RawScene;
use super::inputs::SceneInputs;
use super::scorer::{GoldenScores, Judged, graph_spec};
use crate::error::BundleError;
use crate::folder::{self, MANIFEST_FILE, read_checked, sha256_hex};
use crate::graph::check_graph;
use crate::manifest::{FileEntry, GraphSpec, Origin, TensorSpec};

/// The format that this version writes and reads.
pub const FORMAT_VERSION: u32 = 2;
/// Far more than such a network has.
const MAX_FILE_BYTES: u64 = 64 << 20;
const GRAPH_FILE: &str = "network.onnx";
const GOLDEN_FILE: &str = "golden.json";
/// Every so many points of a golden scene have their output written down.
pub(crate) const GOLDEN_STRIDE: usize = 16;
/// Numbers that the network says of each point besides its masks.
const N_TOUCH: usize = 6 + N_WIDTHS;

/// Everything `policy.toml` of a pick-and-place network says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SceneManifest {
    /// Name of the network.
    pub name: String,
    /// Format of this file.
    pub format_version: u32,
    /// Name of the gripper that it was trained for, a file in `robots/grippers/`.
    pub gripper: String,
    /// Digest of that file's content; `None` in bundles that only name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gripper_fingerprint: Option<String>,
    /// Points of the held object.
    pub n_held: usize,
    /// Largest difference to the golden outputs that is allowed.
    pub golden_tolerance: f32,
    /// The point pyramid.
    pub grouping: Grouping,
    /// Where it comes from.
    pub origin: Origin,
    /// Where the scorer comes from that ranks the grasps which the network proposes; `None` if there is none,
    /// and the network's own confidences rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scorer: Option<Origin>,
    /// The same for placements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place_scorer: Option<Origin>,
    /// Every other file of the bundle, with its digest.
    pub files: Vec<FileEntry>,
}

/// A scene with what the trained network said of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenScene {
    /// Points as they are fed, m.
    pub points: Vec<[f32; 3]>,
    /// Their normals.
    pub normals: Vec<[f32; 3]>,
    /// Points of the held object.
    pub held: Vec<[f32; 3]>,
    /// The output at every sixteenth point.
    pub said: RawScene,
}

impl GoldenScene {
    /// Writes down what was said of a scene.
    #[must_use]
    pub fn new(inputs: &SceneInputs, said: &RawScene, n_grasps: usize) -> Self {
        Self {
            points: inputs.points.clone(),
            normals: inputs
                .features
                .iter()
                .map(|[x, y, z, _]| [*x, *y, *z])
                .collect(),
            held: inputs.held.clone(),
            said: said.thinned(n_grasps),
        }
    }
}

/// A network on disk, every file of it checked.
#[derive(Debug, Clone)]
pub struct SceneBundle {
    /// Where it lies.
    pub(crate) dir: PathBuf,
    /// What it says about itself.
    pub manifest: SceneManifest,
    pub(crate) graph: Vec<u8>,
    pub(crate) golden: Vec<GoldenScene>,
    pub(crate) scorers: Vec<ScorerPart>,
}

/// A scorer of a bundle.
#[derive(Debug, Clone)]
pub(crate) struct ScorerPart {
    pub judged: Judged,
    pub graph: Vec<u8>,
    pub golden: GoldenScores,
}

impl SceneManifest {
    /// The graph's inputs and outputs.
    pub(crate) fn graph(&self) -> GraphSpec {
        let n_points = self.grouping.n_points;
        GraphSpec {
            file: GRAPH_FILE.to_owned(),
            inputs: vec![
                TensorSpec::float("points", &[1, n_points, 3]),
                TensorSpec::float("features", &[1, n_points, 4]),
                TensorSpec::index("indices", &[1, self.grouping.n_indices()]),
                TensorSpec::float("weights", &[1, self.grouping.n_weights()]),
                TensorSpec::float("held", &[1, self.n_held, 3]),
                TensorSpec::float("clearances", &[1, n_points, N_TURNS * CLEARANCE_DIM]),
            ],
            outputs: vec![
                TensorSpec::float("objectness", &[1, self.n_grasps()]),
                TensorSpec::float("points_said", &[1, n_points, self.n_said()]),
            ],
        }
    }

    /// Where the scorer of some proposals comes from.
    #[must_use]
    pub fn scorer_of(&self, judged: Judged) -> Option<&Origin> {
        match judged {
            Judged::Grasps => self.scorer.as_ref(),
            Judged::Places => self.place_scorer.as_ref(),
        }
    }

    /// Grasp tokens: the most objects that one look can find.
    #[must_use]
    pub fn n_grasps(&self) -> usize {
        self.grouping.n_anchors
    }

    /// Numbers that are said of each point.
    pub(crate) fn n_said(&self) -> usize {
        self.n_grasps() + N_TURNS + N_TOUCH
    }

    fn check(&self, path: &Path) -> Result<(), config::ConfigError> {
        let need = |holds: bool, field: &str, message: String| require(holds, path, field, message);
        need(
            self.format_version == FORMAT_VERSION,
            "format_version",
            format!(
                "is {}, this prehend reads {FORMAT_VERSION}; export the network again",
                self.format_version
            ),
        )?;
        for (field, name) in [("name", &self.name), ("gripper", &self.gripper)] {
            need(
                is_plain_name(name),
                field,
                format!("is {name:?}, must be 1 to 64 of a-z, A-Z, 0-9, _ or -"),
            )?;
        }
        need(
            (1..=8192).contains(&self.grouping.n_points)
                && self.grouping.levels.iter().all(|level| {
                    (1..=self.grouping.n_points).contains(&level.n_centres)
                        && level.n_neighbours.iter().all(|k| (1..=256).contains(k))
                        && level.radii_m.iter().all(|r| *r > 0.0 && *r < 10.0)
                }),
            "grouping",
            "needs 1 to 8192 points, as many centres at most, 1 to 256 neighbours, radii under 10 m"
                .to_owned(),
        )?;
        need(
            (1..=4096).contains(&self.n_held) && (1..=256).contains(&self.n_grasps()),
            "n_held, grouping.n_anchors",
            "need 1 to 4096 points and 1 to 256 tokens".to_owned(),
        )?;
        need(
            self.golden_tolerance > 0.0 && self.golden_tolerance <= 0.01,
            "golden_tolerance",
            format!(
                "is {}, must be above 0 and at most 0.01",
                self.golden_tolerance
            ),
        )
    }
}

impl ScorerPart {
    fn read(
        judged: Judged,
        dir: &Path,
        graph: Vec<u8>,
        scores: &[u8],
    ) -> Result<Self, BundleError> {
        let [graph_file, scores_file] = judged.files();
        let refuse = |reason: String| BundleError::Golden {
            path: dir.join(scores_file),
            reason,
        };
        let golden: GoldenScores =
            serde_json::from_slice(scores).map_err(|e| refuse(e.to_string()))?;
        if !golden.is_sound() {
            return Err(refuse("its close-ups are of another size".to_owned()));
        }
        check_graph(&graph, &graph_spec(graph_file)).map_err(|reason| BundleError::Graph {
            path: dir.join(graph_file),
            reason,
        })?;
        Ok(Self {
            judged,
            graph,
            golden,
        })
    }
}

impl SceneBundle {
    /// Reads a bundle. No file but the manifest is parsed before the sizes and SHA-256 of all that it lists
    /// are found right.
    ///
    /// # Errors
    /// [`BundleError`] naming the file and what to do.
    pub fn load(dir: &Path) -> Result<Self, BundleError> {
        let (root, path) = folder::open(dir)?;
        let manifest: SceneManifest = config::load(&path)?;
        manifest.check(&path)?;
        let mut contents: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for entry in &manifest.files {
            let bytes = read_checked(&path, &root, entry, MAX_FILE_BYTES)?;
            contents.insert(&entry.path, bytes);
        }
        let mut listed = |name: &str| {
            let missing = || config::ConfigError::Value {
                path: path.clone(),
                field: "files".into(),
                message: format!("has no entry for {name:?}; export the network again"),
            };
            contents.remove(name).ok_or_else(missing)
        };
        let (graph, golden) = (listed(GRAPH_FILE)?, listed(GOLDEN_FILE)?);
        let scorers = [Judged::Grasps, Judged::Places].into_iter();
        let scorers = scorers.filter(|judged| manifest.scorer_of(*judged).is_some());
        let scorers = scorers
            .map(|judged| {
                let [graph, scores] = judged.files();
                ScorerPart::read(judged, dir, listed(graph)?, &listed(scores)?)
            })
            .collect::<Result<Vec<ScorerPart>, BundleError>>()?;
        let golden_path = dir.join(GOLDEN_FILE);
        let refuse = |reason: String| BundleError::Golden {
            path: golden_path.clone(),
            reason,
        };
        let golden: Vec<GoldenScene> =
            serde_json::from_slice(&golden).map_err(|e| refuse(e.to_string()))?;
        let n_points = manifest.grouping.n_points;
        let fits = |scene: &GoldenScene| {
            let rows = n_points.div_ceil(GOLDEN_STRIDE);
            scene.points.len() == n_points
                && scene.normals.len() == n_points
                && scene.said.objectness.len() == manifest.n_grasps()
                && scene.said.grasps.len() == rows * manifest.n_grasps()
                && scene.said.places.len() == rows * N_TURNS
                && scene.said.touch.len() == rows * N_TOUCH
        };
        if golden.is_empty() || !golden.iter().all(fits) {
            return Err(refuse(
                "its scenes do not fit the manifest's sizes".to_owned(),
            ));
        }
        check_graph(&graph, &manifest.graph()).map_err(|reason| BundleError::Graph {
            path: dir.join(GRAPH_FILE),
            reason,
        })?;
        Ok(Self {
            dir: dir.to_owned(),
            manifest,
            graph,
            golden,
            scorers,
        })
    }

    /// Writes a bundle without a scorer as `dir`, replacing an older one, and reads it back. `card` becomes
    /// its README.
    ///
    /// # Errors
    /// [`BundleError`]; `dir` is then as it was before.
    pub fn write(
        mut manifest: SceneManifest,
        graph: &[u8],
        golden: &[GoldenScene],
        card: &str,
        dir: &Path,
    ) -> Result<Self, BundleError> {
        let golden = serde_json::to_vec(golden).map_err(|e| BundleError::Golden {
            path: dir.join(GOLDEN_FILE),
            reason: e.to_string(),
        })?;
        let files = [
            (GRAPH_FILE.to_owned(), graph.to_vec()),
            (GOLDEN_FILE.to_owned(), golden),
            ("README.md".to_owned(), card.as_bytes().to_vec()),
        ];
        manifest.files = folder::entries(&files);
        (manifest.scorer, manifest.place_scorer) = (None, None);
        Self::put(&manifest, &files, dir)
    }

    /// Writes the same bundle with a scorer, in place of one it may have, as `dir`, which may be its own
    /// folder.
    ///
    /// # Errors
    /// [`BundleError`]; `dir` is then as it was before.
    pub fn write_scorer(
        &self,
        judged: Judged,
        graph: &[u8],
        golden: &GoldenScores,
        origin: Origin,
        dir: &Path,
    ) -> Result<Self, BundleError> {
        let (root, path) = folder::open(&self.dir)?;
        let [graph_file, scores_file] = judged.files();
        let is_scorers = |name: &str| judged.files().contains(&name);
        let kept = self.manifest.files.iter();
        let kept = kept.filter(|entry| !is_scorers(&entry.path));
        let mut files = kept
            .map(|entry| {
                let bytes = read_checked(&path, &root, entry, MAX_FILE_BYTES)?;
                Ok((entry.path.clone(), bytes))
            })
            .collect::<Result<Vec<(String, Vec<u8>)>, BundleError>>()?;
        let golden = serde_json::to_vec(golden).map_err(|e| BundleError::Golden {
            path: dir.join(scores_file),
            reason: e.to_string(),
        })?;
        files.push((graph_file.to_owned(), graph.to_vec()));
        files.push((scores_file.to_owned(), golden));
        let mut manifest = SceneManifest {
            files: folder::entries(&files),
            ..self.manifest.clone()
        };
        match judged {
            Judged::Grasps => manifest.scorer = Some(origin),
            Judged::Places => manifest.place_scorer = Some(origin),
        }
        Self::put(&manifest, &files, dir)
    }

    fn put(
        manifest: &SceneManifest,
        files: &[(String, Vec<u8>)],
        dir: &Path,
    ) -> Result<Self, BundleError> {
        let text = toml::to_string(manifest).map_err(|error| BundleError::Io {
            path: dir.join(MANIFEST_FILE),
            source: std::io::Error::other(error),
        })?;
        folder::replace(dir, files, &text, |staged| Self::load(staged).map(drop))?;
        Self::load(dir)
    }

    /// SHA-256 of the graph.
    #[must_use]
    pub fn graph_sha256(&self) -> String {
        sha256_hex(&self.graph)
    }
}
