//! What stands on the table: object families, their parts, masses and grasps.

pub(crate) mod build;
mod families;
mod receptacle;

use nalgebra::Vector3;
use prehend_robot::Shape;
use prehend_types::Pose;
use serde::{Deserialize, Serialize};

use crate::geometry;

pub(crate) use families::grasp_height;
pub use families::{Family, FamilySet};
pub use receptacle::{Receptacle, ReceptacleKind};

/// One convex piece of a rigid body.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its shape.
    pub shape: Shape,
    /// Where it sits in the body's frame.
    pub body_from_part: Pose,
}

/// A way to grasp an object from above.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grasp {
    /// Tool centre point in the object's frame, m.
    pub point: nalgebra::Point3<f64>,
    /// Direction in which the fingers close, as an angle about the object's z axis, rad; it and its
    /// opposite are the same grasp. `None` where any direction does.
    pub closing_angle: Option<f64>,
}

/// A rigid object. Its frame has the origin at the bottom, z up when it stands as made.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectModel {
    /// Which generator made it.
    pub family: Family,
    /// Convex pieces.
    pub parts: Vec<Part>,
    /// Mass, kg.
    pub mass: f64,
    /// Friction coefficient.
    pub friction: f64,
    /// Known grasps, for the scripted expert only.
    pub grasps: Vec<Grasp>,
    /// Radius of the smallest vertical cylinder around the origin that holds it, m.
    pub footprint_radius: f64,
    /// Height, m.
    pub height: f64,
}

impl ObjectModel {
    /// Height of the lowest point over the table when the object lies like this, m.
    pub(crate) fn lowest(&self, base_from_object: &Pose) -> f64 {
        geometry::extent_in_base(&self.parts, base_from_object, &Vector3::z())[0]
    }
}

/// Ranges that every generated object's physical properties are drawn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectRanges {
    /// Mass, kg: lowest and highest.
    pub mass_kg: [f64; 2],
    /// Friction coefficient: lowest and highest.
    pub friction: [f64; 2],
    /// Factor on every length: lowest and highest.
    pub scale: [f64; 2],
}
