//! A network in training as a policy, for validation rollouts.

use std::time::Duration;

use burn::tensor::{Device, Tensor, TensorData};
use nalgebra::Vector3;
use prehend_nets::{ACTION_DIM, FlowPolicyNet, N_ROLES, PROPRIO_DIM, PolicyBatch};
use prehend_policy::{PolicyInputs, observation_to_inputs};
use prehend_types::{Action, ActionChunk, Observation, Policy, PolicyError, Stream, derive_seed};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::checkpoint::{Checkpoint, Stage};

/// Length of one action, s.
pub(crate) const ACTION_DT_S: f64 = 0.05;
/// Actions of a chunk of eight that are executed before the next one, unless the exporter says
/// otherwise: chosen on validation scenes.
pub const N_ACTION_STEPS: u8 = 6;

/// A checkpoint's policy, run by burn. As `OnnxPolicy`, it draws its noise once per episode.
#[derive(Debug, Clone)]
pub struct BurnPolicy {
    net: FlowPolicyNet,
    name: &'static str,
    n_points: usize,
    chunk: usize,
    n_flow_steps: usize,
    noise: Vec<f32>,
}

impl BurnPolicy {
    /// The checkpoint's averaged weights.
    #[must_use]
    pub fn new(checkpoint: &Checkpoint) -> Self {
        let net = checkpoint.policy_net(&Device::flex());
        let (name, n_flow_steps) = match checkpoint.stage {
            Stage::Flow => ("flow_in_training", checkpoint.euler_steps),
            Stage::Student => ("student_in_training", 1),
        };
        let mut own = Self {
            net,
            name,
            n_points: checkpoint.network.n_points,
            chunk: checkpoint.network.chunk,
            n_flow_steps,
            noise: Vec::new(),
        };
        own.reset(0);
        own
    }

    /// The graph: actions `[chunk, 7]` for given inputs and noise `[chunk, 7]`; m, rad, opening.
    #[must_use]
    pub fn infer(&self, inputs: &PolicyInputs, noise: &[f32]) -> Vec<f32> {
        let device = Device::flex();
        let n = inputs.points.len() / 3;
        let data = |values: &[f32], shape: [usize; 3]| TensorData::new(values.to_vec(), shape);
        let proprio = TensorData::new(inputs.proprio.to_vec(), [1, PROPRIO_DIM]);
        let batch = PolicyBatch {
            points: Tensor::from_data(data(&inputs.points, [1, n, 3]), &device),
            roles: Tensor::from_data(data(&inputs.roles, [1, n, N_ROLES]), &device),
            proprio: Tensor::from_data(proprio, &device),
        };
        let noise = Tensor::from_data(data(noise, [1, self.chunk, ACTION_DIM]), &device);
        let actions = self.net.act(batch, noise, self.n_flow_steps);
        actions.into_data().iter::<f32>().collect()
    }
}

impl Policy for BurnPolicy {
    fn name(&self) -> &str {
        self.name
    }

    fn reset(&mut self, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Policy, 0));
        let draw = |_| StandardNormal.sample(&mut rng);
        self.noise = (0..self.chunk * ACTION_DIM).map(draw).collect();
    }

    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
        let inputs = observation_to_inputs(observation, self.n_points)?;
        let output = self.infer(&inputs, &self.noise);
        let mut actions = Vec::with_capacity(self.chunk);
        for (index, row) in output.chunks_exact(ACTION_DIM).enumerate() {
            let at = |i: usize| f64::from(row[i]);
            let action = Action {
                translation: Vector3::new(at(0), at(1), at(2)),
                rotation: Vector3::new(at(3), at(4), at(5)),
                gripper: at(6).clamp(0.0, 1.0),
            };
            if !action.is_finite() {
                return Err(PolicyError::NonFinite { index });
            }
            actions.push(action);
        }
        let dt = Duration::from_secs_f64(ACTION_DT_S);
        let n_steps = usize::from(N_ACTION_STEPS).min(self.chunk);
        ActionChunk::new(observation.stamp, dt, n_steps, &actions).map_err(|error| {
            PolicyError::Inference {
                reason: error.to_string(),
            }
        })
    }
}
