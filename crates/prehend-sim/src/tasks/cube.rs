//! Cubes, and how they are grasped from above.

use std::f64::consts::FRAC_PI_2;

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_robot::Shape;
use prehend_types::{Pose, Role};

use crate::objects::Part;
use crate::pilots::rule::{nearest_yaw, pointing_down, yaw_of};
use crate::scene::{Body, BodyMotion};

/// A loose cube with half an edge of `half`, m, turned by `yaw`, rad.
pub(super) fn body(
    role: Role,
    half: f64,
    mass: f64,
    friction: f64,
    center: Vector3<f64>,
    yaw: f64,
) -> Body {
    Body {
        parts: vec![Part {
            shape: Shape::Cuboid {
                half_extents: Vector3::repeat(half),
            },
            body_from_part: Pose::identity(),
        }],
        role,
        motion: BodyMotion::Free,
        mass,
        friction,
        base_from_body: Pose::from_parts(
            Translation3::from(center),
            UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw),
        ),
    }
}

/// Tool pose over a cube's centre, fingers across whichever pair of its upright faces needs less turning.
pub(super) fn grasp(base_from_cube: &Pose, base_from_tcp: &Pose) -> Pose {
    let now = yaw_of(base_from_tcp);
    // Any edge that lies flat tells the faces' directions.
    let edges =
        [Vector3::x(), Vector3::y(), Vector3::z()].map(|axis| base_from_cube.rotation * axis);
    let flattest = edges.iter().min_by(|a, b| a.z.abs().total_cmp(&b.z.abs()));
    let edge = flattest.copied().unwrap_or_else(Vector3::x);
    let across = [0.0, FRAC_PI_2].map(|turn| nearest_yaw(libm::atan2(edge.y, edge.x) + turn, now));
    let [first, second] = across.map(|yaw| (yaw - now).abs());
    let yaw = if first <= second {
        across[0]
    } else {
        across[1]
    };
    let at = Translation3::from(base_from_cube.translation.vector);
    Pose::from_parts(at, pointing_down(yaw))
}
