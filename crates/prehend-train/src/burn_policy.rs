//! A network in training as a policy, for validation rollouts.

use burn::tensor::{Device, Tensor, TensorData};
use prehend_nets::{ACTION_DIM, FlowPolicyNet, N_ROLES, PROPRIO_DIM, PolicyBatch};
use prehend_policy::{ActionSpace, NoiseKind, PolicyInputs, observation_to_inputs};
use prehend_types::{ActionChunk, Observation, Policy, PolicyError};

use crate::checkpoint::{Checkpoint, Stage};
use crate::export::action_space;

/// Actions of a chunk of eight that are executed before the next one, unless the exporter says
/// otherwise. On 300 validation scenes the student succeeded in 293 with 4, 293 with 6, 294 with 8.
pub const N_ACTION_STEPS: u8 = 6;
/// What a policy starts its flow from, unless the exporter says otherwise. On 300 validation scenes the
/// student succeeded in 280 from normal noise and in 293 from none, the teacher in 282 and 289: the
/// middle of the noise leads to the most usual of several good actions.
pub const NOISE: NoiseKind = NoiseKind::Zero;

/// A checkpoint's policy, run by burn as `OnnxPolicy` runs its bundle.
#[derive(Debug, Clone)]
pub struct BurnPolicy {
    net: FlowPolicyNet,
    name: &'static str,
    n_points: usize,
    space: ActionSpace,
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
            space: action_space(checkpoint, usize::from(N_ACTION_STEPS)),
            n_flow_steps,
            noise: vec![0.0; checkpoint.network.chunk * ACTION_DIM],
        };
        own.reset(0);
        own
    }

    /// The graph: actions `[chunk, 7]` for given inputs and noise `[chunk, 7]`; m, rad, opening. What is
    /// committed has to be given to a network that takes it.
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
        let chunk = self.space.chunk;
        let noise = Tensor::from_data(data(noise, [1, chunk, ACTION_DIM]), &device);
        let committed = (self.space.max_committed > 0).then(|| {
            let rows = data(&inputs.committed, [1, chunk, ACTION_DIM + 1]);
            Tensor::from_data(rows, &device)
        });
        let actions = self.net.act(batch, noise, committed, self.n_flow_steps);
        actions.into_data().iter::<f32>().collect()
    }
}

impl Policy for BurnPolicy {
    fn name(&self) -> &str {
        self.name
    }

    fn reset(&mut self, seed: u64) {
        NOISE.draw(seed, &mut self.noise);
    }

    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
        let mut inputs = observation_to_inputs(observation, self.n_points)?;
        inputs.commit(&observation.committed, &self.space);
        let output = self.infer(&inputs, &self.noise);
        Ok(self.space.decode(&output, observation.stamp)?.0)
    }
}
