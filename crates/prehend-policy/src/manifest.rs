//! Turns the text of `policy.toml` into checked, typed fields.

use std::path::Path;

use prehend_types::MAX_CHUNK;
pub use prehend_types::config::is_plain_name;
use prehend_types::config::{ConfigError, require};
use prehend_types::stats::SuccessRate;
use serde::{Deserialize, Serialize};

use crate::inputs::{PROPRIO_NAMES, ROLE_NAMES};

/// The bundle format that this version writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// Everything `policy.toml` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the policy; `export` gives its folder the same.
    pub name: String,
    /// Format of this file, [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The robot it was trained for.
    pub robot: RobotId,
    /// What it sees.
    pub observation: ObservationSpace,
    /// What it does.
    pub action: ActionSpace,
    /// How actions are drawn.
    pub sampling: Sampling,
    /// The ONNX file and its tensors.
    pub graph: GraphSpec,
    /// Inputs with known outputs.
    pub golden: GoldenEntry,
    /// Where it comes from.
    pub origin: Origin,
    /// Every other file of the bundle, with its digest. Filled in by [`crate::BundleWriter`].
    #[serde(default)]
    pub files: Vec<FileEntry>,
}

/// A robot description, named and fingerprinted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobotId {
    /// Folder under `robots/`.
    pub name: String,
    /// Digest of what matters of the description, made by the robot crate.
    pub fingerprint: String,
}

/// What the policy sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservationSpace {
    /// Frame of the points; `base`.
    pub frame: String,
    /// Rows of `points` and `roles`.
    pub n_points: usize,
    /// Meaning of the columns of `roles`.
    pub roles: Vec<String>,
    /// Meaning of the columns of `proprio`.
    pub proprio: Vec<String>,
}

/// What the policy does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionSpace {
    /// Frame of the deltas; `tool`.
    pub frame: String,
    /// Length of one action, s.
    pub dt_s: f64,
    /// Actions in a chunk.
    pub chunk: usize,
    /// Actions executed before the next chunk.
    pub n_action_steps: usize,
    /// Longest translation in one step, m; more is shortened, ten times as much is refused.
    pub max_translation_m: f64,
    /// Largest rotation in one step, rad; more is reduced, ten times as much is refused.
    pub max_rotation_rad: f64,
    /// Most actions at the beginning of a chunk that the graph can be told as decided already; 0, the
    /// default, for a graph that has no input for them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_committed: usize,
}

fn is_zero(value: &usize) -> bool {
    *value == 0
}

/// Columns of the input `committed`: an action, and 1 if it is decided.
pub(crate) const N_COMMITTED: usize = 8;

/// How actions are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Euler steps inside the graph: 1 for a distilled policy.
    pub n_flow_steps: usize,
    /// What the `noise` input is fed with.
    pub noise: NoiseKind,
}

/// What the `noise` input is fed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseKind {
    /// Standard normal numbers, drawn once per episode.
    Normal,
    /// Zeros: the policy is deterministic.
    Zero,
}

/// The ONNX file and its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphSpec {
    /// File name inside the bundle.
    pub file: String,
    /// Named inputs: points, roles, proprio, noise, and committed if it takes any, for a flow policy.
    pub inputs: Vec<TensorSpec>,
    /// Named outputs: actions for a flow policy.
    pub outputs: Vec<TensorSpec>,
}

/// Name and shape of one tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorSpec {
    /// Name in the graph.
    pub name: String,
    /// Shape, batch first.
    pub shape: Vec<usize>,
    /// What its elements are.
    #[serde(default, skip_serializing_if = "Element::is_float")]
    pub element: Element,
}

/// What a tensor is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Element {
    /// f32.
    #[default]
    Float,
    /// i32: rows of another tensor.
    Index,
}

impl Element {
    fn is_float(&self) -> bool {
        *self == Self::Float
    }
}

impl TensorSpec {
    /// A tensor of f32.
    #[must_use]
    pub fn float(name: &str, shape: &[usize]) -> Self {
        Self {
            name: name.to_owned(),
            shape: shape.to_vec(),
            element: Element::Float,
        }
    }

    /// A tensor of i32.
    #[must_use]
    pub fn index(name: &str, shape: &[usize]) -> Self {
        Self {
            element: Element::Index,
            ..Self::float(name, shape)
        }
    }
}

/// Inputs with known outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenEntry {
    /// File name inside the bundle.
    pub file: String,
    /// Largest absolute difference allowed, in the action's units.
    pub tolerance: f32,
}

/// One file of the bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Name inside the bundle's folder.
    pub path: String,
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Size.
    pub bytes: u64,
}

/// A training run that another one started from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ancestor {
    /// What it was trained on.
    pub data: String,
    /// Seed of the run.
    pub seed: u64,
    /// Its training steps.
    pub steps: u64,
    /// How long it took, s.
    pub elapsed_s: f64,
    /// SHA-256 of its checkpoint.
    pub checkpoint_sha256: String,
}

/// Where a bundle comes from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Command that trained it, as typed.
    pub command: String,
    /// What it was trained on, for example a dataset's name and digest.
    pub data: String,
    /// Seed of the training run.
    pub seed: u64,
    /// When training started, RFC 3339; a label only.
    pub started_wall: String,
    /// How long training took, s.
    pub elapsed_s: f64,
    /// Package and commit that trained it.
    pub version: String,
    /// The runs it was started or distilled from, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<Ancestor>,
    /// Scene and seeds of `evaluation`, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_on: Option<String>,
    /// Success of this policy, with its interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<SuccessRate>,
}

impl Manifest {
    /// The inputs and the one output that this crate feeds, for the spaces in this manifest.
    #[must_use]
    pub fn standard_graph(
        file: &str,
        observation: &ObservationSpace,
        action: &ActionSpace,
    ) -> GraphSpec {
        let tensor = TensorSpec::float;
        let mut inputs = vec![
            tensor("points", &[1, observation.n_points, 3]),
            tensor("roles", &[1, observation.n_points, observation.roles.len()]),
            tensor("proprio", &[1, observation.proprio.len()]),
            tensor("noise", &[1, action.chunk, 7]),
        ];
        if action.max_committed > 0 {
            inputs.push(tensor("committed", &[1, action.chunk, N_COMMITTED]));
        }
        GraphSpec {
            file: file.to_owned(),
            inputs,
            outputs: vec![tensor("actions", &[1, action.chunk, 7])],
        }
    }

    /// Refuses values that parse but that this crate cannot honour. `path` is named in errors.
    ///
    /// # Errors
    /// [`ConfigError::Value`] naming the field.
    pub fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let need = |holds: bool, field: &str, message: String| require(holds, path, field, message);
        need(
            self.format_version == FORMAT_VERSION,
            "format_version",
            format!(
                "is {}, this prehend reads {FORMAT_VERSION}; export the bundle again",
                self.format_version
            ),
        )?;
        need(
            is_plain_name(&self.name),
            "name",
            "must be 1 to 64 of a-z, A-Z, 0-9, _ or -".into(),
        )?;
        self.check_spaces(path)?;
        let expected = Self::standard_graph(&self.graph.file, &self.observation, &self.action);
        need(
            self.graph.inputs == expected.inputs,
            "graph.inputs",
            format!("must be {}", names_and_shapes(&expected.inputs)),
        )?;
        need(
            self.graph.outputs == expected.outputs,
            "graph.outputs",
            format!("must be {}", names_and_shapes(&expected.outputs)),
        )?;
        let tolerance = self.golden.tolerance;
        need(
            tolerance.is_finite() && tolerance > 0.0 && tolerance <= 1e-2,
            "golden.tolerance",
            format!("is {tolerance}, must be above 0 and at most 0.01"),
        )?;
        for file in [&self.graph.file, &self.golden.file] {
            need(
                self.files.iter().any(|entry| &entry.path == file),
                "files",
                format!("has no entry for {file:?}; every file needs a path, sha256 and bytes"),
            )?;
        }
        for entry in &self.files {
            let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            need(
                entry.sha256.len() == 64 && entry.sha256.bytes().all(hex),
                "files.sha256",
                format!(
                    "of {:?} must be 64 lower-case hexadecimal digits",
                    entry.path
                ),
            )?;
        }
        Ok(())
    }

    fn check_spaces(&self, path: &Path) -> Result<(), ConfigError> {
        let need = |holds: bool, field: &str, message: String| require(holds, path, field, message);
        let (seen, done) = (&self.observation, &self.action);
        need(
            seen.frame == "base",
            "observation.frame",
            format!("is {:?}, only \"base\" is known", seen.frame),
        )?;
        need(
            (1..=8192).contains(&seen.n_points),
            "observation.n_points",
            format!("is {}, must be 1 to 8192", seen.n_points),
        )?;
        need(
            seen.roles == ROLE_NAMES,
            "observation.roles",
            format!("must be {ROLE_NAMES:?}"),
        )?;
        need(
            seen.proprio == PROPRIO_NAMES,
            "observation.proprio",
            format!("must be {PROPRIO_NAMES:?}"),
        )?;
        need(
            done.frame == "tool",
            "action.frame",
            format!("is {:?}, only \"tool\" is known", done.frame),
        )?;
        need(
            done.dt_s.is_finite() && (0.001..=1.0).contains(&done.dt_s),
            "action.dt_s",
            format!("is {}, must be 0.001 to 1", done.dt_s),
        )?;
        need(
            (1..=MAX_CHUNK).contains(&done.chunk),
            "action.chunk",
            format!("is {}, must be 1 to {MAX_CHUNK}", done.chunk),
        )?;
        need(
            (1..=done.chunk).contains(&done.n_action_steps),
            "action.n_action_steps",
            format!(
                "is {}, must be 1 to action.chunk = {}",
                done.n_action_steps, done.chunk
            ),
        )?;
        need(
            done.max_committed < done.chunk,
            "action.max_committed",
            format!(
                "is {}, must be below action.chunk = {}",
                done.max_committed, done.chunk
            ),
        )?;
        for (field, value, most) in [
            ("action.max_translation_m", done.max_translation_m, 1.0),
            ("action.max_rotation_rad", done.max_rotation_rad, 3.0),
        ] {
            need(
                value.is_finite() && value > 0.0 && value <= most,
                field,
                format!("is {value}, must be above 0 and at most {most}"),
            )?;
        }
        need(
            (1..=1000).contains(&self.sampling.n_flow_steps),
            "sampling.n_flow_steps",
            format!("is {}, must be 1 to 1000", self.sampling.n_flow_steps),
        )
    }
}

fn names_and_shapes(tensors: &[TensorSpec]) -> String {
    let shown: Vec<String> = tensors
        .iter()
        .map(|tensor| format!("{} {:?}", tensor.name, tensor.shape))
        .collect();
    shown.join(", ")
}
