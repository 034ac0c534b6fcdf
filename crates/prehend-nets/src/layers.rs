//! Layers with seeded initial values, and a layer norm that burn-onnx can lower.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A linear layer, weights uniform in ±gain·√(3 / d_in), bias zero.
///
/// burn's own initialisers draw from a generator shared by the whole process; these draws depend on
/// `rng` alone, so that equal seeds give equal networks whatever else runs.
pub(crate) fn linear(
    rng: &mut ChaCha8Rng,
    [d_in, d_out]: [usize; 2],
    gain: f32,
    device: &Device,
) -> Linear {
    let bound = gain * (3.0 / d_in as f32).sqrt();
    let weights: Vec<f32> = (0..d_in * d_out)
        .map(|_| bound * (2.0 * rng.random::<f32>() - 1.0))
        .collect();
    Linear {
        weight: Param::from_data(TensorData::new(weights, [d_in, d_out]), device),
        bias: Some(Param::from_data(
            TensorData::zeros::<f32, _>([d_out]),
            device,
        )),
    }
}

/// The same without a bias.
pub(crate) fn linear_without_bias(
    rng: &mut ChaCha8Rng,
    shape: [usize; 2],
    gain: f32,
    device: &Device,
) -> Linear {
    Linear {
        bias: None,
        ..linear(rng, shape, gain, device)
    }
}

/// Layer norm over the last of two axes (Ba et al. 2016), written with operations that export.
#[derive(Module, Debug)]
pub struct Norm {
    scale: Param<Tensor<1>>,
    shift: Param<Tensor<1>>,
}

impl Norm {
    /// Scale one, shift zero.
    pub(crate) fn new(width: usize, device: &Device) -> Self {
        Self {
            scale: Param::from_data(TensorData::ones::<f32, _>([width]), device),
            shift: Param::from_data(TensorData::zeros::<f32, _>([width]), device),
        }
    }

    /// # Shapes
    /// `[B, width]` to `[B, width]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        standardise(x) * self.scale.val().unsqueeze() + self.shift.val().unsqueeze()
    }
}

/// Zero mean and unit variance along the last axis.
pub(crate) fn standardise(x: Tensor<2>) -> Tensor<2> {
    let width = x.dims()[1] as f32;
    let centred = x.clone() - x.sum_dim(1) / width;
    let variance = (centred.clone() * centred.clone()).sum_dim(1) / width;
    centred / (variance + 1e-5).sqrt()
}
