//! Turns a checkpoint into a bundle: ONNX graph, golden cases, manifest, card.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use burn_onnx::export::OnnxExporter;
use nalgebra::Vector3;
use prehend_nets::{
    ACTION_DIM, ActionScale, FlowPolicyConfig, FlowPolicyNet, PROPRIO_DIM, PolicyBatch,
};
use prehend_policy::{
    ActionSpace, Bundle, BundleWriter, FORMAT_VERSION, GoldenCase, GoldenEntry, GoldenFile,
    Manifest, NoiseKind, ObservationSpace, Origin, PROPRIO_NAMES, PolicyInputs, ROLE_NAMES,
    RobotId, Sampling,
};
use prehend_types::{Action, Stream, derive_seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::TrainError;
use crate::burn_policy::BurnPolicy;
use crate::checkpoint::{Checkpoint, Stage};
use crate::graph::finish_graph;

const GRAPH_FILE: &str = "policy.onnx";
const GOLDEN_FILE: &str = "golden.json";
/// Largest difference between burn and an engine, m, rad, opening.
const TOLERANCE: f32 = 1e-5;
/// Names of the graph's inputs, in order.
const INPUTS: [&str; 5] = ["points", "roles", "proprio", "noise", "committed"];
/// Length of one action, s.
const ACTION_DT_S: f64 = 0.05;
/// Bytes of the graph besides its parameters: node names and shapes.
const GRAPH_OVERHEAD: usize = 300_000;

/// What a bundle needs besides its checkpoint.
#[derive(Debug, Clone)]
pub struct ExportRequest<'a> {
    /// Name of the policy.
    pub name: &'a str,
    /// The robot it was trained for.
    pub robot: RobotId,
    /// Where it comes from.
    pub origin: Origin,
    /// What the policy starts its flow from when it is run.
    pub noise: NoiseKind,
    /// Actions of a chunk that are executed before the next one; at least one, at most all.
    pub n_action_steps: usize,
    /// Observations that become golden cases; at least one.
    pub observations: &'a [PolicyInputs],
    /// Text of `README.md`.
    pub card: &'a str,
}

/// Writes the bundle `dir` from a checkpoint's averaged weights.
///
/// # Errors
/// [`TrainError`]; an older bundle in `dir` is then untouched.
pub fn export(
    checkpoint: &Checkpoint,
    request: &ExportRequest<'_>,
    dir: &Path,
) -> Result<Bundle, TrainError> {
    let observation = ObservationSpace {
        frame: "base".into(),
        n_points: checkpoint.network.n_points,
        roles: ROLE_NAMES.map(String::from).to_vec(),
        proprio: PROPRIO_NAMES.map(String::from).to_vec(),
    };
    let action = action_space(checkpoint, request.n_action_steps);
    let manifest = Manifest {
        name: request.name.to_owned(),
        format_version: FORMAT_VERSION,
        robot: request.robot.clone(),
        graph: Manifest::standard_graph(GRAPH_FILE, &observation, &action),
        observation,
        action,
        sampling: Sampling {
            n_flow_steps: flow_steps(checkpoint),
            noise: request.noise,
        },
        golden: GoldenEntry {
            file: GOLDEN_FILE.into(),
            tolerance: TOLERANCE,
        },
        origin: request.origin.clone(),
        files: Vec::new(),
    };
    let golden = GoldenFile {
        cases: golden_cases(checkpoint, request.observations),
    };
    let writer = BundleWriter::new(manifest, graph_bytes(checkpoint)?, &golden)?;
    Ok(writer
        .with_file("README.md", request.card.as_bytes().to_vec())
        .write(dir)?)
}

/// What the policy does, of which `n_action_steps` actions at a time (one to all).
pub(crate) fn action_space(checkpoint: &Checkpoint, n_action_steps: usize) -> ActionSpace {
    let scale = &checkpoint.scale;
    let reach = |columns: std::ops::Range<usize>| {
        let most = |i: usize| f64::from(scale.centre[i].abs() + scale.spread[i]);
        // Half as much again as the demonstrations' 99 % quantiles together.
        1.5 * columns.map(|i| most(i).powi(2)).sum::<f64>().sqrt()
    };
    ActionSpace {
        frame: "tool".into(),
        dt_s: ACTION_DT_S,
        chunk: checkpoint.network.chunk,
        n_action_steps: n_action_steps.clamp(1, checkpoint.network.chunk),
        max_translation_m: reach(0..3),
        max_rotation_rad: reach(3..6),
        max_committed: checkpoint.network.max_committed,
    }
}

fn flow_steps(checkpoint: &Checkpoint) -> usize {
    match checkpoint.stage {
        Stage::Flow => checkpoint.euler_steps,
        Stage::Student => 1,
    }
}

/// What burn computes for these observations, each with noise and decided actions of its own.
#[must_use]
pub fn golden_cases(checkpoint: &Checkpoint, observations: &[PolicyInputs]) -> Vec<GoldenCase> {
    let policy = BurnPolicy::new(checkpoint);
    let space = action_space(checkpoint, 1);
    let n_noise = checkpoint.network.chunk * ACTION_DIM;
    let case = |(index, inputs): (usize, &PolicyInputs)| {
        let seed = derive_seed(checkpoint.seed, Stream::Policy, index as u64);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let noise: Vec<f32> = (0..n_noise)
            .map(|_| StandardNormal.sample(&mut rng))
            .collect();
        // None in the first case, one action in the second, and so on, round and round.
        let n_committed = index % (space.max_committed + 1);
        let committed: Vec<Action> = (0..n_committed)
            .map(|_| draw_action(&checkpoint.scale, &mut rng))
            .collect();
        let mut inputs = inputs.clone();
        inputs.commit(&committed, &space);
        GoldenCase {
            actions: policy.infer(&inputs, &noise),
            points: inputs.points,
            roles: inputs.roles,
            proprio: inputs.proprio,
            noise,
            committed: inputs.committed,
        }
    };
    observations.iter().enumerate().map(case).collect()
}

/// An action of the usual size.
fn draw_action(scale: &ActionScale, rng: &mut ChaCha8Rng) -> Action {
    let mut draw = |column: usize| {
        let (centre, spread) = (scale.centre[column], scale.spread[column]);
        f64::from(centre + rng.random_range(-1.0..=1.0) * spread)
    };
    Action {
        translation: Vector3::from_fn(|row, _| draw(row)),
        rotation: Vector3::from_fn(|row, _| draw(3 + row)),
        gripper: draw(6),
    }
}

/// The checkpoint's whole policy as ONNX, with named inputs and output and every weight stored once.
///
/// # Errors
/// [`TrainError::Export`] if burn-onnx refuses an operation, [`TrainError::Graph`] if the graph has
/// other inputs or a weight was stored for each Euler step.
pub fn graph_bytes(checkpoint: &Checkpoint) -> Result<Vec<u8>, TrainError> {
    let device = Device::flex();
    let net = checkpoint.policy_net(&device);
    let FlowPolicyConfig {
        n_points,
        chunk,
        max_committed,
        ..
    } = checkpoint.network;
    let mut of_chunk = vec![Tensor::<3>::zeros([1, chunk, ACTION_DIM], &device)];
    if max_committed > 0 {
        of_chunk.push(Tensor::zeros([1, chunk, ACTION_DIM + 1], &device));
    }
    let n_inputs = 3 + of_chunk.len();
    let inputs = (
        Tensor::<3>::zeros([1, n_points, 3], &device),
        Tensor::<3>::zeros([1, n_points, 3], &device),
        Tensor::<2>::zeros([1, PROPRIO_DIM], &device),
        of_chunk,
    );
    let n_steps = flow_steps(checkpoint);
    type Inputs = (Tensor<3>, Tensor<3>, Tensor<2>, Vec<Tensor<3>>);
    let forward = |net: &FlowPolicyNet, (points, roles, proprio, of_chunk): Inputs| {
        let batch = PolicyBatch {
            points,
            roles,
            proprio,
        };
        net.act(
            batch,
            of_chunk[0].clone(),
            of_chunk.get(1).cloned(),
            n_steps,
        )
    };
    let onnx = OnnxExporter::new().export(&net, inputs, forward)?;
    let most = 4 * checkpoint.average.len() + GRAPH_OVERHEAD;
    finish_graph(onnx.as_bytes(), &INPUTS[..n_inputs], &["actions"], most)
}
