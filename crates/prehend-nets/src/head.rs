//! The flow head: which way a noisy action chunk has to move.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use crate::layers::{linear, standardise};

/// Powers and exponentials of the noise level; sines, the usual choice, do not export.
const TIME_DIM: usize = 5;
const TIME_WIDTH: usize = 64;

/// A residual block whose normalised input is scaled and shifted by the condition (FiLM, Perez 2018).
#[derive(Module, Debug)]
struct Block {
    modulate: Linear,
    widen: Linear,
    narrow: Linear,
}

impl Block {
    fn new(rng: &mut ChaCha8Rng, width: usize, d_condition: usize, device: &Device) -> Self {
        Self {
            modulate: linear(rng, [d_condition, 2 * width], 0.3, device),
            widen: linear(rng, [width, width], 2f32.sqrt(), device),
            narrow: linear(rng, [width, width], 0.3, device),
        }
    }

    fn forward(&self, x: Tensor<2>, condition: Tensor<2>) -> Tensor<2> {
        let [n_batch, width] = x.dims();
        let film = self.modulate.forward(condition);
        let scale = film.clone().slice([0..n_batch, 0..width]);
        let shift = film.slice([0..n_batch, width..2 * width]);
        let inner = standardise(x.clone()) * (scale + 1.0) + shift;
        x + self.narrow.forward(relu(self.widen.forward(inner)))
    }
}

/// Predicts the velocity v = noise - action of a chunk at noise level sigma.
#[derive(Module, Debug)]
pub struct FlowHead {
    time1: Linear,
    time2: Linear,
    enter: Linear,
    blocks: Vec<Block>,
    leave: Linear,
}

impl FlowHead {
    pub(crate) fn new(
        rng: &mut ChaCha8Rng,
        [d_chunk, n_flags]: [usize; 2],
        d_condition: usize,
        width: usize,
        n_blocks: usize,
        device: &Device,
    ) -> Self {
        Self {
            time1: linear(rng, [TIME_DIM, TIME_WIDTH], 2f32.sqrt(), device),
            time2: linear(rng, [TIME_WIDTH, d_condition], 1.0, device),
            enter: linear(rng, [d_chunk + n_flags, width], 1.0, device),
            blocks: (0..n_blocks)
                .map(|_| Block::new(rng, width, d_condition, device))
                .collect(),
            leave: linear(rng, [width, d_chunk], 0.1, device),
        }
    }

    /// # Shapes
    /// - `condition`: `[B, d_condition]` from the encoder
    /// - `x`: `[B, d_chunk + n_flags]`, x = (1 - sigma) action + sigma noise, normalised units; then flags
    /// - `sigma`: `[B, 1]`, 0 clean to 1 noise
    /// - returns `[B, d_chunk]`
    pub fn forward(&self, condition: Tensor<2>, x: Tensor<2>, sigma: Tensor<2>) -> Tensor<2> {
        let square = sigma.clone() * sigma.clone();
        let time = Tensor::cat(
            vec![
                sigma.clone(),
                square.clone(),
                square * sigma.clone(),
                (sigma.clone() * -4.0).exp(),
                ((sigma - 1.0) * 4.0).exp(),
            ],
            1,
        );
        let time = self.time2.forward(relu(self.time1.forward(time)));
        let condition = relu(condition + time);
        let x = self.enter.forward(x);
        let x = self
            .blocks
            .iter()
            .fold(x, |x, block| block.forward(x, condition.clone()));
        self.leave.forward(standardise(x))
    }
}
