//! A model as both formats end up: a tree of links, and what else the file said.

use std::collections::BTreeMap;

use prehend_types::Pose;

use super::arm::Plan;
use super::{Actuator, Assumed};
use crate::urdf::Urdf;
use crate::urdf::xml::Place;

/// Most links of a model; lookups are by name.
pub(super) const MAX_LINKS: usize = 1000;

pub(super) struct Model {
    pub name: String,
    /// The root element, for errors about the whole.
    pub place: Place,
    pub urdf: Urdf,
    /// Joint positions of the key `home`.
    pub home: BTreeMap<String, f64>,
    pub actuators: Vec<Actuator>,
    /// Named frames that are no links yet.
    pub sites: Vec<Site>,
    /// Guesses, by joint or link; those about links outside the robot are not told.
    pub assumed: Vec<Assumed>,
}

pub(super) struct Site {
    pub name: String,
    pub place: Place,
    pub link: String,
    pub link_from_site: Pose,
}

impl Model {
    pub fn assume(&mut self, of: &str, what: impl Into<String>, why: impl Into<String>) {
        self.assumed.push(Assumed {
            of: of.to_owned(),
            what: what.into(),
            why: why.into(),
        });
    }

    /// Index of the joint that leads to a link; `None` for the root.
    pub fn joint_to(&self, link_idx: usize) -> Option<usize> {
        link_idx.checked_sub(1)
    }

    /// Indices of the links that hang directly from a link, in order.
    pub fn children(&self, link_idx: usize) -> Vec<usize> {
        let name = &self.urdf.links[link_idx].name;
        let joints = self.urdf.joints.iter().enumerate();
        joints
            .filter(|(_, joint)| joint.parent == *name)
            .map(|(joint_idx, _)| joint_idx + 1)
            .collect()
    }

    /// What was assumed about joints of the robot.
    pub fn assumed_of(&self, plan: &Plan) -> Vec<Assumed> {
        let is_told = |of: &str| {
            let is_joint = self.urdf.joints.iter().any(|joint| joint.name == of);
            !is_joint || plan.names().any(|name| name == of)
        };
        let told = self.assumed.iter().filter(|assumed| is_told(&assumed.of));
        told.cloned().collect()
    }
}
