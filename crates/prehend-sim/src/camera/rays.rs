//! Depth and labels by analytic ray tests: each primitive is tested only against the pixels of its
//! bounding sphere's rectangle (27,900 clouds/s against 15 primitives on one core in the November 2026
//! probe, twice a z-buffer).

use nalgebra::{Isometry3, Vector3};
use prehend_cloud::Intrinsics;
use prehend_robot::Shape;
use prehend_types::Pose;

use super::{Label, Solid};

/// What one pixel shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit {
    /// Distance along the camera's z axis, m; infinite where nothing is hit.
    pub depth: f32,
    /// What is hit.
    pub label: Label,
}

/// Casts one ray per pixel against the table plane z = 0 and all solids.
pub(crate) fn cast(
    intrinsics: &Intrinsics,
    base_from_camera: &Pose,
    solids: &[Solid],
    hits: &mut Vec<Hit>,
) {
    hits.clear();
    table(intrinsics, base_from_camera, hits);
    let camera_from_base = base_from_camera.inverse();
    for solid in solids {
        let camera_from_shape: Isometry3<f32> = (camera_from_base * solid.base_from_shape).cast();
        draw(
            intrinsics,
            &camera_from_shape,
            &solid.shape,
            solid.label,
            hits,
        );
    }
}

fn table(intrinsics: &Intrinsics, base_from_camera: &Pose, hits: &mut Vec<Hit>) {
    let height = base_from_camera.translation.z as f32;
    let down = base_from_camera.rotation.inverse() * -Vector3::z();
    let down: Vector3<f32> = down.cast();
    for row in 0..intrinsics.height {
        for column in 0..intrinsics.width {
            let fall = intrinsics.ray(column, row).dot(&down);
            let depth = if fall > 1e-6 {
                height / fall
            } else {
                f32::INFINITY
            };
            hits.push(Hit {
                depth,
                label: Label::Table,
            });
        }
    }
}

fn draw(
    intrinsics: &Intrinsics,
    camera_from_shape: &Isometry3<f32>,
    shape: &Shape,
    label: Label,
    hits: &mut [Hit],
) {
    let radius = bounding_radius(shape);
    let center = camera_from_shape.translation.vector;
    let Some([columns, rows]) = rectangle(intrinsics, &center, radius) else {
        return;
    };
    let shape_from_camera = camera_from_shape.inverse();
    let origin = shape_from_camera.translation.vector;
    let rotation = shape_from_camera.rotation.to_rotation_matrix();
    let local = LocalShape::new(shape);
    for row in rows[0]..rows[1] {
        for column in columns[0]..columns[1] {
            let ray = intrinsics.ray(column, row);
            // Cheap rejection by the bounding sphere before the exact test.
            let along = ray.dot(&center);
            let squared = ray.norm_squared();
            if center.norm_squared() - along * along / squared > radius * radius {
                continue;
            }
            if let Some(depth) = local.hit(&origin, &(rotation * ray)) {
                let hit = &mut hits[row * intrinsics.width + column];
                if depth < hit.depth {
                    *hit = Hit { depth, label };
                }
            }
        }
    }
}

/// Pixel columns and rows that a sphere can touch; `None` if it is behind the camera or outside.
fn rectangle(
    intrinsics: &Intrinsics,
    center: &Vector3<f32>,
    radius: f32,
) -> Option<[[usize; 2]; 2]> {
    if center.z + radius <= 0.01 {
        return None;
    }
    let whole = [[0, intrinsics.width], [0, intrinsics.height]];
    if center.z - radius <= 0.01 {
        return Some(whole);
    }
    // A sphere's silhouette is widest where the tangent cone of half angle asin(r / d) ends.
    let mut out = whole;
    for (axis, size) in [intrinsics.width, intrinsics.height]
        .into_iter()
        .enumerate()
    {
        let distance = center[axis].hypot(center.z);
        if distance <= radius {
            continue;
        }
        let middle = center[axis].atan2(center.z);
        let half = (radius / distance).asin();
        let limit = 1.5;
        let pixel =
            |angle: f32| 0.5 * size as f32 + intrinsics.focal * angle.clamp(-limit, limit).tan();
        let low = pixel(middle - half).floor().max(0.0) as usize;
        let high = (pixel(middle + half).ceil().max(0.0) as usize + 1).min(size);
        if low >= high {
            return None;
        }
        out[axis] = [low, high];
    }
    Some(out)
}

fn bounding_radius(shape: &Shape) -> f32 {
    let radius = match *shape {
        Shape::Cuboid { half_extents } => half_extents.norm(),
        Shape::Sphere { radius } => radius,
        Shape::Cylinder {
            radius,
            half_length,
        } => radius.hypot(half_length),
        Shape::Capsule {
            radius,
            half_length,
        } => radius + half_length,
        Shape::Convex(ref hull) => hull.radius(),
    };
    radius as f32
}

/// A shape in single precision, in its own frame.
enum LocalShape {
    Cuboid(Vector3<f32>),
    Sphere(f32),
    Cylinder {
        radius: f32,
        half_length: f32,
    },
    Capsule {
        radius: f32,
        half_length: f32,
    },
    /// Outward normal and offset of each side.
    Convex(Vec<(Vector3<f32>, f32)>),
}

impl LocalShape {
    fn new(shape: &Shape) -> Self {
        match *shape {
            Shape::Cuboid { half_extents } => Self::Cuboid(half_extents.cast()),
            Shape::Sphere { radius } => Self::Sphere(radius as f32),
            Shape::Cylinder {
                radius,
                half_length,
            } => Self::Cylinder {
                radius: radius as f32,
                half_length: half_length as f32,
            },
            Shape::Capsule {
                radius,
                half_length,
            } => Self::Capsule {
                radius: radius as f32,
                half_length: half_length as f32,
            },
            Shape::Convex(ref hull) => {
                let sides = hull.planes().iter();
                Self::Convex(sides.map(|p| (p.normal.cast(), p.offset as f32)).collect())
            }
        }
    }

    /// Ray parameter of the first entry in front of the origin. Rays have camera z = 1, so that the
    /// parameter is the depth. A camera inside a solid sees nothing of it.
    fn hit(&self, origin: &Vector3<f32>, ray: &Vector3<f32>) -> Option<f32> {
        match *self {
            Self::Cuboid(half) => slabs(origin, ray, &half),
            Self::Sphere(radius) => sphere(origin, ray, radius),
            Self::Cylinder {
                radius,
                half_length,
            } => cylinder(origin, ray, radius, half_length),
            Self::Capsule {
                radius,
                half_length,
            } => capsule(origin, ray, radius, half_length),
            Self::Convex(ref sides) => half_spaces(origin, ray, sides),
        }
    }
}

fn slabs(origin: &Vector3<f32>, ray: &Vector3<f32>, half: &Vector3<f32>) -> Option<f32> {
    let (mut enter, mut leave) = (0.0_f32, f32::INFINITY);
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

/// A ray is inside a polyhedron between the last side that it enters and the first that it leaves
/// (Cyrus, Beck 1978).
fn half_spaces(
    origin: &Vector3<f32>,
    ray: &Vector3<f32>,
    sides: &[(Vector3<f32>, f32)],
) -> Option<f32> {
    let (mut enter, mut leave) = (0.0_f32, f32::INFINITY);
    for (normal, offset) in sides {
        let distance = offset - normal.dot(origin);
        let speed = normal.dot(ray);
        if speed < 0.0 {
            enter = enter.max(distance / speed);
        } else if speed > 0.0 {
            leave = leave.min(distance / speed);
        } else if distance < 0.0 {
            return None;
        }
        if enter > leave {
            return None;
        }
    }
    (enter > 0.0).then_some(enter)
}

/// First positive root of a t² + 2 b t + c = 0.
fn first_root(a: f32, b: f32, c: f32) -> Option<f32> {
    let discriminant = b * b - a * c;
    if discriminant < 0.0 || a <= 0.0 {
        return None;
    }
    let t = (-b - discriminant.sqrt()) / a;
    (t > 0.0).then_some(t)
}

fn sphere(origin: &Vector3<f32>, ray: &Vector3<f32>, radius: f32) -> Option<f32> {
    first_root(
        ray.norm_squared(),
        origin.dot(ray),
        origin.norm_squared() - radius * radius,
    )
}

/// The round side of an endless cylinder along z, and where it is hit.
fn side(origin: &Vector3<f32>, ray: &Vector3<f32>, radius: f32) -> Option<(f32, f32)> {
    let t = first_root(
        ray.x * ray.x + ray.y * ray.y,
        origin.x * ray.x + origin.y * ray.y,
        origin.x * origin.x + origin.y * origin.y - radius * radius,
    )?;
    Some((t, origin.z + t * ray.z))
}

fn cylinder(
    origin: &Vector3<f32>,
    ray: &Vector3<f32>,
    radius: f32,
    half_length: f32,
) -> Option<f32> {
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
    origin: &Vector3<f32>,
    ray: &Vector3<f32>,
    radius: f32,
    half_length: f32,
) -> Option<f32> {
    if let Some((t, z)) = side(origin, ray, radius)
        && z.abs() <= half_length
    {
        return Some(t);
    }
    let cap = |sign: f32| {
        let center = Vector3::new(0.0, 0.0, sign * half_length);
        sphere(&(origin - center), ray, radius)
    };
    match (cap(1.0), cap(-1.0)) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Depth of the middle pixel against one shape 1 m in front of the camera.
    fn depth_of(shape: Shape) -> f32 {
        let intrinsics = Intrinsics::from_field_of_view(31, 23, 0.8);
        let solid = Solid {
            shape,
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

    #[test]
    fn a_polyhedron_looks_like_the_box_it_is() {
        let half = Vector3::new(0.3, 0.2, 0.1);
        let corners: Vec<Vector3<f64>> = (0..8_u8)
            .map(|i| {
                let sign = |bit: u8| if i & bit == 0 { -1.0 } else { 1.0 };
                half.component_mul(&Vector3::new(sign(1), sign(2), sign(4)))
            })
            .collect();
        let hull = prehend_robot::ConvexHull::around(&corners)
            .expect("a box")
            .hull;
        let intrinsics = Intrinsics::from_field_of_view(61, 47, 0.9);
        for k in 0..20 {
            let k = k as f32;
            let pose = Isometry3::new(
                Vector3::new(0.1 * k.sin(), 0.1 * k.cos(), 1.2),
                Vector3::new(k, 2.0 * k, 0.3),
            );
            let depths = [
                Shape::Cuboid { half_extents: half },
                Shape::Convex(std::sync::Arc::new(hull.clone())),
            ]
            .map(|shape| {
                let mut hits = vec![
                    Hit {
                        depth: f32::INFINITY,
                        label: Label::Table
                    };
                    61 * 47
                ];
                draw(&intrinsics, &pose, &shape, Label::Robot, &mut hits);
                hits
            });
            let seen = |hits: &[Hit]| hits.iter().filter(|h| h.depth.is_finite()).count();
            assert!(seen(&depths[0]) > 100);
            // A ray along an edge may fall on either side of rounding.
            let differ = depths[0]
                .iter()
                .zip(&depths[1])
                .filter(|(a, b)| a.depth != b.depth && (a.depth - b.depth).abs() > 1e-5);
            assert!(differ.count() <= 2, "case {k}");
        }
    }

    #[test]
    fn the_rectangle_never_cuts_a_shape() {
        // Against all pixels, the culled cast must hit exactly the same ones.
        let intrinsics = Intrinsics::from_field_of_view(61, 47, 0.9);
        let local = LocalShape::new(&Shape::Capsule {
            radius: 0.1,
            half_length: 0.3,
        });
        for k in 0..40 {
            let k = k as f32;
            let center = Vector3::new(0.8 * (k * 1.3).sin(), 0.6 * (k * 0.7).cos(), 0.9);
            let pose = Isometry3::new(center, Vector3::new(k, 2.0 * k, 0.3));
            let mut hits = vec![
                Hit {
                    depth: f32::INFINITY,
                    label: Label::Table
                };
                61 * 47
            ];
            let shape = Shape::Capsule {
                radius: 0.1,
                half_length: 0.3,
            };
            draw(&intrinsics, &pose, &shape, Label::Robot, &mut hits);
            let inverse = pose.inverse();
            for (index, hit) in hits.iter().enumerate() {
                let ray = intrinsics.ray(index % 61, index / 61);
                let all = local.hit(&inverse.translation.vector, &(inverse.rotation * ray));
                assert_eq!(
                    hit.depth.is_finite(),
                    all.is_some(),
                    "case {k} pixel {index}"
                );
            }
        }
    }
}
