//! What is stored of one object. Lengths in m, angles as quaternions in the order x, y, z, w; everything but
//! `resting` is in the object's frame.

use prehend_robot::Shape;
use prehend_sim::Part;
use prehend_sim::tabletop::{GraspOutcome, ObjectTrials, TableObject};
use prehend_types::Pose;
use serde::{Deserialize, Serialize};

/// One object's file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Fingerprint of the settings it was made with.
    pub settings: String,
    /// What it was made from.
    pub origin: Origin,
    /// Its name, unique in its folder.
    pub name: String,
    pub mass_kg: f64,
    pub friction: f64,
    /// Convex pieces.
    pub pieces: Vec<PieceRecord>,
    /// Least distance between facing surfaces; `None` if none face each other.
    pub narrowest_m: Option<f64>,
    /// Poses on the table, whose top is z = 0.
    pub resting: Vec<RestingRecord>,
    /// Orientations of the hand that squeeze well where the surface was looked at.
    pub n_squeezes: u64,
    /// Those of them that the hand can get to.
    pub n_reached: u64,
    /// Every grasp that was tried, whatever became of it.
    pub trials: Vec<TrialRecord>,
}

/// What an object was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Origin {
    /// The library's generator. The frame's origin is at the bottom.
    Library { family: String, number: u32 },
    /// A user's mesh. The frame is the mesh's, in metres.
    Mesh {
        /// File below the imported folder.
        file: String,
        sha256: String,
        /// What was done to it.
        repairs: Vec<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PieceRecord {
    pub shape: ShapeRecord,
    pub pose: PoseRecord,
}

/// A convex shape around its own origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ShapeRecord {
    Box {
        size_m: [f64; 3],
    },
    Sphere {
        radius_m: f64,
    },
    /// Along z.
    Cylinder {
        radius_m: f64,
        length_m: f64,
    },
    /// Along z; the length is that of the straight part.
    Capsule {
        radius_m: f64,
        length_m: f64,
    },
    /// The hull of these points.
    Hull {
        points_m: Vec<[f64; 3]>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoseRecord {
    pub position_m: [f64; 3],
    pub quat_xyzw: [f64; 4],
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestingRecord {
    pub base_from_object: PoseRecord,
    /// How many drops ended like this.
    pub n_drops: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRecord {
    pub outcome: GraspOutcome,
    /// Index of the resting pose that it was tried in.
    pub resting: u64,
    /// Where one finger touches.
    pub contact_m: [f64; 3],
    /// Unit vector from there to the other finger.
    pub closing: [f64; 3],
    /// Unit vector along which the hand comes.
    pub approach: [f64; 3],
    /// Distance between the fingers.
    pub width_m: f64,
    /// How far the middle between the pads stands back from the contact, against `approach`.
    pub retreat_m: f64,
}

impl Record {
    /// A record of what was tried with `object` in its body frame, moved to the frame that users know.
    pub fn new(
        settings: String,
        name: String,
        origin: Origin,
        object: &TableObject,
        tried: &ObjectTrials,
        object_from_body: &Pose,
    ) -> Self {
        let moved = |part: &Part| PieceRecord {
            shape: ShapeRecord::from(&part.shape),
            pose: (object_from_body * part.body_from_part).into(),
        };
        let body_from_object = object_from_body.inverse();
        Self {
            settings,
            origin,
            name,
            mass_kg: object.mass,
            friction: object.friction,
            pieces: object.parts.iter().map(moved).collect(),
            narrowest_m: tried.narrowest,
            resting: tried
                .resting
                .iter()
                .map(|resting| RestingRecord {
                    base_from_object: (resting.base_from_object * body_from_object).into(),
                    n_drops: resting.n_drops as u64,
                })
                .collect(),
            n_squeezes: tried.n_squeezes as u64,
            n_reached: tried.n_reached as u64,
            trials: tried
                .trials
                .iter()
                .map(|trial| TrialRecord {
                    outcome: trial.outcome,
                    resting: trial.resting as u64,
                    contact_m: (object_from_body * trial.grasp.contact).coords.into(),
                    closing: (object_from_body * trial.grasp.closing).into(),
                    approach: (object_from_body * trial.grasp.approach).into(),
                    width_m: trial.grasp.width,
                    retreat_m: trial.grasp.retreat,
                })
                .collect(),
        }
    }

    /// How many trials ended like this.
    pub fn count(&self, outcome: GraspOutcome) -> u64 {
        let ended = self.trials.iter().filter(|trial| trial.outcome == outcome);
        ended.count() as u64
    }

    /// Why no grasp held; `None` if one did.
    pub fn why_none(&self, widest: f64) -> Option<String> {
        if self.count(GraspOutcome::Held) > 0 {
            return None;
        }
        let why = match self.narrowest_m {
            _ if self.resting.is_empty() => "never came to rest on the table".to_owned(),
            None => "no two of its surfaces face each other".to_owned(),
            Some(narrowest) if narrowest > widest => format!(
                "is {:.1} mm thick at its thinnest, this gripper grasps up to {:.1} mm",
                1e3 * narrowest,
                1e3 * widest
            ),
            Some(_) if self.n_squeezes == 0 => {
                "pads find no place to press on from both sides".to_owned()
            }
            Some(_) if self.n_reached == 0 => {
                "the hand cannot get to any place that pads could press on".to_owned()
            }
            Some(_) => format!("none of {} trials held", self.trials.len()),
        };
        Some(why)
    }
}

impl From<Pose> for PoseRecord {
    fn from(pose: Pose) -> Self {
        Self {
            position_m: pose.translation.vector.into(),
            quat_xyzw: pose.rotation.coords.into(),
        }
    }
}

impl From<&Shape> for ShapeRecord {
    fn from(shape: &Shape) -> Self {
        match shape {
            Shape::Cuboid { half_extents } => Self::Box {
                size_m: (2.0 * half_extents).into(),
            },
            Shape::Sphere { radius } => Self::Sphere { radius_m: *radius },
            Shape::Cylinder {
                radius,
                half_length,
            } => Self::Cylinder {
                radius_m: *radius,
                length_m: 2.0 * half_length,
            },
            Shape::Capsule {
                radius,
                half_length,
            } => Self::Capsule {
                radius_m: *radius,
                length_m: 2.0 * half_length,
            },
            Shape::Convex(hull) => Self::Hull {
                points_m: hull.points().iter().map(|point| (*point).into()).collect(),
            },
        }
    }
}
