//! Judges proposed grasps, or placements, by their close-ups: a PointNet (Qi et al. 2017) over each half, which
//! are what is between the fingers and what is around, or what may be in the way and the object itself.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use prehend_cloud::{CLOSE_UP_DIM, CLOSE_UP_POINTS};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::ops::{Head, max_of_groups};
use crate::layers::linear;

/// Widths of each point's features.
const WIDTHS: [usize; 3] = [32, 64, 128];
/// Width of the layer that sees both halves.
const HIDDEN: usize = 128;

/// How likely a grasp holds and what it holds hangs as it lay, or a placement stands.
#[derive(Module, Debug)]
pub struct CloseUpScorer {
    points: Vec<Linear>,
    head: Head,
}

impl CloseUpScorer {
    /// With parameters that depend on the seed alone.
    #[must_use]
    pub fn new(seed: u64, device: &Device) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut width = CLOSE_UP_DIM;
        let points = WIDTHS.map(|next| {
            let layer = linear(&mut rng, [width, next], 2f32.sqrt(), device);
            width = next;
            layer
        });
        Self {
            points: points.into(),
            head: Head::new(&mut rng, [2 * width, HIDDEN, 1], device),
        }
    }

    /// Logits of close-ups as [`prehend_cloud::close_up`] or [`prehend_cloud::PlaceSight`] makes them.
    ///
    /// # Shapes
    /// `[G, 2 CLOSE_UP_POINTS, CLOSE_UP_DIM]` to `[G, 1]`
    #[must_use]
    pub fn forward(&self, close_ups: Tensor<3>) -> Tensor<2> {
        let [n, rows, width] = close_ups.dims();
        let flat = close_ups.reshape([n * rows, width]);
        let layers = self.points.iter();
        let features = layers.fold(flat, |x, layer| relu(layer.forward(x)));
        let both = max_of_groups(features, CLOSE_UP_POINTS);
        self.head.forward(both.reshape([n, 2 * WIDTHS[2]]))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    #[test]
    fn the_order_of_points_within_a_half_does_not_matter_and_the_halves_do() {
        let device = Device::flex();
        let scorer = CloseUpScorer::new(3, &device);
        let row = |i: usize| (0..CLOSE_UP_DIM).map(move |j| ((i * 7 + j * 3) % 11) as f32 / 11.0);
        let say = |order: &dyn Fn(usize) -> usize| {
            let values: Vec<f32> = (0..2 * CLOSE_UP_POINTS)
                .flat_map(|i| row(order(i)))
                .collect();
            let shape = [1, 2 * CLOSE_UP_POINTS, CLOSE_UP_DIM];
            let said = scorer.forward(Tensor::from_data(TensorData::new(values, shape), &device));
            said.into_scalar::<f32>()
        };
        // Eleven kinds of rows: the first five stand in the first half only.
        let own = |i: usize| {
            if i < CLOSE_UP_POINTS {
                i % 5
            } else {
                5 + i % 6
            }
        };
        let said = say(&own);
        let reversed = |i: usize| {
            let half = i / CLOSE_UP_POINTS * CLOSE_UP_POINTS;
            own(half + CLOSE_UP_POINTS - 1 - (i - half))
        };
        assert_eq!(said, say(&reversed));
        let exchanged = |i: usize| own((i + CLOSE_UP_POINTS) % (2 * CLOSE_UP_POINTS));
        assert_ne!(said, say(&exchanged));
    }
}
