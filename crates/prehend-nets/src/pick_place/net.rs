//! The whole network as one module.

use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Int, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::decoder::{Decoder, HeldObject, WIDTH};
use super::encoder::{Indices, PointEncoder};
use super::heads::TouchHeads;
use super::ops::{Mlp, max_of_groups};
use super::{FEATURE_DIM, TOUCH_DIM};
use prehend_cloud::Grouping;

/// Sizes of a [`PickPlaceNet`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PickPlaceConfig {
    /// The point pyramid.
    pub grouping: Grouping,
    /// Points of the held object.
    pub n_held: usize,
}

impl Default for PickPlaceConfig {
    fn default() -> Self {
        Self {
            grouping: Grouping::default(),
            n_held: 256,
        }
    }
}

impl PickPlaceConfig {
    /// The first field that no network can have, and what is wrong with it.
    #[must_use]
    pub fn find_fault(&self) -> Option<(&'static str, String)> {
        let grouping = &self.grouping;
        let n = grouping.n_points;
        if n != 1024 && n != 512 {
            return Some(("grouping.n_points", format!("is {n}, needs 512 or 1024")));
        }
        let counts = grouping.levels.iter().flat_map(|level| {
            let [small, large] = level.n_neighbours;
            [level.n_centres, small, large]
        });
        let is_count = |n: usize| (1..=1024).contains(&n);
        if !counts.chain([grouping.n_anchors]).all(is_count) {
            let message = "every number of centres, neighbours and anchors needs 1 to 1024";
            return Some(("grouping", message.to_owned()));
        }
        if !is_count(self.n_held) {
            return Some(("n_held", format!("is {}, needs 1 to 1024", self.n_held)));
        }
        let mut radii = grouping.levels.iter().flat_map(|level| level.radii_m);
        if !radii.all(|radius| radius > 0.0 && radius < 1.0) {
            let message = "needs radii above 0 and below 1 m";
            return Some(("grouping.levels.radii_m", message.to_owned()));
        }
        None
    }
}

/// What the network sees, for a batch.
#[derive(Debug, Clone)]
pub struct SceneBatch {
    /// `[B, N, 3]`, m, base frame.
    pub points: Tensor<3>,
    /// `[B, N, 4]`: see [`super::FEATURE_DIM`].
    pub features: Tensor<3>,
    /// `[B, n_indices]`: see [`Grouping`].
    pub indices: Tensor<2, Int>,
    /// `[B, n_weights]`: see [`Grouping`].
    pub weights: Tensor<2>,
    /// `[B, H, 3]`, m: points of the held object along the base's axes, from its bottom centre; zeros if
    /// nothing is held.
    pub held: Tensor<3>,
    /// `[B, N, 8 * CLEARANCE_DIM]`: see [`prehend_cloud::clearances`].
    pub clearances: Tensor<3>,
}

/// What the tokens say after a layer: logits.
#[derive(Debug, Clone)]
pub struct Stage {
    /// `[B, G]`: whether a grasp token stands for an object.
    pub objectness: Tensor<2>,
    /// `[B, N, G]`: whether the token's object can be grasped at a point.
    pub grasps: Tensor<3>,
    /// `[B, N, 8]`: whether the held object's bottom centre may go to a point, for each turn.
    pub places: Tensor<3>,
}

/// All that the network says.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// The tokens as they start, then after each layer; the last one counts.
    pub stages: Vec<Stage>,
    /// `[B, N, 16]`: see [`TOUCH_DIM`].
    pub touch: Tensor<3>,
}

impl Prediction {
    /// What counts, as the exported graph gives it: probabilities of objects `[B, G]`, and for each point
    /// those of the masks of grasps and turns, the closing and approach directions, not yet at right angles and
    /// shorter than one, and the shares of the width classes, `[B, N, G + 8 + 16]`.
    #[must_use]
    pub fn last(mut self) -> (Tensor<2>, Tensor<3>) {
        let last = self.stages.remove(self.stages.len() - 1);
        let [n_batch, n_points, _] = self.touch.dims();
        let touch = |columns: std::ops::Range<usize>| {
            self.touch.clone().slice([0..n_batch, 0..n_points, columns])
        };
        let logits = touch(6..TOUCH_DIM);
        let highest = logits.clone().max_dim_with_indices(2).0;
        let shares = (logits - highest).exp();
        let shares = shares.clone() / shares.sum_dim(2);
        let (grasps, places) = (sigmoid(last.grasps), sigmoid(last.places));
        let [closing, approach] = [touch(0..3), touch(3..6)].map(shortened);
        let rows = Tensor::cat(vec![grasps, places, closing, approach, shares], 2);
        (sigmoid(last.objectness), rows)
    }
}

/// Vectors shorter than one in the same directions; short ones stay about as they are. Engines differ by a share
/// of each number, and only directions are asked for: their lengths grow with training.
fn shortened(x: Tensor<3>) -> Tensor<3> {
    let square = (x.clone() * x.clone()).sum_dim(2);
    x / (square + 1.0).sqrt()
}

/// Grasps and placements from a cloud.
#[derive(Module, Debug)]
pub struct PickPlaceNet {
    encoder: PointEncoder,
    held: Mlp,
    decoder: Decoder,
    touch: TouchHeads,
}

impl PickPlaceNet {
    /// A network with initial parameters drawn from `seed`.
    #[must_use]
    pub fn new(config: &PickPlaceConfig, seed: u64, device: &Device) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self {
            encoder: PointEncoder::new(&mut rng, device),
            held: Mlp::new(&mut rng, &[3, 64, WIDTH], device),
            decoder: Decoder::new(&mut rng, config.grouping.n_anchors, device),
            touch: TouchHeads::new(&mut rng, device),
        }
    }

    /// Looks at a batch of scenes.
    #[must_use]
    pub fn forward(&self, config: &PickPlaceConfig, batch: SceneBatch) -> Prediction {
        let [n_batch, n_points, _] = batch.points.dims();
        // From the middle: differences of small numbers lose less to rounding.
        let points = batch.points.clone() - batch.points.sum_dim(1) / n_points as f32;
        let indices = Indices { all: batch.indices };
        let flat = points.clone().reshape([n_batch * n_points, 3]);
        let features = batch.features.reshape([n_batch * n_points, FEATURE_DIM]);
        let pyramid =
            self.encoder
                .forward(&config.grouping, flat, features, &indices, &batch.weights);
        let n_held = batch.held.dims()[1];
        let held = batch.held.reshape([n_batch * n_held, 3]) * 20.0;
        let object = HeldObject {
            token: max_of_groups(self.held.forward(held), n_held),
            clearances: batch.clearances,
        };
        let stages = self
            .decoder
            .forward(&config.grouping, &pyramid, &indices, points, object);
        let touch = self.touch.forward(&pyramid.up[0]);
        Prediction {
            stages,
            touch: touch.reshape([n_batch, n_points, TOUCH_DIM]),
        }
    }
}
