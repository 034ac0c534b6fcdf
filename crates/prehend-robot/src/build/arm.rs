//! The arm's joints and their limits, from both files.

use prehend_types::{
    JointAccelerations, JointPositions, JointTorques, JointVelocities, MAX_JOINTS,
};

use super::{Sources, per_joint};
use crate::limits::BRAKING_SHARE;
use crate::urdf::{JointKind, UrdfLimit};
use crate::{Limits, RobotError, VelocityEnvelope};

impl Sources<'_> {
    /// The moving joints from base to tool, which are exactly those of `robot.toml`, in its order.
    pub fn arm(&self, base_idx: usize) -> Result<Vec<usize>, RobotError> {
        let mut arm = Vec::new();
        let mut link_idx = self.link("tcp_link", &self.spec.tcp_link)?;
        while link_idx != base_idx {
            // Joint i leads to link i + 1; only the root has no joint.
            let Some(joint_idx) = link_idx.checked_sub(1) else {
                let message = format!("does not hang from base_link \"{}\"", self.spec.base_link);
                return Err(self.refuse("tcp_link", message));
            };
            let joint = &self.urdf.joints[joint_idx];
            if joint.kind != JointKind::Fixed {
                arm.insert(0, joint_idx);
            }
            if joint.mimic.is_some() {
                return Err(joint
                    .place
                    .error("mimic", "an arm's joint cannot mimic another; remove it"));
            }
            link_idx = self.link("parent", &joint.parent)?;
        }
        for (idx, listed) in self.spec.joint.iter().enumerate() {
            let field = format!("joint[{idx}].name");
            if self.urdf.joint_idx(&listed.name).is_none() {
                let names: Vec<_> = arm
                    .iter()
                    .map(|idx| self.urdf.joints[*idx].name.as_str())
                    .collect();
                let message = format!(
                    "robot.urdf has no joint \"{}\"; the arm's joints there are {names:?}",
                    listed.name
                );
                return Err(self.refuse(&field, message));
            }
            let found = arm.get(idx).map(|idx| self.urdf.joints[*idx].name.as_str());
            if found != Some(listed.name.as_str()) {
                let message = format!(
                    "\"{}\" is not moving joint {idx} between base_link and tcp_link, that is {}; \
                     list the arm's joints from base to tip",
                    listed.name,
                    found.map_or("none".to_owned(), |name| format!("\"{name}\"")),
                );
                return Err(self.refuse(&field, message));
            }
        }
        match arm.get(self.spec.joint.len()) {
            Some(missing) => {
                let joint = &self.urdf.joints[*missing];
                let message = format!(
                    "moves the arm, but {} has no [[joint]] of this name",
                    self.toml.display()
                );
                Err(joint.place.error("name", message))
            }
            None => Ok(arm),
        }
    }

    pub fn limits(&self, arm: &[usize]) -> Result<Limits, RobotError> {
        let limits: Vec<UrdfLimit> = arm
            .iter()
            .filter_map(|idx| self.urdf.joints[*idx].limit)
            .collect();
        let of_urdf = |f: fn(&UrdfLimit) -> f64| per_joint(limits.iter().map(f));
        let ddq_max = per_joint(
            self.spec
                .joint
                .iter()
                .map(|j| j.max_acceleration_rad_per_s2),
        );
        let mut dddq_max = [0.0; MAX_JOINTS];
        let mut envelope = [VelocityEnvelope::default(); MAX_JOINTS];
        for (idx, joint) in self.spec.joint.iter().enumerate() {
            let steepest = BRAKING_SHARE * joint.max_acceleration_rad_per_s2;
            dddq_max[idx] = joint.max_jerk_rad_per_s3;
            envelope[idx] = match &joint.envelope {
                Some(given) => VelocityEnvelope {
                    offset: given.offset_rad_per_s,
                    deceleration: given.deceleration_rad_per_s2.min(steepest),
                },
                None => VelocityEnvelope {
                    offset: 0.0,
                    deceleration: steepest,
                },
            };
        }
        let too_many = |error| self.too_many(error);
        Ok(Limits {
            q_min: JointPositions::from_slice(&of_urdf(|l| l.lower)).map_err(too_many)?,
            q_max: JointPositions::from_slice(&of_urdf(|l| l.upper)).map_err(too_many)?,
            dq_max: JointVelocities::from_slice(&of_urdf(|l| l.velocity)).map_err(too_many)?,
            ddq_max: JointAccelerations::from_slice(&ddq_max).map_err(too_many)?,
            dddq_max,
            tau_max: JointTorques::from_slice(&of_urdf(|l| l.effort)).map_err(too_many)?,
            envelope,
        })
    }
}
