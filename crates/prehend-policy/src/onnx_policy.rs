//! Turns observations into action chunks by running a bundle's graph.

use std::path::Path;
use std::time::Duration;

use nalgebra::Vector3;
use prehend_types::{Action, ActionChunk, Observation, Policy, PolicyError, Stream, derive_seed};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::bundle::Bundle;
use crate::engine::Engine;
use crate::error::{BundleError, InferenceError};
use crate::inputs::PolicyInputs;
use crate::manifest::{Manifest, NoiseKind};
use crate::runtime::{Runtime, RuntimeOptions};

/// Numbers per action: translation, rotation vector, gripper opening.
const N_ACTION: usize = 7;

/// An output this many times over the bundle's bound means a broken network, not a bold one.
const ABSURD: f64 = 10.0;

/// A bundle's policy, warmed up and found equal to its golden outputs.
pub struct OnnxPolicy {
    manifest: Manifest,
    engine: Engine,
    notice: Option<String>,
    dt: Duration,
    inputs: PolicyInputs,
    noise: Vec<f32>,
    output: Vec<f32>,
    n_clamped: u64,
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
            dt: Duration::from_secs_f64(manifest.action.dt_s),
            inputs: PolicyInputs::zeros(manifest.observation.n_points),
            noise: vec![0.0; n_out],
            output: vec![0.0; n_out],
            n_clamped: 0,
            manifest,
        };
        policy.compare_golden(bundle)?;
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

    fn checked_action(&mut self, index: usize) -> Result<Action, PolicyError> {
        let start = N_ACTION * index;
        let mut row = [0.0; N_ACTION];
        for (to, from) in row.iter_mut().zip(&self.output[start..start + N_ACTION]) {
            *to = f64::from(*from);
        }
        let [x, y, z, rx, ry, rz, gripper] = row;
        if !row.iter().all(|value| value.is_finite()) {
            return Err(PolicyError::NonFinite { index });
        }
        let bounds = &self.manifest.action;
        let (translation, cut_a) = bounded(
            Vector3::new(x, y, z),
            bounds.max_translation_m,
            "translation",
            "m",
            index,
        )?;
        let (rotation, cut_b) = bounded(
            Vector3::new(rx, ry, rz),
            bounds.max_rotation_rad,
            "rotation",
            "rad",
            index,
        )?;
        self.n_clamped += u64::from(cut_a || cut_b);
        Ok(Action {
            translation,
            rotation,
            gripper: gripper.clamp(0.0, 1.0),
        })
    }
}

/// The vector, shortened to `most` if it is longer, and whether it was.
fn bounded(
    vector: Vector3<f64>,
    most: f64,
    what: &str,
    unit: &str,
    index: usize,
) -> Result<(Vector3<f64>, bool), PolicyError> {
    let norm = vector.norm();
    if norm > ABSURD * most {
        return Err(PolicyError::Inference {
            reason: format!(
                "action {index} has a {what} of {norm:.3} {unit}, the bundle's bound is {most} {unit}"
            ),
        });
    }
    let is_over = norm > most;
    Ok((
        if is_over {
            vector * (most / norm)
        } else {
            vector
        },
        is_over,
    ))
}

impl Policy for OnnxPolicy {
    fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Draws the episode's noise.
    ///
    /// One draw serves the whole episode: the noise picks one of several good ways to do the task,
    /// and drawing it anew for each chunk would let the arm change its mind four times a second.
    fn reset(&mut self, seed: u64) {
        match self.manifest.sampling.noise {
            NoiseKind::Zero => self.noise.fill(0.0),
            NoiseKind::Normal => {
                let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Policy, 0));
                for value in &mut self.noise {
                    *value = StandardNormal.sample(&mut rng);
                }
            }
        }
    }

    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
        self.inputs.fill(observation)?;
        self.engine
            .infer(&self.inputs, &self.noise, &mut self.output)
            .map_err(|e| PolicyError::Inference {
                reason: e.to_string(),
            })?;
        let n_actions = self.manifest.action.chunk;
        let mut actions = [Action::hold(0.0); prehend_types::MAX_CHUNK];
        for (index, action) in actions.iter_mut().enumerate().take(n_actions) {
            *action = self.checked_action(index)?;
        }
        let steps = self.manifest.action.n_action_steps;
        ActionChunk::new(observation.stamp, self.dt, steps, &actions[..n_actions]).map_err(|e| {
            PolicyError::Inference {
                reason: e.to_string(),
            }
        })
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
