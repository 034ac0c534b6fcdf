//! What can go wrong between a folder on disk and a chunk of actions.

use std::path::PathBuf;

use prehend_types::PolicyError;
use prehend_types::config::ConfigError;

/// Why a bundle was not loaded or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// `policy.toml` cannot be read, has unknown or missing keys, or a value makes no sense.
    #[error(transparent)]
    Manifest(#[from] ConfigError),
    /// A file of the bundle could not be read or written.
    #[error("{path:?}: {source}; export the bundle again or copy the missing file")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The manifest names a file outside the bundle's folder.
    #[error("{manifest:?} names {named:?}: {reason}; files must lie inside the bundle's folder")]
    PathEscape {
        /// The manifest.
        manifest: PathBuf,
        /// The name as written.
        named: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// A file is larger than any policy could be.
    #[error("{path:?} has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The most that is read.
        limit: u64,
    },
    /// A file is shorter or longer than the manifest says.
    #[error(
        "{path:?} has {got} bytes, policy.toml says {expected}: it is truncated or was replaced; \
         copy the bundle again"
    )]
    WrongSize {
        /// The file.
        path: PathBuf,
        /// Bytes found.
        got: u64,
        /// Bytes promised.
        expected: u64,
    },
    /// A file's SHA-256 differs from the manifest's.
    #[error(
        "{path:?} has SHA-256 {got}, policy.toml says {expected}: the file was changed or damaged; \
         copy or export the bundle again"
    )]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// Digest found, lower-case hexadecimal.
        got: String,
        /// Digest promised.
        expected: String,
    },
    /// The graph is not what the manifest says, or not a graph at all.
    #[error("{path:?}: {reason}")]
    Graph {
        /// The ONNX file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The golden file cannot be used.
    #[error("{path:?}: {reason}")]
    Golden {
        /// The golden file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The graph does not reproduce the golden output.
    #[error(
        "{path:?}: case {case} differs from its golden output by {difference:.3e} through {engine}, \
         at most {tolerance:.1e} is allowed; the engine and this bundle do not fit together"
    )]
    GoldenMismatch {
        /// The golden file.
        path: PathBuf,
        /// Case, counted from 0.
        case: usize,
        /// Largest absolute difference; infinite if the output was not finite.
        difference: f32,
        /// What is allowed.
        tolerance: f32,
        /// What ran it.
        engine: String,
    },
    /// The bundle was trained for another robot.
    #[error(
        "bundle {bundle:?} is for robot {expected_name:?} ({expected_fingerprint}), this robot is \
         {name:?} ({fingerprint}); use the bundle's robot description or train for this one"
    )]
    WrongRobot {
        /// Name of the bundle.
        bundle: String,
        /// Robot in the bundle.
        expected_name: String,
        /// Its fingerprint.
        expected_fingerprint: String,
        /// The robot at hand.
        name: String,
        /// Its fingerprint.
        fingerprint: String,
    },
    /// The network was trained for another gripper.
    #[error(
        "network {bundle:?} is for gripper {expected:?}, {file:?} is {name:?}, {what}; give the one that it \
         was trained for, or train for this one"
    )]
    WrongGripper {
        /// Name of the network.
        bundle: String,
        /// Its gripper.
        expected: String,
        /// The file of the gripper at hand.
        file: PathBuf,
        /// Its name.
        name: String,
        /// How it differs.
        what: &'static str,
    },
    /// A bundle of that name exists and is not to be replaced.
    #[error(
        "{path:?} exists and holds no policy.toml, so it is not replaced; remove it or choose another name"
    )]
    NotABundle {
        /// The folder in the way.
        path: PathBuf,
    },
    /// No engine could be made.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The engine failed while warming up or on a golden case.
    #[error("{path:?}: {source}")]
    Inference {
        /// The ONNX file.
        path: PathBuf,
        /// What the engine said.
        source: InferenceError,
    },
}

/// Why no inference engine could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The file is no usable ONNX Runtime.
    #[error("{path:?} is not a usable ONNX Runtime library: {reason}")]
    BadLibrary {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// ONNX Runtime was demanded and none was found.
    #[error(
        "no usable ONNX Runtime found{tried}; install one with `python3 -m pip install onnxruntime`, \
         or set PREHEND_ONNXRUNTIME to a libonnxruntime.so"
    )]
    NotFound {
        /// What was tried and why it failed; empty, or starts with a separator.
        tried: String,
    },
    /// A process can hold one ONNX Runtime only, and it already holds another.
    #[error(
        "this process already runs ONNX Runtime from {loaded:?}, it cannot also load {wanted:?}"
    )]
    AlreadyLoaded {
        /// The library in use.
        loaded: PathBuf,
        /// The one asked for.
        wanted: PathBuf,
    },
    /// Installing is forbidden.
    #[error("ONNX Runtime {version} is not installed and PREHEND_OFFLINE forbids fetching it")]
    Offline {
        /// The version that would be fetched.
        version: &'static str,
    },
    /// No wheel is pinned for this machine.
    #[error(
        "no ONNX Runtime wheel is pinned for {os} on {arch}; set PREHEND_ONNXRUNTIME to a library"
    )]
    NoWheel {
        /// Operating system.
        os: &'static str,
        /// Processor.
        arch: &'static str,
    },
    /// Installing failed.
    #[error("cannot install ONNX Runtime: {step}: {reason}")]
    Install {
        /// Which step failed.
        step: &'static str,
        /// What it said.
        reason: String,
    },
    /// The download is not the pinned one.
    #[error("the wheel {name} has SHA-256 {got}, pinned is {expected}; it was not unpacked")]
    WheelHash {
        /// File name of the wheel.
        name: String,
        /// Digest found.
        got: String,
        /// Digest pinned.
        expected: &'static str,
    },
    /// The execution provider is not in this build.
    #[error(
        "provider {provider} needs the cargo feature `{feature}`; build with `--features {feature}`"
    )]
    ProviderNotBuilt {
        /// The provider.
        provider: &'static str,
        /// The feature.
        feature: &'static str,
    },
    /// The execution provider could not be started.
    #[error(
        "provider {provider} does not start: {reason}; use provider `cpu` or install onnxruntime-gpu"
    )]
    Provider {
        /// The provider.
        provider: &'static str,
        /// What ONNX Runtime said.
        reason: String,
    },
    /// A provider other than the processor was demanded of the embedded engine.
    #[error("provider {provider} needs ONNX Runtime, and the embedded engine was chosen")]
    ProviderNeedsRuntime {
        /// The provider.
        provider: &'static str,
    },
}

/// Why one inference failed, or a graph could not be prepared.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{engine}: {reason}")]
pub struct InferenceError {
    /// What ran it.
    pub engine: String,
    /// What it said.
    pub reason: String,
}

impl From<InferenceError> for PolicyError {
    fn from(error: InferenceError) -> Self {
        let reason = error.to_string();
        Self::Inference { reason }
    }
}
