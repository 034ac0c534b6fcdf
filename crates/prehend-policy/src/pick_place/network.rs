//! Runs the graph of a bundle: through ONNX Runtime, or inside this program.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ort::session::Session;
use ort::value::Tensor as OrtTensor;
use tract_onnx::prelude::*;

use super::bundle::{GOLDEN_STRIDE, GoldenScene, SceneBundle, SceneManifest, ScorerPart};
use super::decode::RawScene;
use super::inputs::SceneInputs;
use super::scorer::{Judged, Scorer};
use crate::engine::onnx_runtime::builder;
use crate::error::{BundleError, InferenceError};
use crate::graph::one_line;
use crate::runtime::{Runtime, RuntimeKind, RuntimeOptions};

/// A network that has reproduced its golden scenes.
pub struct SceneNetwork {
    manifest: SceneManifest,
    engine: Engine,
    name: String,
    /// Judge what the network proposes.
    pub(super) grasp_scorer: Option<Scorer>,
    pub(super) place_scorer: Option<Scorer>,
}

enum Engine {
    OnnxRuntime(Box<Session>),
    Embedded {
        plan: Arc<TypedRunnableModel>,
        /// Which of the six inputs each of the plan's is.
        order: Vec<usize>,
    },
}

impl SceneNetwork {
    /// Loads the bundle in `dir`, finds an engine and compares the golden scenes.
    ///
    /// # Errors
    /// [`BundleError`] naming the file or library at fault.
    pub fn load(dir: &Path, options: &RuntimeOptions) -> Result<Self, BundleError> {
        Self::from_bundle(&SceneBundle::load(dir)?, &Runtime::open(options)?)
    }

    /// As [`Self::load`], for a bundle and an engine at hand.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn from_bundle(bundle: &SceneBundle, runtime: &Runtime) -> Result<Self, BundleError> {
        let path = bundle.dir.join("network.onnx");
        let graph_error = |reason: String| BundleError::Graph {
            path: path.clone(),
            reason: one_line(&reason),
        };
        let (engine, name) = match &runtime.kind {
            RuntimeKind::OnnxRuntime {
                library,
                environment,
            } => {
                let mut builder = builder(environment, runtime.provider, graph_error)?;
                let session = builder
                    .commit_from_memory(&bundle.graph)
                    .map_err(|e| graph_error(format!("ONNX Runtime: {e}")))?;
                let name = format!("ONNX Runtime 1.{}", library.minor_version);
                (Engine::OnnxRuntime(Box::new(session)), name)
            }
            RuntimeKind::Embedded => {
                let built = catch_unwind(AssertUnwindSafe(|| embedded(bundle)));
                let engine = match built {
                    Ok(Ok(engine)) => engine,
                    Ok(Err(error)) => return Err(graph_error(format!("tract: {error:#}"))),
                    Err(_) => return Err(graph_error("tract: fails while loading".to_owned())),
                };
                (engine, "embedded (tract, CPU)".to_owned())
            }
        };
        let mut network = Self {
            manifest: bundle.manifest.clone(),
            engine,
            name,
            grasp_scorer: None,
            place_scorer: None,
        };
        network.compare_golden(bundle)?;
        for part in &bundle.scorers {
            network.add_scorer(part, &bundle.dir, runtime)?;
        }
        Ok(network)
    }

    fn add_scorer(
        &mut self,
        part: &ScorerPart,
        dir: &Path,
        runtime: &Runtime,
    ) -> Result<(), BundleError> {
        let [graph_file, scores_file] = part.judged.files();
        let golden_path = dir.join(scores_file);
        let mut scorer = Scorer::new(&part.graph, &dir.join(graph_file), runtime)?;
        let said = scorer.difference(&part.golden);
        let difference = said.map_err(|source| BundleError::Inference {
            path: golden_path.clone(),
            source,
        })?;
        let tolerance = self.manifest.golden_tolerance;
        if difference > tolerance {
            return Err(BundleError::GoldenMismatch {
                path: golden_path,
                case: 0,
                difference,
                tolerance,
                engine: self.name.clone(),
            });
        }
        match part.judged {
            Judged::Grasps => self.grasp_scorer = Some(scorer),
            Judged::Places => self.place_scorer = Some(scorer),
        }
        Ok(())
    }

    fn compare_golden(&mut self, bundle: &SceneBundle) -> Result<(), BundleError> {
        let golden_path: PathBuf = bundle.dir.join("golden.json");
        for (case, scene) in bundle.golden.iter().enumerate() {
            let inputs = self.inputs(scene);
            let said = self
                .infer(&inputs)
                .map_err(|source| BundleError::Inference {
                    path: golden_path.clone(),
                    source,
                })?;
            let difference = said
                .thinned(self.manifest.n_grasps())
                .difference(&scene.said);
            let tolerance = self.manifest.golden_tolerance;
            if difference > tolerance {
                return Err(BundleError::GoldenMismatch {
                    path: golden_path,
                    case,
                    difference,
                    tolerance,
                    engine: self.name.clone(),
                });
            }
        }
        Ok(())
    }

    fn inputs(&self, scene: &GoldenScene) -> SceneInputs {
        SceneInputs::new(
            &self.manifest.grouping,
            scene.points.clone(),
            &scene.normals,
            &scene.held,
            self.manifest.n_held,
        )
    }

    /// What the bundle says about itself.
    #[must_use]
    pub fn manifest(&self) -> &SceneManifest {
        &self.manifest
    }

    /// What really computes.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.name
    }

    /// What the network says of a scene.
    ///
    /// # Errors
    /// [`InferenceError`] if the engine fails.
    pub fn infer(&mut self, inputs: &SceneInputs) -> Result<RawScene, InferenceError> {
        let Self {
            manifest,
            engine,
            name,
            ..
        } = self;
        let failed = |reason: String| InferenceError {
            engine: name.clone(),
            reason: one_line(&reason),
        };
        let spec = manifest.graph();
        let floats: [&[f32]; 5] = [
            inputs.points.as_flattened(),
            inputs.features.as_flattened(),
            &inputs.grouped.weights,
            inputs.held.as_flattened(),
            &inputs.clearances,
        ];
        let indices: Vec<i32> = inputs.grouped.indices.iter().map(|i| *i as i32).collect();
        let float = |index: usize| floats[if index < 2 { index } else { index - 1 }];
        for (index, input) in spec.inputs.iter().enumerate() {
            let expected: usize = input.shape.iter().product();
            let got = if index == 2 {
                indices.len()
            } else {
                float(index).len()
            };
            if got != expected {
                return Err(failed(format!(
                    "input {:?} has {got} numbers, expected {expected}",
                    input.name
                )));
            }
        }
        let shape = |index: usize| spec.inputs[index].shape.clone();
        let (objectness, rows) = match engine {
            Engine::OnnxRuntime(session) => {
                let tensor = |index: usize| {
                    OrtTensor::from_array((shape(index), float(index).to_vec()))
                        .map_err(|e| failed(e.to_string()))
                };
                let near = OrtTensor::from_array((shape(2), indices.clone()))
                    .map_err(|e| failed(e.to_string()))?;
                let (points, features) = (tensor(0)?, tensor(1)?);
                let (weights, held, clearances) = (tensor(3)?, tensor(4)?, tensor(5)?);
                let values = ort::inputs! {
                    "points" => points,
                    "features" => features,
                    "indices" => near,
                    "weights" => weights,
                    "held" => held,
                    "clearances" => clearances,
                };
                let outputs = session.run(values).map_err(|e| failed(e.to_string()))?;
                let read = |name: &str| -> Result<Vec<f32>, InferenceError> {
                    let value = outputs
                        .get(name)
                        .ok_or_else(|| failed(format!("no output `{name}`")))?;
                    let (_, data) = value
                        .try_extract_tensor::<f32>()
                        .map_err(|e| failed(e.to_string()))?;
                    Ok(data.to_vec())
                };
                (read("objectness")?, read("points_said")?)
            }
            Engine::Embedded { plan, order } => {
                let run = || -> TractResult<[Vec<f32>; 2]> {
                    let mut values = tvec!();
                    for source in order.iter() {
                        values.push(if *source == 2 {
                            Tensor::from_shape(&shape(2), &indices)?.into_tvalue()
                        } else {
                            Tensor::from_shape(&shape(*source), float(*source))?.into_tvalue()
                        });
                    }
                    let outputs = plan.run(values)?;
                    let read = |index: usize| -> TractResult<Vec<f32>> {
                        let view = outputs[index].to_plain_array_view::<f32>()?;
                        Ok(view.iter().copied().collect())
                    };
                    Ok([read(0)?, read(1)?])
                };
                let [objectness, rows] = catch_unwind(AssertUnwindSafe(run))
                    .map_err(|_| failed("the graph makes it fail while running".into()))?
                    .map_err(|e| failed(format!("{e:#}")))?;
                (objectness, rows)
            }
        };
        if let Some(value) = objectness.iter().chain(&rows).find(|v| !v.is_finite()) {
            return Err(failed(format!("an output holds {value}")));
        }
        RawScene::split(objectness, &rows, manifest)
            .ok_or_else(|| failed(format!("the output has {} numbers", rows.len())))
    }
}

fn embedded(bundle: &SceneBundle) -> TractResult<Engine> {
    let spec = bundle.manifest.graph();
    let mut model = onnx().model_for_read(&mut &bundle.graph[..])?;
    let outlets = model.input_outlets()?.to_vec();
    let mut order = Vec::new();
    for (index, outlet) in outlets.iter().enumerate() {
        let name = model.node(outlet.node).name.clone();
        let Some(source) = spec.inputs.iter().position(|input| input.name == name) else {
            return Err(TractError::msg(format!("unknown input {name:?}")));
        };
        let shape = &spec.inputs[source].shape;
        let fact = if source == 2 {
            i32::fact(shape)
        } else {
            f32::fact(shape)
        };
        model.set_input_fact(index, fact.into())?;
        order.push(source);
    }
    Ok(Engine::Embedded {
        plan: model.into_optimized()?.into_runnable()?,
        order,
    })
}

impl RawScene {
    /// Takes the rows of all points apart; `None` if they have another length.
    pub(crate) fn split(objectness: Vec<f32>, rows: &[f32], of: &SceneManifest) -> Option<Self> {
        let n_grasps = of.n_grasps();
        if rows.len() != of.grouping.n_points * of.n_said() || objectness.len() != n_grasps {
            return None;
        }
        let mut own = Self {
            objectness,
            ..Self::default()
        };
        for row in rows.chunks_exact(of.n_said()) {
            own.grasps.extend(&row[..n_grasps]);
            own.places.extend(&row[n_grasps..n_grasps + 8]);
            own.touch.extend(&row[n_grasps + 8..]);
        }
        Some(own)
    }

    /// What is written down of it as golden.
    pub(crate) fn thinned(&self, n_grasps: usize) -> Self {
        let every = |values: &[f32], width: usize| -> Vec<f32> {
            let rows = values.chunks_exact(width).step_by(GOLDEN_STRIDE);
            rows.flatten().copied().collect()
        };
        Self {
            objectness: self.objectness.clone(),
            grasps: every(&self.grasps, n_grasps),
            places: every(&self.places, 8),
            touch: every(&self.touch, 16),
        }
    }

    /// Largest absolute difference; infinite if a number is not finite or a length differs.
    #[must_use]
    pub fn difference(&self, other: &Self) -> f32 {
        let pairs = [
            (&self.objectness, &other.objectness),
            (&self.grasps, &other.grasps),
            (&self.places, &other.places),
            (&self.touch, &other.touch),
        ];
        let mut worst = 0.0_f32;
        for (a, b) in pairs {
            if a.len() != b.len() {
                return f32::INFINITY;
            }
            for (a, b) in a.iter().zip(b) {
                let d = (a - b).abs();
                worst = if d.is_finite() {
                    worst.max(d)
                } else {
                    f32::INFINITY
                };
            }
        }
        worst
    }
}
