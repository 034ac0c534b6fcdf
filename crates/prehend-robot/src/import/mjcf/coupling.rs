//! `<equality>`: joints that follow others.

use super::Reader;
use super::element::{Attrs, Element};
use crate::RobotError;
use crate::intake::Weight;
use crate::urdf::{JointKind, Mimic};

impl<'e> Reader<'e, '_> {
    pub(super) fn couplings(&mut self, root: &'e Element) -> Result<(), RobotError> {
        for element in root.all("equality").flat_map(|section| &section.children) {
            let attrs = self.defaults.of(element, None)?;
            if !attrs.flag("active", true)? {
                continue;
            }
            if element.tag == "joint" {
                self.coupling(&attrs)?;
            } else {
                let why = "closes a loop of bodies, which is not kept; only joints that follow joints are";
                self.drop(element, Weight::Loss, why)?;
            }
        }
        Ok(())
    }

    /// `q1 - ref1 = c0 + c1 (q2 - ref2) + ...`. References are part of the joints' zeros already: with
    /// positions counted as in the file, `q1 = ref1 + c0 + c1 (q2 - ref2)`.
    fn coupling(&mut self, attrs: &Attrs) -> Result<(), RobotError> {
        let follower = self.joint_idx(attrs, "joint1")?;
        let mut coefficients = [0.0, 1.0, 0.0, 0.0, 0.0];
        for (slot, given) in coefficients.iter_mut().zip(attrs.numbers("polycoef")?) {
            *slot = given;
        }
        let [constant, linear, higher @ ..] = coefficients;
        let reference = |reader: &Self, idx: usize| reader.references[idx];
        if !attrs.has("joint2") {
            let value = reference(self, follower) + constant;
            let why = format!("the joint is locked: held at {value}");
            self.drop(attrs.element, Weight::Note, why)?;
            let joint = &mut self.joints[follower];
            joint.parent_from_joint *= crate::import::arm::motion(joint, value);
            joint.kind = JointKind::Fixed;
            joint.limit = None;
            return Ok(());
        }
        let leader = self.joint_idx(attrs, "joint2")?;
        if higher.iter().any(|value| *value != 0.0) {
            let why = "only the linear part of the coupling is kept";
            self.drop(attrs.element, Weight::Loss, why)?;
        }
        if leader == follower {
            return Err(attrs.error("joint2", "a joint cannot follow itself"));
        }
        let offset = reference(self, follower) + constant - linear * reference(self, leader);
        let name = self.joints[leader].name.clone();
        let joint = &mut self.joints[follower];
        if joint.mimic.is_some() {
            return Err(attrs.error("joint1", "follows another joint already; keep one coupling"));
        }
        joint.mimic = Some(Mimic {
            joint: name,
            multiplier: linear,
            offset,
        });
        Ok(())
    }

    /// A hinge or slide by name.
    pub(super) fn joint_idx(&self, attrs: &Attrs, field: &str) -> Result<usize, RobotError> {
        let name = attrs.required(field)?;
        let found = self.joints.iter().position(|joint| joint.name == name);
        found.ok_or_else(|| attrs.error(field, format!("there is no hinge or slide \"{name}\"")))
    }
}
