//! Puts a trained scorer into the bundle of the network whose proposals it ranks.

use std::path::Path;

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use burn_onnx::export::OnnxExporter;
use prehend_cloud::{CLOSE_UP_DIM, CLOSE_UP_POINTS, CloseUp};
use prehend_nets::pick_place::CloseUpScorer;
use prehend_policy::Origin;
use prehend_policy::pick_place::{GoldenScores, MOST_SCORED, SceneBundle};

use super::checkpoint::ScorerCheckpoint;
use crate::TrainError;
use crate::graph::finish_graph;

/// Bytes of the graph besides its parameters.
const GRAPH_OVERHEAD: usize = 20_000;
/// Close-ups that become golden.
const N_GOLDEN: usize = 3;

/// What burn says of close-ups: the probability that each grasp holds, or placement stands.
#[must_use]
pub fn scorer_says(checkpoint: &ScorerCheckpoint, close_ups: &[CloseUp]) -> Vec<f32> {
    let device = Device::flex();
    let said = sigmoid(checkpoint.net(&device).forward(stack(close_ups, &device)));
    said.into_data().iter::<f32>().collect()
}

/// `[G, 2 CLOSE_UP_POINTS, CLOSE_UP_DIM]`
pub(super) fn stack(close_ups: &[CloseUp], device: &Device) -> Tensor<3> {
    let flat: Vec<f32> = close_ups.iter().flatten().flatten().copied().collect();
    let shape = [close_ups.len(), 2 * CLOSE_UP_POINTS, CLOSE_UP_DIM];
    Tensor::from_data(TensorData::new(flat, shape), device)
}

/// Writes the bundle with the scorer as `dir`, which may be the bundle's own folder; the first close-ups
/// become golden.
///
/// # Errors
/// [`TrainError`]; `dir` is then as it was before.
pub fn add_scorer(
    checkpoint: &ScorerCheckpoint,
    close_ups: &[CloseUp],
    origin: Origin,
    bundle: &SceneBundle,
    dir: &Path,
) -> Result<SceneBundle, TrainError> {
    let device = Device::flex();
    let input = Tensor::<3>::zeros([MOST_SCORED, 2 * CLOSE_UP_POINTS, CLOSE_UP_DIM], &device);
    let forward = |net: &CloseUpScorer, close_ups: Tensor<3>| sigmoid(net.forward(close_ups));
    let onnx = OnnxExporter::new().export(&checkpoint.net(&device), input, forward)?;
    let most = 4 * checkpoint.n_parameters() + GRAPH_OVERHEAD;
    let graph = finish_graph(onnx.as_bytes(), &["close_ups"], &["scores"], most)?;
    let golden = &close_ups[..N_GOLDEN.min(close_ups.len())];
    let golden = GoldenScores {
        close_ups: golden.to_vec(),
        scores: scorer_says(checkpoint, golden),
    };
    Ok(bundle.write_scorer(checkpoint.judged, &graph, &golden, origin, dir)?)
}
