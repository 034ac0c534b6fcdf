//! Cross-entropy and overlap of masks on their hardest points.
//!
//! A fiftieth of a cloud belongs to a mask: over all points an empty mask would do well. Only points that
//! something is known of are ever among the hardest.

use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor, TensorData};

use super::matching::softplus;

/// Rows of masks with their targets.
#[derive(Default)]
pub(super) struct Masks {
    /// Which row of the logits.
    pub rows: Vec<i64>,
    targets: Vec<f32>,
    weights: Vec<f32>,
}

impl Masks {
    /// Adds a mask: its logits now, its points, what is known, and how many points at least are looked at.
    pub fn push(
        &mut self,
        row: usize,
        logits: impl Iterator<Item = f32>,
        is_in: impl Fn(usize) -> bool,
        is_known: impl Fn(usize) -> bool,
        least: usize,
    ) {
        let start = self.targets.len();
        let mut losses: Vec<(f64, usize)> = Vec::new();
        let mut n_in = 0;
        for (index, logit) in logits.enumerate() {
            let target = is_in(index);
            self.targets.push(f32::from(u8::from(target)));
            self.weights.push(0.0);
            if is_known(index) {
                n_in += usize::from(target);
                let x = f64::from(logit);
                let loss = softplus(x) - if target { x } else { 0.0 };
                losses.push((loss, index));
            }
        }
        // At least twice as many as belong to it, or overlap would miss some of them.
        let k = least.max(2 * n_in).min(losses.len());
        if k > 0 && k < losses.len() {
            losses.select_nth_unstable_by(k - 1, |a, b| b.0.total_cmp(&a.0));
        }
        for (_, index) in &losses[..k] {
            self.weights[start + index] = 1.0;
        }
        self.rows.push(row as i64);
    }

    /// Cross-entropy and overlap, each the mean over masks. `logits`: `[all rows, N]`.
    pub fn loss(self, logits: &Tensor<2>, device: &Device) -> Option<Tensor<1>> {
        let n_masks = self.rows.len();
        if n_masks == 0 {
            return None;
        }
        let n_points = self.targets.len() / n_masks;
        let tensor = |values: Vec<f32>| {
            Tensor::<2>::from_data(TensorData::new(values, [n_masks, n_points]), device)
        };
        let rows = Tensor::<1, burn::tensor::Int>::from_data(self.rows.as_slice(), device);
        let x = logits.clone().select(0, rows);
        let (y, w) = (tensor(self.targets), tensor(self.weights));
        let count = w.clone().sum_dim(1) + 1e-6;
        let entropy =
            relu(x.clone()) + (x.clone().abs().neg().exp() + 1.0).log() - x.clone() * y.clone();
        let entropy = (entropy * w.clone()).sum_dim(1) / count;
        let p = sigmoid(x) * w.clone();
        let y = y * w;
        let hit = (p.clone() * y.clone()).sum_dim(1) * 2.0 + 1.0;
        let all = p.sum_dim(1) + y.sum_dim(1) + 1.0;
        let overlap = (hit / all).neg() + 1.0;
        Some((entropy + overlap).mean())
    }
}
