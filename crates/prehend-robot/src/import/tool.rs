//! Which frame is the tool centre point.

use nalgebra::Translation3;
use prehend_types::Pose;

use super::arm::Plan;
use super::gripper::Pair;
use super::model::Model;
use crate::urdf::xml::Place;
use crate::urdf::{JointKind, UrdfJoint, UrdfLink};
use crate::{Inertial, JointDynamics, RobotError};

/// Words that name a tool frame, the surest first. Compared with the parts of a name between `_`, `-`
/// and spaces.
const WORDS: [&str; 9] = [
    "tcp",
    "tool",
    "tool0",
    "grasp",
    "pinch",
    "ee",
    "eef",
    "attachment",
    "flange",
];

/// The link, or site made a link, that the user names.
pub(super) fn named(model: &mut Model, name: &str) -> Result<usize, RobotError> {
    if let Some(idx) = model.urdf.link_idx(name) {
        return Ok(idx);
    }
    if let Some(site) = model.sites.iter().position(|site| site.name == name) {
        return Ok(site_link(model, site));
    }
    let names: Vec<_> = (model.urdf.links.iter().map(|link| &link.name))
        .chain(model.sites.iter().map(|site| &site.name))
        .take(40)
        .collect();
    let message = format!("there is no link or site \"{name}\"; there are {names:?}");
    Err(model.place.error("tcp_link", message))
}

/// The tool frame fixed behind `tip`, the link of the last joint.
pub(super) fn behind(model: &mut Model, tip: usize, pairs: &[Pair]) -> usize {
    let mut fixed = vec![tip];
    let mut next = 0;
    while let Some(link_idx) = fixed.get(next).copied() {
        next += 1;
        let children = model.children(link_idx);
        fixed.extend(
            children
                .into_iter()
                .filter(|child| model.urdf.joints[child - 1].kind == JointKind::Fixed),
        );
    }
    for word in WORDS {
        let is_named = |name: &str| {
            let lower = name.to_ascii_lowercase();
            lower
                .split(['_', '-', ' ', '/', '.'])
                .any(|part| part == word)
        };
        let link = fixed
            .iter()
            .find(|idx| is_named(&model.urdf.links[**idx].name));
        let link = link.copied().filter(|idx| *idx != tip);
        let site = model.sites.iter().position(|site| {
            is_named(&site.name)
                && fixed
                    .iter()
                    .any(|idx| model.urdf.links[*idx].name == site.link)
        });
        let found = match (link, site) {
            (Some(link), _) => link,
            (None, Some(site)) => site_link(model, site),
            (None, None) => continue,
        };
        let name = model.urdf.links[found].name.clone();
        model.assume("", format!("tool frame \"{name}\""), "its name says so");
        return found;
    }
    let hand = pairs.iter().find(|pair| fixed.contains(&pair.hand));
    if let Some(pair) = hand {
        return pair.hand;
    }
    // Frames are added outwards: the one that is farthest along first children.
    let mut last = tip;
    while let Some(child) = model
        .children(last)
        .into_iter()
        .find(|child| model.urdf.joints[child - 1].kind == JointKind::Fixed)
    {
        last = child;
    }
    let name = model.urdf.links[last].name.clone();
    model.assume(
        "",
        format!("tool frame \"{name}\""),
        "the last link; name another with the option tcp_link",
    );
    last
}

/// A new link on the hand, in the middle between the pads, with the hand's axes.
pub(super) fn between_pads(model: &mut Model, plan: &Plan) -> String {
    let Some(gripper) = &plan.gripper else {
        return plan.tcp.clone();
    };
    let hand_from_tcp = Translation3::from(gripper.middle).into();
    let place = model.place.clone();
    let hand = gripper.hand.clone();
    let name = add_link(model, &format!("{hand}_tcp"), &hand, hand_from_tcp, place);
    let why = "no frame is named as tool: the middle between the pads, axes of the hand";
    model.assume("", format!("tool frame \"{name}\""), why);
    name
}

fn site_link(model: &mut Model, site_idx: usize) -> usize {
    let site = &model.sites[site_idx];
    let (name, link, pose, place) = (
        site.name.clone(),
        site.link.clone(),
        site.link_from_site,
        site.place.clone(),
    );
    let name = add_link(model, &name, &link, pose, place);
    model.urdf.link_idx(&name).unwrap_or(0)
}

/// Adds a frame; its name is changed if there is such a link already.
fn add_link(model: &mut Model, name: &str, parent: &str, pose: Pose, place: Place) -> String {
    let mut name = name.to_owned();
    let is_taken = |model: &Model, name: &str| {
        model.urdf.link_idx(name).is_some()
            || model.urdf.joint_idx(&format!("{name}_fixed")).is_some()
    };
    while is_taken(model, &name) {
        name.push('_');
    }
    model.urdf.joints.push(UrdfJoint {
        name: format!("{name}_fixed"),
        place: place.clone(),
        parent: parent.to_owned(),
        child: name.clone(),
        parent_from_joint: pose,
        kind: JointKind::Fixed,
        axis: nalgebra::Vector3::x(),
        limit: None,
        dynamics: JointDynamics::default(),
        mimic: None,
    });
    model.urdf.links.push(UrdfLink {
        name: name.clone(),
        place,
        inertial: Inertial::default(),
        shapes: Vec::new(),
    });
    name
}
