//! How a gripper that touches a point must be turned and opened.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use super::encoder::UP_WIDTHS;
use super::ops::Head;
use prehend_types::N_WIDTHS;

use super::TOUCH_DIM;

/// Three heads over the points' features, the same for all objects.
#[derive(Module, Debug)]
pub struct TouchHeads {
    closing: Head,
    approach: Head,
    width: Head,
}

impl TouchHeads {
    pub(super) fn new(rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let width = UP_WIDTHS[0];
        let mut head = |n_out| Head::new(rng, [width, width, n_out], device);
        Self {
            closing: head(3),
            approach: head(3),
            width: head(N_WIDTHS),
        }
    }

    /// `[R, 64]` to raw closing and approach directions and logits of width classes, `[R, 16]`.
    pub(super) fn forward(&self, points: &Tensor<2>) -> Tensor<2> {
        let heads = [&self.closing, &self.approach, &self.width];
        let said = heads.map(|head| head.forward(points.clone()));
        Tensor::cat(said.into(), 1)
    }
}

/// Raw directions to a frame: closing and approach at right angles, by Gram and Schmidt with the closing
/// direction first; unit vectors, but for what is too short to have a direction. `[R, 16]` to the same.
///
/// Not part of the exported graph: stretching short vectors would stretch the rounding errors in which
/// engines differ. Whoever reads the graph's output does this in double precision.
#[must_use]
pub fn touch_frames(touch: Tensor<2>) -> Tensor<2> {
    let n = touch.dims()[0];
    let columns = |span: std::ops::Range<usize>| touch.clone().slice([0..n, span]);
    let closing = unit(columns(0..3));
    let raw = columns(3..6);
    let along = (raw.clone() * closing.clone()).sum_dim(1);
    let square = (closing.clone() * closing.clone()).sum_dim(1) + 1e-6;
    let approach = unit(raw - closing.clone() * (along / square));
    Tensor::cat(vec![closing, approach, columns(6..TOUCH_DIM)], 1)
}

/// What is shorter than this is not stretched to one: it would be stretched rounding errors.
const SHORT: f32 = 0.2;

fn unit(x: Tensor<2>) -> Tensor<2> {
    let square = (x.clone() * x.clone()).sum_dim(1);
    x / (square + SHORT * SHORT).sqrt()
}
