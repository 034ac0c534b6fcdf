//! How far predicted grasps are from allowed ones: mean distance of the gripper's control points (ADD-S).
//!
//! Both grasps touch at the same point, so only directions count: a control point at (along the closing
//! axis, along the approach) differs by (w/2 + along) Δc + approach Δa. That a turned-round gripper is
//! the same one cannot matter here: the contact says which finger it is.

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use prehend_nets::pick_place::TOUCH_DIM;
use prehend_robot::Jaw;
use prehend_types::{N_WIDTHS, WIDTH_CLASS_M};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::sample::{Sample, Touch};

/// Most grasps of one view that are looked at.
const MOST: usize = 160;

/// Chosen points, each with the allowed grasp that is nearest to what is predicted.
#[derive(Default)]
pub(super) struct Touches {
    rows: Vec<i64>,
    closing: Vec<f32>,
    approach: Vec<f32>,
    width: Vec<f32>,
    classes: Vec<f32>,
    /// The mask's entry that says how sure the network is there.
    entries: Vec<i64>,
    /// Sums of angles to the nearest allowed grasp, rad: predicted, and a random orientation.
    pub angles: [f64; 2],
}

/// Control points as (along closing, along approach), m.
pub(super) fn control(jaw: &Jaw) -> Vec<[f32; 2]> {
    let points = jaw.control_points_m.iter();
    points.map(|[_, y, z]| [*y as f32, *z as f32]).collect()
}

fn distance(control: &[[f32; 2]], width: f32, dc: [f32; 3], da: [f32; 3]) -> f32 {
    let sum: f32 = control
        .iter()
        .map(|[y, z]| {
            let square: f32 = (0..3)
                .map(|i| {
                    let d = (0.5 * width + y) * dc[i] + z * da[i];
                    d * d
                })
                .sum();
            square.sqrt()
        })
        .sum();
    sum / control.len() as f32
}

fn minus(a: &[f32], b: &[f32; 3]) -> [f32; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// The allowed grasp nearest to these directions.
fn nearest<'a>(
    control: &[[f32; 2]],
    closing: &[f32],
    approach: &[f32],
    allowed: &'a [Touch],
) -> Option<&'a Touch> {
    let cost = |touch: &Touch| {
        let (dc, da) = (
            minus(closing, &touch.closing),
            minus(approach, &touch.approach),
        );
        distance(control, touch.width, dc, da)
    };
    allowed.iter().min_by(|a, b| cost(a).total_cmp(&cost(b)))
}

/// Angle of the turn between two frames of (closing, approach), rad.
fn turn(closing: &[f32], approach: &[f32], touch: &Touch) -> f64 {
    let dot = |a: &[f32], b: &[f32; 3]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    let cross = |a: &[f32], b: &[f32]| {
        [
            a[1] * b[2] - a[2] * b[1],
            a[2] * b[0] - a[0] * b[2],
            a[0] * b[1] - a[1] * b[0],
        ]
    };
    let own = cross(closing, approach);
    let other = cross(&touch.closing, &touch.approach);
    let trace = dot(closing, &touch.closing) + dot(approach, &touch.approach) + dot(&own, &other);
    libm::acos((0.5 * (trace - 1.0)).clamp(-1.0, 1.0))
}

impl Touches {
    /// Takes up to a number of a view's graspable points. `said` is the view's part of the touch output,
    /// `entry` says where in the masks a point's confidence stands.
    pub fn push(
        &mut self,
        view: usize,
        sample: &Sample,
        said: &[f32],
        control: &[[f32; 2]],
        entry: impl Fn(u32) -> Option<usize>,
        rng: &mut ChaCha8Rng,
    ) {
        let n_points = sample.inputs.points.len();
        let all = &sample.labels.touches;
        let stride = all.len().div_ceil(MOST).max(1);
        let start = rng.random_range(0..stride);
        for (row, allowed) in all.iter().skip(start).step_by(stride) {
            let own = &said[*row as usize * TOUCH_DIM..][..TOUCH_DIM];
            let (closing, approach) = (&own[..3], &own[3..6]);
            let (Some(touch), Some(entry)) =
                (nearest(control, closing, approach, allowed), entry(*row))
            else {
                continue;
            };
            self.entries.push(entry as i64);
            self.rows.push((view * n_points + *row as usize) as i64);
            self.closing.extend(touch.closing);
            self.approach.extend(touch.approach);
            self.width.push(touch.width);
            let class = ((touch.width / WIDTH_CLASS_M as f32) as usize).min(N_WIDTHS - 1);
            self.classes
                .extend((0..N_WIDTHS).map(|i| f32::from(u8::from(i == class))));
            self.angles[0] += turn(closing, approach, touch);
            let (closing, approach) = random_frame(rng);
            if let Some(touch) = nearest(control, &closing, &approach, allowed) {
                self.angles[1] += turn(&closing, &approach, touch);
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// ADD-S in metres weighted by confidence, so that being less sure is an answer to a grasp that is hard
    /// to tell; one minus the cosines; cross-entropy of widths. `touch`: `[all points, 16]`; `masks`: logits
    /// of all grasp masks in a row, if confidence counts.
    pub fn losses(
        &self,
        touch: &Tensor<2>,
        masks: Option<Tensor<1>>,
        control: &[[f32; 2]],
        device: &Device,
    ) -> Option<[Tensor<1>; 3]> {
        let n = self.len();
        if n == 0 {
            return None;
        }
        let tensor = |values: &[f32], width: usize| {
            Tensor::<2>::from_data(TensorData::new(values.to_vec(), [n, width]), device)
        };
        let rows = Tensor::<1, burn::tensor::Int>::from_data(self.rows.as_slice(), device);
        let own = touch.clone().select(0, rows);
        let closing = own.clone().slice([0..n, 0..3]);
        let approach = own.clone().slice([0..n, 3..6]);
        let classes = own.slice([0..n, 6..TOUCH_DIM]);
        let (gt_closing, gt_approach) = (tensor(&self.closing, 3), tensor(&self.approach, 3));
        let half = tensor(&self.width, 1) * 0.5;
        let (dc, da) = (
            closing.clone() - gt_closing.clone(),
            approach.clone() - gt_approach.clone(),
        );
        let mut distance: Option<Tensor<2>> = None;
        for [y, z] in control {
            let d = dc.clone() * (half.clone() + *y) + da.clone() * *z;
            let d = ((d.clone() * d).sum_dim(1) + 1e-10).sqrt();
            distance = Some(distance.map_or_else(|| d.clone(), |sum| sum + d.clone()));
        }
        let distance = distance? / control.len() as f32;
        let weighted = match masks {
            Some(masks) => {
                let entries =
                    Tensor::<1, burn::tensor::Int>::from_data(self.entries.as_slice(), device);
                let sure = sigmoid(masks.select(0, entries)).reshape([n, 1]);
                (distance * sure).mean()
            }
            None => distance.mean(),
        };
        let cosines = (closing * gt_closing + approach * gt_approach).sum_dim(1);
        let angles = (cosines.neg() + 2.0).mean();
        let highest = classes.clone().detach().max_dim(1);
        let shifted = classes - highest;
        let log_sum = shifted.clone().exp().sum_dim(1).log();
        let entropy = log_sum - (shifted * tensor(&self.classes, N_WIDTHS)).sum_dim(1);
        Some([weighted, angles, entropy.mean()])
    }
}

/// Closing and approach of a uniformly random orientation.
fn random_frame(rng: &mut ChaCha8Rng) -> ([f32; 3], [f32; 3]) {
    let mut unit = || loop {
        let v: [f32; 3] = std::array::from_fn(|_| rng.random_range(-1.0..1.0));
        let square: f32 = v.iter().map(|v| v * v).sum();
        if (0.01..1.0).contains(&square) {
            return v.map(|v| v / square.sqrt());
        }
    };
    let (c, v) = (unit(), unit());
    let along: f32 = c.iter().zip(&v).map(|(a, b)| a * b).sum();
    let a: [f32; 3] = std::array::from_fn(|i| v[i] - along * c[i]);
    let norm = a.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-6);
    (c, a.map(|v| v / norm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_directions_are_at_no_distance_and_no_angle() {
        let touch = Touch {
            closing: [0.0, 1.0, 0.0],
            approach: [0.0, 0.0, -1.0],
            width: 0.03,
        };
        let control = [[0.0, -0.1], [0.05, 0.0], [-0.05, 0.0]];
        let allowed = [touch];
        let found = nearest(&control, &touch.closing, &touch.approach, &allowed).expect("one");
        assert_eq!(
            distance(
                &control,
                0.03,
                minus(&touch.closing, &found.closing),
                [0.0; 3]
            ),
            0.0
        );
        assert!(turn(&touch.closing, &touch.approach, &touch) < 1e-3);
        let across = turn(&[1.0, 0.0, 0.0], &touch.approach, &touch);
        assert!((across - std::f64::consts::FRAC_PI_2).abs() < 1e-6);
    }
}
