//! Turns observations into action chunks by running a bundle's graph.

use std::path::Path;

use prehend_types::{ActionChunk, Observation, Policy, PolicyError};

use crate::bundle::Bundle;
use crate::decode::N_ACTION;
use crate::engine::Engine;
use crate::error::{BundleError, InferenceError};
use crate::inputs::PolicyInputs;
use crate::manifest::Manifest;
use crate::runtime::{Runtime, RuntimeOptions};

/// A bundle's policy, warmed up and found equal to its golden outputs.
pub struct OnnxPolicy {
    manifest: Manifest,
    engine: Engine,
    notice: Option<String>,
    inputs: PolicyInputs,
    noise: Vec<f32>,
    output: Vec<f32>,
    n_clamped: u64,
    oddities: Vec<String>,
}

impl OnnxPolicy {
    /// Loads the bundle in `dir`, finds an engine, warms it up and compares the golden cases.
    ///
    /// The policy starts as if `reset(0)` had been called.
    ///
    /// # Errors
    /// [`BundleError`] naming the file or library at fault.
    pub fn load(dir: &Path, options: &RuntimeOptions) -> Result<Self, BundleError> {
        let bundle = Bundle::load(dir)?;
        Self::from_bundle(&bundle, &Runtime::open(options)?, options.warm_up_runs)
    }

    /// As [`OnnxPolicy::load`], for a bundle and an engine at hand: after
    /// [`Bundle::check_robot`], or to compare engines.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn from_bundle(
        bundle: &Bundle,
        runtime: &Runtime,
        warm_up_runs: usize,
    ) -> Result<Self, BundleError> {
        let manifest = bundle.manifest().clone();
        let n_out = N_ACTION * manifest.action.chunk;
        let mut policy = Self {
            engine: Engine::new(bundle, runtime)?,
            notice: runtime.notice().map(str::to_owned),
            inputs: PolicyInputs::zeros(manifest.observation.n_points),
            noise: vec![0.0; n_out],
            output: vec![0.0; n_out],
            n_clamped: 0,
            oddities: bundle.golden().oddities(&manifest.action),
            manifest,
        };
        policy.compare_golden(bundle)?;
        for odd in &policy.oddities {
            tracing::warn!("policy {}: {odd}", policy.manifest.name);
        }
        // Real observations: branches and caches then see what they will see later.
        let cases = &bundle.golden().cases;
        for case in cases.iter().cycle().take(warm_up_runs) {
            policy
                .engine
                .infer(&case.inputs(), &case.noise, &mut policy.output)
                .map_err(|source| BundleError::Inference {
                    path: bundle.graph_path(),
                    source,
                })?;
        }
        policy.reset(0);
        Ok(policy)
    }

    fn compare_golden(&mut self, bundle: &Bundle) -> Result<(), BundleError> {
        let tolerance = self.manifest.golden.tolerance;
        for (index, case) in bundle.golden().cases.iter().enumerate() {
            self.engine
                .infer(&case.inputs(), &case.noise, &mut self.output)
                .map_err(|source| BundleError::Inference {
                    path: bundle.graph_path(),
                    source,
                })?;
            let difference = case.difference(&self.output);
            if difference > tolerance {
                return Err(BundleError::GoldenMismatch {
                    path: bundle.golden_path(),
                    case: index,
                    difference,
                    tolerance,
                    engine: self.engine.name().to_owned(),
                });
            }
        }
        Ok(())
    }

    /// What the bundle says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What really computes, for example `ONNX Runtime 1.32, CPUExecutionProvider`.
    #[must_use]
    pub fn provider(&self) -> &str {
        self.engine.name()
    }

    /// The line to show when the embedded engine stands in for ONNX Runtime.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// What is odd about its outputs, though they are the golden ones: always the same, or mostly at the bounds.
    #[must_use]
    pub fn oddities(&self) -> &[String] {
        &self.oddities
    }

    /// How many actions were shortened to the bundle's bounds since loading.
    #[must_use]
    pub fn n_clamped(&self) -> u64 {
        self.n_clamped
    }

    /// The raw graph: `[chunk, 7]` numbers for given inputs and noise, unchecked, m, rad, opening.
    ///
    /// # Errors
    /// [`InferenceError`] if a length does not fit or the engine fails.
    pub fn infer(
        &mut self,
        inputs: &PolicyInputs,
        noise: &[f32],
    ) -> Result<&[f32], InferenceError> {
        self.engine.infer(inputs, noise, &mut self.output)?;
        Ok(&self.output)
    }
}

impl Policy for OnnxPolicy {
    fn name(&self) -> &str {
        &self.manifest.name
    }

    fn reset(&mut self, seed: u64) {
        self.manifest.sampling.noise.draw(seed, &mut self.noise);
    }

    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
        self.inputs.fill(observation)?;
        self.inputs
            .commit(&observation.committed, &self.manifest.action);
        self.engine
            .infer(&self.inputs, &self.noise, &mut self.output)?;
        let action = &self.manifest.action;
        let (chunk, n_clamped) = action.decode(&self.output, observation.stamp)?;
        self.n_clamped += n_clamped;
        Ok(chunk)
    }
}

impl std::fmt::Debug for OnnxPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnnxPolicy")
            .field("name", &self.manifest.name)
            .field("engine", &self.engine.name())
            .finish_non_exhaustive()
    }
}
