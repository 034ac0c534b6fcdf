//! Turns a checkpoint into a bundle: ONNX graph, golden scenes, manifest, card.

use std::path::Path;

use burn::tensor::{Device, Int, Tensor};
use burn_onnx::export::OnnxExporter;
use prehend_cloud::{CLEARANCE_DIM, N_TURNS};
use prehend_nets::pick_place::{FEATURE_DIM, PickPlaceNet, SceneBatch};
use prehend_policy::Origin;
use prehend_policy::pick_place::{
    FORMAT_VERSION, GoldenScene, RawScene, SceneBundle, SceneInputs, SceneManifest,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::checkpoint::PickPlaceCheckpoint;
use super::sample::{Sample, tensors};
use super::store::StoredScene;
use crate::TrainError;
use crate::graph::finish_graph;

const INPUTS: [&str; 6] = [
    "points",
    "features",
    "indices",
    "weights",
    "held",
    "clearances",
];
const OUTPUTS: [&str; 2] = ["objectness", "points_said"];
/// Largest difference between burn and an engine in any probability or direction.
const TOLERANCE: f32 = 1e-3;
/// Bytes of the graph besides its parameters: nodes, and the orders of the gathers that transpose.
const GRAPH_OVERHEAD: usize = 900_000;
/// Scenes that become golden.
const N_GOLDEN: usize = 3;

/// The checkpoint's network as ONNX.
///
/// # Errors
/// [`TrainError::Export`] if burn-onnx refuses an operation, [`TrainError::Graph`] if the graph has other
/// inputs than six.
pub fn scene_graph(checkpoint: &PickPlaceCheckpoint) -> Result<Vec<u8>, TrainError> {
    let device = Device::flex();
    let net = checkpoint.net(&device);
    let network = &checkpoint.network;
    let grouping = &network.grouping;
    let inputs = (
        (
            Tensor::<3>::zeros([1, grouping.n_points, 3], &device),
            Tensor::<3>::zeros([1, grouping.n_points, FEATURE_DIM], &device),
        ),
        Tensor::<2, Int>::zeros([1, grouping.n_indices()], &device),
        Tensor::<2>::zeros([1, grouping.n_weights()], &device),
        (
            Tensor::<3>::zeros([1, network.n_held, 3], &device),
            Tensor::<3>::zeros([1, grouping.n_points, N_TURNS * CLEARANCE_DIM], &device),
        ),
    );
    let forward = |net: &PickPlaceNet,
                   ((points, features), indices, weights, (held, clearances))| {
        let batch = SceneBatch {
            points,
            features,
            indices,
            weights,
            held,
            clearances,
        };
        net.forward(network, batch).last()
    };
    let onnx = OnnxExporter::new().export(&net, inputs, forward)?;
    let most = 4 * checkpoint.average.len() + GRAPH_OVERHEAD;
    finish_graph(onnx.as_bytes(), &INPUTS, &OUTPUTS, most)
}

/// What burn says of some views.
#[must_use]
pub fn burn_says(checkpoint: &PickPlaceCheckpoint, inputs: &SceneInputs) -> RawScene {
    let device = Device::flex();
    let sample = Sample::of(inputs.clone());
    let batch = tensors(&[sample], &checkpoint.network, &device);
    let (objectness, rows) = checkpoint
        .net(&device)
        .forward(&checkpoint.network, batch)
        .last();
    let flat = |data: burn::tensor::TensorData| data.iter::<f32>().collect::<Vec<f32>>();
    let (objectness, rows) = (flat(objectness.into_data()), flat(rows.into_data()));
    let n_grasps = checkpoint.network.grouping.n_anchors;
    let mut said = RawScene {
        objectness,
        ..RawScene::default()
    };
    for row in rows.chunks_exact(n_grasps + 24) {
        said.grasps.extend(&row[..n_grasps]);
        said.places.extend(&row[n_grasps..n_grasps + 8]);
        said.touch.extend(&row[n_grasps + 8..]);
    }
    said
}

/// The views of scenes as the network is fed with them, without augmentation.
#[must_use]
pub fn scene_inputs(checkpoint: &PickPlaceCheckpoint, scenes: &[StoredScene]) -> Vec<SceneInputs> {
    let mut rng = ChaCha8Rng::seed_from_u64(checkpoint.seed);
    let views = scenes
        .iter()
        .flat_map(|scene| std::iter::once(&scene.picking).chain(&scene.placings));
    views
        .map(|view| Sample::new(view, &checkpoint.network, false, &mut rng).inputs)
        .collect()
}

/// Writes the bundle `dir` from a checkpoint's averaged weights; some of `scenes` become golden.
///
/// # Errors
/// [`TrainError`].
pub fn export_scene(
    checkpoint: &PickPlaceCheckpoint,
    name: &str,
    origin: Origin,
    scenes: &[SceneInputs],
    card: &str,
    dir: &Path,
) -> Result<SceneBundle, TrainError> {
    let graph = scene_graph(checkpoint)?;
    let stride = (scenes.len() / N_GOLDEN).max(1);
    let golden = scenes.iter().step_by(stride).take(N_GOLDEN).map(|inputs| {
        let said = burn_says(checkpoint, inputs);
        GoldenScene::new(inputs, &said, checkpoint.network.grouping.n_anchors)
    });
    let golden: Vec<GoldenScene> = golden.collect();
    let manifest = SceneManifest {
        name: name.to_owned(),
        format_version: FORMAT_VERSION,
        gripper: checkpoint.gripper.clone(),
        gripper_fingerprint: Some(checkpoint.gripper_fingerprint.clone()),
        n_held: checkpoint.network.n_held,
        golden_tolerance: TOLERANCE,
        grouping: checkpoint.network.grouping.clone(),
        origin,
        scorer: None,
        place_scorer: None,
        files: Vec::new(),
    };
    Ok(SceneBundle::write(manifest, &graph, &golden, card, dir)?)
}
