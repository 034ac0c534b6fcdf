//! The whole policy as one module.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::ACTION_DIM;
use crate::encoder::CloudEncoder;
use crate::head::FlowHead;
use crate::normaliser::{ActionNormaliser, ActionScale};

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
    /// Most actions at the beginning of a chunk that may be decided already; 0 for a network that is
    /// never told.
    #[serde(default)]
    pub max_committed: usize,
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
            max_committed: 0,
        }
    }
}

impl FlowPolicyConfig {
    /// Numbers beside a noisy chunk that say which of its actions are decided.
    fn n_flags(&self) -> usize {
        if self.max_committed > 0 {
            self.chunk
        } else {
            0
        }
    }

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
        let fault = |(field, value, most)| (field, format!("is {value}, must be 1 to {most}"));
        let found = bounds
            .into_iter()
            .find(|(_, value, most)| !(1..=*most).contains(value));
        found.map(fault).or_else(|| {
            let (committed, chunk) = (self.max_committed, self.chunk);
            let message = format!("is {committed}, must be below chunk = {chunk}");
            (committed >= chunk).then_some(("max_committed", message))
        })
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

/// The beginning of a chunk that is decided already, for a batch: it is given clean, and what follows is
/// made to go on from it (training-time real-time chunking, arXiv 2512.05964; the paper itself was not
/// checked).
#[derive(Debug, Clone)]
pub struct Committed {
    /// `[B, chunk 7]`, normalised units; whatever where nothing is decided.
    pub actions: Tensor<2>,
    /// `[B, chunk]`, 1 where an action is decided, 0 where not.
    pub is_decided: Tensor<2>,
}

impl Committed {
    /// `[B, chunk 7]`: [`Self::is_decided`] for each number of an action.
    #[must_use]
    pub fn mask(&self) -> Tensor<2> {
        let [n_batch, chunk] = self.is_decided.dims();
        let flags = self.is_decided.clone().reshape([n_batch, chunk, 1]);
        Tensor::cat(vec![flags; ACTION_DIM], 2).reshape([n_batch, chunk * ACTION_DIM])
    }

    /// `x`, `[B, chunk 7]`, with the decided actions in their places.
    fn put_into(&self, x: Tensor<2>) -> Tensor<2> {
        x.clone() + (self.actions.clone() - x) * self.mask()
    }
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
                [config.chunk * ACTION_DIM, config.n_flags()],
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

    /// Velocity of noisy chunks, normalised units: see [`FlowHead::forward`]. Where actions are decided it
    /// means nothing.
    #[must_use]
    pub fn velocity(
        &self,
        condition: Tensor<2>,
        x: Tensor<2>,
        sigma: Tensor<2>,
        committed: Option<&Committed>,
    ) -> Tensor<2> {
        let x = match committed {
            Some(committed) => {
                Tensor::cat(vec![committed.put_into(x), committed.is_decided.clone()], 1)
            }
            None => x,
        };
        self.head.forward(condition, x, sigma)
    }

    /// Follows the flow from noise to actions in equal Euler steps.
    ///
    /// # Shapes
    /// - `condition`: `[B, d_condition]`
    /// - `noise`: `[B, chunk 7]`, standard normal
    /// - `committed`: given to a network that takes it, and only to such a one
    /// - returns `[B, chunk 7]`, normalised units, in which decided actions are what they are
    #[must_use]
    pub fn integrate(
        &self,
        condition: Tensor<2>,
        noise: Tensor<2>,
        committed: Option<&Committed>,
        n_steps: usize,
    ) -> Tensor<2> {
        let (n_batch, device) = (noise.dims()[0], noise.device());
        let length = 1.0 / n_steps as f32;
        let x = (0..n_steps).fold(noise, |x, step| {
            let sigma = Tensor::full([n_batch, 1], 1.0 - step as f32 * length, &device);
            let v = self.velocity(condition.clone(), x.clone(), sigma, committed);
            x - v * length
        });
        match committed {
            Some(committed) => committed.put_into(x),
            None => x,
        }
    }

    /// The exported graph: observation, noise and decided actions to actions.
    ///
    /// # Shapes
    /// - `noise`: `[B, chunk, 7]`, standard normal
    /// - `committed`: `[B, chunk, 8]`: m, rad, opening, and 1 where an action is decided; for a network that
    ///   takes it, and only for such a one
    /// - returns `[B, chunk, 7]`: m, rad, opening
    #[must_use]
    pub fn act(
        &self,
        batch: PolicyBatch,
        noise: Tensor<3>,
        committed: Option<Tensor<3>>,
        n_steps: usize,
    ) -> Tensor<3> {
        let n_batch = noise.dims()[0];
        let noise = noise.reshape([n_batch, self.chunk * ACTION_DIM]);
        let committed = committed.map(|rows| self.normalised(rows));
        let x = self.integrate(self.encode(batch), noise, committed.as_ref(), n_steps);
        self.normaliser
            .undo(x)
            .reshape([n_batch, self.chunk, ACTION_DIM])
    }

    fn normalised(&self, rows: Tensor<3>) -> Committed {
        let [n_batch, chunk, width] = rows.dims();
        let actions = rows.clone().slice([0..n_batch, 0..chunk, 0..ACTION_DIM]);
        let flags = rows.slice([0..n_batch, 0..chunk, ACTION_DIM..width]);
        Committed {
            actions: self
                .normaliser
                .apply(actions.reshape([n_batch, chunk * ACTION_DIM])),
            is_decided: flags.reshape([n_batch, chunk]),
        }
    }
}
