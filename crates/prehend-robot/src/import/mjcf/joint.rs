//! Hinges and slides; balls and free bodies are held still.

use std::f64::consts::TAU;

use nalgebra::{Translation3, Unit, UnitQuaternion, Vector3};
use prehend_types::Pose;

use super::element::Attrs;
use super::{Position, Reader};
use crate::intake::Weight;
use crate::urdf::{JointKind, UrdfJoint, UrdfLimit};
use crate::{JointDynamics, RobotError};

pub(super) struct ReadJoint {
    /// Parent, child and origin are still to be filled in.
    pub joint: UrdfJoint,
    /// Where it turns, in the body's frame, m.
    pub anchor: Vector3<f64>,
    /// Moves the joint's zero to where the file counts from.
    pub offset: Pose,
    /// Position in which the bodies are drawn (`ref`), rad or m.
    pub reference: f64,
}

impl Reader<'_, '_> {
    /// `None` for a joint that is held still, which is listed.
    pub(super) fn joint(
        &mut self,
        attrs: &Attrs,
        body: &str,
        idx: usize,
    ) -> Result<Option<ReadJoint>, RobotError> {
        let element = attrs.element;
        let name = match element.get("name") {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ if idx == 0 => format!("{body}_joint"),
            _ => format!("{body}_joint{idx}"),
        };
        let kind = match attrs.word("type", &["free", "ball", "slide", "hinge"])? {
            Some(0) => 0,
            _ if element.tag == "freejoint" => 0,
            Some(kind) => kind,
            None => 3,
        };
        let width = [7, 4, 1, 1][kind];
        self.positions.push(Position {
            joint: name.clone(),
            width,
        });
        if width != 1 {
            let why = "a body that floats or turns freely is not an arm's; it is held still";
            self.drop(element, Weight::Loss, why)?;
            return Ok(None);
        }
        let is_slide = kind == 2;
        let unit = if is_slide {
            1.0
        } else {
            self.compiler.angles.unit
        };
        let axis = attrs.vector("axis")?.unwrap_or_else(Vector3::z);
        let Some(axis) = Unit::try_new(axis, 1e-9) else {
            return Err(attrs.error("axis", "has length 0; give a direction"));
        };
        let reference = attrs.number("ref", 0.0)? * unit;
        let offset = if is_slide {
            Translation3::from(*axis * -reference).into()
        } else {
            let turn = UnitQuaternion::from_axis_angle(&axis, -reference);
            Pose::from_parts(Translation3::identity(), turn)
        };
        if attrs.number("stiffness", 0.0)? != 0.0 {
            self.drop(
                element,
                Weight::Loss,
                "stiffness is not kept: the joint has no spring",
            )?;
        }
        if attrs.has("springdamper") {
            self.drop(element, Weight::Loss, "springdamper is not kept")?;
        }
        if let Some(range) = attrs.array::<2>("actuatorfrcrange")? {
            self.force_ranges.push((name.clone(), range));
        }
        let limit = self.limit(attrs, &name, is_slide, unit)?;
        Ok(Some(ReadJoint {
            joint: UrdfJoint {
                name,
                place: element.place.clone(),
                parent: String::new(),
                child: String::new(),
                parent_from_joint: Pose::identity(),
                kind: if is_slide {
                    JointKind::Prismatic
                } else {
                    JointKind::Revolute
                },
                axis: *axis,
                limit: Some(limit),
                dynamics: JointDynamics {
                    damping: attrs.not_negative("damping", 0.0)?,
                    friction: attrs.not_negative("frictionloss", 0.0)?,
                    armature: attrs.not_negative("armature", 0.0)?,
                },
                mimic: None,
            },
            anchor: attrs.vector("pos")?.unwrap_or_default(),
            offset,
            reference,
        }))
    }

    fn limit(
        &mut self,
        attrs: &Attrs,
        name: &str,
        is_slide: bool,
        unit: f64,
    ) -> Result<UrdfLimit, RobotError> {
        let defaults = &self.options.defaults;
        let (velocity, effort) = if is_slide {
            (defaults.velocity_m_per_s, defaults.effort_n)
        } else {
            (defaults.velocity_rad_per_s, defaults.effort_nm)
        };
        let [lower, upper] = if self.compiler.is_limited(attrs, "limited", "range")? {
            let Some(range) = attrs.array::<2>("range")? else {
                return Err(attrs.error("range", "attribute is missing, but limited is true"));
            };
            range.map(|end| end * unit)
        } else if is_slide {
            let message =
                "is missing: a slide without a range has no end; give range=\"lower upper\"";
            return Err(attrs.error("range", message));
        } else {
            // As for a continuous joint of a URDF: two turns keep positions bounded.
            self.assume(name, "range of ±2π rad", "the hinge has no range");
            [-TAU, TAU]
        };
        if lower >= upper {
            let message = format!("{lower} is not below {upper} (rad or m)");
            return Err(attrs.error("range", message));
        }
        let shown = if is_slide { "m/s" } else { "rad/s" };
        self.assume(
            name,
            format!("speed limit {velocity} {shown}"),
            "MJCF has none; write the arm's own into robot.urdf",
        );
        Ok(UrdfLimit {
            lower,
            upper,
            velocity,
            // Replaced when an actuator says it.
            effort,
        })
    }
}
