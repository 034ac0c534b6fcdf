//! Actions in units of their own spread.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::ACTION_DIM;

/// Middle and half-width of each column of an action, in its physical unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionScale {
    /// What becomes 0.
    pub centre: [f32; ACTION_DIM],
    /// What becomes 1; positive.
    pub spread: [f32; ACTION_DIM],
}

impl Default for ActionScale {
    fn default() -> Self {
        Self {
            centre: [0.0; ACTION_DIM],
            spread: [1.0; ACTION_DIM],
        }
    }
}

impl ActionScale {
    /// One action in units of its spread.
    #[must_use]
    pub fn normalise(&self, action: &[f32; ACTION_DIM]) -> [f32; ACTION_DIM] {
        std::array::from_fn(|i| (action[i] - self.centre[i]) / self.spread[i])
    }
}

/// [`ActionScale`] as part of the network: stored with it, never trained.
#[derive(Module, Debug)]
pub struct ActionNormaliser {
    centre: Param<Tensor<1>>,
    spread: Param<Tensor<1>>,
}

impl ActionNormaliser {
    pub(crate) fn new(scale: &ActionScale, chunk: usize, device: &Device) -> Self {
        let row = |values: &[f32; ACTION_DIM]| {
            let data = TensorData::new(values.repeat(chunk), [chunk * ACTION_DIM]);
            Param::from_data(data, device).set_require_grad(false)
        };
        Self {
            centre: row(&scale.centre),
            spread: row(&scale.spread),
        }
    }

    /// `[B, chunk 7]` in physical units to units of spread.
    pub fn apply(&self, x: Tensor<2>) -> Tensor<2> {
        (x - self.centre.val().unsqueeze()) / self.spread.val().unsqueeze()
    }

    /// `[B, chunk 7]` in units of spread to physical units.
    pub fn undo(&self, x: Tensor<2>) -> Tensor<2> {
        x * self.spread.val().unsqueeze() + self.centre.val().unsqueeze()
    }
}
