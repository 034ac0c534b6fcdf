//! The links that the robot consists of, and what moves each of them.

use prehend_types::Pose;

use super::{FingerJoints, Sources};
use crate::urdf::JointKind;
use crate::{Link, Motion, Part, RobotError};

impl Sources<'_> {
    /// Links that hang from the base, with what moves them; `urdf` has parents before children.
    pub fn links(
        &self,
        base_idx: usize,
        arm: &[usize],
        fingers: Option<FingerJoints>,
    ) -> Result<Vec<Link>, RobotError> {
        let hand = self
            .spec
            .gripper
            .as_ref()
            .map(|gripper| gripper.hand_link.as_str());
        let mut links: Vec<Link> = Vec::new();
        for (urdf_idx, link) in self.urdf.links.iter().enumerate() {
            let joint = urdf_idx
                .checked_sub(1)
                .map(|idx| (idx, &self.urdf.joints[idx]));
            let (parent_idx, motion, parent_from_joint, finger) = match joint {
                _ if urdf_idx == base_idx => (None, Motion::Fixed, Pose::identity(), None),
                Some((joint_idx, joint)) => {
                    let (motion, finger) = self.motion(joint_idx, arm, fingers)?;
                    match links.iter().position(|link| link.name == joint.parent) {
                        Some(parent) => (Some(parent), motion, joint.parent_from_joint, finger),
                        None => continue, // Above or beside the base: a stand, the world.
                    }
                }
                None => continue,
            };
            let part = match (finger, parent_idx) {
                (Some(finger), _) => finger,
                _ if hand == Some(link.name.as_str()) => Part::Hand,
                (None, Some(parent_idx)) => links[parent_idx].part,
                (None, None) => Part::Arm,
            };
            links.push(Link {
                name: link.name.clone(),
                parent_idx,
                parent_from_joint,
                motion,
                part,
                inertial: link.inertial,
                shapes: link.shapes.clone(),
            });
        }
        Ok(links)
    }

    fn motion(
        &self,
        urdf_joint_idx: usize,
        arm: &[usize],
        fingers: Option<FingerJoints>,
    ) -> Result<(Motion, Option<Part>), RobotError> {
        let joint = &self.urdf.joints[urdf_joint_idx];
        let axis = joint.axis;
        if let Some(joint_idx) = arm.iter().position(|idx| *idx == urdf_joint_idx) {
            let motion = match joint.kind {
                JointKind::Prismatic => Motion::Prismatic { joint_idx, axis },
                _ => Motion::Revolute { joint_idx, axis },
            };
            return Ok((motion, None));
        }
        match fingers {
            Some(fingers) if fingers.left == urdf_joint_idx => {
                Ok((Motion::Finger { axis }, Some(Part::LeftFinger)))
            }
            Some(fingers) if fingers.right == urdf_joint_idx => {
                Ok((Motion::Finger { axis }, Some(Part::RightFinger)))
            }
            _ if joint.kind == JointKind::Fixed => Ok((Motion::Fixed, None)),
            _ => {
                let message = format!(
                    "moves, but {} names it neither as [[joint]] on the way to tcp_link nor as finger; \
                     make it fixed or list it",
                    self.toml.display()
                );
                Err(joint.place.error("type", message))
            }
        }
    }
}
