//! PointNet++ (Qi et al. 2017): three steps down with two balls each, three steps up.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor};
use rand_chacha::ChaCha8Rng;

use super::FEATURE_DIM;
use super::ops::{Mlp, max_of_groups, rows};
use crate::layers::{linear, linear_without_bias};
use prehend_cloud::{Grouping, Span};

/// Widths inside a ball's network: first layer, second layer, output.
const BALL_WIDTHS: [[usize; 3]; 3] = [[16, 16, 32], [32, 32, 64], [64, 64, 128]];
/// Widths of the points' features on the way up, from the top.
pub(super) const UP_WIDTHS: [usize; 3] = [64, 96, 128];
/// Width of the lowest level's features.
pub(super) const BOTTOM_WIDTH: usize = 2 * BALL_WIDTHS[2][2];

/// What a ball's centre learns from its neighbours.
///
/// The first layer of a network over (feature, position relative to the centre) is linear: it is taken
/// once for each point and once for each centre instead of once for each pair.
#[derive(Module, Debug)]
struct Ball {
    feature: Linear,
    position: Linear,
    second: Linear,
    third: Linear,
}

impl Ball {
    fn new(rng: &mut ChaCha8Rng, d_in: usize, widths: [usize; 3], device: &Device) -> Self {
        let [w1, w2, w3] = widths;
        let gain = 2f32.sqrt();
        Self {
            feature: linear(rng, [d_in, w1], gain, device),
            position: linear_without_bias(rng, [3, w1], gain, device),
            second: linear(rng, [w1, w2], gain, device),
            third: linear(rng, [w2, w3], gain, device),
        }
    }

    /// Positions in radii. Returns `[centres, w3]`.
    fn forward(
        &self,
        features: &Tensor<2>,
        positions: &Tensor<2>,
        centres: &Tensor<2>,
        neighbours: Tensor<1, Int>,
    ) -> Tensor<2> {
        let [n_centres, _] = centres.dims();
        let k = neighbours.dims()[0] / n_centres;
        let points =
            self.feature.forward(features.clone()) + self.position.forward(positions.clone());
        let width = points.dims()[1];
        let near = rows(&points, neighbours).reshape([n_centres, k, width]);
        let own = self
            .position
            .forward(centres.clone())
            .reshape([n_centres, 1, width]);
        let x = relu((near - own).reshape([n_centres * k, width]));
        let x = relu(self.second.forward(x));
        // ReLU and maximum commute; behind the maximum it is cheaper.
        relu(max_of_groups(self.third.forward(x), k))
    }
}

/// One step down.
#[derive(Module, Debug)]
struct Down {
    small: Ball,
    large: Ball,
}

/// Features of all levels, flat over batch and points.
pub(super) struct Pyramid {
    /// `[B N, 64]`, `[B 256, 96]`, `[B 64, 128]`.
    pub up: [Tensor<2>; 3],
    /// `[B 16, 256]`.
    pub bottom: Tensor<2>,
    /// Positions of each level's centres, m.
    pub centres: [Tensor<2>; 3],
}

/// Where the indices of a batch point to: rows of flat tensors.
pub(super) struct Indices {
    pub all: Tensor<2, Int>,
}

impl Indices {
    /// `[B span]` rows of the level that has `n_above` rows for each of the batch.
    pub fn of(&self, span: Span, n_above: usize) -> Tensor<1, Int> {
        let [n_batch, _] = self.all.dims();
        let n = span.len();
        let own = self.all.clone().slice([0..n_batch, span]);
        if n_batch == 1 {
            return own.reshape([n]);
        }
        let starts: Vec<i64> = (0..n_batch).map(|b| (b * n_above) as i64).collect();
        let starts = Tensor::<1, Int>::from_data(starts.as_slice(), &self.all.device());
        (own + starts.reshape([n_batch, 1])).reshape([n_batch * n])
    }
}

/// From points with features to features of all levels.
#[derive(Module, Debug)]
pub struct PointEncoder {
    down: Vec<Down>,
    up: Vec<Mlp>,
}

impl PointEncoder {
    pub(super) fn new(rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let widths_in = [FEATURE_DIM, 2 * BALL_WIDTHS[0][2], 2 * BALL_WIDTHS[1][2]];
        let down = (0..3).map(|level| Down {
            small: Ball::new(rng, widths_in[level], BALL_WIDTHS[level], device),
            large: Ball::new(rng, widths_in[level], BALL_WIDTHS[level], device),
        });
        let down = down.collect();
        let below = [UP_WIDTHS[1], UP_WIDTHS[2], BOTTOM_WIDTH];
        let up = (0..3).map(|level| {
            let width = UP_WIDTHS[level];
            Mlp::new(
                rng,
                &[below[level] + widths_in[level], width, width],
                device,
            )
        });
        Self {
            down,
            up: up.collect(),
        }
    }

    /// `points` and `features` flat over the batch; `weights` `[B, n_weights]`.
    pub(super) fn forward(
        &self,
        grouping: &Grouping,
        points: Tensor<2>,
        features: Tensor<2>,
        indices: &Indices,
        weights: &Tensor<2>,
    ) -> Pyramid {
        let mut positions = vec![points];
        let mut skips = vec![features];
        for (index, (down, level)) in self.down.iter().zip(&grouping.levels).enumerate() {
            let n_above = grouping.n_above(index);
            let above = positions[index].clone();
            let centres = rows(&above, indices.of(grouping.centres(index), n_above));
            let ball = |ball: &Ball, which: usize| {
                let scale = 1.0 / level.radii_m[which];
                ball.forward(
                    &skips[index],
                    &(above.clone() * scale),
                    &(centres.clone() * scale),
                    indices.of(grouping.neighbours(index, which), n_above),
                )
            };
            let joined = Tensor::cat(vec![ball(&down.small, 0), ball(&down.large, 1)], 1);
            skips.push(joined);
            positions.push(centres);
        }
        let bottom = skips[3].clone();
        let mut below = bottom.clone();
        let mut up = Vec::with_capacity(3);
        for index in (0..3).rev() {
            let n_above = grouping.n_above(index);
            let spread = interpolate(
                &below,
                indices.of(grouping.nearest(index), grouping.levels[index].n_centres),
                weights
                    .clone()
                    .slice([0..weights.dims()[0], grouping.weights(index)]),
                n_above,
            );
            below = self.up[index].forward(Tensor::cat(vec![spread, skips[index].clone()], 1));
            up.push(below.clone());
        }
        let [up2, up1, up0]: [Tensor<2>; 3] =
            up.try_into().unwrap_or_else(|_| unreachable!("three"));
        let [_, c0, c1, c2]: [Tensor<2>; 4] = positions
            .try_into()
            .unwrap_or_else(|_| unreachable!("four"));
        Pyramid {
            up: [up0, up1, up2],
            bottom,
            centres: [c0, c1, c2],
        }
    }
}

/// Weighted mean of three rows for every point: `[B n_above, C]`.
fn interpolate(
    below: &Tensor<2>,
    nearest: Tensor<1, Int>,
    weights: Tensor<2>,
    n_above: usize,
) -> Tensor<2> {
    let n_rows = weights.dims()[0] * n_above;
    let width = below.dims()[1];
    let near = rows(below, nearest).reshape([n_rows, 3, width]);
    (near * weights.reshape([n_rows, 3, 1]))
        .sum_dim(1)
        .reshape([n_rows, width])
}
