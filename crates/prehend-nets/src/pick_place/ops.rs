//! Tensor operations that export: what burn-onnx cannot lower is written with what it can.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use crate::layers::{Norm, linear};

/// Rows of a flat `[R, C]` tensor.
pub(super) fn rows(x: &Tensor<2>, indices: Tensor<1, Int>) -> Tensor<2> {
    x.clone().select(0, indices)
}

/// Largest over groups of `k` rows that follow each other: `[G k, C]` to `[G, C]`.
pub(super) fn max_of_groups(x: Tensor<2>, k: usize) -> Tensor<2> {
    let [n_rows, width] = x.dims();
    let n_groups = n_rows / k;
    x.reshape([n_groups, k, width])
        .max_dim_with_indices(1)
        .0
        .reshape([n_groups, width])
}

/// `[B, M, C]` to `[B, C, M]`. One batch goes through a gather, since transposes do not export.
pub(super) fn transpose(x: Tensor<3>) -> Tensor<3> {
    let [n_batch, n_rows, n_columns] = x.dims();
    if n_batch > 1 {
        return x.swap_dims(1, 2);
    }
    let order: Vec<i64> = (0..n_columns)
        .flat_map(|column| (0..n_rows).map(move |row| (row * n_columns + column) as i64))
        .collect();
    let order =
        Tensor::<1, Int>::from_data(TensorData::new(order, [n_rows * n_columns]), &x.device());
    x.reshape([n_rows * n_columns])
        .select(0, order)
        .reshape([1, n_columns, n_rows])
}

/// Softmax along the middle axis.
pub(super) fn softmax_rows(x: Tensor<3>) -> Tensor<3> {
    let highest = x.clone().detach().max_dim_with_indices(1).0;
    let e = (x - highest).exp();
    e.clone() / e.sum_dim(1)
}

/// Applies a function of rows to a batch of matrices.
pub(super) fn per_row(x: Tensor<3>, f: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Tensor<3> {
    let [n_batch, n_rows, width] = x.dims();
    let y = f(x.reshape([n_batch * n_rows, width]));
    let width = y.dims()[1];
    y.reshape([n_batch, n_rows, width])
}

/// Where the steps of [`place_code`] lie along the table's axes, m from the cloud's middle.
const STEPS: [f32; 9] = [-0.28, -0.21, -0.14, -0.07, 0.0, 0.07, 0.14, 0.21, 0.28];
/// Columns of a [`place_code`].
pub(super) const CODE_DIM: usize = 4 + 2 * STEPS.len();

/// Where points are, in numbers that a small network can cut into places of a few centimetres: soft steps
/// along both axes of the table. Sines, the usual choice, do not export. `[R, 3]`, m, to `[R, CODE_DIM]`.
///
/// Without it two equal objects look alike at every point, whatever stands around them: the encoder only
/// knows differences of positions.
pub(super) fn place_code(points: Tensor<2>) -> Tensor<2> {
    let n = points.dims()[0];
    let steps = Tensor::<2>::from_data(
        TensorData::new(STEPS.to_vec(), [1, STEPS.len()]),
        &points.device(),
    );
    let column = |i: usize| points.clone().slice([0..n, i..i + 1]);
    let along = |i: usize| ((column(i) - steps.clone()) * 20.0).tanh();
    Tensor::cat(
        vec![
            points.clone() * 4.0,
            (column(2) * 16.0).tanh(),
            along(0),
            along(1),
        ],
        1,
    )
}

/// Linear, norm and ReLU, as often as there are widths.
#[derive(Module, Debug)]
pub struct Mlp {
    linears: Vec<Linear>,
    norms: Vec<Norm>,
}

impl Mlp {
    pub(super) fn new(rng: &mut ChaCha8Rng, widths: &[usize], device: &Device) -> Self {
        let pairs = || widths.windows(2);
        Self {
            linears: pairs()
                .map(|pair| linear(rng, [pair[0], pair[1]], 2f32.sqrt(), device))
                .collect(),
            norms: pairs().map(|pair| Norm::new(pair[1], device)).collect(),
        }
    }

    /// `[R, first width]` to `[R, last width]`.
    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let layers = self.linears.iter().zip(&self.norms);
        layers.fold(x, |x, (linear, norm)| relu(norm.forward(linear.forward(x))))
    }
}

/// Two linear layers with a ReLU between them.
#[derive(Module, Debug)]
pub struct Head {
    hidden: Linear,
    out: Linear,
}

impl Head {
    pub(super) fn new(rng: &mut ChaCha8Rng, widths: [usize; 3], device: &Device) -> Self {
        let [w0, w1, w2] = widths;
        Self {
            hidden: linear(rng, [w0, w1], 2f32.sqrt(), device),
            out: linear(rng, [w1, w2], 1.0, device),
        }
    }

    /// `[R, w0]` to `[R, w2]`.
    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.out.forward(relu(self.hidden.forward(x)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gather_transposes_like_a_transpose() {
        let device = Device::flex();
        let values: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let one = Tensor::<3>::from_data(TensorData::new(values, [1, 4, 6]), &device);
        let gathered = transpose(one.clone()).into_data();
        assert_eq!(gathered, one.swap_dims(1, 2).into_data());
    }
}
