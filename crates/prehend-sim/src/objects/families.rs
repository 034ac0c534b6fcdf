//! The object families: one generator each. Lengths in m.

use std::f64::consts::{FRAC_PI_2, PI};

use std::sync::Arc;

use nalgebra::{Point3, Translation3, Vector3};
use prehend_robot::{ConvexHull, Hulled, Shape};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::build::{along_x, block, octagonal_along_x, round_wall, upright};
use super::{Grasp, ObjectModel, ObjectRanges, Part};
use crate::geometry;

/// How far the tool centre point must stay above the table: the finger tips reach 9.5 mm below it.
const LOWEST_GRASP: f64 = 0.014;
/// How far below an object's top the tool centre point may go before the palm touches it.
const DEEPEST_GRASP: f64 = 0.030;

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Family {
    Box,
    Cube,
    Cylinder,
    Can,
    Rod,
    Bowl,
    Bar,
    TShape,
    LShape,
    Cross,
    Ring,
    Stack,
    Bottle,
    Mug,
    Dumbbell,
    Hammer,
    Frustum,
    Ellipsoid,
    Hull,
    UBracket,
    Spoon,
    Assembly,
}

/// Which families a scene draws its target from. Distractors always come from the trained ones, so
/// that a held-out family is never seen in training, not even in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FamilySet {
    /// The twelve families used in training.
    Train,
    /// The four families that no training ever sees.
    HeldOut,
    /// Even seeds draw from the trained families, odd ones from the held-out ones.
    All,
}

impl Family {
    /// Families that training uses.
    pub const TRAIN: [Self; 12] = [
        Self::Box,
        Self::Cube,
        Self::Cylinder,
        Self::Can,
        Self::Rod,
        Self::Bowl,
        Self::Bar,
        Self::TShape,
        Self::LShape,
        Self::Cross,
        Self::Ring,
        Self::Stack,
    ];

    /// Families that are held out of all training.
    pub const HELD_OUT: [Self; 4] = [Self::Bottle, Self::Mug, Self::Dumbbell, Self::Hammer];

    /// Whether no training ever sees this family.
    #[must_use]
    pub fn is_held_out(self) -> bool {
        let held_out = [
            &Self::HELD_OUT[..],
            &Self::MORE_HELD_OUT,
            &Self::FOR_CHOICES,
        ];
        held_out
            .into_iter()
            .any(|families| families.contains(&self))
    }

    /// Families that only train the pick-and-place network: blocks of any slope, rounded and irregular
    /// lumps. Nothing else draws from them.
    pub const MORE_TRAIN: [Self; 3] = [Self::Frustum, Self::Ellipsoid, Self::Hull];

    /// Families that only test it.
    pub const MORE_HELD_OUT: [Self; 2] = [Self::UBracket, Self::Spoon];

    /// Families that neither train nor test it: choices are made on them. Pieces put together at random,
    /// so that there is no end to what they look like.
    pub const FOR_CHOICES: [Self; 1] = [Self::Assembly];

    /// The family's name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Box => "box",
            Self::Cube => "cube",
            Self::Cylinder => "cylinder",
            Self::Can => "can",
            Self::Rod => "rod",
            Self::Bowl => "bowl",
            Self::Bar => "bar",
            Self::TShape => "t_shape",
            Self::LShape => "l_shape",
            Self::Cross => "cross",
            Self::Ring => "ring",
            Self::Stack => "stack",
            Self::Bottle => "bottle",
            Self::Mug => "mug",
            Self::Dumbbell => "dumbbell",
            Self::Hammer => "hammer",
            Self::Frustum => "frustum",
            Self::Ellipsoid => "ellipsoid",
            Self::Hull => "hull",
            Self::UBracket => "u_bracket",
            Self::Spoon => "spoon",
            Self::Assembly => "assembly",
        }
    }

    /// Draws one object.
    pub(crate) fn generate(self, ranges: &ObjectRanges, rng: &mut ChaCha8Rng) -> ObjectModel {
        let scale = draw(rng, ranges.scale);
        let mass = draw(rng, ranges.mass_kg);
        let friction = draw(rng, ranges.friction);
        let (mut parts, mut grasps) = self.draw_geometry(rng);
        for part in &mut parts {
            geometry::scale(part, scale);
        }
        let height = parts.iter().map(geometry::top).fold(0.0, f64::max);
        for grasp in &mut grasps {
            grasp.point *= scale;
            grasp.point.z = grasp.point.z.max(LOWEST_GRASP);
        }
        let footprint_radius = parts.iter().map(geometry::reach).fold(0.0, f64::max);
        ObjectModel {
            family: self,
            parts,
            mass,
            friction,
            grasps,
            footprint_radius,
            height,
        }
    }

    /// Parts and grasps at scale 1. No graspable width exceeds 65 mm.
    fn draw_geometry(self, rng: &mut ChaCha8Rng) -> (Vec<Part>, Vec<Grasp>) {
        match self {
            Self::Box => {
                let size = [
                    draw(rng, [0.04, 0.09]),
                    draw(rng, [0.022, 0.055]),
                    draw(rng, [0.025, 0.10]),
                ];
                (vec![block(size, [0.0; 3])], across_box(size, [0.0; 2]))
            }
            Self::Cube => {
                let side = draw(rng, [0.028, 0.055]);
                let size = [side; 3];
                (vec![block(size, [0.0; 3])], across_box(size, [0.0; 2]))
            }
            Self::Cylinder => {
                let (radius, height) = (draw(rng, [0.014, 0.028]), draw(rng, [0.035, 0.085]));
                (
                    vec![upright(radius, height, [0.0; 3])],
                    vec![from_any_side(height)],
                )
            }
            Self::Can => {
                let (radius, height) = (draw(rng, [0.026, 0.032]), draw(rng, [0.07, 0.125]));
                (
                    vec![upright(radius, height, [0.0; 3])],
                    vec![from_any_side(height)],
                )
            }
            Self::Rod => {
                let (apothem, length) = (draw(rng, [0.012, 0.024]), draw(rng, [0.07, 0.13]));
                (
                    octagonal_along_x(apothem, length).collect(),
                    vec![across([0.0, 0.0, apothem], FRAC_PI_2)],
                )
            }
            Self::Bowl => {
                let (radius, height) = (draw(rng, [0.035, 0.048]), draw(rng, [0.04, 0.055]));
                let lean = draw(rng, [0.15, 0.40]);
                rim(radius, 0.005, height, lean, 12)
            }
            Self::Bar => {
                let (length, width) = (draw(rng, [0.10, 0.15]), draw(rng, [0.016, 0.030]));
                let height = draw(rng, [0.016, 0.030]);
                let z = grasp_height(height);
                (
                    vec![block([length, width, height], [0.0; 3])],
                    vec![across([0.0, 0.0, z], FRAC_PI_2)],
                )
            }
            Self::TShape => {
                let (width, height) = (draw(rng, [0.018, 0.028]), draw(rng, [0.022, 0.045]));
                let (head, stem) = (draw(rng, [0.06, 0.09]), draw(rng, [0.05, 0.07]));
                let x = 0.5 * (stem + width);
                (
                    vec![
                        block([stem, width, height], [0.0; 3]),
                        block([width, head, height], [x, 0.0, 0.0]),
                    ],
                    vec![across([0.2 * stem, 0.0, grasp_height(height)], FRAC_PI_2)],
                )
            }
            Self::LShape => {
                let (width, height) = (draw(rng, [0.018, 0.028]), draw(rng, [0.022, 0.045]));
                let (long, short) = (draw(rng, [0.07, 0.10]), draw(rng, [0.04, 0.06]));
                let corner = 0.5 * (long - width);
                (
                    vec![
                        block([long, width, height], [0.0; 3]),
                        block([width, short, height], [corner, 0.5 * (short + width), 0.0]),
                    ],
                    vec![across([0.1 * long, 0.0, grasp_height(height)], FRAC_PI_2)],
                )
            }
            Self::Cross => {
                let (width, height) = (draw(rng, [0.018, 0.028]), draw(rng, [0.022, 0.045]));
                let (long, short) = (draw(rng, [0.07, 0.10]), draw(rng, [0.06, 0.08]));
                let arm = 0.5 * (short - width);
                let z = grasp_height(height);
                let at = 0.32 * long;
                (
                    vec![
                        block([long, width, height], [0.0; 3]),
                        block([width, arm, height], [0.0, 0.5 * (width + arm), 0.0]),
                        block([width, arm, height], [0.0, -0.5 * (width + arm), 0.0]),
                    ],
                    vec![
                        across([at, 0.0, z], FRAC_PI_2),
                        across([-at, 0.0, z], FRAC_PI_2),
                    ],
                )
            }
            Self::Ring => {
                let (radius, thickness) = (draw(rng, [0.030, 0.045]), draw(rng, [0.010, 0.016]));
                let height = draw(rng, [0.020, 0.035]);
                let n = 12;
                let parts = round_wall(n, radius, thickness, height, 0.0, 0.0).collect();
                (parts, around(radius, grasp_height(height), n))
            }
            Self::Stack => {
                let base = [
                    draw(rng, [0.05, 0.075]),
                    draw(rng, [0.045, 0.065]),
                    draw(rng, [0.015, 0.05]),
                ];
                let top = [
                    draw(rng, [0.03, 0.045]),
                    draw(rng, [0.02, 0.04]),
                    draw(rng, [0.03, 0.05]),
                ];
                let at = [draw(rng, [-0.008, 0.008]), draw(rng, [-0.006, 0.006])];
                let mut grasps = across_box(top, at);
                for grasp in &mut grasps {
                    grasp.point.z += base[2];
                }
                (
                    vec![block(base, [0.0; 3]), block(top, [at[0], at[1], base[2]])],
                    grasps,
                )
            }
            Self::Bottle => {
                let (radius, body) = (draw(rng, [0.026, 0.034]), draw(rng, [0.07, 0.10]));
                let (neck_radius, neck) = (draw(rng, [0.011, 0.016]), draw(rng, [0.03, 0.045]));
                (
                    vec![
                        upright(radius, body, [0.0; 3]),
                        upright(neck_radius, neck, [0.0, 0.0, body]),
                    ],
                    vec![from_any_side(body + neck)],
                )
            }
            Self::Mug => {
                let (radius, height) = (draw(rng, [0.034, 0.042]), draw(rng, [0.07, 0.095]));
                let (mut parts, mut grasps) = rim(radius, 0.005, height, 0.0, 12);
                let out = radius + 0.0025;
                parts.extend([
                    block([0.028, 0.010, 0.008], [out + 0.014, 0.0, 0.25 * height]),
                    block([0.028, 0.010, 0.008], [out + 0.014, 0.0, 0.75 * height]),
                    block(
                        [0.008, 0.010, 0.5 * height],
                        [out + 0.028, 0.0, 0.25 * height],
                    ),
                ]);
                // The boards next to the handle are out of reach of a finger.
                grasps.retain(|grasp| grasp.point.x < 0.5 * radius);
                (parts, grasps)
            }
            Self::Dumbbell => {
                let (side, end) = (draw(rng, [0.036, 0.046]), draw(rng, [0.022, 0.032]));
                let (length, radius) = (draw(rng, [0.055, 0.075]), draw(rng, [0.009, 0.013]));
                let x = 0.5 * (length + end);
                (
                    vec![
                        along_x(radius, length, [0.0, 0.0, 0.5 * side]),
                        block([end, side, side], [x, 0.0, 0.0]),
                        block([end, side, side], [-x, 0.0, 0.0]),
                    ],
                    vec![across([0.0, 0.0, 0.5 * side], FRAC_PI_2)],
                )
            }
            Self::Hammer => {
                let (length, width) = (draw(rng, [0.09, 0.12]), draw(rng, [0.016, 0.022]));
                let (head, side) = (draw(rng, [0.05, 0.07]), draw(rng, [0.024, 0.032]));
                let x = 0.5 * (length + side);
                (
                    vec![
                        block([length, width, width], [0.0; 3]),
                        block([side, head, side], [x, 0.0, 0.0]),
                    ],
                    vec![across([0.25 * length, 0.0, grasp_height(width)], FRAC_PI_2)],
                )
            }
            Self::Frustum => {
                let (low, high) = (draw(rng, [0.02, 0.035]), draw(rng, [0.010, 0.024]));
                let (n, height) = (rng.random_range(4..9_u8), draw(rng, [0.04, 0.09]));
                let ring = |radius: f64, z: f64| {
                    (0..n).map(move |i| {
                        let angle = 2.0 * PI * f64::from(i) / f64::from(n);
                        Vector3::new(radius * libm::cos(angle), radius * libm::sin(angle), z)
                    })
                };
                let corners: Vec<_> = ring(low, 0.0).chain(ring(high, height)).collect();
                (polyhedron(&corners), Vec::new())
            }
            Self::Ellipsoid => {
                let axes = Vector3::from_fn(|_, _| draw(rng, [0.016, 0.036]));
                let corners: Vec<_> = sphere_points(42)
                    .map(|p| p.component_mul(&axes) + Vector3::z() * axes.z)
                    .collect();
                (polyhedron(&corners), Vec::new())
            }
            Self::Hull => {
                let axes = Vector3::from_fn(|_, _| draw(rng, [0.018, 0.040]));
                let n = rng.random_range(8..20_usize);
                let mut corners: Vec<_> = sphere_points(n)
                    .map(|p| p.component_mul(&axes) * draw(rng, [0.75, 1.0]))
                    .collect();
                let low = corners.iter().map(|p| p.z).fold(f64::MAX, f64::min);
                for corner in &mut corners {
                    corner.z -= low;
                }
                (polyhedron(&corners), Vec::new())
            }
            Self::UBracket => {
                let (length, width) = (draw(rng, [0.05, 0.08]), draw(rng, [0.020, 0.035]));
                let (thickness, height) = (draw(rng, [0.008, 0.014]), draw(rng, [0.04, 0.06]));
                let x = 0.5 * (length - thickness);
                (
                    vec![
                        block([length, width, thickness], [0.0; 3]),
                        block([thickness, width, height], [x, 0.0, thickness]),
                        block([thickness, width, height], [-x, 0.0, thickness]),
                    ],
                    vec![across([x, 0.0, grasp_height(height + thickness)], 0.0)],
                )
            }
            Self::Spoon => {
                let (length, width) = (draw(rng, [0.09, 0.13]), draw(rng, [0.010, 0.015]));
                let (bowl, height) = (draw(rng, [0.018, 0.024]), draw(rng, [0.012, 0.018]));
                let x = 0.5 * length + 0.8 * bowl;
                (
                    vec![
                        block([length, width, 0.8 * height], [0.0; 3]),
                        upright(bowl, height, [x, 0.0, 0.0]),
                    ],
                    vec![across([0.0, 0.0, grasp_height(height)], FRAC_PI_2)],
                )
            }
            Self::Assembly => {
                let core = [
                    draw(rng, [0.05, 0.14]),
                    draw(rng, [0.014, 0.040]),
                    draw(rng, [0.014, 0.045]),
                ];
                let (core, mut parts) = lying(rng, core);
                for _ in 0..rng.random_range(1..=3_u8) {
                    parts.push(attached(rng, core));
                }
                let grasp = across([0.0, 0.0, grasp_height(core[2])], FRAC_PI_2);
                (parts, vec![grasp])
            }
        }
    }
}

/// A block, or a round bar as thick as it is high; its size, and itself.
fn lying(rng: &mut ChaCha8Rng, size: [f64; 3]) -> ([f64; 3], Vec<Part>) {
    if rng.random_bool(0.6) {
        return (size, vec![block(size, [0.0; 3])]);
    }
    let [length, _, height] = size;
    let center = [0.0, 0.0, 0.5 * height];
    (
        [length, height, height],
        vec![along_x(0.5 * height, length, center)],
    )
}

/// A piece somewhere along something lying of this size: on it, or beside it on the ground.
fn attached(rng: &mut ChaCha8Rng, [length, width, height]: [f64; 3]) -> Part {
    let size = [(); 3].map(|()| draw(rng, [0.014, 0.050]));
    let along = draw(rng, [-0.5, 0.5]);
    let at = if rng.random_bool(0.4) {
        // It has to reach into what it stands on.
        [along * length, draw(rng, [-0.3, 0.3]) * width, 0.9 * height]
    } else {
        let side = if rng.random_bool(0.5) { 0.5 } else { -0.5 };
        [along * (length + size[0]), side * width, 0.0]
    };
    if rng.random_bool(0.3) {
        upright(0.5 * size[0], size[2], at)
    } else {
        block(size, at)
    }
}

/// One convex piece around these corners; none if they enclose nothing.
fn polyhedron(corners: &[Vector3<f64>]) -> Vec<Part> {
    let hulled = ConvexHull::around(corners).ok();
    let part = |hulled: Hulled| Part {
        body_from_part: Translation3::from(hulled.center).into(),
        shape: Shape::Convex(Arc::new(hulled.hull)),
    };
    hulled.map(part).into_iter().collect()
}

/// Points spread evenly over the unit sphere (Fibonacci's spiral).
fn sphere_points(n: usize) -> impl Iterator<Item = Vector3<f64>> {
    let golden = PI * (3.0 - libm::sqrt(5.0));
    (0..n).map(move |i| {
        let z = 1.0 - (2.0 * i as f64 + 1.0) / n as f64;
        let radius = libm::sqrt(1.0 - z * z);
        let angle = golden * i as f64;
        Vector3::new(radius * libm::cos(angle), radius * libm::sin(angle), z)
    })
}

fn draw(rng: &mut ChaCha8Rng, [low, high]: [f64; 2]) -> f64 {
    if low < high {
        rng.random_range(low..high)
    } else {
        low
    }
}

/// Where to grasp something of this height: its middle, unless the palm or the table is in the way.
/// Height of the tool centre point that grasps something this high from above, m.
pub(crate) fn grasp_height(height: f64) -> f64 {
    (0.5 * height).max(height - DEEPEST_GRASP).max(LOWEST_GRASP)
}

fn across(point: [f64; 3], closing_angle: f64) -> Grasp {
    Grasp {
        point: Point3::from(point),
        closing_angle: Some(closing_angle),
    }
}

fn from_any_side(height: f64) -> Grasp {
    Grasp {
        point: Point3::new(0.0, 0.0, grasp_height(height)),
        closing_angle: None,
    }
}

/// Both ways across a box, where the fingers reach around it.
fn across_box(size: [f64; 3], at: [f64; 2]) -> Vec<Grasp> {
    let z = grasp_height(size[2]);
    let widest = 0.058;
    [(size[0], 0.0), (size[1], FRAC_PI_2)]
        .into_iter()
        .filter(|(width, _)| *width <= widest)
        .map(|(_, angle)| across([at[0], at[1], z], angle))
        .collect()
}

/// Grasps across a round wall, one for each board.
fn around(radius: f64, z: f64, n: usize) -> Vec<Grasp> {
    (0..n)
        .map(|i| {
            let angle = 2.0 * PI * i as f64 / n as f64;
            across(
                [radius * libm::cos(angle), radius * libm::sin(angle), z],
                angle,
            )
        })
        .collect()
}

/// A hollow vessel with a floor, grasped at its rim.
fn rim(radius: f64, thickness: f64, height: f64, lean: f64, n: usize) -> (Vec<Part>, Vec<Grasp>) {
    let floor = 0.006;
    let mut parts: Vec<Part> =
        round_wall(n, radius, thickness, height - floor, lean, floor).collect();
    parts.push(upright(radius + 0.5 * thickness, floor, [0.0; 3]));
    let z = height - 0.015;
    (parts, around(radius + (z - floor) * libm::tan(lean), z, n))
}
