//! Turns a graph into a plan of the pure-Rust engine tract.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tract_onnx::prelude::*;

use crate::bundle::Bundle;
use crate::engine::copy_output;
use crate::error::{BundleError, InferenceError};
use crate::graph::one_line;
use crate::inputs::PolicyInputs;
use crate::manifest::GraphSpec;

/// What reports call this engine.
pub(super) const NAME: &str = "embedded (tract, CPU)";

pub(crate) struct EmbeddedEngine {
    plan: Arc<TypedRunnableModel>,
    /// For each input of the plan: which of the manifest's it is, and its shape.
    order: Vec<(usize, Vec<usize>)>,
}

impl EmbeddedEngine {
    pub fn new(bundle: &Bundle) -> Result<Self, BundleError> {
        let graph = &bundle.manifest().graph;
        // tract reports most flaws of a graph as errors, but some as panics.
        let built = catch_unwind(AssertUnwindSafe(|| prepare(bundle.graph(), graph)));
        let reason = match built {
            Ok(Ok((plan, order))) => return Ok(Self { plan, order }),
            Ok(Err(error)) => one_line(&format!("{error:#}")),
            Err(_) => "the graph makes it fail while loading".to_owned(),
        };
        Err(BundleError::Graph {
            path: bundle.graph_path(),
            reason: format!("{NAME}: {reason}"),
        })
    }

    pub fn infer(
        &mut self,
        inputs: &PolicyInputs,
        noise: &[f32],
        actions: &mut [f32],
    ) -> Result<(), InferenceError> {
        let failed = |reason: String| InferenceError {
            engine: NAME.to_owned(),
            reason,
        };
        let sources = inputs.in_order(noise);
        let run = || -> TractResult<TVec<TValue>> {
            let mut values = tvec!();
            for (source, shape) in &self.order {
                values.push(Tensor::from_shape(shape, sources[*source])?.into_tvalue());
            }
            self.plan.run(values)
        };
        let outputs = catch_unwind(AssertUnwindSafe(run))
            .map_err(|_| failed("the graph makes it fail while running".into()))?
            .map_err(|e| failed(one_line(&format!("{e:#}"))))?;
        let output = outputs.first().ok_or_else(|| failed("no output".into()))?;
        let view = output
            .to_plain_array_view::<f32>()
            .map_err(|e| failed(e.to_string()))?;
        let values = view
            .as_slice()
            .ok_or_else(|| failed("the output is not dense".into()))?;
        copy_output(NAME, values, actions)
    }
}

type Prepared = (Arc<TypedRunnableModel>, Vec<(usize, Vec<usize>)>);

fn prepare(bytes: &[u8], spec: &GraphSpec) -> TractResult<Prepared> {
    let mut model = onnx().model_for_read(&mut { bytes })?;
    let names: Vec<String> = model
        .input_outlets()?
        .iter()
        .map(|outlet| model.node(outlet.node).name.clone())
        .collect();
    let mut order = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let found = spec.inputs.iter().position(|input| &input.name == name);
        let Some(source) = found else {
            return Err(TractError::msg(format!("unknown input {name:?}")));
        };
        let shape = &spec.inputs[source].shape;
        model.set_input_fact(index, f32::fact(shape).into())?;
        order.push((source, shape.clone()));
    }
    let plan = model.into_optimized()?.into_runnable()?;
    Ok((plan, order))
}
