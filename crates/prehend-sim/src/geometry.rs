//! Small questions about convex parts.

use std::sync::Arc;

use nalgebra::{Point3, Vector3};
use prehend_robot::Shape;
use prehend_types::Pose;

use crate::objects::Part;

/// Multiplies every length of a part.
pub(crate) fn scale(part: &mut Part, factor: f64) {
    part.body_from_part.translation.vector *= factor;
    match &mut part.shape {
        Shape::Cuboid { half_extents } => *half_extents *= factor,
        Shape::Sphere { radius } => *radius *= factor,
        Shape::Cylinder {
            radius,
            half_length,
        }
        | Shape::Capsule {
            radius,
            half_length,
        } => {
            *radius *= factor;
            *half_length *= factor;
        }
        Shape::Convex(hull) => *hull = Arc::new(hull.scaled(factor)),
    }
}

/// Half the size of a box around a shape's origin that holds it, along its own axes, m.
pub(crate) fn half_extents(shape: &Shape) -> Vector3<f64> {
    Vector3::from_fn(|axis, _| {
        let direction = Vector3::ith(axis, 1.0);
        shape.support(&direction).max(shape.support(&-direction))
    })
}

/// Radius of a ball around a shape's origin that holds it, m.
pub(crate) fn radius(shape: &Shape) -> f64 {
    half_extents(shape).norm()
}

/// Lowest and highest coordinate along a unit direction of the body's frame, m.
pub(crate) fn extent(part: &Part, direction: &Vector3<f64>) -> [f64; 2] {
    let in_part = part.body_from_part.inverse_transform_vector(direction);
    let middle = part.body_from_part.translation.vector.dot(direction);
    // Only polyhedra reach differently far to both sides.
    [
        middle - part.shape.support(&-in_part),
        middle + part.shape.support(&in_part),
    ]
}

/// Lowest and highest coordinate of a body along a unit direction of the base frame, m.
pub(crate) fn extent_in_base(
    parts: &[Part],
    base_from_body: &Pose,
    direction: &Vector3<f64>,
) -> [f64; 2] {
    let in_body = base_from_body.inverse_transform_vector(direction);
    let at = base_from_body.translation.vector.dot(direction);
    let own = parts.iter().map(|part| extent(part, &in_body));
    own.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], own| {
        [low.min(at + own[0]), high.max(at + own[1])]
    })
}

/// Highest point of a part in the body's frame, m.
pub(crate) fn top(part: &Part) -> f64 {
    extent(part, &Vector3::z())[1]
}

/// Radius of a vertical cylinder around the body's origin that holds the part, m. Exact for boxes
/// that stand upright, a bound otherwise.
pub(crate) fn reach(part: &Part) -> f64 {
    if let Shape::Cuboid { half_extents } = part.shape {
        let corners = (0..8_u8).map(|corner| {
            let sign = |bit: u8| if corner & bit == 0 { -1.0 } else { 1.0 };
            let signs = Vector3::new(sign(1), sign(2), sign(4));
            part.body_from_part * Point3::from(half_extents.component_mul(&signs))
        });
        return corners.map(|c| libm::hypot(c.x, c.y)).fold(0.0, f64::max);
    }
    if let Shape::Convex(hull) = &part.shape {
        let corners = hull
            .points()
            .iter()
            .map(|p| part.body_from_part * Point3::from(*p));
        return corners.map(|c| libm::hypot(c.x, c.y)).fold(0.0, f64::max);
    }
    let center = part.body_from_part.translation.vector;
    let across = (0..16).map(|i| {
        let angle = std::f64::consts::TAU * f64::from(i) / 16.0;
        let direction = Vector3::new(libm::cos(angle), libm::sin(angle), 0.0);
        let in_part = part.body_from_part.inverse_transform_vector(&direction);
        part.shape.support(&in_part)
    });
    center.xy().norm() + across.fold(0.0, f64::max)
}

/// Volume of a shape, m³.
pub(crate) fn volume(shape: &Shape) -> f64 {
    use std::f64::consts::PI;
    match *shape {
        Shape::Convex(ref hull) => hull.volume(),
        Shape::Cuboid { half_extents } => 8.0 * half_extents.product(),
        Shape::Sphere { radius } => 4.0 / 3.0 * PI * radius.powi(3),
        Shape::Cylinder {
            radius,
            half_length,
        } => 2.0 * half_length * PI * radius.powi(2),
        Shape::Capsule {
            radius,
            half_length,
        } => PI * radius.powi(2) * (2.0 * half_length + 4.0 / 3.0 * radius),
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::Translation3;
    use prehend_robot::ConvexHull;

    use super::*;

    #[test]
    fn a_polyhedron_of_a_box_measures_like_the_box() {
        let half_extents = Vector3::new(0.1, 0.05, 0.2);
        let corners: Vec<_> = (0..8_u8)
            .map(|i| {
                let sign = |bit: u8| if i & bit == 0 { -1.0 } else { 1.0 };
                half_extents.component_mul(&Vector3::new(sign(1), sign(2), sign(4)))
            })
            .collect();
        let hull = ConvexHull::around(&corners).expect("a box").hull;
        let body_from_part = Pose::from_parts(
            Translation3::new(0.3, -0.2, 0.1),
            nalgebra::UnitQuaternion::from_euler_angles(0.3, 0.5, 0.7),
        );
        let mut parts = [
            Shape::Cuboid { half_extents },
            Shape::Convex(Arc::new(hull)),
        ]
        .map(|shape| Part {
            shape,
            body_from_part,
        });
        for part in &mut parts {
            scale(part, 1.5);
        }
        let direction = Vector3::new(0.6, 0.0, -0.8);
        let measures = parts.map(|part| {
            let [low, high] = extent(&part, &direction);
            [low, high, top(&part), reach(&part), volume(&part.shape)]
        });
        for (a, b) in measures[0].iter().zip(measures[1]) {
            assert!((a - b).abs() < 1e-12, "{measures:?}");
        }
    }
}
