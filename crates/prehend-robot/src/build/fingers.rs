//! The gripper: two prismatic fingers on the hand that open by the same amount.

use super::{FingerJoints, Sources};
use crate::spec::{FingerToml, GripperToml};
use crate::urdf::{JointKind, UrdfJoint};
use crate::{Finger, GripperSpec, Link, Motion, Part, RobotError};

impl Sources<'_> {
    pub fn finger_joints(&self, gripper: &GripperToml) -> Result<FingerJoints, RobotError> {
        let left = self.finger_joint("left", &gripper.left, gripper)?;
        let right = self.finger_joint("right", &gripper.right, gripper)?;
        let follower = &self.urdf.joints[right];
        let is_mirror = follower.mimic.as_ref().is_some_and(|mimic| {
            mimic.joint == gripper.left.joint && mimic.multiplier == 1.0 && mimic.offset == 0.0
        });
        if !is_mirror {
            let message = format!(
                "the right finger must move as the left one does: <mimic joint=\"{}\"/> with \
                 multiplier 1 and offset 0, its own axis pointing in the opening direction",
                gripper.left.joint
            );
            return Err(follower.place.error("mimic", message));
        }
        Ok(FingerJoints { left, right })
    }

    /// A prismatic joint on the hand that opens from 0 to at least half the width.
    fn finger_joint(
        &self,
        side: &str,
        finger: &FingerToml,
        gripper: &GripperToml,
    ) -> Result<usize, RobotError> {
        let Some(idx) = self.urdf.joint_idx(&finger.joint) else {
            let message = format!("robot.urdf has no joint \"{}\"", finger.joint);
            return Err(self.refuse(&format!("gripper.{side}.joint"), message));
        };
        let joint: &UrdfJoint = &self.urdf.joints[idx];
        if joint.kind != JointKind::Prismatic {
            return Err(joint
                .place
                .error("type", "a finger's joint must be prismatic"));
        }
        if joint.parent != gripper.hand_link {
            let message = format!(
                "is \"{}\", but finger joint \"{}\" in robot.urdf hangs from \"{}\"",
                gripper.hand_link, finger.joint, joint.parent
            );
            return Err(self.refuse("gripper.hand_link", message));
        }
        match joint.limit {
            Some(limit)
                if limit.lower <= 0.0 && limit.upper >= gripper.max_width_m / 2.0 - 1e-9 =>
            {
                Ok(idx)
            }
            Some(limit) => {
                let message = format!(
                    "is {}, but finger joint \"{}\" in robot.urdf only reaches from {} to {}; \
                     each finger must move from 0 to half the width",
                    gripper.max_width_m, finger.joint, limit.lower, limit.upper
                );
                Err(self.refuse("gripper.max_width_m", message))
            }
            None => Err(joint.place.error("limit", "missing")),
        }
    }

    pub fn gripper(&self, spec: &GripperToml, links: &[Link]) -> Result<GripperSpec, RobotError> {
        let finger = |finger: &FingerToml, part: Part| {
            let link_idx = links
                .iter()
                .position(|link| link.part == part && matches!(link.motion, Motion::Finger { .. }))
                .ok_or_else(|| self.refuse("gripper", "a finger does not hang from base_link"))?;
            Ok::<_, RobotError>(Finger {
                link_idx,
                pad: finger.pad(),
            })
        };
        Ok(GripperSpec {
            hand_idx: self.position(links, "gripper.hand_link", &spec.hand_link)?,
            left: finger(&spec.left, Part::LeftFinger)?,
            right: finger(&spec.right, Part::RightFinger)?,
            max_width: spec.max_width_m,
            speed: spec.speed_m_per_s,
            max_speed: spec.max_speed_m_per_s,
            force: spec.force_n,
            max_turns_per_s: spec.max_turns_per_s,
            self_collision: spec
                .self_collision_capsule
                .iter()
                .map(|c| c.shape())
                .collect(),
        })
    }
}
