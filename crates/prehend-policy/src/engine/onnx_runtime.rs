//! Turns a graph into a session of ONNX Runtime, tuned for even latency rather than throughput.

use std::fs;

use ort::environment::Environment;
use ort::ep::ExecutionProviderDispatch;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session, SessionInputValue};
use ort::value::Tensor;

use crate::bundle::Bundle;
use crate::engine::copy_output;
use crate::engine::profile::providers_used;
use crate::error::{BundleError, InferenceError, RuntimeError};
use crate::graph::one_line;
use crate::inputs::PolicyInputs;
use crate::library::Library;
use crate::runtime::Provider;

pub(crate) struct OnnxRuntimeEngine {
    name: String,
    session: Session,
    /// Names and values, as the manifest lists them: made once, overwritten before every run.
    inputs: Vec<(String, Tensor<f32>)>,
    /// Holds the preallocated output.
    options: RunOptions<HasSelectedOutputs>,
}

impl OnnxRuntimeEngine {
    pub fn new(
        bundle: &Bundle,
        library: &Library,
        environment: &Environment,
        provider: Provider,
    ) -> Result<Self, BundleError> {
        let graph_error = |error: String| BundleError::Graph {
            path: bundle.graph_path(),
            reason: format!("ONNX Runtime: {}", one_line(&error)),
        };
        let mut builder = builder(environment, provider, graph_error)?;
        // Where no temporary folder can be made, the name below says less, and nothing else changes.
        let profile_dir = tempfile::tempdir().ok();
        if let Some(dir) = &profile_dir {
            let profiled = builder.with_profiling(dir.path().join("profile"));
            builder = profiled.unwrap_or_else(|e| e.recover());
        }
        let session = builder
            .commit_from_memory(bundle.graph())
            .map_err(|e| graph_error(e.to_string()))?;
        let spec = &bundle.manifest().graph;
        let zeros = |shape: &[usize]| {
            let data = vec![0.0_f32; shape.iter().product()];
            Tensor::from_array((shape.to_vec(), data)).map_err(|e| graph_error(e.to_string()))
        };
        // `Manifest::check` fixed names, order and shapes of the inputs and the one output.
        let inputs = spec.inputs.iter();
        let inputs = inputs
            .map(|input| Ok((input.name.clone(), zeros(&input.shape)?)))
            .collect::<Result<_, BundleError>>()?;
        let mut selector = OutputSelector::default();
        for output in &spec.outputs {
            selector = selector.preallocate(&output.name, zeros(&output.shape)?);
        }
        let options = RunOptions::new().map_err(|e| graph_error(e.to_string()))?;
        let mut engine = Self {
            name: format!("ONNX Runtime 1.{}", library.minor_version),
            session,
            inputs,
            options: options.with_outputs(selector),
        };
        let used = match &profile_dir {
            Some(_) => engine.profile_one_run(bundle)?,
            None => None,
        };
        let used = used.unwrap_or_else(|| provider_name(provider).to_owned());
        engine.name = format!("{}, {used}", engine.name);
        Ok(engine)
    }

    /// What computes the nodes; ends profiling, which costs time, for the rest of the session.
    fn profile_one_run(&mut self, bundle: &Bundle) -> Result<Option<String>, BundleError> {
        let run = match bundle.golden().cases.first() {
            Some(case) => {
                let mut actions = vec![0.0; case.actions.len()];
                self.infer(&case.inputs(), &case.noise, &mut actions)
            }
            None => Ok(()),
        };
        let profile = self.session.end_profiling();
        run.map_err(|source| BundleError::Inference {
            path: bundle.graph_path(),
            source,
        })?;
        let text = profile.ok().and_then(|file| fs::read_to_string(file).ok());
        Ok(text.and_then(|text| providers_used(&text)))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn infer(
        &mut self,
        inputs: &PolicyInputs,
        noise: &[f32],
        actions: &mut [f32],
    ) -> Result<(), InferenceError> {
        let Self {
            name,
            session,
            inputs: tensors,
            options,
        } = self;
        let failed = |reason: String| InferenceError {
            engine: name.clone(),
            reason: one_line(&reason),
        };
        for ((_, tensor), source) in tensors.iter_mut().zip(inputs.in_order(noise)) {
            let (_, data) = tensor.extract_tensor_mut();
            if data.len() != source.len() {
                return Err(failed(format!(
                    "an input has {} numbers, expected {}",
                    source.len(),
                    data.len()
                )));
            }
            data.copy_from_slice(source);
        }
        let values: Vec<(&str, SessionInputValue<'_>)> = tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor.into()))
            .collect();
        let outputs = session
            .run_with_options(values, options)
            .map_err(|e| failed(e.to_string()))?;
        let output = outputs
            .get("actions")
            .ok_or_else(|| failed("no output `actions`".into()))?;
        let (_, data) = output
            .try_extract_tensor::<f32>()
            .map_err(|e| failed(e.to_string()))?;
        copy_output(name, data, actions)
    }
}

/// One thread, no spinning, nodes one after another: the network is too small to share between
/// cores, and spinning threads would take them from the control loop.
pub(crate) fn builder(
    environment: &Environment,
    provider: Provider,
    graph_error: impl Fn(String) -> BundleError,
) -> Result<SessionBuilder, BundleError> {
    let builder = Session::builder(environment).map_err(|e| graph_error(e.to_string()))?;
    let builder = tune(builder).map_err(|e| graph_error(e.to_string()))?;
    let Some(dispatch) = dispatch(provider) else {
        return Ok(builder);
    };
    // Without this the session would silently run on the processor.
    let builder = builder.with_execution_providers([dispatch.error_on_failure()]);
    Ok(builder.map_err(|e| RuntimeError::Provider {
        provider: provider.name(),
        reason: one_line(e.message()),
    })?)
}

#[expect(
    clippy::result_large_err,
    reason = "ort's own error type, at once made a text"
)]
fn tune(builder: SessionBuilder) -> Result<SessionBuilder, ort::Error<SessionBuilder>> {
    builder
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_memory_pattern(true)?
        .with_deterministic_compute(true)
}

fn provider_name(provider: Provider) -> &'static str {
    match provider {
        Provider::Cpu => "CPUExecutionProvider",
        Provider::Cuda => "CUDAExecutionProvider",
        Provider::TensorRt => "TensorrtExecutionProvider",
    }
}

/// What registers a provider; `None` for the processor, which is always there.
fn dispatch(provider: Provider) -> Option<ExecutionProviderDispatch> {
    match provider {
        #[cfg(feature = "cuda")]
        Provider::Cuda => Some(ort::ep::CUDA::default().build()),
        #[cfg(feature = "tensorrt")]
        Provider::TensorRt => Some(ort::ep::TensorRT::default().build()),
        // `Runtime::open` refused the providers that this build lacks.
        _ => None,
    }
}
