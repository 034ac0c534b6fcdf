//! One solid as seen from one origin: everything that its ray tests share, worked out once.

use std::sync::Arc;

use nalgebra::{Isometry3, Vector3};
use prehend_robot::Shape;
use wide::f32x8;

use super::lanes::{Nearest, Rays, above, pick, reaches};
use super::{SolidShape, TriangleMesh};

/// A solid prepared for rays from one origin.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Rows of the rotation from camera to shape coordinates.
    rows: [[f32; 3]; 3],
    /// The rays' origin in the shape's frame.
    origin: [f32; 3],
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// Slab planes relative to the origin.
    Cuboid {
        low: [f32; 3],
        high: [f32; 3],
    },
    /// Centre in the camera's frame, and its squared distance less the squared radius.
    Sphere {
        center: [f32; 3],
        power: f32,
    },
    /// Squared radius and half length.
    Cylinder {
        squared: f32,
        half: f32,
    },
    /// Squared radius and half length between the sphere centres.
    Capsule {
        squared: f32,
        half: f32,
    },
    /// Outward normal of each side, and its distance ahead of the origin along that normal.
    Polyhedron(Vec<([f32; 3], f32)>),
    Mesh(Arc<TriangleMesh>),
}

impl Target {
    pub fn new(shape: &SolidShape, camera_from_shape: &Isometry3<f32>) -> Self {
        let inverse = camera_from_shape.inverse();
        let rotation = inverse.rotation.to_rotation_matrix();
        let origin: [f32; 3] = inverse.translation.vector.into();
        let kind = match shape {
            SolidShape::Primitive(Shape::Cuboid { half_extents }) => {
                let plane = |sign: f32| {
                    std::array::from_fn(|axis| {
                        let distance = sign * half_extents[axis] as f32 - origin[axis];
                        // 0 times an infinite reciprocal would be NaN.
                        if distance == 0.0 {
                            f32::MIN_POSITIVE
                        } else {
                            distance
                        }
                    })
                };
                Kind::Cuboid {
                    low: plane(-1.0),
                    high: plane(1.0),
                }
            }
            SolidShape::Primitive(Shape::Sphere { radius }) => {
                let center = camera_from_shape.translation.vector;
                Kind::Sphere {
                    center: center.into(),
                    power: center.norm_squared() - (*radius as f32).powi(2),
                }
            }
            SolidShape::Primitive(Shape::Cylinder {
                radius,
                half_length,
            }) => Kind::Cylinder {
                squared: (*radius as f32).powi(2),
                half: *half_length as f32,
            },
            SolidShape::Primitive(Shape::Capsule {
                radius,
                half_length,
            }) => Kind::Capsule {
                squared: (*radius as f32).powi(2),
                half: *half_length as f32,
            },
            SolidShape::Primitive(Shape::Convex(hull)) => {
                let sides = hull.planes().iter().map(|plane| {
                    let normal: Vector3<f32> = plane.normal.cast();
                    let distance = plane.offset as f32 - normal.dot(&Vector3::from(origin));
                    (normal.into(), distance)
                });
                Kind::Polyhedron(sides.collect())
            }
            SolidShape::Mesh(mesh) => Kind::Mesh(Arc::clone(mesh)),
        };
        Self {
            rows: std::array::from_fn(|row| std::array::from_fn(|column| rotation[(row, column)])),
            origin,
            kind,
        }
    }

    /// Keeps the first entries in front of the origin. A camera inside a primitive sees nothing of it.
    #[inline]
    pub fn hit(&self, rays: &Rays, id: f32x8, nearest: &mut Nearest) {
        match &self.kind {
            Kind::Cuboid { low, high } => {
                cuboid(&rays.rotated(&self.rows), low, high, id, nearest);
            }
            Kind::Sphere { center, power } => sphere(rays, center, *power, id, nearest),
            Kind::Cylinder { squared, half } => {
                let local = rays.rotated(&self.rows);
                cylinder(&local, &self.origin, *squared, *half, id, nearest);
            }
            Kind::Capsule { squared, half } => {
                let local = rays.rotated(&self.rows);
                capsule(&local, &self.origin, *squared, *half, id, nearest);
            }
            Kind::Polyhedron(sides) => {
                polyhedron(&rays.rotated(&self.rows), sides, id, nearest);
            }
            Kind::Mesh(mesh) => {
                mesh.hit(&self.origin, &rays.rotated(&self.rows), id, nearest);
            }
        }
    }
}

/// Slab test: the ray is inside between the last entry and the first exit.
#[inline]
fn cuboid(rays: &Rays, low: &[f32; 3], high: &[f32; 3], id: f32x8, nearest: &mut Nearest) {
    let one = f32x8::splat(1.0);
    let (mut enter, mut leave) = (f32x8::ZERO, f32x8::splat(f32::INFINITY));
    for (axis, direction) in [rays.x, rays.y, rays.z].into_iter().enumerate() {
        let inverse = one / direction;
        let first = f32x8::splat(low[axis]) * inverse;
        let second = f32x8::splat(high[axis]) * inverse;
        enter = enter.fast_max(first.fast_min(second));
        leave = leave.fast_min(first.fast_max(second));
    }
    nearest.take(reaches(leave, enter), enter, id);
}

/// The ray is inside between the last side that it enters by and the first that it leaves by (Cyrus and
/// Beck, 1978).
#[inline]
fn polyhedron(rays: &Rays, sides: &[([f32; 3], f32)], id: f32x8, nearest: &mut Nearest) {
    let (mut enter, mut leave) = (f32x8::ZERO, f32x8::splat(f32::INFINITY));
    for (normal, distance) in sides {
        // A ray along a side leaves at +inf if it is inside of it and at -inf if not: adding zero makes
        // that true of a speed of -0 too.
        let speed = rays.dot(normal) + f32x8::ZERO;
        // 0 / 0 would be NaN.
        let distance = if *distance == 0.0 {
            f32::MIN_POSITIVE
        } else {
            *distance
        };
        let t = f32x8::splat(distance) / speed;
        let entering = above(f32x8::ZERO, speed);
        enter = pick(entering, enter.fast_max(t), enter);
        leave = pick(entering, leave, leave.fast_min(t));
    }
    nearest.take(reaches(leave, enter), enter, id);
}

/// First root of a t² + 2 b t + c = 0, with the mask of where there is one.
#[inline]
fn first_root(a: f32x8, b: f32x8, c: f32x8) -> (f32x8, f32x8) {
    let discriminant = b * b - a * c;
    let exists = reaches(discriminant, f32x8::ZERO);
    let root = discriminant.fast_max(f32x8::ZERO).sqrt();
    (exists, (f32x8::ZERO - b - root) / a)
}

#[inline]
fn sphere(rays: &Rays, center: &[f32; 3], power: f32, id: f32x8, nearest: &mut Nearest) {
    let a = rays.x * rays.x + rays.y * rays.y + rays.z * rays.z;
    let b = f32x8::ZERO - rays.dot(center);
    let (exists, t) = first_root(a, b, f32x8::splat(power));
    nearest.take(exists, t, id);
}

/// The round side of an endless cylinder along z: where it exists, and where it is entered.
#[inline]
fn side(rays: &Rays, origin: &[f32; 3], squared: f32) -> (f32x8, f32x8) {
    let (x, y) = (f32x8::splat(origin[0]), f32x8::splat(origin[1]));
    // A ray along the axis has a = 0; the floor moves its entry far away instead of to NaN.
    let a = (rays.x * rays.x + rays.y * rays.y).fast_max(f32x8::splat(1e-12));
    let c = origin[0] * origin[0] + origin[1] * origin[1] - squared;
    first_root(a, x * rays.x + y * rays.y, f32x8::splat(c))
}

#[inline]
fn cylinder(
    rays: &Rays,
    origin: &[f32; 3],
    squared: f32,
    half: f32,
    id: f32x8,
    nearest: &mut Nearest,
) {
    let (exists, t) = side(rays, origin, squared);
    if exists.to_bitmask() == 0 {
        return;
    }
    let z = f32x8::splat(origin[2]);
    let half = f32x8::splat(half);
    let on_side = reaches(half, (z + t * rays.z).abs());
    // Where the side is not entered between the ends, the ray enters by the disc that faces it.
    let facing = pick(above(rays.z, f32x8::ZERO), f32x8::ZERO - half, half);
    let cap = (facing - z) / rays.z;
    let x = f32x8::splat(origin[0]) + cap * rays.x;
    let y = f32x8::splat(origin[1]) + cap * rays.y;
    let on_cap = reaches(f32x8::splat(squared), x * x + y * y);
    nearest.take(exists & (on_side | on_cap), pick(on_side, t, cap), id);
}

#[inline]
fn capsule(
    rays: &Rays,
    origin: &[f32; 3],
    squared: f32,
    half: f32,
    id: f32x8,
    nearest: &mut Nearest,
) {
    let (exists, t) = side(rays, origin, squared);
    if exists.to_bitmask() == 0 {
        return;
    }
    let z = f32x8::splat(origin[2]);
    let half = f32x8::splat(half);
    let entry = z + t * rays.z;
    let on_side = reaches(half, entry.abs());
    // Beyond the ends, only the ball on that end can be hit first.
    let end = pick(above(entry, f32x8::ZERO), half, f32x8::ZERO - half);
    let along = z - end;
    let a = rays.x * rays.x + rays.y * rays.y + rays.z * rays.z;
    let b = f32x8::splat(origin[0]) * rays.x + f32x8::splat(origin[1]) * rays.y + along * rays.z;
    let flat = f32x8::splat(origin[0] * origin[0] + origin[1] * origin[1] - squared);
    let (ball, ball_t) = first_root(a, b, flat + along * along);
    nearest.take(exists & (on_side | ball), pick(on_side, t, ball_t), id);
}

/// Solids are kept together by kind, so that the branch on it is predicted.
pub(super) fn rank(shape: &SolidShape) -> u8 {
    match shape {
        SolidShape::Primitive(Shape::Cuboid { .. }) => 0,
        SolidShape::Primitive(Shape::Cylinder { .. }) => 1,
        SolidShape::Primitive(Shape::Capsule { .. }) => 2,
        SolidShape::Primitive(Shape::Sphere { .. }) => 3,
        SolidShape::Primitive(Shape::Convex(_)) => 4,
        SolidShape::Mesh(_) => 5,
    }
}

/// Middle and half size of a shape's box in its own frame, m.
pub(super) fn bounds(shape: &SolidShape) -> (Vector3<f32>, Vector3<f32>) {
    match shape {
        SolidShape::Primitive(shape) => {
            let reach =
                |sign: f64| Vector3::from_fn(|axis, _| shape.support(&Vector3::ith(axis, sign)));
            let (low, high) = (-reach(-1.0), reach(1.0));
            ((0.5 * (low + high)).cast(), (0.5 * (high - low)).cast())
        }
        SolidShape::Mesh(mesh) => mesh.bounds(),
    }
}
