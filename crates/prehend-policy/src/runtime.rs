//! Turns options into an inference runtime: ONNX Runtime if there is one, the embedded engine if not.

use std::path::PathBuf;

use ort::environment::Environment;
use serde::{Deserialize, Serialize};

use crate::error::RuntimeError;
use crate::install::{install, is_offline};
use crate::library::{self, Library};
use crate::search::{SearchPlaces, cache_dir};

/// Which engine is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineChoice {
    /// ONNX Runtime if one is found or may be installed, else the embedded engine with a notice.
    #[default]
    Auto,
    /// ONNX Runtime or an error.
    OnnxRuntime,
    /// The pure-Rust engine inside this program.
    Embedded,
}

/// What computes: ONNX Runtime calls these execution providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU through CUDA; needs the cargo feature `cuda`.
    Cuda,
    /// An NVIDIA GPU through TensorRT; needs the cargo feature `tensorrt`.
    #[serde(rename = "tensorrt")]
    TensorRt,
}

impl Provider {
    /// The name used in launch files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
        }
    }

    /// Whether this build can use it.
    #[must_use]
    pub fn is_built(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Cuda => cfg!(feature = "cuda"),
            Self::TensorRt => cfg!(feature = "tensorrt"),
        }
    }
}

/// How to run policies.
#[derive(Debug, Clone, PartialEq)]
pub struct RuntimeOptions {
    /// Which engine.
    pub engine: EngineChoice,
    /// Which execution provider of ONNX Runtime.
    pub provider: Provider,
    /// A particular ONNX Runtime library; comes before `PREHEND_ONNXRUNTIME`.
    pub library: Option<PathBuf>,
    /// Whether ONNX Runtime may be fetched when none is found. `PREHEND_OFFLINE=1` overrules this.
    pub allow_install: bool,
    /// Inferences before a policy counts as loaded: first runs are slow and would be late.
    pub warm_up_runs: usize,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            engine: EngineChoice::Auto,
            provider: Provider::Cpu,
            library: None,
            allow_install: false,
            warm_up_runs: 50,
        }
    }
}

/// A found and loaded engine; sessions are made from it.
#[derive(Debug, Clone)]
pub struct Runtime {
    pub(crate) kind: RuntimeKind,
    pub(crate) provider: Provider,
    notice: Option<String>,
    refused: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum RuntimeKind {
    OnnxRuntime {
        library: Library,
        environment: Environment,
    },
    Embedded,
}

impl Runtime {
    /// Finds ONNX Runtime on this machine, installs it if that is allowed, or falls back.
    ///
    /// Broken candidates are skipped; each is reported through `tracing` and in [`Runtime::refused`].
    /// A process holds one ONNX Runtime only: later calls share the first one.
    ///
    /// # Errors
    /// [`RuntimeError`]; with [`EngineChoice::Auto`] and the processor as provider only if another
    /// library is already loaded than `options.library`.
    pub fn open(options: &RuntimeOptions) -> Result<Self, RuntimeError> {
        Self::open_in(options, &SearchPlaces::from_env(options.library.as_deref()))
    }

    /// As [`Runtime::open`], looking in given places.
    ///
    /// # Errors
    /// As [`Runtime::open`].
    pub fn open_in(options: &RuntimeOptions, places: &SearchPlaces) -> Result<Self, RuntimeError> {
        let provider = options.provider;
        if options.engine == EngineChoice::Embedded {
            if provider != Provider::Cpu {
                return Err(RuntimeError::ProviderNeedsRuntime {
                    provider: provider.name(),
                });
            }
            return Ok(Self::embedded(None, Vec::new()));
        }
        if !provider.is_built() {
            return Err(RuntimeError::ProviderNotBuilt {
                provider: provider.name(),
                feature: provider.name(),
            });
        }
        if options.library.is_none()
            && let Some((library, environment)) = library::loaded()
        {
            return Ok(Self::onnx_runtime(
                library,
                environment,
                provider,
                Vec::new(),
            ));
        }
        let (found, errors) = places.find();
        let mut refused: Vec<String> = errors.iter().map(ToString::to_string).collect();
        for message in &refused {
            tracing::warn!("skipped: {message}");
        }
        let mut library = found.map(|(_, library)| library);
        if library.is_none() && options.allow_install {
            match places
                .cache
                .clone()
                .or_else(cache_dir)
                .map(|cache| install(&cache))
            {
                Some(Ok(installed)) => library = Some(installed),
                Some(Err(error)) => refused.push(error.to_string()),
                None => refused.push("neither XDG_CACHE_HOME nor HOME is set".into()),
            }
        }
        if let Some(library) = library {
            match library::load(&library) {
                Ok(environment) => {
                    return Ok(Self::onnx_runtime(library, environment, provider, refused));
                }
                Err(error @ RuntimeError::AlreadyLoaded { .. }) => return Err(error),
                // ort takes one library per process, so that no other can be tried after this.
                Err(error) => refused.push(error.to_string()),
            }
        }
        let why = if refused.is_empty() {
            String::new()
        } else {
            refused.join("; ")
        };
        if options.engine == EngineChoice::OnnxRuntime || provider != Provider::Cpu {
            let tried = if why.is_empty() {
                why
            } else {
                format!(" ({why})")
            };
            return Err(RuntimeError::NotFound { tried });
        }
        let remedy = if is_offline() {
            "; PREHEND_OFFLINE is set"
        } else {
            ""
        };
        let why = if why.is_empty() {
            "none installed".to_owned()
        } else {
            why
        };
        let notice = format!(
            "no ONNX Runtime ({why}{remedy}): the embedded engine runs the policy, about twenty times slower"
        );
        tracing::warn!("{notice}");
        Ok(Self::embedded(Some(notice), refused))
    }

    fn embedded(notice: Option<String>, refused: Vec<String>) -> Self {
        Self {
            kind: RuntimeKind::Embedded,
            provider: Provider::Cpu,
            notice,
            refused,
        }
    }

    fn onnx_runtime(
        library: Library,
        environment: Environment,
        provider: Provider,
        refused: Vec<String>,
    ) -> Self {
        let kind = RuntimeKind::OnnxRuntime {
            library,
            environment,
        };
        Self {
            kind,
            provider,
            notice: None,
            refused,
        }
    }

    /// The line to show when the embedded engine stands in for ONNX Runtime.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// Why candidates before the one in use were skipped.
    #[must_use]
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// The ONNX Runtime in use, or `None` for the embedded engine.
    #[must_use]
    pub fn library(&self) -> Option<&Library> {
        match &self.kind {
            RuntimeKind::OnnxRuntime { library, .. } => Some(library),
            RuntimeKind::Embedded => None,
        }
    }

    /// The engine and where it is from, for reports.
    #[must_use]
    pub fn describe(&self) -> String {
        match self.library() {
            Some(Library {
                path,
                minor_version,
            }) => {
                format!("ONNX Runtime 1.{minor_version} from {}", path.display())
            }
            None => "the embedded engine (tract)".to_owned(),
        }
    }
}
