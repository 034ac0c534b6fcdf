//! Turns URDF text into checked links and joints. Nothing here knows which joints form the arm.
//!
//! Unlike urdf-rs, which takes `NaN`, drops tokens that do not parse and reads a missing limit as
//! zero, every number must be finite, every vector complete and every limit present.

mod geometry;
mod inertial;
pub(crate) mod tree;
pub(crate) mod xml;

use std::path::Path;

use nalgebra::Vector3;
use prehend_types::Pose;
use roxmltree::Node;

use crate::intake::Intake;
use crate::{Inertial, JointDynamics, LinkShape, RobotError};
use xml::{Place, Xml};

/// A whole URDF; `joints[i]` leads to `links[i + 1]`, parents before children, `links[0]` is the root.
pub(crate) struct Urdf {
    pub links: Vec<UrdfLink>,
    pub joints: Vec<UrdfJoint>,
}

pub(crate) struct UrdfLink {
    pub name: String,
    pub place: Place,
    pub inertial: Inertial,
    pub shapes: Vec<LinkShape>,
}

pub(crate) struct UrdfJoint {
    pub name: String,
    pub place: Place,
    pub parent: String,
    pub child: String,
    pub parent_from_joint: Pose,
    pub kind: JointKind,
    /// Unit vector in the joint's frame.
    pub axis: Vector3<f64>,
    pub limit: Option<UrdfLimit>,
    pub dynamics: JointDynamics,
    pub mimic: Option<Mimic>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JointKind {
    Fixed,
    Revolute,
    Prismatic,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct UrdfLimit {
    pub lower: f64,
    pub upper: f64,
    pub velocity: f64,
    pub effort: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Mimic {
    pub joint: String,
    pub multiplier: f64,
    pub offset: f64,
}

impl Urdf {
    /// Parses and checks; `intake` knows where mesh files may be.
    pub fn parse(text: &str, path: &Path, intake: &mut Intake) -> Result<Self, RobotError> {
        // Elements that are not URDF are ignored here, as the format says, however deep.
        Self::read(&Xml::parse(text, path, usize::MAX)?, intake)
    }

    pub fn read(xml: &Xml, intake: &mut Intake) -> Result<Self, RobotError> {
        let root = xml.document.root_element();
        if !root.has_tag_name("robot") {
            return Err(xml.error(root, "root", "a URDF's root element is <robot>"));
        }
        let children = |name: &'static str| root.children().filter(move |n| n.has_tag_name(name));
        let links = children("link")
            .map(|node| link(xml, node, intake))
            .collect::<Result<Vec<_>, _>>()?;
        let joints = children("joint")
            .map(|node| joint(xml, node))
            .collect::<Result<Vec<_>, _>>()?;
        if links.is_empty() {
            return Err(xml.error(root, "<link>", "the robot has no link"));
        }
        let mut urdf = tree::sort(links, joints)?;
        // Last, because splitting meshes takes longer than all the rest: errors come first.
        for node in children("link") {
            let name = xml.text(node, "name")?;
            let shapes = geometry::read(xml, node, intake)?;
            if let Some(link) = urdf.links.iter_mut().find(|link| link.name == name) {
                link.shapes = shapes;
            }
        }
        Ok(urdf)
    }

    pub fn link_idx(&self, name: &str) -> Option<usize> {
        self.links.iter().position(|link| link.name == name)
    }

    pub fn joint_idx(&self, name: &str) -> Option<usize> {
        self.joints.iter().position(|joint| joint.name == name)
    }
}

fn link<'a>(
    xml: &Xml<'a>,
    node: Node<'_, 'a>,
    intake: &mut Intake,
) -> Result<UrdfLink, RobotError> {
    Ok(UrdfLink {
        name: xml.text(node, "name")?,
        place: xml.place(node),
        inertial: inertial::read(xml, node, intake)?,
        shapes: Vec::new(),
    })
}

fn joint<'a>(xml: &Xml<'a>, node: Node<'_, 'a>) -> Result<UrdfJoint, RobotError> {
    let end = |name| {
        let child = xml.required_child(node, name, "name the link that the joint connects")?;
        xml.text(child, "link")
    };
    let (kind, is_continuous) = match xml.text(node, "type")?.as_str() {
        "fixed" => (JointKind::Fixed, false),
        "revolute" => (JointKind::Revolute, false),
        "continuous" => (JointKind::Revolute, true),
        "prismatic" => (JointKind::Prismatic, false),
        other => {
            let message =
                format!("`{other}` is not supported; use fixed, revolute, continuous or prismatic");
            return Err(xml.error(node, "type", message));
        }
    };
    let limit = match kind {
        JointKind::Fixed => None,
        _ => Some(limit(xml, node, is_continuous)?),
    };
    Ok(UrdfJoint {
        name: xml.text(node, "name")?,
        place: xml.place(node),
        parent: end("parent")?,
        child: end("child")?,
        parent_from_joint: xml.origin(node)?,
        kind,
        axis: axis(xml, node)?,
        limit,
        dynamics: dynamics(xml, node)?,
        mimic: mimic(xml, node)?,
    })
}

fn axis<'a>(xml: &Xml<'a>, node: Node<'_, 'a>) -> Result<Vector3<f64>, RobotError> {
    let Some(axis) = xml.child(node, "axis")? else {
        return Ok(Vector3::x()); // The default that the URDF specification gives.
    };
    let xyz = xml.vector(axis, "xyz")?;
    // Vendors round (0.7071): normalise those, refuse what cannot have been meant as a direction.
    if (xyz.norm() - 1.0).abs() < 1e-2 {
        return Ok(xyz.normalize());
    }
    let message = format!("has length {:.4}; an axis has length 1", xyz.norm());
    Err(xml.error(axis, "xyz", message))
}

fn limit<'a>(
    xml: &Xml<'a>,
    node: Node<'_, 'a>,
    is_continuous: bool,
) -> Result<UrdfLimit, RobotError> {
    let remedy = "give lower, upper, velocity and effort";
    let limit = xml.required_child(node, "limit", remedy)?;
    // A continuous joint has no stop; two turns keep positions bounded for planning and cables.
    let (lower, upper) = if is_continuous {
        (-std::f64::consts::TAU, std::f64::consts::TAU)
    } else {
        (xml.number(limit, "lower")?, xml.number(limit, "upper")?)
    };
    if lower >= upper {
        return Err(xml.error(
            limit,
            "lower",
            format!("{lower} is not below upper {upper}"),
        ));
    }
    Ok(UrdfLimit {
        lower,
        upper,
        velocity: xml.positive(limit, "velocity")?,
        effort: xml.positive(limit, "effort")?,
    })
}

fn dynamics<'a>(xml: &Xml<'a>, node: Node<'_, 'a>) -> Result<JointDynamics, RobotError> {
    let Some(dynamics) = xml.child(node, "dynamics")? else {
        return Ok(JointDynamics::default());
    };
    let not_negative = |name: &str| {
        let value = xml.number_or(dynamics, name, 0.0)?;
        if value >= 0.0 {
            return Ok(value);
        }
        Err(xml.error(dynamics, name, format!("is {value}, must be at least 0")))
    };
    Ok(JointDynamics {
        damping: not_negative("damping")?,
        friction: not_negative("friction")?,
        armature: 0.0,
    })
}

fn mimic<'a>(xml: &Xml<'a>, node: Node<'_, 'a>) -> Result<Option<Mimic>, RobotError> {
    let Some(mimic) = xml.child(node, "mimic")? else {
        return Ok(None);
    };
    Ok(Some(Mimic {
        joint: xml.text(mimic, "joint")?,
        multiplier: xml.number_or(mimic, "multiplier", 1.0)?,
        offset: xml.number_or(mimic, "offset", 0.0)?,
    }))
}
