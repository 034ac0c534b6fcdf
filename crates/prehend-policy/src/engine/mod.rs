//! Turns a checked graph into something that computes: through ONNX Runtime, or inside this program.

mod embedded;
pub(crate) mod onnx_runtime;
mod profile;

use crate::bundle::Bundle;
use crate::error::{BundleError, InferenceError};
use crate::inputs::PolicyInputs;
use crate::runtime::{Runtime, RuntimeKind};

use embedded::EmbeddedEngine;
use onnx_runtime::OnnxRuntimeEngine;

/// One prepared graph. Batch size is 1.
pub(crate) enum Engine {
    OnnxRuntime(Box<OnnxRuntimeEngine>),
    Embedded(EmbeddedEngine),
}

impl Engine {
    /// Prepares the graph of a bundle.
    pub fn new(bundle: &Bundle, runtime: &Runtime) -> Result<Self, BundleError> {
        match &runtime.kind {
            RuntimeKind::OnnxRuntime {
                library,
                environment,
            } => {
                let engine =
                    OnnxRuntimeEngine::new(bundle, library, environment, runtime.provider)?;
                Ok(Self::OnnxRuntime(Box::new(engine)))
            }
            RuntimeKind::Embedded => EmbeddedEngine::new(bundle).map(Self::Embedded),
        }
    }

    /// What really runs, for reports.
    pub fn name(&self) -> &str {
        match self {
            Self::OnnxRuntime(engine) => engine.name(),
            Self::Embedded(_) => embedded::NAME,
        }
    }

    /// One inference; `actions` is overwritten with `[chunk, 7]` numbers, not yet checked.
    pub fn infer(
        &mut self,
        inputs: &PolicyInputs,
        noise: &[f32],
        actions: &mut [f32],
    ) -> Result<(), InferenceError> {
        match self {
            Self::OnnxRuntime(engine) => engine.infer(inputs, noise, actions),
            Self::Embedded(engine) => engine.infer(inputs, noise, actions),
        }
    }
}

/// Copies an output whose length was decided by the graph.
fn copy_output(engine: &str, output: &[f32], actions: &mut [f32]) -> Result<(), InferenceError> {
    if output.len() != actions.len() {
        return Err(InferenceError {
            engine: engine.to_owned(),
            reason: format!(
                "the output has {} numbers, expected {}",
                output.len(),
                actions.len()
            ),
        });
    }
    actions.copy_from_slice(output);
    Ok(())
}
