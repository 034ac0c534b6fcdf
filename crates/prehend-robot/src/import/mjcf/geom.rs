//! Geoms: shapes to touch, and what they weigh.

use std::f64::consts::PI;
use std::sync::Arc;

use nalgebra::{Matrix3, Translation3, Vector3};
use prehend_types::Pose;

use super::Reader;
use super::element::Attrs;
use super::frame::z_towards;
use super::inertial::{Mass, diagonal};
use crate::intake::Weight;
use crate::{ConvexHull, Inertial, LinkShape, RobotError, Shape};

/// MuJoCo's default density, kg/m³.
const DENSITY: f64 = 1000.0;
const TYPES: [&str; 9] = [
    "plane",
    "hfield",
    "sphere",
    "capsule",
    "ellipsoid",
    "cylinder",
    "box",
    "mesh",
    "sdf",
];

/// One geom in the frame of its body or `<frame>`.
#[derive(Default)]
pub(super) struct Geom {
    /// Empty for a geom that is only seen.
    pub shapes: Vec<LinkShape>,
    pub mass: Option<Mass>,
}

/// Volume, centre and inertia at density 1.
type Distribution = (f64, Vector3<f64>, Matrix3<f64>);

impl Reader<'_, '_> {
    pub(super) fn geom(&mut self, attrs: &Attrs) -> Result<Geom, RobotError> {
        let element = attrs.element;
        let kind = attrs
            .word("type", &TYPES)?
            .map_or("sphere", |idx| TYPES[idx]);
        let mask = |name| attrs.number(name, 1.0);
        let is_touched = mask("contype")? != 0.0 || mask("conaffinity")? != 0.0;
        let counts_for_mass = self.needs_mass(attrs)?;
        if !is_touched {
            self.drop(
                element,
                Weight::Note,
                "nothing touches it (contype and conaffinity 0)",
            )?;
            if !counts_for_mass {
                return Ok(Geom::default());
            }
        }
        if ["plane", "hfield", "sdf"].contains(&kind) {
            let why = format!("{kind} is not a shape of a robot's link; nothing touches it");
            self.drop(
                element,
                if is_touched {
                    Weight::Loss
                } else {
                    Weight::Note
                },
                why,
            )?;
            return Ok(Geom::default());
        }
        let (shapes, distribution) = if kind == "mesh" || attrs.has("mesh") {
            if kind != "mesh" {
                let why = format!("a {kind} is not fitted to the mesh: the mesh's hull is used");
                self.drop(element, Weight::Loss, why)?;
            }
            self.mesh_geom(attrs)?
        } else {
            self.primitive(attrs, kind)?
        };
        let mass = if counts_for_mass {
            self.mass(attrs, distribution)?
        } else {
            None
        };
        Ok(Geom {
            shapes: if is_touched { shapes } else { Vec::new() },
            mass,
        })
    }

    /// Only then is a visual mesh opened at all.
    fn needs_mass(&self, attrs: &Attrs) -> Result<bool, RobotError> {
        Ok(attrs.number("mass", 1.0)? != 0.0 && self.body_wants_mass)
    }

    fn mesh_geom(&mut self, attrs: &Attrs) -> Result<(Vec<LinkShape>, Distribution), RobotError> {
        let geom_pose = self.angles().pose(attrs)?;
        let (reference_from_mesh, pieces) = self.mesh(attrs)?;
        for (weight, remark) in &pieces.remarks {
            self.drop(attrs.element, *weight, remark.as_str())?;
        }
        let pose = geom_pose * reference_from_mesh;
        let shapes = pieces.shapes.iter().map(|piece| LinkShape {
            link_from_shape: pose * piece.link_from_shape,
            shape: piece.shape.clone(),
        });
        let rotation = pose.rotation.to_rotation_matrix();
        let center = pose * nalgebra::Point3::from(pieces.center);
        let inertia = rotation.matrix() * pieces.inertia * rotation.matrix().transpose();
        Ok((shapes.collect(), (pieces.volume, center.coords, inertia)))
    }

    fn primitive(
        &mut self,
        attrs: &Attrs,
        kind: &str,
    ) -> Result<(Vec<LinkShape>, Distribution), RobotError> {
        let sizes = attrs.numbers("size")?;
        let positive = |idx: usize, what: &str| match sizes.get(idx) {
            Some(size) if *size > 0.0 => Ok(*size),
            Some(size) => {
                let message = format!("{what} is {size}, must be greater than 0");
                Err(attrs.error("size", message))
            }
            None => Err(attrs.error("size", format!("{what} is missing for a {kind}"))),
        };
        let (pose, half_length) = match self.between_ends(attrs, kind)? {
            Some((pose, half_length)) => (pose, Some(half_length)),
            None => (self.angles().pose(attrs)?, None),
        };
        let length = |idx: usize| half_length.map_or_else(|| positive(idx, "half length"), Ok);
        let (shape, (volume, center, inertia)) = match kind {
            "sphere" => {
                let radius = positive(0, "radius")?;
                let volume = 4.0 / 3.0 * PI * radius.powi(3);
                let square = Vector3::repeat(radius * radius / 5.0);
                (Shape::Sphere { radius }, diagonal(volume, square))
            }
            "capsule" | "cylinder" => {
                let (radius, half_length) = (positive(0, "radius")?, length(1)?);
                if kind == "capsule" {
                    let shape = Shape::Capsule {
                        radius,
                        half_length,
                    };
                    (shape, capsule(radius, half_length))
                } else {
                    let volume = 2.0 * PI * radius * radius * half_length;
                    let across = radius * radius / 4.0;
                    let squares = Vector3::new(across, across, half_length * half_length / 3.0);
                    let shape = Shape::Cylinder {
                        radius,
                        half_length,
                    };
                    (shape, diagonal(volume, squares))
                }
            }
            _ => {
                let half = if half_length.is_some() {
                    let side = positive(0, "half side")?;
                    // One number: as wide as it is deep.
                    let other = if sizes.len() > 1 {
                        positive(1, "half side")?
                    } else {
                        side
                    };
                    Vector3::new(side, other, length(2)?)
                } else {
                    Vector3::new(positive(0, "x")?, positive(1, "y")?, positive(2, "z")?)
                };
                if kind == "box" {
                    let squares = half.component_mul(&half) / 3.0;
                    let shape = Shape::Cuboid { half_extents: half };
                    (shape, diagonal(8.0 * half.product(), squares))
                } else {
                    let (hull, outside) = ConvexHull::ellipsoid(&half)
                        .map_err(|error| attrs.error("size", error.to_string()))?;
                    let why = format!(
                        "an ellipsoid becomes a polyhedron of 42 corners on its surface, which reaches at \
                         most {:.1} mm out of it",
                        outside * 1e3
                    );
                    self.drop(attrs.element, Weight::Loss, why)?;
                    let squares = half.component_mul(&half) / 5.0;
                    let volume = 4.0 / 3.0 * PI * half.product();
                    (Shape::Convex(Arc::new(hull)), diagonal(volume, squares))
                }
            }
        };
        let rotation = pose.rotation.to_rotation_matrix();
        let center = pose * nalgebra::Point3::from(center);
        let inertia = rotation.matrix() * inertia * rotation.matrix().transpose();
        let shape = LinkShape {
            link_from_shape: pose,
            shape,
        };
        Ok((vec![shape], (volume, center.coords, inertia)))
    }

    /// Pose and half length of a geom that is given by its two ends.
    fn between_ends(&self, attrs: &Attrs, kind: &str) -> Result<Option<(Pose, f64)>, RobotError> {
        let Some([a, b, c, d, e, f]) = attrs.array::<6>("fromto")? else {
            return Ok(None);
        };
        if kind == "sphere" {
            return Err(attrs.error("fromto", "a sphere has no ends; give pos"));
        }
        let (from, to) = (Vector3::new(a, b, c), Vector3::new(d, e, f));
        // MuJoCo lets z point from the second end to the first.
        let Some(rotation) = z_towards(&(from - to)) else {
            return Err(attrs.error("fromto", "both ends are the same point"));
        };
        let middle = Translation3::from((from + to) / 2.0);
        let pose = Pose::from_parts(middle, rotation);
        Ok(Some((pose, (from - to).norm() / 2.0)))
    }

    fn mass(&self, attrs: &Attrs, of: Distribution) -> Result<Option<Mass>, RobotError> {
        let (volume, center, inertia) = of;
        let density = if attrs.has("mass") {
            attrs.not_negative("mass", 0.0)? / volume
        } else {
            attrs.not_negative("density", DENSITY)?
        };
        Ok(Some(Mass {
            inertial: Inertial {
                mass: density * volume,
                center_of_mass: center,
                inertia: inertia * density,
            },
            group: attrs.number("group", 0.0)?,
        }))
    }
}

/// A cylinder with two half balls (parallel axes for the ends).
fn capsule(radius: f64, half_length: f64) -> Distribution {
    let (r, h) = (radius, half_length);
    let cylinder = 2.0 * PI * r * r * h;
    let ball = 4.0 / 3.0 * PI * r.powi(3);
    let volume = cylinder + ball;
    let across = (cylinder * r * r / 4.0 + ball * r * r / 5.0) / volume;
    // Half balls: mean of (h + u)², u in 0..r with mean 3 r / 8 and mean square r² / 5.
    let ends = h * h + 0.75 * h * r + r * r / 5.0;
    let along = (cylinder * h * h / 3.0 + ball * ends) / volume;
    diagonal(volume, Vector3::new(across, across, along))
}
