//! What depth cameras at random places see of an arrangement.

use std::f64::consts::PI;

use nalgebra::{Point3, Vector3};
use prehend_cloud::{Intrinsics, NORMAL_RADIUS, Neighbourhood, back_project};
use prehend_types::{Pose, Stream, derive_seed};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::arrange::{Arrangement, middle};
use crate::camera::{Label, Solid, labelled_image, looking_at};
use crate::config::NoiseConfig;
use crate::scene::Body;
use prehend_types::Role;

/// Image size and horizontal field of view.
const WIDTH: usize = 160;
const HEIGHT: usize = 120;
const FIELD_OF_VIEW: f32 = 0.94;
/// Elevation, rad, and distance, m, of a camera.
const ELEVATION: [f64; 2] = [0.44, 1.31];
const DISTANCE: [f64; 2] = [0.6, 1.1];
/// Half the side of the workspace around the middle, m, and its height.
pub(crate) const HALF_SIDE: f64 = 0.34;
pub(crate) const CEILING: f64 = 0.45;

/// One measured point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seen {
    /// Base frame, m, with the camera's noise.
    pub point: [f32; 3],
    /// The solid's number; `None` for the table.
    pub body: Option<usize>,
    /// Where the ray came from.
    pub eye: Point3<f64>,
}

/// Every solid of some bodies, numbered as they are.
pub(crate) fn solids(bodies: &[Body]) -> Vec<Solid> {
    let numbered = bodies.iter().enumerate();
    let solids = numbered.flat_map(|(index, body)| {
        body.parts.iter().map(move |part| Solid {
            shape: part.shape.clone().into(),
            base_from_shape: body.base_from_body * part.body_from_part,
            label: Label::Body {
                index,
                role: Role::Other,
            },
        })
    });
    solids.collect()
}

/// One or two cameras' clouds, joined and cropped to the workspace. Below the table's noise nothing is
/// cut: the table is part of what is seen. Every `exposure` of the same seed has noise of its own.
pub(crate) fn look(solids: &[Solid], seed: u64, exposure: u64) -> Vec<Seen> {
    let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Camera, 0));
    let n_cameras = rng.random_range(1..=2_u64);
    let intrinsics = Intrinsics::from_field_of_view(WIDTH, HEIGHT, FIELD_OF_VIEW);
    let mut seen = Vec::new();
    for camera in 0..n_cameras {
        let elevation = rng.random_range(ELEVATION[0]..ELEVATION[1]);
        let distance = rng.random_range(DISTANCE[0]..DISTANCE[1]);
        let around = rng.random_range(-PI..PI);
        let target = middle().coords
            + Vector3::new(
                rng.random_range(-0.05..0.05),
                rng.random_range(-0.05..0.05),
                0.03,
            );
        let way = Vector3::new(
            libm::cos(elevation) * libm::cos(around),
            libm::cos(elevation) * libm::sin(around),
            libm::sin(elevation),
        );
        let base_from_camera = looking_at(&(target + way * distance), &target);
        let error = Pose::new(
            Vector3::from_fn(|_, _| rng.random_range(-0.0015..0.0015)),
            Vector3::from_fn(|_, _| rng.random_range(-0.0025..0.0025)),
        );
        let noise = NoiseConfig {
            sigma_m: rng.random_range(0.0003..0.001),
            sigma_per_m2: rng.random_range(0.0005..0.002),
            lateral_sigma_px: rng.random_range(0.0..0.3),
            dropout: rng.random_range(0.0..0.05),
            edge_step_m: 0.02,
            edge_holes: rng.random_range(0.2..0.8),
            ..NoiseConfig::default()
        };
        let seed = derive_seed(seed, Stream::Camera, 1 + camera + 2 * exposure);
        let (image, labels) = labelled_image(&intrinsics, &base_from_camera, solids, &noise, seed);
        let believed = (base_from_camera * error).cast::<f32>();
        let eye = Point3::from((base_from_camera * error).translation.vector);
        for row in 0..HEIGHT {
            for column in 0..WIDTH {
                let pixel = row * WIDTH + column;
                let depth = image.depth[pixel];
                if !(depth > 0.0 && depth.is_finite()) {
                    continue;
                }
                let point = back_project(&intrinsics, &believed, column, row, depth);
                let off = |axis: usize| (f64::from(point[axis]) - middle()[axis]).abs();
                if off(0) > HALF_SIDE || off(1) > HALF_SIDE || f64::from(point[2]) > CEILING {
                    continue;
                }
                let body = match labels[pixel] {
                    Label::Body { index, .. } => Some(index),
                    Label::Table | Label::Robot => None,
                };
                seen.push(Seen { point, body, eye });
            }
        }
    }
    seen
}

/// A cloud with normals, and nothing else: all that a robot has.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measured {
    /// Base frame, m.
    pub points: Vec<[f32; 3]>,
    /// Their normals; zero where unknown.
    pub normals: Vec<[f32; 3]>,
}

impl Arrangement {
    /// What cameras at random places measure of it, `most` points in random order.
    #[must_use]
    pub fn measure(&self, seed: u64, most: usize) -> Measured {
        measure(&self.bodies, &[], seed, most)
    }
}

/// The same of any bodies; behind those of a hand, which knows its own shape and is left out, nothing is seen.
pub(super) fn measure(bodies: &[Body], hand: &[Body], seed: u64, most: usize) -> Measured {
    let shown = [bodies, hand].concat();
    let mut seen = look(&solids(&shown), seed, 0);
    seen.retain(|seen| seen.body.is_none_or(|body| body < bodies.len()));
    measured(seen, seed, most)
}

/// At most `most` points in random order, with normals from all of them.
pub(super) fn measured(mut seen: Vec<Seen>, seed: u64, most: usize) -> Measured {
    let cloud: Vec<[f32; 3]> = seen.iter().map(|seen| seen.point).collect();
    let near = Neighbourhood::new(&cloud, NORMAL_RADIUS);
    seen.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    seen.truncate(most);
    let normal = |seen: &Seen| near.normal(&seen.point, &seen.eye.coords.cast::<f32>().into());
    Measured {
        points: seen.iter().map(|seen| seen.point).collect(),
        normals: seen.iter().map(normal).collect(),
    }
}
