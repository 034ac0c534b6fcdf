//! Names, mimics and the tree: every joint connects two links, every link hangs from one root.

use std::collections::HashMap;

use super::{Urdf, UrdfJoint, UrdfLink};
use crate::RobotError;

/// Orders links and joints from the root outwards.
pub(crate) fn sort(links: Vec<UrdfLink>, joints: Vec<UrdfJoint>) -> Result<Urdf, RobotError> {
    let mut link_idx = HashMap::new();
    for (idx, link) in links.iter().enumerate() {
        if link_idx.insert(link.name.clone(), idx).is_some() {
            return Err(link
                .place
                .error("name", "another link has this name; rename one"));
        }
    }
    let mut joint_idx = HashMap::new();
    for (idx, joint) in joints.iter().enumerate() {
        if joint_idx.insert(joint.name.clone(), idx).is_some() {
            return Err(joint
                .place
                .error("name", "another joint has this name; rename one"));
        }
    }

    let mut leads_to = vec![None; links.len()];
    let mut leaves = vec![Vec::new(); links.len()];
    for (idx, joint) in joints.iter().enumerate() {
        let end = |field: &str, name: &String| {
            (link_idx.get(name).copied()).ok_or_else(|| {
                joint
                    .place
                    .error(field, format!("there is no link \"{name}\""))
            })
        };
        let (parent, child) = (end("parent", &joint.parent)?, end("child", &joint.child)?);
        if let Some(other) = leads_to[child].replace(idx) {
            let other: &UrdfJoint = &joints[other];
            return Err(joint.place.error(
                "child",
                format!(
                    "link \"{}\" already hangs from joint \"{}\"",
                    joint.child, other.name
                ),
            ));
        }
        leaves[parent].push(idx);
        check_mimic(joint, &joints, &joint_idx)?;
    }

    let mut roots = (0..links.len()).filter(|idx| leads_to[*idx].is_none());
    let root = match (roots.next(), roots.next()) {
        (Some(root), None) => root,
        (Some(first), Some(second)) => {
            let message = format!(
                "is not connected: neither it nor \"{}\" hangs from a joint; join them",
                links[first].name
            );
            return Err(links[second].place.error("tree", message));
        }
        (None, _) => {
            return Err(links[0]
                .place
                .error("tree", "the joints form a cycle; one link must be the root"));
        }
    };

    // Breadth first, so that parents come before children.
    let mut link_order = vec![root];
    let mut joint_order = Vec::with_capacity(joints.len());
    let mut next = 0;
    while let Some(link) = link_order.get(next).copied() {
        next += 1;
        for joint in &leaves[link] {
            joint_order.push(*joint);
            link_order.push(link_idx[&joints[*joint].child]);
        }
    }
    let mut links: Vec<_> = links.into_iter().map(Some).collect();
    let mut joints: Vec<_> = joints.into_iter().map(Some).collect();
    let urdf = Urdf {
        links: link_order
            .iter()
            .filter_map(|idx| links[*idx].take())
            .collect(),
        joints: joint_order
            .iter()
            .filter_map(|idx| joints[*idx].take())
            .collect(),
    };
    // One root and one joint per other link: what the walk did not meet can only be a cycle.
    match links.into_iter().flatten().next() {
        Some(link) => Err(link.place.error(
            "tree",
            "is part of a cycle of joints, cut off from the root",
        )),
        None => Ok(urdf),
    }
}

fn check_mimic(
    joint: &UrdfJoint,
    joints: &[UrdfJoint],
    joint_idx: &HashMap<String, usize>,
) -> Result<(), RobotError> {
    let Some(mimic) = &joint.mimic else {
        return Ok(());
    };
    match joint_idx.get(&mimic.joint) {
        None => Err(joint
            .place
            .error("mimic", format!("there is no joint \"{}\"", mimic.joint))),
        Some(leader) if joints[*leader].mimic.is_some() => Err(joint.place.error(
            "mimic",
            format!(
                "\"{}\" mimics a joint itself; name the joint that leads",
                mimic.joint
            ),
        )),
        Some(_) => Ok(()),
    }
}
