//! Attention of few tokens to many rows, or to each other.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use super::ops::{per_row, softmax_rows, transpose};
use crate::layers::linear;

/// Multi-head attention (Vaswani et al. 2017). Scores are kept with the rows that are attended to in
/// front of the tokens: only small matrices have to be transposed then.
#[derive(Module, Debug)]
pub struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    n_heads: usize,
}

impl Attention {
    pub(super) fn new(rng: &mut ChaCha8Rng, width: usize, n_heads: usize, device: &Device) -> Self {
        let mut square = || linear(rng, [width, width], 1.0, device);
        Self {
            query: square(),
            key: square(),
            value: square(),
            out: square(),
            n_heads,
        }
    }

    /// # Shapes
    /// - `tokens`: `[B, Q, d]`; `memory`: `[B, M, d]`
    /// - `handicap`: `[B, M, Q]`, added to the scores
    /// - returns `[B, Q, d]`
    pub(super) fn forward(
        &self,
        tokens: Tensor<3>,
        memory: Tensor<3>,
        handicap: Option<&Tensor<3>>,
    ) -> Tensor<3> {
        let [n_batch, n_rows, width] = memory.dims();
        let n_tokens = tokens.dims()[1];
        let d_head = width / self.n_heads;
        let scale = 1.0 / (d_head as f32).sqrt();
        let query = per_row(tokens, |x| self.query.forward(x)) * scale;
        let query = transpose(query);
        let key = per_row(memory.clone(), |x| self.key.forward(x));
        let value = per_row(memory, |x| self.value.forward(x));
        let heads = (0..self.n_heads).map(|head| {
            let columns = head * d_head..(head + 1) * d_head;
            let query = query
                .clone()
                .slice([0..n_batch, columns.clone(), 0..n_tokens]);
            let key = key.clone().slice([0..n_batch, 0..n_rows, columns.clone()]);
            let value = value.clone().slice([0..n_batch, 0..n_rows, columns]);
            let mut scores = key.matmul(query);
            if let Some(handicap) = handicap {
                scores = scores + handicap.clone();
            }
            transpose(softmax_rows(scores)).matmul(value)
        });
        let joined = Tensor::cat(heads.collect(), 2);
        per_row(joined, |x| self.out.forward(x))
    }
}
