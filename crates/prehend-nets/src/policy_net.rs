//! The whole policy as one module.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::encoder::CloudEncoder;
use crate::head::FlowHead;
use crate::normaliser::{ActionNormaliser, ActionScale};
use crate::{ACTION_DIM, N_ROLES, PROPRIO_DIM};

/// Sizes of a [`FlowPolicyNet`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowPolicyConfig {
    /// Points of a cloud.
    pub n_points: usize,
    /// Actions of a chunk.
    pub chunk: usize,
    /// Widths of the per-point layers; the cost of the whole network is mostly w2 times w3.
    pub point_widths: [usize; 3],
    /// Width of the condition vector.
    pub condition_width: usize,
    /// Width of the flow head.
    pub head_width: usize,
    /// Residual blocks of the flow head.
    pub head_blocks: usize,
}

impl Default for FlowPolicyConfig {
    fn default() -> Self {
        Self {
            n_points: 512,
            chunk: 8,
            point_widths: [32, 64, 128],
            condition_width: 256,
            head_width: 256,
            head_blocks: 3,
        }
    }
}

impl FlowPolicyConfig {
    /// The first field whose value makes no sense, with what is wrong.
    #[must_use]
    pub fn find_fault(&self) -> Option<(&'static str, String)> {
        let [w1, w2, w3] = self.point_widths;
        let bounds = [
            ("n_points", self.n_points, 8192),
            ("chunk", self.chunk, 16),
            ("point_widths", w1.min(w2).min(w3), 4096),
            ("point_widths", w1.max(w2).max(w3), 4096),
            ("condition_width", self.condition_width, 4096),
            ("head_width", self.head_width, 4096),
            ("head_blocks", self.head_blocks, 32),
        ];
        let (field, value, most) = bounds
            .into_iter()
            .find(|(_, value, most)| !(1..=*most).contains(value))?;
        Some((field, format!("is {value}, must be 1 to {most}")))
    }
}

/// What the policy sees, for a batch.
#[derive(Debug, Clone)]
pub struct PolicyBatch {
    /// `[B, N, 3]`, m, base frame.
    pub points: Tensor<3>,
    /// `[B, N, 3]`, one-hot target, receptacle, other; zero where there is no point.
    pub roles: Tensor<3>,
    /// `[B, 12]`.
    pub proprio: Tensor<2>,
}

/// Conditional flow matching over action chunks (Lipman et al. 2023), with the convention
/// x_sigma = (1 - sigma) action + sigma noise and v = noise - action.
#[derive(Module, Debug)]
pub struct FlowPolicyNet {
    encoder: CloudEncoder,
    head: FlowHead,
    normaliser: ActionNormaliser,
    chunk: usize,
}

impl FlowPolicyNet {
    /// A network with initial parameters drawn from `seed`.
    #[must_use]
    pub fn new(config: &FlowPolicyConfig, scale: &ActionScale, seed: u64, device: &Device) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let d_condition = config.condition_width;
        Self {
            encoder: CloudEncoder::new(&mut rng, config.point_widths, d_condition, device),
            head: FlowHead::new(
                &mut rng,
                config.chunk * ACTION_DIM,
                d_condition,
                config.head_width,
                config.head_blocks,
                device,
            ),
            normaliser: ActionNormaliser::new(scale, config.chunk, device),
            chunk: config.chunk,
        }
    }

    /// The condition vectors, `[B, d_condition]`.
    #[must_use]
    pub fn encode(&self, batch: PolicyBatch) -> Tensor<2> {
        self.encoder
            .forward(batch.points, batch.roles, batch.proprio)
    }

    /// Velocity of noisy chunks, normalised units: see [`FlowHead::forward`].
    #[must_use]
    pub fn velocity(&self, condition: Tensor<2>, x: Tensor<2>, sigma: Tensor<2>) -> Tensor<2> {
        self.head.forward(condition, x, sigma)
    }

    /// Follows the flow from noise to actions in equal Euler steps.
    ///
    /// # Shapes
    /// - `condition`: `[B, d_condition]`
    /// - `noise`: `[B, chunk 7]`, standard normal
    /// - returns `[B, chunk 7]`, normalised units
    #[must_use]
    pub fn integrate(&self, condition: Tensor<2>, noise: Tensor<2>, n_steps: usize) -> Tensor<2> {
        let (n_batch, device) = (noise.dims()[0], noise.device());
        let length = 1.0 / n_steps as f32;
        (0..n_steps).fold(noise, |x, step| {
            let sigma = Tensor::full([n_batch, 1], 1.0 - step as f32 * length, &device);
            let v = self.velocity(condition.clone(), x.clone(), sigma);
            x - v * length
        })
    }

    /// The exported graph: observation and noise to actions.
    ///
    /// # Shapes
    /// - `noise`: `[B, chunk, 7]`, standard normal
    /// - returns `[B, chunk, 7]`: m, rad, opening
    #[must_use]
    pub fn act(&self, batch: PolicyBatch, noise: Tensor<3>, n_steps: usize) -> Tensor<3> {
        let n_batch = noise.dims()[0];
        let noise = noise.reshape([n_batch, self.chunk * ACTION_DIM]);
        let x = self.integrate(self.encode(batch), noise, n_steps);
        self.normaliser
            .undo(x)
            .reshape([n_batch, self.chunk, ACTION_DIM])
    }

    /// Shapes of the graph's inputs for a batch of one: points, roles, proprio, noise.
    #[must_use]
    pub fn input_shapes(config: &FlowPolicyConfig) -> [Vec<usize>; 4] {
        [
            vec![1, config.n_points, 3],
            vec![1, config.n_points, N_ROLES],
            vec![1, PROPRIO_DIM],
            vec![1, config.chunk, ACTION_DIM],
        ]
    }
}
