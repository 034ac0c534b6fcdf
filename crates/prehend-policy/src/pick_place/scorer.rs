//! Runs a graph that judges proposed grasps, or placements, by what is around them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use ort::session::Session;
use ort::value::Tensor as OrtTensor;
use prehend_cloud::{CLOSE_UP_DIM, CLOSE_UP_POINTS, CloseUp};
use serde::{Deserialize, Serialize};
use tract_onnx::prelude::*;

use crate::engine::onnx_runtime::builder;
use crate::error::{BundleError, InferenceError};
use crate::graph::one_line;
use crate::manifest::{GraphSpec, TensorSpec};
use crate::runtime::{Runtime, RuntimeKind};

/// Proposals of one look that are judged: the graph takes that many at once.
pub const MOST_SCORED: usize = 40;
/// The graph's shape.
const SHAPE: [usize; 3] = [MOST_SCORED, 2 * CLOSE_UP_POINTS, CLOSE_UP_DIM];

/// What a scorer judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// Grasps: whether they hold, by [`prehend_cloud::close_up`].
    Grasps,
    /// Placements: whether they stand, by [`prehend_cloud::PlaceSight`].
    Places,
}

impl Judged {
    /// Files of its graph and of its golden scores in a bundle.
    pub(super) fn files(self) -> [&'static str; 2] {
        match self {
            Self::Grasps => ["scorer.onnx", "golden_scores.json"],
            Self::Places => ["place_scorer.onnx", "golden_place_scores.json"],
        }
    }

    /// A proposal, in words.
    #[must_use]
    pub fn one(self) -> &'static str {
        match self {
            Self::Grasps => "grasp",
            Self::Places => "placement",
        }
    }
}

/// Close-ups with what the trained scorer said of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenScores {
    /// What it was shown, at most [`MOST_SCORED`].
    pub close_ups: Vec<CloseUp>,
    /// Probability that each holds, or stands.
    pub scores: Vec<f32>,
}

impl GoldenScores {
    /// Whether it can be compared with anything.
    pub(super) fn is_sound(&self) -> bool {
        let n = self.close_ups.len();
        let is_whole = |close_up: &CloseUp| close_up.len() == 2 * CLOSE_UP_POINTS;
        (1..=MOST_SCORED).contains(&n)
            && self.scores.len() == n
            && self.close_ups.iter().all(is_whole)
    }
}

/// The graph's input and output.
pub(super) fn graph_spec(file: &str) -> GraphSpec {
    GraphSpec {
        file: file.to_owned(),
        inputs: vec![TensorSpec::float("close_ups", &SHAPE)],
        outputs: vec![TensorSpec::float("scores", &[MOST_SCORED, 1])],
    }
}

/// A scorer that has reproduced its golden scores.
pub(super) struct Scorer {
    engine: Engine,
    name: String,
}

enum Engine {
    OnnxRuntime(Box<Session>),
    Embedded(Arc<TypedRunnableModel>),
}

impl Scorer {
    /// `path` is where the graph was read from, for errors.
    pub fn new(graph: &[u8], path: &Path, runtime: &Runtime) -> Result<Self, BundleError> {
        let graph_error = |reason: String| BundleError::Graph {
            path: path.to_owned(),
            reason: one_line(&reason),
        };
        match &runtime.kind {
            RuntimeKind::OnnxRuntime {
                library,
                environment,
            } => {
                let mut builder = builder(environment, runtime.provider, graph_error)?;
                let session = builder
                    .commit_from_memory(graph)
                    .map_err(|e| graph_error(format!("ONNX Runtime: {e}")))?;
                Ok(Self {
                    engine: Engine::OnnxRuntime(Box::new(session)),
                    name: format!("ONNX Runtime 1.{}", library.minor_version),
                })
            }
            RuntimeKind::Embedded => {
                let built = catch_unwind(AssertUnwindSafe(|| embedded(graph)))
                    .map_err(|_| graph_error("tract: fails while loading".to_owned()))?;
                let plan = built.map_err(|error| graph_error(format!("tract: {error:#}")))?;
                Ok(Self {
                    engine: Engine::Embedded(plan),
                    name: "embedded (tract, CPU)".to_owned(),
                })
            }
        }
    }

    /// Largest difference to golden scores.
    pub fn difference(&mut self, golden: &GoldenScores) -> Result<f32, InferenceError> {
        let said = self.score(&golden.close_ups)?;
        let pairs = said.iter().zip(&golden.scores);
        let worst = pairs.map(|(a, b)| (a - b).abs());
        Ok(worst.fold(0.0, |worst, d| {
            if d.is_finite() {
                worst.max(d)
            } else {
                f32::INFINITY
            }
        }))
    }

    /// For each of at most [`MOST_SCORED`] close-ups, the probability that the grasp holds, or the placement stands.
    pub fn score(&mut self, close_ups: &[CloseUp]) -> Result<Vec<f32>, InferenceError> {
        let Self { engine, name } = self;
        let failed = |reason: String| InferenceError {
            engine: name.clone(),
            reason: one_line(&reason),
        };
        let mut flat: Vec<f32> = close_ups.iter().flatten().flatten().copied().collect();
        let size: usize = SHAPE.iter().product();
        if flat.len() > size {
            let (n, most) = (close_ups.len(), MOST_SCORED);
            return Err(failed(format!(
                "{n} proposals to score, at most {most} fit"
            )));
        }
        flat.resize(size, 0.0);
        let mut said = match engine {
            Engine::OnnxRuntime(session) => {
                let input = OrtTensor::from_array((SHAPE.to_vec(), flat))
                    .map_err(|e| failed(e.to_string()))?;
                let outputs = session
                    .run(ort::inputs! { "close_ups" => input })
                    .map_err(|e| failed(e.to_string()))?;
                let scores = outputs
                    .get("scores")
                    .ok_or_else(|| failed("no output `scores`".to_owned()))?;
                let (_, scores) = scores
                    .try_extract_tensor::<f32>()
                    .map_err(|e| failed(e.to_string()))?;
                scores.to_vec()
            }
            Engine::Embedded(plan) => {
                let run = || -> TractResult<Vec<f32>> {
                    let outputs =
                        plan.run(tvec!(Tensor::from_shape(&SHAPE, &flat)?.into_tvalue()))?;
                    let scores = outputs[0].to_plain_array_view::<f32>()?;
                    Ok(scores.iter().copied().collect())
                };
                catch_unwind(AssertUnwindSafe(run))
                    .map_err(|_| failed("the graph makes it fail while running".to_owned()))?
                    .map_err(|e| failed(format!("{e:#}")))?
            }
        };
        if said.len() < close_ups.len() {
            return Err(failed(format!("the output has {} numbers", said.len())));
        }
        said.truncate(close_ups.len());
        if let Some(score) = said.iter().find(|score| !score.is_finite()) {
            return Err(failed(format!("a score is {score}")));
        }
        Ok(said)
    }
}

fn embedded(graph: &[u8]) -> TractResult<Arc<TypedRunnableModel>> {
    let mut model = onnx().model_for_read(&mut { graph })?;
    model.set_input_fact(0, f32::fact(SHAPE).into())?;
    model.into_optimized()?.into_runnable()
}
