//! Convex collision shapes, fixed to links.

use std::sync::Arc;

use nalgebra::{Point3, Vector3};
use prehend_types::Pose;

use crate::ConvexHull;

/// A convex shape around its own origin. Lengths in m.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// All points within `radius` of a segment of `2 half_length` along local z.
    Capsule {
        /// Radius.
        radius: f64,
        /// Half the distance between the two sphere centres.
        half_length: f64,
    },
    /// A box.
    Cuboid {
        /// Half the size along local x, y, z.
        half_extents: Vector3<f64>,
    },
    /// A cylinder along local z.
    Cylinder {
        /// Radius.
        radius: f64,
        /// Half the height.
        half_length: f64,
    },
    /// A ball.
    Sphere {
        /// Radius.
        radius: f64,
    },
    /// A polyhedron, a piece of a mesh; shared, so that a clone costs nothing.
    Convex(Arc<ConvexHull>),
}

impl Shape {
    /// How far the shape reaches from its origin along a unit direction in its own frame, m.
    #[must_use]
    pub fn support(&self, direction: &Vector3<f64>) -> f64 {
        match *self {
            Self::Cuboid { half_extents } => half_extents.dot(&direction.abs()),
            Self::Sphere { radius } => radius,
            Self::Cylinder {
                radius,
                half_length,
            } => radius * direction.xy().norm() + half_length * direction.z.abs(),
            Self::Capsule {
                radius,
                half_length,
            } => radius + half_length * direction.z.abs(),
            Self::Convex(ref hull) => hull.support(direction),
        }
    }
}

/// A shape and where it sits on its link.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkShape {
    /// Pose of the shape in the link's frame.
    pub link_from_shape: Pose,
    /// The shape.
    pub shape: Shape,
}

impl LinkShape {
    /// Lowest and highest coordinate along a unit direction of a frame in which the link has this
    /// pose, m.
    #[must_use]
    pub fn extent(&self, frame_from_link: &Pose, direction: &Vector3<f64>) -> [f64; 2] {
        let frame_from_shape = frame_from_link * self.link_from_shape;
        let local = frame_from_shape.rotation.inverse() * direction;
        let middle = frame_from_shape.translation.vector.dot(direction);
        [
            middle - self.shape.support(&-local),
            middle + self.shape.support(&local),
        ]
    }

    /// The smallest capsule of this family that contains the shape: itself for capsules and spheres,
    /// rounded caps on cylinders, the circumscribed one along the longest edge for boxes, along the
    /// principal axes for polyhedra.
    ///
    /// Returns the two sphere centres in the link's frame, m, and the radius, m.
    #[must_use]
    pub fn bounding_capsule(&self) -> (Vector3<f64>, Vector3<f64>, f64) {
        let (half_axis, radius) = match &self.shape {
            Shape::Capsule {
                radius,
                half_length,
            }
            | Shape::Cylinder {
                radius,
                half_length,
            } => (Vector3::z() * *half_length, *radius),
            Shape::Sphere { radius } => (Vector3::zeros(), *radius),
            Shape::Convex(hull) => {
                let (a, b, radius) = hull.capsule();
                let moved =
                    |point: Vector3<f64>| (self.link_from_shape * Point3::from(point)).coords;
                return (moved(a), moved(b), radius);
            }
            Shape::Cuboid { half_extents } => {
                let longest = half_extents.imax();
                let mut half_axis = Vector3::zeros();
                half_axis[longest] = half_extents[longest];
                (half_axis, (half_extents - half_axis).norm())
            }
        };
        let center = self.link_from_shape.translation.vector;
        let half_axis = self.link_from_shape.rotation * half_axis;
        (center - half_axis, center + half_axis, radius)
    }
}
