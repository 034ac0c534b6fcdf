//! From recordings of a flat target and of a step edge to the noise that a simulated camera needs.
//!
//! Recorded are a flat wall, square to the optical axis, at two or more known distances, and an upright
//! step edge: a near flat face on the left half of the image before a far one on the right half. With the
//! near face on the left, the second eye, on the right, sees all of the far face. Several frames each; the
//! scene stands still.

mod edge;
mod recording;
mod simplex;
mod walls;

use prehend_cloud::Intrinsics;
use serde::Serialize;

use edge::edge;
use walls::{Pixels, axial, disparity_step, stereo_shadow};

use crate::config::NoiseConfig;

pub use recording::{RECORDING_FILE, RecordingError};

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
    /// What depths were rounded to when they were written down, m; 0 if they were not. Disparity steps that make
    /// less than six of these in depth are not seen.
    pub depth_unit_m: f64,
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Residual {
    /// Root mean square over the walls of the relative error of the axial standard deviation; `None` with two
    /// walls, which two numbers always explain.
    pub axial: Option<f64>,
    /// Largest difference between a wall's mean depth and its distance, m. The model has no such error.
    pub bias_m: f64,
    /// Largest standard deviation over a wall of what its pixels measure on average, once the plane through it
    /// is taken off and what is left of their noise, m. It stands still, so the simulator has none of it.
    pub pattern_m: f64,
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

/// Estimates every number of a [`NoiseConfig`] but the edge step, which is a matter of definition.
///
/// - Disparity step: the spacing of the levels that each wall's disparities take, if they lie apart. One wall
///   at least must show two neighbouring levels.
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
    let (mut empty, mut total) = (0_usize, 0_usize);
    let (mut bias, mut pattern) = (0.0_f64, 0.0_f64);
    for plane in &recording.planes {
        let pixels = Pixels::of(recording, plane, stereo);
        empty += pixels.empty;
        total += pixels.total;
        let (mean, sigma) = match step {
            Some(step) => pixels.quantised(stereo, step),
            None => pixels.smooth(recording.depth_unit_m),
        }
        .ok_or_else(|| FitError::Empty {
            what: format!("the wall at {} m", plane.distance_m),
        })?;
        bias = bias.max((mean - plane.distance_m).abs());
        pattern = pattern.max(pixels.pattern());
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
            axial: (walls.len() > 2).then_some(axial),
            bias_m: bias,
            pattern_m: pattern,
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
            depth_unit_m: 0.0,
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
        let axial = residual.axial.expect("four walls");
        assert!(axial < 0.03 && residual.edge < 0.02, "{residual:?}");
        assert!(residual.bias_m < 2e-4, "{residual:?}");
        // Nothing in the simulator stands still.
        assert!(residual.pattern_m < 5e-4, "{residual:?}");
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
        // Steps of 1.4 to 15 mm at the walls: from finer to coarser than the noise.
        let noise = NoiseConfig {
            baseline_m: 0.05,
            disparity_step_px: 0.025,
            stereo_shadow: true,
            ..smooth()
        };
        check(&noise);
    }

    /// As a file of whole tenths of a millimetre has them.
    fn rounded(mut recording: Recording, depth_unit_m: f64) -> Recording {
        recording.depth_unit_m = depth_unit_m;
        let planes = recording
            .planes
            .iter_mut()
            .flat_map(|plane| &mut plane.frames);
        for depth in planes.chain(&mut recording.step.frames).flatten() {
            *depth = ((f64::from(*depth) / depth_unit_m).round() * depth_unit_m) as f32;
        }
        recording
    }

    #[test]
    fn rounded_depths_are_no_levels_and_hide_none_that_are_wider() {
        let smooth = smooth();
        let got = fit(&rounded(record(&smooth), 1e-3))
            .expect("a good recording")
            .noise;
        assert_eq!(got.disparity_step_px, 0.0);
        near(got.sigma_m, smooth.sigma_m, 0.1 * smooth.sigma_m);
        near(
            got.sigma_per_m2,
            smooth.sigma_per_m2,
            0.1 * smooth.sigma_per_m2,
        );
        let stereo = NoiseConfig {
            baseline_m: 0.05,
            disparity_step_px: 0.1,
            stereo_shadow: true,
            ..smooth
        };
        let got = fit(&rounded(record(&stereo), 1e-4))
            .expect("a good recording")
            .noise;
        near(got.disparity_step_px, 0.1, 1e-3);
        assert!(got.stereo_shadow);
    }

    #[test]
    fn what_stands_still_is_told_and_is_no_noise() {
        let mut waved = record(&smooth());
        for plane in &mut waved.planes {
            let add = |(pixel, depth): (usize, &mut f32)| {
                if *depth > 0.0 {
                    *depth += 0.004 * libm::sinf(0.9 * pixel as f32);
                }
            };
            for frame in &mut plane.frames {
                frame.iter_mut().enumerate().for_each(add);
            }
        }
        let Fit { noise, residual } = fit(&waved).expect("a recording");
        near(noise.sigma_m, smooth().sigma_m, 1e-4);
        near(residual.pattern_m, 0.004 / std::f64::consts::SQRT_2, 1e-4);
    }

    #[test]
    fn two_walls_explain_themselves() {
        let mut two = record(&smooth());
        two.planes.truncate(2);
        assert_eq!(fit(&two).expect("a recording").residual.axial, None);
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
