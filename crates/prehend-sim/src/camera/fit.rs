//! From recordings of a flat target and of a step edge to the noise that a simulated camera needs.
//!
//! Recorded are a flat wall, square to the optical axis, at two or more known distances, and an upright
//! step edge: a near flat face on the left half of the image before a far one on the right half. With the
//! near face on the left, the second eye, on the right, sees all of the far face. Several frames each; the
//! scene stands still.

use std::collections::BTreeMap;

use prehend_cloud::Intrinsics;

use super::simplex::minimum;
use crate::config::NoiseConfig;

/// Frames of a wall square to the optical axis.
#[derive(Debug, Clone)]
pub struct PlaneFrames {
    /// Distance along the optical axis, m.
    pub distance_m: f64,
    /// Depths, m, row by row; 0 where nothing was measured.
    pub frames: Vec<Vec<f32>>,
}

/// Frames of an upright step edge, near on the left, far on the right.
#[derive(Debug, Clone)]
pub struct StepFrames {
    /// Distance of the left half, m.
    pub near_m: f64,
    /// Distance of the right half, m.
    pub far_m: f64,
    /// Depths, m, row by row; 0 where nothing was measured.
    pub frames: Vec<Vec<f32>>,
}

/// What was recorded with one camera.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The camera.
    pub intrinsics: Intrinsics,
    /// Distance between the eyes of a stereo camera, m; 0 for others, whose disparities are not looked at.
    pub baseline_m: f64,
    /// Depth step between neighbours that the simulator will count as an edge, m; below the recorded one.
    pub edge_step_m: f64,
    /// Walls at different distances.
    pub planes: Vec<PlaneFrames>,
    /// The edge.
    pub step: StepFrames,
}

/// The noise that explains a recording best, and how well.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Put this into a scene file.
    pub noise: NoiseConfig,
    /// What it leaves unexplained.
    pub residual: Residual,
}

/// How far the model is from the recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Residual {
    /// Root mean square over the walls of the relative error of the axial standard deviation.
    pub axial: f64,
    /// Largest difference between a wall's mean depth and its distance, m. The model has no such error.
    pub bias_m: f64,
    /// Root mean square over the columns next to the edge of the error in the shares of near, far and
    /// empty pixels.
    pub edge: f64,
}

/// Why a recording cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// The two parts of the axial noise cannot be told apart.
    #[error("needs walls at two distances at least, the farthest 1.3 times as far as the nearest")]
    Distances,
    /// A frame is of another size, or there are fewer than two.
    #[error("{what} needs two frames or more of {n_pixels} pixels each")]
    Frames {
        /// The wall or the step.
        what: String,
        /// Pixels of the camera.
        n_pixels: usize,
    },
    /// Hardly a pixel was measured twice.
    #[error("{what}: too few pixels measured anything")]
    Empty {
        /// The wall or the step.
        what: String,
    },
    /// There is no edge in the middle of the step's frames.
    #[error("no column parts a near left half from a far right half of the step's frames")]
    Step,
}

/// Columns on each side of the edge that are looked at.
const EDGE_COLUMNS: usize = 8;
/// Lateral noise is none if that explains the edge as well: log likelihoods within this of each other.
const INDIFFERENT: f64 = 2.0;
/// Stands for no lateral noise: rays keep to the pixel's centre, pixels.
const STILL: f64 = 1e-3;

/// Estimates every number of a [`NoiseConfig`] but the edge step, which is a matter of definition.
///
/// - Disparity step: the spacing of the levels that the walls' disparities take; none if they take more
///   than a tenth as many values as there are pixels. One wall at least must show two neighbouring levels.
/// - Axial: each wall's standard deviation, over time, pixel by pixel; from the numbers of pixels on each
///   level by maximum likelihood where disparities are quantised. Then sigma_m + sigma_per_m2 z² by least
///   squares of the relative error.
/// - Drop-outs and edge holes: shares of empty pixels; lateral: width of the transition from near to far
///   across the edge. Edge holes and lateral noise are one maximum likelihood fit, because pixels that a
///   stray ray put on the other side make edges of their own.
///
/// # Errors
/// [`FitError`] for recordings that do not determine the numbers.
pub fn fit(recording: &Recording) -> Result<Fit, FitError> {
    check(recording)?;
    let stereo = f64::from(recording.intrinsics.focal) * recording.baseline_m;
    let step = disparity_step(recording, stereo);
    let mut walls = Vec::new();
    let (mut empty, mut total, mut bias) = (0_usize, 0_usize, 0.0_f64);
    for plane in &recording.planes {
        let pixels = Pixels::of(recording, plane, stereo);
        empty += pixels.empty;
        total += pixels.total;
        let (mean, sigma) = match step {
            Some(step) => pixels.quantised(stereo, step),
            None => pixels.smooth(),
        }
        .ok_or_else(|| FitError::Empty {
            what: format!("the wall at {} m", plane.distance_m),
        })?;
        bias = bias.max((mean - plane.distance_m).abs());
        walls.push((plane.distance_m, sigma));
    }
    let (sigma_m, sigma_per_m2, axial) = axial(&walls);
    let dropout = empty as f64 / total.max(1) as f64;
    let edge = edge(recording, dropout)?;
    let stereo_shadow = stereo_shadow(recording, stereo);
    Ok(Fit {
        noise: NoiseConfig {
            sigma_m,
            sigma_per_m2,
            lateral_sigma_px: edge.lateral,
            baseline_m: if step.is_some() || stereo_shadow {
                recording.baseline_m
            } else {
                0.0
            },
            disparity_step_px: step.unwrap_or(0.0),
            stereo_shadow,
            dropout,
            edge_step_m: recording.edge_step_m,
            edge_holes: edge.holes,
        },
        residual: Residual {
            axial,
            bias_m: bias,
            edge: edge.residual,
        },
    })
}

fn check(recording: &Recording) -> Result<(), FitError> {
    let n_pixels = recording.intrinsics.width * recording.intrinsics.height;
    let frames = |what: String, frames: &[Vec<f32>]| {
        if frames.len() >= 2 && frames.iter().all(|frame| frame.len() == n_pixels) {
            return Ok(());
        }
        Err(FitError::Frames { what, n_pixels })
    };
    let distances = || recording.planes.iter().map(|plane| plane.distance_m);
    let nearest = distances().fold(f64::INFINITY, f64::min);
    let farthest = distances().fold(0.0, f64::max);
    let is_spread = nearest > 0.0 && farthest.is_finite() && farthest >= 1.3 * nearest;
    if !is_spread || distances().any(f64::is_nan) {
        return Err(FitError::Distances);
    }
    for plane in &recording.planes {
        frames(format!("the wall at {} m", plane.distance_m), &plane.frames)?;
    }
    frames("the step".to_owned(), &recording.step.frames)
}

/// Columns of the left border that the second eye does not see at a distance.
fn unseen_columns(recording: &Recording, stereo: f64, distance: f64) -> usize {
    ((stereo / distance).ceil() as usize + 1).min(recording.intrinsics.width)
}

/// A wall's depths, without the columns that a stereo camera cannot measure.
struct Pixels {
    /// Per pixel, what its frames measured.
    measured: Vec<Vec<f64>>,
    empty: usize,
    total: usize,
}

impl Pixels {
    fn of(recording: &Recording, plane: &PlaneFrames, stereo: f64) -> Self {
        let Intrinsics { width, height, .. } = recording.intrinsics;
        let first = if stereo > 0.0 {
            unseen_columns(recording, stereo, plane.distance_m)
        } else {
            0
        };
        let columns = (0..width * height).filter(|pixel| pixel % width >= first);
        let measured: Vec<Vec<f64>> = columns
            .map(|pixel| {
                let depths = plane.frames.iter().map(|frame| f64::from(frame[pixel]));
                depths.filter(|z| *z > 0.0 && z.is_finite()).collect()
            })
            .collect();
        let total = measured.len() * plane.frames.len();
        let n_measured: usize = measured.iter().map(Vec::len).sum();
        Self {
            measured,
            empty: total - n_measured,
            total,
        }
    }

    fn mean(&self) -> Option<f64> {
        let all = || self.measured.iter().flatten();
        let n = all().count();
        (n >= 20).then(|| all().sum::<f64>() / n as f64)
    }

    /// Mean, and standard deviation over time.
    fn smooth(&self) -> Option<(f64, f64)> {
        let (mut squares, mut freedom) = (0.0, 0_usize);
        for depths in self.measured.iter().filter(|depths| depths.len() >= 2) {
            let mean = depths.iter().sum::<f64>() / depths.len() as f64;
            squares += depths.iter().map(|z| (z - mean).powi(2)).sum::<f64>();
            freedom += depths.len() - 1;
        }
        (freedom >= 20).then_some((self.mean()?, (squares / freedom.max(1) as f64).sqrt()))
    }

    /// Mean and standard deviation before depths were put on levels.
    fn quantised(&self, stereo: f64, step: f64) -> Option<(f64, f64)> {
        let middle = self.mean()?;
        let mut levels: BTreeMap<i64, f64> = BTreeMap::new();
        for z in self.measured.iter().flatten() {
            *levels
                .entry((stereo / z / step).round() as i64)
                .or_default() += 1.0;
        }
        let spacing = middle * middle * step / stereo;
        let cost = |[shift, log_sigma]: [f64; 2]| {
            let (mean, sigma) = (middle + shift * spacing, spacing * log_sigma.exp());
            let below = |disparity: f64| normal_below((stereo / disparity - mean) / sigma);
            let surprise = levels.iter().map(|(level, n)| {
                let level = *level as f64;
                let share = below((level - 0.5) * step) - below((level + 0.5) * step);
                -n * share.max(1e-12).ln()
            });
            // Means further than a level away are no better than the nearest.
            surprise.sum::<f64>() * (1.0 + (shift.abs() - 1.0).max(0.0))
        };
        let starts = [[0.0, -1.5], [0.0, -0.5], [0.0, 1.0]];
        let [shift, log_sigma] = minimum(&starts, [0.2, 0.4], cost);
        Some((middle + shift * spacing, spacing * log_sigma.exp()))
    }
}

/// The spacing of the levels on which disparities lie, pixels.
fn disparity_step(recording: &Recording, stereo: f64) -> Option<f64> {
    if stereo <= 0.0 {
        return None;
    }
    let frames = recording.planes.iter().flat_map(|plane| &plane.frames);
    let depths = frames.flatten().filter(|z| **z > 0.0 && z.is_finite());
    let mut disparities: Vec<f64> = depths.map(|z| stereo / f64::from(*z)).collect();
    disparities.sort_by(f64::total_cmp);
    let n_pixels = disparities.len();
    // Single precision smears a level by less than this.
    disparities.dedup_by(|a, b| *a - *b < 1e-6 * *a);
    if disparities.len() < 2 || disparities.len() * 10 > n_pixels {
        return None;
    }
    let gaps: Vec<f64> = disparities
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .collect();
    let least = gaps.iter().copied().fold(f64::INFINITY, f64::min);
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
    Some(refine(refine(step, &gaps), &disparities))
}

/// Whether the left border, which the second eye cannot see, is empty.
fn stereo_shadow(recording: &Recording, stereo: f64) -> bool {
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
fn axial(walls: &[(f64, f64)]) -> (f64, f64, f64) {
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

struct Edge {
    lateral: f64,
    holes: f64,
    residual: f64,
}

/// Lateral noise and edge holes, from the shares of near, far and empty pixels in each column.
fn edge(recording: &Recording, dropout: f64) -> Result<Edge, FitError> {
    let StepFrames {
        near_m,
        far_m,
        frames,
    } = &recording.step;
    let width = recording.intrinsics.width;
    let middle = (0.5 * (near_m + far_m)) as f32;
    // Near, far, empty.
    let mut counts = vec![[0.0_f64; 3]; width];
    for row in frames.iter().flat_map(|frame| frame.chunks(width)) {
        for (count, z) in counts.iter_mut().zip(row) {
            let kind = if *z <= 0.0 {
                2
            } else {
                usize::from(*z > middle)
            };
            count[kind] += 1.0;
        }
    }
    let place = (1..width).find(|column| {
        let far = |count: &[f64; 3]| count[1] > count[0];
        counts[*column..].iter().take(EDGE_COLUMNS).all(far)
    });
    let place = place
        .filter(|place| *place >= EDGE_COLUMNS && place + EDGE_COLUMNS <= width)
        .ok_or(FitError::Step)?;
    let first = place - EDGE_COLUMNS;
    let counts = &counts[first..place + EDGE_COLUMNS];
    if counts[0][0] < 20.0 || !(far_m - near_m > recording.edge_step_m) {
        return Err(FitError::Step);
    }
    let model = |edge: f64, sigma: f64, holes: f64, column: usize| {
        // Share of rays that fall on the near side, in this column and its neighbours.
        let near = |column: f64| normal_below((edge - column - 0.5) / sigma);
        let column = column as f64;
        let (p, left, right) = (near(column), near(column - 1.0), near(column + 1.0));
        let kept = |p: f64, left: f64, right: f64| {
            p * (1.0 - dropout - holes * (1.0 - left * right * p * p)).max(0.0)
        };
        let (near, far) = (kept(p, left, right), kept(1.0 - p, 1.0 - left, 1.0 - right));
        [near, far, 1.0 - near - far]
    };
    let columns = || (first..).zip(counts);
    let cost = |[edge, log_sigma, holes]: [f64; 3]| {
        let (sigma, bounded) = (log_sigma.clamp(-7.0, 2.0).exp(), holes.clamp(0.0, 1.0));
        let surprise = columns().map(|(column, count)| {
            let shares = model(edge, sigma, bounded, column);
            let terms = shares.iter().zip(count);
            terms.map(|(p, n)| -n * p.max(1e-9).ln()).sum::<f64>()
        });
        surprise.sum::<f64>() * (1.0 + (holes - bounded).abs())
    };
    let at = place as f64;
    let without = |[edge, holes]: [f64; 2]| cost([edge, STILL.ln(), holes]);
    let still = minimum(&[[at, 0.3], [at, 0.7]], [0.1, 0.2], without);
    let starts = [
        [at, -3.0, 0.3],
        [at, -1.5, 0.3],
        [at, -0.5, 0.3],
        [at, 0.5, 0.3],
    ];
    let moved = minimum(&starts, [0.3, 0.5, 0.2], cost);
    let is_still = without(still) <= cost(moved) + INDIFFERENT;
    let [at, log_sigma, holes] = if is_still {
        [still[0], STILL.ln(), still[1]]
    } else {
        moved
    };
    let (sigma, holes) = (log_sigma.clamp(-7.0, 2.0).exp(), holes.clamp(0.0, 1.0));
    let errors = columns().flat_map(|(column, count)| {
        let total: f64 = count.iter().sum();
        let shares = model(at, sigma, holes, column);
        (0..3).map(move |kind| (shares[kind] - count[kind] / total).powi(2))
    });
    let residual = (errors.sum::<f64>() / (3 * counts.len()) as f64).sqrt();
    Ok(Edge {
        lateral: if is_still { 0.0 } else { sigma },
        holes,
        residual,
    })
}

/// Distribution function of the standard normal distribution.
fn normal_below(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use nalgebra::Vector3;
    use prehend_robot::Shape;
    use prehend_types::Pose;

    use super::*;
    use crate::camera::{Label, Solid, image};

    /// A face square to the axis of a camera that stands at z = 2 and looks up.
    fn face(distance: f64, from_x: f64, to_x: f64) -> Solid {
        let half = Vector3::new(0.5 * (to_x - from_x), 20.0, 0.05);
        let at = [0.5 * (from_x + to_x), 0.0, 2.0 + distance + half.z];
        Solid {
            shape: Shape::Cuboid { half_extents: half }.into(),
            base_from_shape: Pose::translation(at[0], at[1], at[2]),
            label: Label::Robot,
        }
    }

    fn record(noise: &NoiseConfig) -> Recording {
        let intrinsics = Intrinsics::from_field_of_view(72, 54, 0.9);
        let shoot = |solids: &[Solid], seed: u64| {
            let frames = (0..24).map(|frame| {
                let camera = Pose::translation(0.0, 0.0, 2.0);
                image(&intrinsics, &camera, solids, noise, 1000 * seed + frame).depth
            });
            frames.collect::<Vec<_>>()
        };
        let planes = [0.45, 0.7, 1.0, 1.5].into_iter().zip(1..);
        let (near_m, far_m) = (0.6, 0.9);
        // Somewhere inside a pixel, not on its border.
        let edge = 0.013;
        let step = [face(near_m, -20.0, edge), face(far_m, -20.0, 20.0)];
        Recording {
            intrinsics,
            baseline_m: 0.05,
            edge_step_m: noise.edge_step_m,
            planes: planes
                .map(|(distance_m, seed)| PlaneFrames {
                    distance_m,
                    frames: shoot(&[face(distance_m, -20.0, 20.0)], seed),
                })
                .collect(),
            step: StepFrames {
                near_m,
                far_m,
                frames: shoot(&step, 9),
            },
        }
    }

    #[track_caller]
    fn near(got: f64, expected: f64, tolerance: f64) {
        assert!((got - expected).abs() <= tolerance, "{got}, not {expected}");
    }

    /// Tolerances: axial parts 6 % (their sum at any wall is better), lateral 8 % or 0.05 px, shares 0.02.
    fn check(noise: &NoiseConfig) {
        let Fit {
            noise: got,
            residual,
        } = fit(&record(noise)).expect("a good recording");
        near(got.sigma_m, noise.sigma_m, 0.06 * noise.sigma_m + 2e-5);
        let growing = noise.sigma_per_m2;
        near(got.sigma_per_m2, growing, 0.06 * growing + 2e-5);
        let lateral = noise.lateral_sigma_px;
        near(got.lateral_sigma_px, lateral, (0.08 * lateral).max(0.05));
        let step = noise.disparity_step_px;
        near(got.disparity_step_px, step, 1e-3 * step);
        near(got.dropout, noise.dropout, 0.003);
        near(got.edge_holes, noise.edge_holes, 0.02);
        assert_eq!(got.stereo_shadow, noise.stereo_shadow);
        assert!(
            residual.axial < 0.03 && residual.edge < 0.02,
            "{residual:?}"
        );
        assert!(residual.bias_m < 2e-4, "{residual:?}");
    }

    fn smooth() -> NoiseConfig {
        NoiseConfig {
            sigma_m: 0.0008,
            sigma_per_m2: 0.0020,
            lateral_sigma_px: 0.5,
            dropout: 0.03,
            edge_step_m: 0.02,
            edge_holes: 0.4,
            ..NoiseConfig::default()
        }
    }

    #[test]
    fn smooth_noise_is_recovered() {
        check(&smooth());
    }

    #[test]
    fn a_camera_without_lateral_noise_is_recognised() {
        let noise = NoiseConfig {
            lateral_sigma_px: 0.0,
            ..smooth()
        };
        check(&noise);
    }

    #[test]
    fn quantised_stereo_is_recovered() {
        // Steps of 1.4 to 16 mm at the walls: from finer to coarser than the noise.
        let noise = NoiseConfig {
            baseline_m: 0.05,
            disparity_step_px: 0.025,
            stereo_shadow: true,
            ..smooth()
        };
        check(&noise);
    }

    #[test]
    fn recordings_that_say_nothing_are_refused() {
        let good = record(&smooth());
        let mut one_wall = good.clone();
        one_wall.planes.truncate(1);
        assert_eq!(fit(&one_wall), Err(FitError::Distances));
        let mut cut = good.clone();
        cut.planes[1].frames[3].pop();
        assert!(matches!(fit(&cut), Err(FitError::Frames { .. })));
        let mut dark = good.clone();
        dark.planes[0].frames.iter_mut().for_each(|f| f.fill(0.0));
        assert!(matches!(fit(&dark), Err(FitError::Empty { .. })));
        let mut flat = good;
        flat.step.frames = flat.planes[0].frames.clone();
        assert_eq!(fit(&flat), Err(FitError::Step));
    }
}
