//! Putting bodies together from convex primitives.

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_robot::Shape;
use prehend_types::Pose;

use super::Part;

/// A box with full size `size`, its bottom face centred at `bottom`.
pub(crate) fn block(size: [f64; 3], bottom: [f64; 3]) -> Part {
    Part {
        shape: Shape::Cuboid {
            half_extents: Vector3::from(size) * 0.5,
        },
        body_from_part: Pose::translation(bottom[0], bottom[1], bottom[2] + 0.5 * size[2]),
    }
}

/// A ball on the table.
pub(crate) fn sphere(radius: f64) -> Part {
    Part {
        shape: Shape::Sphere { radius },
        body_from_part: Pose::translation(0.0, 0.0, radius),
    }
}

/// An upright cylinder, its bottom face centred at `bottom`.
pub(crate) fn upright(radius: f64, height: f64, bottom: [f64; 3]) -> Part {
    Part {
        shape: Shape::Cylinder {
            radius,
            half_length: 0.5 * height,
        },
        body_from_part: Pose::translation(bottom[0], bottom[1], bottom[2] + 0.5 * height),
    }
}

/// A cylinder along x, centred at `center`.
pub(super) fn along_x(radius: f64, length: f64, center: [f64; 3]) -> Part {
    Part {
        shape: Shape::Cylinder {
            radius,
            half_length: 0.5 * length,
        },
        body_from_part: Pose::from_parts(
            Translation3::from(center),
            UnitQuaternion::from_axis_angle(&Vector3::y_axis(), std::f64::consts::FRAC_PI_2),
        ),
    }
}

/// An eight-sided bar along x that lies on one of its sides: four boards through one axis. Round bars
/// are left out: rapier's line contact lets them roll out of flat pads.
pub(crate) fn octagonal_along_x(apothem: f64, length: f64) -> impl Iterator<Item = Part> {
    let half_side = apothem * libm::tan(std::f64::consts::FRAC_PI_8);
    (0..4).map(move |i| Part {
        shape: Shape::Cuboid {
            half_extents: Vector3::new(0.5 * length, half_side, apothem),
        },
        body_from_part: Pose::from_parts(
            Translation3::new(0.0, 0.0, apothem),
            UnitQuaternion::from_axis_angle(
                &Vector3::x_axis(),
                f64::from(i) * std::f64::consts::FRAC_PI_4,
            ),
        ),
    })
}

/// A round wall of `n` flat boards, leaning outwards by `lean` rad, standing at height `bottom`.
/// `radius` is that of the wall's middle at its bottom.
pub(super) fn round_wall(
    n: usize,
    radius: f64,
    thickness: f64,
    height: f64,
    lean: f64,
    bottom: f64,
) -> impl Iterator<Item = Part> {
    let top_radius = radius + height * libm::tan(lean) + 0.5 * thickness;
    // Wide enough that neighbouring boards meet at the top.
    let half_width = top_radius * libm::tan(std::f64::consts::PI / n as f64);
    (0..n).map(move |i| {
        let angle = std::f64::consts::TAU * i as f64 / n as f64;
        let around = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), angle);
        let leaning = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), lean);
        let middle = Vector3::new(
            radius + 0.5 * height * libm::tan(lean),
            0.0,
            bottom + 0.5 * height,
        );
        Part {
            shape: Shape::Cuboid {
                half_extents: Vector3::new(
                    0.5 * thickness,
                    half_width,
                    0.5 * height / libm::cos(lean),
                ),
            },
            body_from_part: Pose::from_parts(Translation3::from(around * middle), around * leaning),
        }
    })
}
