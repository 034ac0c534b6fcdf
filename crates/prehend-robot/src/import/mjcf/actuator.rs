//! Actuators: what limits a joint's effort, and with which gains it was simulated.

use std::collections::BTreeMap;

use super::Reader;
use super::element::{Attrs, Element};
use crate::RobotError;
use crate::import::{Actuator, ActuatorKind};
use crate::intake::Weight;
use crate::urdf::JointKind;

impl<'e> Reader<'e, '_> {
    pub(super) fn actuators(&mut self, root: &'e Element) -> Result<(), RobotError> {
        let tendons = self.tendons(root)?;
        let mut efforts: BTreeMap<String, f64> = BTreeMap::new();
        for element in root.all("actuator").flat_map(|section| &section.children) {
            let attrs = self.defaults.of(element, None)?;
            let Some(actuator) = self.actuator(&attrs, &tendons)? else {
                continue;
            };
            if let Some(force) = actuator.force {
                for (joint, share) in &actuator.joints {
                    let effort = efforts.entry(joint.clone()).or_default();
                    *effort = effort.max(force * share.abs());
                }
            }
            self.narrow(&attrs, &actuator);
            self.actuators.push(actuator);
        }
        // What all actuators together may do.
        for (name, range) in &self.force_ranges {
            let cap = range[0].abs().max(range[1].abs());
            let effort = efforts.entry(name.clone()).or_insert(cap);
            *effort = effort.min(cap);
        }
        let mut guessed = Vec::new();
        for joint in &mut self.joints {
            let Some(limit) = &mut joint.limit else {
                continue;
            };
            match efforts.get(&joint.name) {
                Some(effort) if *effort > 0.0 => limit.effort = *effort,
                _ => {
                    let unit = if joint.kind == JointKind::Prismatic {
                        "N"
                    } else {
                        "N·m"
                    };
                    guessed.push((
                        joint.name.clone(),
                        format!("effort limit {} {unit}", limit.effort),
                    ));
                }
            }
        }
        for (name, what) in guessed {
            self.assume(
                &name,
                what,
                "no actuator limits its force; write the arm's own into robot.urdf",
            );
        }
        Ok(())
    }

    /// Fixed tendons: joints with their coefficients.
    fn tendons(
        &mut self,
        root: &'e Element,
    ) -> Result<BTreeMap<String, Vec<(String, f64)>>, RobotError> {
        let mut out = BTreeMap::new();
        for element in root.all("tendon").flat_map(|section| &section.children) {
            if element.tag != "fixed" {
                self.drop(element, Weight::Loss, "only fixed tendons are kept")?;
                continue;
            }
            let mut joints = Vec::new();
            for part in element.all("joint") {
                let attrs = Attrs::plain(part);
                let idx = self.joint_idx(&attrs, "joint")?;
                joints.push((self.joints[idx].name.clone(), attrs.number("coef", 1.0)?));
            }
            if let Some(name) = element.get("name") {
                out.insert(name.to_owned(), joints);
            }
        }
        Ok(out)
    }

    /// `None` if it drives no joint, which is listed.
    fn actuator(
        &mut self,
        attrs: &Attrs,
        tendons: &BTreeMap<String, Vec<(String, f64)>>,
    ) -> Result<Option<Actuator>, RobotError> {
        let element = attrs.element;
        let gear = attrs.numbers("gear")?.first().copied().unwrap_or(1.0);
        let joints = if attrs.has("joint") {
            let idx = self.joint_idx(attrs, "joint")?;
            vec![(self.joints[idx].name.clone(), gear)]
        } else if let Some(name) = attrs.text("tendon") {
            match tendons.get(name) {
                Some(joints) => joints
                    .iter()
                    .map(|(j, coef)| (j.clone(), coef * gear))
                    .collect(),
                None => Vec::new(),
            }
        } else {
            Vec::new()
        };
        if joints.is_empty() {
            let why = "it drives neither a joint nor a fixed tendon, and is not kept";
            self.drop(element, Weight::Loss, why)?;
            return Ok(None);
        }
        let kind = match element.tag.as_str() {
            "position" => ActuatorKind::Position,
            "velocity" => ActuatorKind::Velocity,
            "motor" => ActuatorKind::Motor,
            "general" => ActuatorKind::Motor,
            other => {
                let why = format!("{other} is not kept: joints are driven by force");
                self.drop(element, Weight::Loss, why)?;
                return Ok(None);
            }
        };
        let (mut kp, mut kv) = (0.0, 0.0);
        let mut kind = kind;
        match element.tag.as_str() {
            "position" => {
                kp = attrs.not_negative("kp", 1.0)?;
                kv = attrs.not_negative("kv", 0.0)?;
            }
            "velocity" => kv = attrs.not_negative("kv", 1.0)?,
            "general" => {
                // force = gain command + bias0 + bias1 position + bias2 speed
                let gain = attrs.numbers("gainprm")?.first().copied().unwrap_or(1.0);
                let bias = attrs.numbers("biasprm")?;
                let bias = |idx: usize| bias.get(idx).copied().unwrap_or(0.0);
                if bias(1) < 0.0 {
                    (kind, kp, kv) = (ActuatorKind::Position, -bias(1), -bias(2));
                } else if bias(2) < 0.0 && (gain + bias(2)).abs() <= 1e-9 * gain.abs() {
                    (kind, kv) = (ActuatorKind::Velocity, -bias(2));
                }
            }
            _ => {}
        }
        let range = |flag: &str, name: &str| -> Result<Option<[f64; 2]>, RobotError> {
            if !self.compiler.is_limited(attrs, flag, name)? {
                return Ok(None);
            }
            match attrs.array::<2>(name)? {
                Some([low, high]) if low < high => Ok(Some([low, high])),
                Some([low, high]) => Err(attrs.error(name, format!("{low} is not below {high}"))),
                None => Err(attrs.error(name, format!("attribute is missing, but {flag} is true"))),
            }
        };
        let largest = |range: [f64; 2]| range[0].abs().max(range[1].abs());
        let command = range("ctrllimited", "ctrlrange")?;
        let force = match (range("forcelimited", "forcerange")?, command) {
            (Some(range), _) => Some(largest(range)),
            (None, Some(command)) if element.tag == "motor" => Some(largest(command)),
            _ => None,
        };
        let name = element
            .get("name")
            .map_or_else(|| joints[0].0.clone(), str::to_owned);
        Ok(Some(Actuator {
            name,
            joints,
            kind,
            kp,
            kv,
            force,
            command,
        }))
    }

    /// A position motor that cannot be told more than a part of the joint's range limits the joint.
    fn narrow(&mut self, attrs: &Attrs, actuator: &Actuator) {
        let ([(name, gear)], Some([low, high])) = (actuator.joints.as_slice(), actuator.command)
        else {
            return;
        };
        let is_direct =
            attrs.has("joint") && *gear == 1.0 && actuator.kind == ActuatorKind::Position;
        // A general actuator may scale its command.
        let gain = attrs
            .numbers("gainprm")
            .unwrap_or_default()
            .first()
            .copied();
        let is_scaled = attrs.element.tag == "general" && gain != Some(actuator.kp);
        if !is_direct || is_scaled {
            return;
        }
        let joint = self.joints.iter_mut().find(|joint| joint.name == *name);
        let Some(limit) = joint.and_then(|joint| joint.limit.as_mut()) else {
            return;
        };
        let narrowed = [limit.lower.max(low), limit.upper.min(high)];
        let is_narrower = narrowed[0] > limit.lower || narrowed[1] < limit.upper;
        if is_narrower && narrowed[0] < narrowed[1] {
            [limit.lower, limit.upper] = narrowed;
            let what = format!("range {} to {}", narrowed[0], narrowed[1]);
            self.assume(
                name,
                what,
                "its actuator's ctrlrange is narrower than the joint's range",
            );
        }
    }
}
