//! What walls tell: axial noise, disparity steps, drop-outs, the second eye.

use std::collections::BTreeMap;

use nalgebra::{Matrix3, Vector3};
use prehend_cloud::Intrinsics;

use super::simplex::minimum;
use super::{PlaneFrames, Recording, normal_below};

/// Columns of the left border that the second eye does not see at a distance.
fn unseen_columns(recording: &Recording, stereo: f64, distance: f64) -> usize {
    ((stereo / distance).ceil() as usize + 1).min(recording.intrinsics.width)
}

/// A wall's depths, without the columns that a stereo camera cannot measure.
pub(super) struct Pixels {
    /// Per pixel, what its frames measured.
    measured: Vec<Vec<f64>>,
    /// Per pixel, its column and row.
    places: Vec<[f64; 2]>,
    /// Pixels that measured nothing, and all.
    pub empty: usize,
    pub total: usize,
}

impl Pixels {
    pub fn of(recording: &Recording, plane: &PlaneFrames, stereo: f64) -> Self {
        let Intrinsics { width, height, .. } = recording.intrinsics;
        let first = if stereo > 0.0 {
            unseen_columns(recording, stereo, plane.distance_m)
        } else {
            0
        };
        let pixels = || (0..width * height).filter(|pixel| pixel % width >= first);
        let places = pixels().map(|pixel| [(pixel % width) as f64, (pixel / width) as f64]);
        let measured: Vec<Vec<f64>> = pixels()
            .map(|pixel| {
                let depths = plane.frames.iter().map(|frame| f64::from(frame[pixel]));
                depths.filter(|z| *z > 0.0 && z.is_finite()).collect()
            })
            .collect();
        let total = measured.len() * plane.frames.len();
        let n_measured: usize = measured.iter().map(Vec::len).sum();
        Self {
            measured,
            places: places.collect(),
            empty: total - n_measured,
            total,
        }
    }

    fn mean(&self) -> Option<f64> {
        let all = || self.measured.iter().flatten();
        let n = all().count();
        (n >= 20).then(|| all().sum::<f64>() / n as f64)
    }

    /// Mean, and standard deviation over time, less what rounding to `depth_unit_m` adds (Sheppard's correction).
    pub fn smooth(&self, depth_unit_m: f64) -> Option<(f64, f64)> {
        let (mut squares, mut freedom) = (0.0, 0_usize);
        for depths in self.measured.iter().filter(|depths| depths.len() >= 2) {
            let mean = depths.iter().sum::<f64>() / depths.len() as f64;
            squares += depths.iter().map(|z| (z - mean).powi(2)).sum::<f64>();
            freedom += depths.len() - 1;
        }
        let variance = squares / freedom.max(1) as f64 - depth_unit_m.powi(2) / 12.0;
        (freedom >= 20).then_some((self.mean()?, variance.max(0.0).sqrt()))
    }

    /// See [`super::Residual::pattern_m`]; 0 where too few pixels measured twice.
    pub fn pattern(&self) -> f64 {
        let often = self.places.iter().zip(&self.measured);
        let often = often.filter(|(_, depths)| depths.len() >= 2);
        let (mut normal, mut right) = (Matrix3::zeros(), Vector3::zeros());
        let (mut means, mut noise) = (Vec::new(), 0.0);
        for ([column, row], depths) in often {
            let n = depths.len() as f64;
            let mean = depths.iter().sum::<f64>() / n;
            let squares = depths.iter().map(|z| (z - mean).powi(2)).sum::<f64>();
            noise += squares / (n - 1.0) / n;
            let at = Vector3::new(1.0, *column, *row);
            normal += at * at.transpose();
            right += at * mean;
            means.push((at, mean));
        }
        let Some(plane) = normal.cholesky().map(|normal| normal.solve(&right)) else {
            return 0.0;
        };
        let n = means.len() as f64;
        let squares = means
            .iter()
            .map(|(at, mean)| (mean - at.dot(&plane)).powi(2));
        (squares.sum::<f64>() / n - noise / n).max(0.0).sqrt()
    }

    /// Mean and standard deviation before depths were put on levels.
    pub fn quantised(&self, stereo: f64, step: f64) -> Option<(f64, f64)> {
        let middle = self.mean()?;
        let mut levels: BTreeMap<i64, f64> = BTreeMap::new();
        for z in self.measured.iter().flatten() {
            *levels
                .entry((stereo / z / step).round() as i64)
                .or_default() += 1.0;
        }
        let spacing = middle * middle * step / stereo;
        let cost = |[shift, log_sigma]: [f64; 2]| {
            let (mean, sigma) = (middle + shift * spacing, spacing * libm::exp(log_sigma));
            let below = |disparity: f64| normal_below((stereo / disparity - mean) / sigma);
            let surprise = levels.iter().map(|(level, n)| {
                let level = *level as f64;
                let share = below((level - 0.5) * step) - below((level + 0.5) * step);
                -n * libm::log(share.max(1e-12))
            });
            // Means further than a level away are no better than the nearest.
            surprise.sum::<f64>() * (1.0 + (shift.abs() - 1.0).max(0.0))
        };
        let starts = [[0.0, -1.5], [0.0, -0.5], [0.0, 1.0]];
        let [shift, log_sigma] = minimum(&starts, [0.2, 0.4], cost);
        Some((middle + shift * spacing, spacing * libm::exp(log_sigma)))
    }
}

/// Share of a wall's depths below which a level is an accident.
const RARE: f64 = 1e-3;

/// The spacing of the levels on which disparities lie, pixels.
pub(super) fn disparity_step(recording: &Recording, stereo: f64) -> Option<f64> {
    if stereo <= 0.0 {
        return None;
    }
    let (mut levels, mut gaps) = (Vec::new(), Vec::new());
    for plane in &recording.planes {
        let own = wall_levels(plane, stereo, recording.depth_unit_m);
        gaps.extend(own.windows(2).map(|pair| pair[1] - pair[0]));
        levels.extend(own);
    }
    let least = gaps.iter().copied().fold(f64::INFINITY, f64::min);
    if gaps.is_empty() {
        return None;
    }
    // Gaps are whole numbers of steps, and so are disparities: the longer the lever, the better.
    let refine = |step: f64, lengths: &[f64]| {
        let (mut above, mut below) = (0.0, 0.0);
        for length in lengths {
            let n = (length / step).round();
            above += n * length;
            below += n * n;
        }
        above / below
    };
    let short: Vec<f64> = gaps
        .iter()
        .copied()
        .filter(|gap| *gap < 4.5 * least)
        .collect();
    let step = refine(least, &short);
    Some(refine(refine(step, &gaps), &levels))
}

/// The levels that a wall's disparities take, ascending, pixels; none if they take almost any value.
fn wall_levels(plane: &PlaneFrames, stereo: f64, depth_unit_m: f64) -> Vec<f64> {
    let depths = plane.frames.iter().flatten();
    let depths = depths.filter(|z| **z > 0.0 && z.is_finite());
    let mut disparities: Vec<f64> = depths.map(|z| stereo / f64::from(*z)).collect();
    disparities.sort_by(f64::total_cmp);
    let n_pixels = disparities.len() as f64;
    // Neighbours in single precision, or in a file of rounded depths, are of one level.
    let smear = |b: f64| (1e-7 * b).max(1.5 * depth_unit_m * b * b / stereo);
    let groups = disparities.chunk_by(|a, b| b - a < smear(*b));
    let common: Vec<&[f64]> = groups
        .filter(|group| group.len() as f64 >= RARE * n_pixels)
        .collect();
    // Values that merely happen to be missing leave gaps that are not much wider than that.
    let is_apart = |pair: &[&[f64]]| match (pair[0].last(), pair[1].first()) {
        (Some(a), Some(b)) => b - a > 3.0 * smear(*b),
        _ => false,
    };
    if !common.windows(2).all(is_apart) {
        return Vec::new();
    }
    common
        .iter()
        .map(|group| group.iter().sum::<f64>() / group.len() as f64)
        .collect()
}

/// Whether the left border, which the second eye cannot see, is empty.
pub(super) fn stereo_shadow(recording: &Recording, stereo: f64) -> bool {
    let width = recording.intrinsics.width;
    let (mut empty, mut total) = (0_usize, 0_usize);
    for plane in &recording.planes {
        let unseen = (stereo / plane.distance_m - 1.0).max(0.0) as usize;
        for row in plane.frames.iter().flat_map(|frame| frame.chunks(width)) {
            let border = &row[..unseen.min(row.len())];
            empty += border.iter().filter(|z| **z <= 0.0).count();
            total += border.len();
        }
    }
    total > 0 && empty * 10 > total * 9
}

/// sigma_m, sigma_per_m2 and the root mean square relative error, neither number negative.
pub(super) fn axial(walls: &[(f64, f64)]) -> (f64, f64, f64) {
    // Least squares of (a + b z²) / sigma - 1.
    let [mut aa, mut ab, mut bb, mut a, mut b] = [0.0; 5];
    for (z, sigma) in walls {
        let (u, v) = (1.0 / sigma.max(1e-9), z * z / sigma.max(1e-9));
        aa += u * u;
        ab += u * v;
        bb += v * v;
        a += u;
        b += v;
    }
    let determinant = aa * bb - ab * ab;
    let both = (
        (a * bb - b * ab) / determinant,
        (b * aa - a * ab) / determinant,
    );
    let (constant, growing) = match both {
        (constant, _) if constant < 0.0 => (0.0, b / bb),
        (_, growing) if growing < 0.0 => (a / aa, 0.0),
        both => both,
    };
    let error =
        |(z, sigma): &(f64, f64)| ((constant + growing * z * z) / sigma.max(1e-9) - 1.0).powi(2);
    let mean = walls.iter().map(error).sum::<f64>() / walls.len() as f64;
    (constant, growing, mean.sqrt())
}
