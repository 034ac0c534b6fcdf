//! A bare URDF: read as any other, with a list of what is not used.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::model::{MAX_LINKS, Model};
use crate::RobotError;
use crate::intake::{Intake, Weight};
use crate::urdf::Urdf;
use crate::urdf::xml::Xml;

pub(super) fn read(xml: &Xml, intake: &mut Intake) -> Result<Model, RobotError> {
    let root = xml.document.root_element();
    let is_xacro = |node: Node| {
        node.tag_name()
            .namespace()
            .is_some_and(|ns| ns.contains("xacro"))
            || node.tag_name().name().starts_with("xacro:")
            || node
                .attributes()
                .any(|attribute| attribute.value().contains("${"))
    };
    if let Some(node) = root.descendants().find(|node| is_xacro(*node)) {
        return Err(xml.error(
            node,
            "xacro",
            "is not expanded yet; run `xacro FILE > robot.urdf` and import robot.urdf",
        ));
    }
    let n_links = root.children().filter(|n| n.has_tag_name("link")).count();
    if n_links > MAX_LINKS {
        let message = format!("the robot has {n_links} links, more than {MAX_LINKS}");
        return Err(xml.error(root, "<link>", message));
    }
    list_unused(xml, root, intake)?;
    let urdf = Urdf::read(xml, intake)?;
    let name = root.attribute("name").map(str::trim).unwrap_or_default();
    if name.is_empty() {
        return Err(xml.error(root, "name", "attribute is missing; name the robot"));
    }
    Ok(Model {
        name: name.to_owned(),
        place: xml.place(root),
        urdf,
        home: BTreeMap::new(),
        actuators: Vec::new(),
        sites: Vec::new(),
        assumed: Vec::new(),
    })
}

fn list_unused(xml: &Xml, root: Node, intake: &mut Intake) -> Result<(), RobotError> {
    for node in root.children().filter(Node::is_element) {
        match node.tag_name().name() {
            "link" => children(xml, node, intake, of_link)?,
            "joint" => children(xml, node, intake, of_joint)?,
            "material" => note(xml, node, intake, "colours are not used")?,
            "transmission" | "ros2_control" => {
                note(xml, node, intake, "joints are commanded directly")?;
            }
            "gazebo" => note(xml, node, intake, "settings of another simulator")?,
            _ => lose(xml, node, intake, "is not an element of URDF that is read")?,
        }
    }
    Ok(())
}

/// What an element means here: used, not needed, or missed.
enum Use {
    Used,
    Note(&'static str),
    Loss(&'static str),
}

fn of_link(tag: &str) -> Use {
    match tag {
        "inertial" | "collision" => Use::Used,
        "visual" => Use::Note("nothing is drawn from it; collision shapes are seen and touched"),
        "gazebo" | "material" | "verbose" => Use::Note("settings of another simulator"),
        _ => Use::Loss("is not an element of a link that is read"),
    }
}

fn of_joint(tag: &str) -> Use {
    match tag {
        "origin" | "parent" | "child" | "axis" | "limit" | "dynamics" | "mimic" => Use::Used,
        "calibration" | "gazebo" => Use::Note("positions are taken as calibrated"),
        "safety_controller" => {
            Use::Loss("soft limits are not kept; write them into <limit> if they are tighter")
        }
        _ => Use::Loss("is not an element of a joint that is read"),
    }
}

fn children(
    xml: &Xml,
    node: Node,
    intake: &mut Intake,
    meaning: fn(&str) -> Use,
) -> Result<(), RobotError> {
    for child in node.children().filter(Node::is_element) {
        match meaning(child.tag_name().name()) {
            Use::Used => {}
            Use::Note(why) => note(xml, child, intake, why)?,
            Use::Loss(why) => lose(xml, child, intake, why)?,
        }
    }
    Ok(())
}

fn note(xml: &Xml, node: Node, intake: &mut Intake, why: &str) -> Result<(), RobotError> {
    intake.drop(xml.dropped(node, Weight::Note, why))
}

fn lose(xml: &Xml, node: Node, intake: &mut Intake, why: &str) -> Result<(), RobotError> {
    intake.drop(xml.dropped(node, Weight::Loss, why))
}
