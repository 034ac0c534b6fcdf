//! The cloud encoder: a PointNet whose pools are separate for each role.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use crate::N_ROLES;
use crate::frames::{BODY_DIM, ToolView};
use crate::layers::{Norm, linear, linear_without_bias};

/// Per point: 5 p, tanh(20 p) of its position p in the tool frame in m; 5 h of its height h; roles.
const POINT_DIM: usize = 7 + N_ROLES;
/// Per role: mean, lowest and highest coordinate (3 each), at two scales; spread along each axis (3);
/// heading (4); whether it is seen.
const SUMMARY_DIM: usize = 26;
/// Far below any feature: a masked point never wins a pool.
const NEVER: f32 = 1e4;

/// Turns a cloud and proprioception into one condition vector.
///
/// PointNet (Qi et al. 2017) over points in the tool frame, as in DP3 (Ze et al. 2024) but with one
/// pool per role, so that the target's shape is never crowded out by clutter. Bounding boxes, means and
/// moments of target and receptacle go to the condition unprocessed: they carry the last millimetres
/// and the way the fingers must be turned.
#[derive(Module, Debug)]
pub struct CloudEncoder {
    point1: Linear,
    point2: Linear,
    point3: Linear,
    pool_bias: Param<Tensor<1>>,
    mix: Linear,
    norm: Norm,
}

impl CloudEncoder {
    /// `widths` are those of the per-point layers; `d_condition` is the output's width.
    pub(crate) fn new(
        rng: &mut ChaCha8Rng,
        widths: [usize; 3],
        d_condition: usize,
        device: &Device,
    ) -> Self {
        let [w1, w2, w3] = widths;
        let gain = 2f32.sqrt();
        Self {
            // The one-hot roles stand in for a bias.
            point1: linear_without_bias(rng, [POINT_DIM, w1], gain, device),
            point2: linear(rng, [w1, w2], gain, device),
            point3: linear_without_bias(rng, [w2, w3], gain, device),
            pool_bias: Param::from_data(TensorData::zeros::<f32, _>([w3]), device),
            mix: linear(
                rng,
                [N_ROLES * w3 + 2 * SUMMARY_DIM + BODY_DIM, d_condition],
                gain,
                device,
            ),
            norm: Norm::new(d_condition, device),
        }
    }

    /// # Shapes
    /// - `points`: `[B, N, 3]`, m, base frame
    /// - `roles`: `[B, N, 3]`, one-hot; zero where there is no point
    /// - `proprio`: `[B, 12]`
    /// - returns `[B, d_condition]`
    pub fn forward(&self, points: Tensor<3>, roles: Tensor<3>, proprio: Tensor<2>) -> Tensor<2> {
        let [n_batch, n_points, _] = points.dims();
        let view = ToolView::new(points, proprio);
        let features = Tensor::cat(
            vec![
                view.points.clone() * 5.0,
                (view.points.clone() * 20.0).tanh(),
                view.heights * 5.0,
                roles.clone(),
            ],
            2,
        );
        // One large matrix product per layer instead of one per cloud.
        let x = features.reshape([n_batch * n_points, POINT_DIM]);
        let x = relu(self.point1.forward(x));
        let x = relu(self.point2.forward(x));
        let x = self.point3.forward(x);
        let width = x.dims()[1];
        let x = x.reshape([n_batch, n_points, width]);

        let mut parts = Vec::with_capacity(2 * N_ROLES);
        for role in 0..N_ROLES {
            let pool = RolePool::new(&roles, role);
            // Bias and ReLU commute with the maximum, and are cheaper after it.
            let highest = pool.max(x.clone()) + self.pool_bias.val().unsqueeze();
            parts.push(relu(highest) * pool.is_seen.clone());
            if role < 2 {
                parts.push(pool.summary(&view.points));
            }
        }
        parts.push(view.body);
        relu(self.norm.forward(self.mix.forward(Tensor::cat(parts, 1))))
    }
}

/// The points of one role.
struct RolePool {
    /// `[B, N, 1]`: one where a point has the role.
    mask: Tensor<3>,
    /// `[B, N, 1]`: added to features so that no other point wins.
    handicap: Tensor<3>,
    /// `[B, 1]`: one if any point has the role.
    is_seen: Tensor<2>,
}

impl RolePool {
    fn new(roles: &Tensor<3>, role: usize) -> Self {
        let [n_batch, n_points, _] = roles.dims();
        let mask = roles
            .clone()
            .slice([0..n_batch, 0..n_points, role..role + 1]);
        Self {
            handicap: (mask.clone() - 1.0) * NEVER,
            is_seen: mask.clone().max_dim_with_indices(1).0.reshape([n_batch, 1]),
            mask,
        }
    }

    /// `[B, N, F]` to `[B, F]`.
    fn max(&self, x: Tensor<3>) -> Tensor<2> {
        let [n_batch, _, width] = x.dims();
        (x + self.handicap.clone())
            .max_dim_with_indices(1)
            .0
            .reshape([n_batch, width])
    }

    /// Where the role is and how it lies, in numbers: `[B, N, 3]` to `[B, 26]`, zero if it is not seen.
    fn summary(&self, points: &Tensor<3>) -> Tensor<2> {
        let n_batch = points.dims()[0];
        let highest = self.max(points.clone());
        let lowest = -self.max(-points.clone());
        let mean = self.mean(points.clone());
        let centred = points.clone() - mean.clone().reshape([n_batch, 1, 3]);
        let variance = self.mean(centred.clone() * centred.clone());
        let spread = (variance + 1e-8).sqrt() * 20.0;
        let place = Tensor::cat(vec![mean, lowest, highest], 1);
        let near = (place.clone() * 20.0).tanh();
        let all = vec![place * 5.0, near, spread, self.heading(&centred)];
        let all = Tensor::cat(all, 1) * self.is_seen.clone();
        Tensor::cat(vec![all, self.is_seen.clone()], 1)
    }

    /// Mean over the role's points, `[B, N, F]` to `[B, F]`; zero if it is not seen.
    fn mean(&self, x: Tensor<3>) -> Tensor<2> {
        let [n_batch, _, width] = x.dims();
        // At least one, so that an unseen role does not divide by zero.
        let count = self.mask.clone().sum_dim(1).reshape([n_batch, 1]);
        let count = count + (self.is_seen.clone() - 1.0) * -1.0;
        (x * self.mask.clone()).sum_dim(1).reshape([n_batch, width]) / count
    }

    /// Directions of the spread around the tool's axis: with z = x + iy, the mean of z² over that of
    /// |z|², and of z⁴ over that of |z|⁴. The first points along a bar, the second is the same for
    /// every quarter turn and points along the sides of a square. `[B, N, 3]` to `[B, 4]`.
    fn heading(&self, centred: &Tensor<3>) -> Tensor<2> {
        let [n_batch, n_points, _] = centred.dims();
        let axis = |i: usize| {
            let column = centred.clone();
            column.slice([0..n_batch, 0..n_points, i..i + 1]) * 50.0
        };
        let (x, y) = (axis(0), axis(1));
        let (x2, y2) = (x.clone() * x.clone(), y.clone() * y.clone());
        let (real, imaginary) = (x2.clone() - y2.clone(), x * y * 2.0);
        let radius = x2 + y2;
        let powers = vec![
            real.clone(),
            imaginary.clone(),
            real.clone() * real.clone() - imaginary.clone() * imaginary.clone(),
            real * imaginary * 2.0,
            radius.clone(),
            radius.clone() * radius,
        ];
        let means = self.mean(Tensor::cat(powers, 2));
        let columns = |from: usize, to: usize| means.clone().slice([0..n_batch, from..to]);
        let twofold = columns(0, 2) / (columns(4, 5) + 1e-3);
        let fourfold = columns(2, 4) / (columns(5, 6) + 1e-3);
        Tensor::cat(vec![twofold, fourfold], 1)
    }
}
