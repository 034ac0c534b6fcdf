//! Depth and labels of every pixel, without noise.

use prehend_cloud::Intrinsics;
use prehend_types::Pose;

use super::eye::{Cast, Field};
use super::film::Film;
use super::noise::Noise;
use super::{Label, Solid};
use crate::config::NoiseConfig;

/// What one pixel shows.
#[derive(Debug, Clone, Copy)]
pub struct Hit {
    /// Distance along the camera's z axis, m; infinite where nothing is hit.
    pub depth: f32,
    /// What is hit.
    pub label: Label,
}

/// Casts one ray per pixel, row by row, against the table plane z = 0 and all solids.
pub fn cast(
    intrinsics: &Intrinsics,
    base_from_camera: &Pose,
    solids: &[Solid],
    hits: &mut Vec<Hit>,
) {
    let cast = Cast::new(solids);
    let noise = Noise::new(&NoiseConfig::default(), intrinsics.focal, 0);
    let mut film = Film::new(
        intrinsics,
        base_from_camera,
        &cast,
        noise,
        0.0,
        Field::Whole,
    );
    hits.clear();
    hits.reserve(intrinsics.width * intrinsics.height);
    for row in 0..intrinsics.height {
        for column in 0..intrinsics.width {
            let (depth, label) = film.truth(column, row);
            hits.push(Hit { depth, label });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nalgebra::{Isometry3, Vector3};
    use prehend_robot::{ConvexHull, Shape};

    use prehend_types::Role;

    use super::*;

    fn label(index: usize, role: Role) -> Label {
        Label::Body { index, role }
    }

    /// Depth of the middle pixel against one shape 1 m in front of the camera.
    fn depth_of(shape: Shape) -> f32 {
        let intrinsics = Intrinsics::from_field_of_view(31, 23, 0.8);
        let solid = Solid {
            shape: shape.into(),
            base_from_shape: Pose::translation(0.0, 0.0, 3.0),
            label: Label::Robot,
        };
        // The camera stands at z = 2 and looks up, away from the table.
        let mut hits = Vec::new();
        let base_from_camera = Pose::translation(0.0, 0.0, 2.0);
        cast(&intrinsics, &base_from_camera, &[solid], &mut hits);
        hits[11 * 31 + 15].depth
    }

    #[test]
    fn depth_is_the_distance_to_the_near_side() {
        let cases = [
            (
                Shape::Cuboid {
                    half_extents: Vector3::new(0.3, 0.2, 0.1),
                },
                0.9,
            ),
            (Shape::Sphere { radius: 0.25 }, 0.75),
            (
                Shape::Cylinder {
                    radius: 0.2,
                    half_length: 0.15,
                },
                0.85,
            ),
            (
                Shape::Capsule {
                    radius: 0.2,
                    half_length: 0.15,
                },
                0.65,
            ),
        ];
        for (shape, expected) in cases {
            let got = depth_of(shape.clone());
            assert!((got - expected).abs() < 1e-5, "{shape:?}: {got}");
        }
    }

    /// A wedge: five sides, no symmetry about its origin.
    fn wedge(size: f64) -> Shape {
        let corners: Vec<Vector3<f64>> = [
            [0., 0., 0.],
            [1., 0., 0.],
            [0., 1., 0.],
            [0., 0., 1.],
            [1., 0., 1.],
            [0., 1., 1.],
        ]
        .iter()
        .map(|corner| size * Vector3::from(*corner))
        .collect();
        let hulled = ConvexHull::around(&corners).expect("a wedge");
        Shape::Convex(Arc::new(hulled.hull))
    }

    /// Sixteen of each kind, scattered in front of a camera at the origin.
    fn scattered(case: u32) -> Vec<(Shape, Pose)> {
        let wave = |k: f64| 0.5 + 0.5 * libm::sin(k * 12.989 + f64::from(case) * 4.1);
        (0..80)
            .map(|i| {
                let k = f64::from(i);
                let [a, b, c] = [wave(k), wave(k + 0.31), wave(k + 0.57)].map(|v| 0.01 + 0.12 * v);
                let shape = match i % 5 {
                    0 => Shape::Cuboid {
                        half_extents: Vector3::new(a, b, 0.2 * c),
                    },
                    1 => Shape::Sphere { radius: 0.5 * a },
                    2 => Shape::Cylinder {
                        radius: 0.5 * a,
                        half_length: b,
                    },
                    3 => Shape::Capsule {
                        radius: 0.3 * a,
                        half_length: c,
                    },
                    _ => wedge(2.0 * a),
                };
                let at = Vector3::new(
                    1.2 * wave(k * 1.3) - 0.6,
                    wave(k * 2.7) - 0.5,
                    0.1 + 1.2 * wave(k * 3.3),
                );
                (shape, Pose::new(at, Vector3::new(k, 2.0 * k, 0.3 * k)))
            })
            .collect()
    }

    #[test]
    fn blocks_and_lanes_see_what_single_rays_see() {
        // Every pixel against every solid, one ray at a time, in double precision. Odd sizes leave blocks
        // half outside; some solids reach behind the camera.
        let intrinsics = Intrinsics::from_field_of_view(61, 47, 0.9);
        let base_from_camera = Pose::translation(0.0, 0.0, 2.0);
        let (mut compared, mut n_hits) = (0, 0);
        for case in 0..6 {
            let shapes = scattered(case);
            let solids: Vec<Solid> = shapes
                .iter()
                .enumerate()
                .map(|(index, (shape, pose))| Solid {
                    shape: shape.clone().into(),
                    base_from_shape: base_from_camera * pose,
                    label: label(index, Role::Other),
                })
                .collect();
            let mut hits = Vec::new();
            cast(&intrinsics, &base_from_camera, &solids, &mut hits);
            for (index, hit) in hits.iter().enumerate() {
                let ray: Vector3<f64> = intrinsics.ray(index % 61, index / 61).cast();
                let depth_of = |(shape, pose): &(Shape, Isometry3<f64>)| {
                    let inverse = pose.inverse();
                    let (origin, ray) = (inverse.translation.vector, inverse.rotation * ray);
                    reference::hit(shape, &origin, &ray).unwrap_or(f64::INFINITY)
                };
                let depths: Vec<f64> = shapes.iter().map(depth_of).collect();
                let expected = depths.iter().copied().fold(f64::INFINITY, f64::min);
                compared += 1;
                n_hits += u32::from(expected.is_finite());
                if (f64::from(hit.depth) - expected).abs() < 1e-4 {
                    if let Label::Body { index: found, .. } = hit.label {
                        assert!(depths[found] - expected < 1e-4);
                    }
                    continue;
                }
                // Rounding may decide about a ray that grazes an outline: then a ray a little to the side
                // must agree.
                let agrees = [(1e-5, 0.0), (-1e-5, 0.0), (0.0, 1e-5), (0.0, -1e-5)];
                let agrees = agrees.iter().any(|(dx, dy)| {
                    let ray = ray + Vector3::new(*dx, *dy, 0.0);
                    let depths = shapes.iter().map(|(shape, pose)| {
                        let inverse = pose.inverse();
                        let (origin, ray) = (inverse.translation.vector, inverse.rotation * ray);
                        reference::hit(shape, &origin, &ray).unwrap_or(f64::INFINITY)
                    });
                    let depth = depths.fold(f64::INFINITY, f64::min);
                    hit.depth.is_infinite() && depth.is_infinite()
                        || (f64::from(hit.depth) - depth).abs() < 1e-3
                });
                let equal = hit.depth.is_infinite() && expected.is_infinite();
                assert!(
                    agrees || equal,
                    "case {case} pixel {index}: {hit:?} {expected}"
                );
            }
        }
        assert!(n_hits > compared / 4, "{n_hits} of {compared}");
    }

    /// Textbook tests of one ray against one shape in its own frame.
    mod reference {
        use nalgebra::Vector3;
        use prehend_robot::{Plane, Shape};

        pub fn hit(shape: &Shape, origin: &Vector3<f64>, ray: &Vector3<f64>) -> Option<f64> {
            match *shape {
                Shape::Cuboid { half_extents } => slabs(origin, ray, &half_extents),
                Shape::Sphere { radius } => sphere(origin, ray, radius),
                Shape::Cylinder {
                    radius,
                    half_length,
                } => cylinder(origin, ray, radius, half_length),
                Shape::Capsule {
                    radius,
                    half_length,
                } => capsule(origin, ray, radius, half_length),
                Shape::Convex(ref hull) => sides(origin, ray, hull.planes()),
            }
        }

        fn sides(origin: &Vector3<f64>, ray: &Vector3<f64>, planes: &[Plane]) -> Option<f64> {
            let inside = |t: f64| {
                let point = origin + t * ray;
                planes
                    .iter()
                    .all(|p| p.normal.dot(&point) <= p.offset + 1e-12)
            };
            let crossings = planes
                .iter()
                .map(|p| (p.offset - p.normal.dot(origin)) / p.normal.dot(ray));
            let entries = crossings.filter(|t| *t > 0.0 && inside(*t));
            entries.min_by(f64::total_cmp).filter(|_| !inside(0.0))
        }

        fn slabs(origin: &Vector3<f64>, ray: &Vector3<f64>, half: &Vector3<f64>) -> Option<f64> {
            let (mut enter, mut leave) = (0.0_f64, f64::INFINITY);
            for axis in 0..3 {
                let inverse = 1.0 / ray[axis];
                let first = (-half[axis] - origin[axis]) * inverse;
                let second = (half[axis] - origin[axis]) * inverse;
                // A ray inside a slab's plane gives NaN, which min and max ignore.
                enter = enter.max(first.min(second));
                leave = leave.min(first.max(second));
            }
            (enter > 0.0 && enter <= leave).then_some(enter)
        }

        /// First positive root of a t² + 2 b t + c = 0.
        fn first_root(a: f64, b: f64, c: f64) -> Option<f64> {
            let discriminant = b * b - a * c;
            if discriminant < 0.0 || a <= 0.0 {
                return None;
            }
            let t = (-b - discriminant.sqrt()) / a;
            (t > 0.0).then_some(t)
        }

        fn sphere(origin: &Vector3<f64>, ray: &Vector3<f64>, radius: f64) -> Option<f64> {
            first_root(
                ray.norm_squared(),
                origin.dot(ray),
                origin.norm_squared() - radius * radius,
            )
        }

        /// The round side of an endless cylinder along z, and where it is hit.
        fn side(origin: &Vector3<f64>, ray: &Vector3<f64>, radius: f64) -> Option<(f64, f64)> {
            let t = first_root(
                ray.x * ray.x + ray.y * ray.y,
                origin.x * ray.x + origin.y * ray.y,
                origin.x * origin.x + origin.y * origin.y - radius * radius,
            )?;
            Some((t, origin.z + t * ray.z))
        }

        fn cylinder(
            origin: &Vector3<f64>,
            ray: &Vector3<f64>,
            radius: f64,
            half_length: f64,
        ) -> Option<f64> {
            if let Some((t, z)) = side(origin, ray, radius)
                && z.abs() <= half_length
            {
                return Some(t);
            }
            let cap = -half_length * ray.z.signum();
            let t = (cap - origin.z) / ray.z;
            let (x, y) = (origin.x + t * ray.x, origin.y + t * ray.y);
            (t > 0.0 && x * x + y * y <= radius * radius).then_some(t)
        }

        fn capsule(
            origin: &Vector3<f64>,
            ray: &Vector3<f64>,
            radius: f64,
            half_length: f64,
        ) -> Option<f64> {
            if let Some((t, z)) = side(origin, ray, radius)
                && z.abs() <= half_length
            {
                return Some(t);
            }
            let cap = |sign: f64| {
                let center = Vector3::new(0.0, 0.0, sign * half_length);
                sphere(&(origin - center), ray, radius)
            };
            match (cap(1.0), cap(-1.0)) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            }
        }
    }
}
