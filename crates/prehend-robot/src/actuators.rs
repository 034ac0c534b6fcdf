//! `actuators.toml`: how the drives of an arm follow a command, and what they can push.
//!
//! Optional, and apart from `robot.toml`, because it describes a simulated drive: what a policy was
//! trained for, and the fingerprint that says so, must not change when a lag is measured anew.

use std::path::Path;

use arrayvec::ArrayVec;
use prehend_types::MAX_JOINTS;
use prehend_types::config::{self, ConfigError, require};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{Robot, RobotError};

/// Without the file: tracking bandwidth, Hz.
const BANDWIDTH_HZ: f64 = 10.0;
/// Without the file: no overshoot.
const DAMPING_RATIO: f64 = 1.0;
/// Without the file: half of the commanded speed is fed forward; a ramp lags by 16 ms.
const VELOCITY_FEEDFORWARD: f64 = 0.5;
/// Without the file: drives accelerate this much harder than the controller may ask for.
const ACCELERATION_RESERVE: f64 = 2.0;

/// The drive of one joint; N and m instead of N·m and rad on prismatic joints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointActuator {
    /// Natural frequency of the second-order tracking, Hz. Higher follows closer.
    pub bandwidth_hz: f64,
    /// Of the tracking; 1 does not overshoot.
    pub damping_ratio: f64,
    /// Share of the commanded speed that is fed forward, 0 to 1: a ramp lags by
    /// 2 `damping_ratio` (1 - share) / (2 pi `bandwidth_hz`) seconds.
    pub velocity_feedforward: f64,
    /// Speed limit of the drive, rad/s.
    pub max_velocity: f64,
    /// Acceleration limit of the drive, rad/s².
    pub max_acceleration: f64,
    /// Torque limit of the drive, N·m.
    pub max_torque: f64,
    /// Position gain of the joint servo, N·m/rad.
    pub stiffness: f64,
    /// Velocity gain of the joint servo, N·m s/rad.
    pub damping: f64,
    /// Friction that grows with speed, N·m s/rad.
    pub viscous_friction: f64,
    /// Dry friction, N·m.
    pub coulomb_friction: f64,
}

/// The drives of an arm, base to tip.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Actuators {
    joints: ArrayVec<JointActuator, MAX_JOINTS>,
    content_hash: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActuatorsToml {
    joint: Vec<JointToml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JointToml {
    name: String,
    bandwidth_hz: Option<f64>,
    damping_ratio: Option<f64>,
    velocity_feedforward: Option<f64>,
    max_velocity_rad_per_s: Option<f64>,
    max_acceleration_rad_per_s2: Option<f64>,
    max_torque_n_m: Option<f64>,
    stiffness_n_m_per_rad: Option<f64>,
    damping_n_m_s_per_rad: Option<f64>,
    viscous_friction_n_m_s_per_rad: Option<f64>,
    coulomb_friction_n_m: Option<f64>,
}

impl Actuators {
    /// One per joint, base to tip.
    #[must_use]
    pub fn joints(&self) -> &[JointActuator] {
        &self.joints
    }

    /// SHA-256 of `actuators.toml`, 64 hex digits; `None` if the robot has none and the defaults
    /// hold.
    #[must_use]
    pub fn content_hash(&self) -> Option<&str> {
        self.content_hash.as_deref()
    }

    /// What holds without a file: a tracking of 10 Hz that does not overshoot, limits of the robot's
    /// description (twice its acceleration), a servo of the same bandwidth on the inertia that each
    /// joint moves at home, and the friction that the description gives each joint (URDF's `dynamics`,
    /// MJCF's `damping` and `frictionloss`).
    #[must_use]
    pub fn default_for(robot: &Robot) -> Self {
        let limits = robot.limits();
        let matrix = robot.articulation(robot.home()).mass_matrix();
        let omega = std::f64::consts::TAU * BANDWIDTH_HZ;
        let joints = (0..robot.n_joints()).map(|idx| JointActuator {
            bandwidth_hz: BANDWIDTH_HZ,
            damping_ratio: DAMPING_RATIO,
            velocity_feedforward: VELOCITY_FEEDFORWARD,
            max_velocity: limits.dq_max[idx],
            max_acceleration: ACCELERATION_RESERVE * limits.ddq_max[idx],
            max_torque: limits.tau_max[idx],
            stiffness: omega * omega * matrix[(idx, idx)],
            damping: 2.0 * DAMPING_RATIO * omega * matrix[(idx, idx)],
            viscous_friction: robot.joint_dynamics[idx].damping,
            coulomb_friction: robot.joint_dynamics[idx].friction,
        });
        Self {
            joints: joints.collect(),
            content_hash: None,
        }
    }

    /// Reads `actuators.toml` of a robot's folder, or takes the defaults if there is none.
    pub(crate) fn load(folder: &Path, robot: &Robot) -> Result<Self, RobotError> {
        let path = folder.join("actuators.toml");
        if !path.exists() {
            return Ok(Self::default_for(robot));
        }
        Ok(Self::parse(&config::read(&path)?, &path, robot)?)
    }

    fn parse(text: &str, path: &Path, robot: &Robot) -> Result<Self, ConfigError> {
        let toml: ActuatorsToml = config::parse(text, path)?;
        require(
            toml.joint.len() == robot.n_joints(),
            path,
            "joint",
            format!(
                "has {} entries; the arm has {} joints",
                toml.joint.len(),
                robot.n_joints()
            ),
        )?;
        let mut out = Self::default_for(robot);
        for (idx, (joint, given)) in out.joints.iter_mut().zip(&toml.joint).enumerate() {
            let expected = &robot.joint_names()[idx];
            require(
                given.name == *expected,
                path,
                &format!("joint[{idx}].name"),
                format!("is \"{}\", expected \"{expected}\"", given.name),
            )?;
            joint.take(given, idx, path)?;
        }
        let digest = Sha256::digest(text.as_bytes());
        out.content_hash = Some(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        Ok(out)
    }
}

impl JointActuator {
    fn take(&mut self, given: &JointToml, idx: usize, path: &Path) -> Result<(), ConfigError> {
        let positive = |v: f64| v > 0.0 && v.is_finite();
        let not_negative = |v: f64| v >= 0.0 && v.is_finite();
        let share = |v: f64| (0.0..=1.0).contains(&v);
        type Rule<'a> = (&'a dyn Fn(f64) -> bool, &'a str);
        let above: Rule = (&positive, "must be above 0");
        let from: Rule = (&not_negative, "must be 0 or more");
        let within: Rule = (&share, "must be from 0 to 1");
        let table = [
            (
                "bandwidth_hz",
                given.bandwidth_hz,
                &mut self.bandwidth_hz,
                above,
            ),
            (
                "damping_ratio",
                given.damping_ratio,
                &mut self.damping_ratio,
                above,
            ),
            (
                "velocity_feedforward",
                given.velocity_feedforward,
                &mut self.velocity_feedforward,
                within,
            ),
            (
                "max_velocity_rad_per_s",
                given.max_velocity_rad_per_s,
                &mut self.max_velocity,
                above,
            ),
            (
                "max_acceleration_rad_per_s2",
                given.max_acceleration_rad_per_s2,
                &mut self.max_acceleration,
                above,
            ),
            (
                "max_torque_n_m",
                given.max_torque_n_m,
                &mut self.max_torque,
                above,
            ),
            (
                "stiffness_n_m_per_rad",
                given.stiffness_n_m_per_rad,
                &mut self.stiffness,
                from,
            ),
            (
                "damping_n_m_s_per_rad",
                given.damping_n_m_s_per_rad,
                &mut self.damping,
                from,
            ),
            (
                "viscous_friction_n_m_s_per_rad",
                given.viscous_friction_n_m_s_per_rad,
                &mut self.viscous_friction,
                from,
            ),
            (
                "coulomb_friction_n_m",
                given.coulomb_friction_n_m,
                &mut self.coulomb_friction,
                from,
            ),
        ];
        for (name, value, slot, (holds, message)) in table {
            if let Some(value) = value {
                require(holds(value), path, &format!("joint[{idx}].{name}"), message)?;
                *slot = value;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fr3() -> Robot {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../robots/fr3");
        Robot::load(&folder).expect("robots/fr3 is valid")
    }

    fn text(change: &str) -> String {
        let joints = (1..=7).map(|i| format!("[[joint]]\nname = \"fr3_joint{i}\"\n"));
        joints.collect::<String>() + change
    }

    fn refused(change: &str) -> String {
        Actuators::parse(&text(change), Path::new("actuators.toml"), &fr3())
            .expect_err(change)
            .to_string()
    }

    #[test]
    fn the_shipped_file_is_read_and_leaves_the_robots_fingerprint_alone() {
        let robot = fr3();
        assert_eq!(robot.actuators().joints().len(), 7);
        assert_eq!(robot.actuators().content_hash().map(str::len), Some(64));
        assert_ne!(*robot.actuators(), Actuators::default_for(&robot));
        let folder = tempfile::tempdir().expect("a folder");
        for file in ["robot.urdf", "robot.toml"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../robots/fr3");
            std::fs::copy(from.join(file), folder.path().join(file)).expect("copied");
        }
        let bare = Robot::load(folder.path()).expect("no actuators needed");
        assert_eq!(bare.content_hash(), robot.content_hash());
        assert_eq!(*bare.actuators(), Actuators::default_for(&robot));
        assert_eq!(bare.actuators().content_hash(), None);
    }

    #[test]
    fn without_a_file_the_descriptions_friction_holds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../robots/xarm7");
        let robot = Robot::load(&folder).expect("robots/xarm7 is valid");
        assert_eq!(robot.actuators().content_hash(), None);
        let damping = [10.0, 10.0, 5.0, 5.0, 5.0, 2.0, 2.0];
        for (joint, damping) in robot.actuators().joints().iter().zip(damping) {
            assert_eq!(joint.viscous_friction, damping);
            assert_eq!(joint.coulomb_friction, 1.0);
        }
    }

    #[test]
    fn given_values_replace_defaults() {
        let robot = fr3();
        let given = text("bandwidth_hz = 3.5\nmax_torque_n_m = 4.0\n");
        let read = Actuators::parse(&given, Path::new("a.toml"), &robot).expect("valid");
        let default = Actuators::default_for(&robot);
        assert_eq!(read.joints()[..6], default.joints()[..6]);
        assert_eq!(read.joints()[6].bandwidth_hz, 3.5);
        assert_eq!(read.joints()[6].max_torque, 4.0);
        assert_eq!(read.joints()[6].stiffness, default.joints()[6].stiffness);
    }

    #[test]
    fn bad_files_are_refused_by_name() {
        assert!(refused("bandwith_hz = 3.0\n").contains("did you mean `bandwidth_hz`"));
        assert!(refused("bandwidth_hz = 0.0\n").contains("joint[6].bandwidth_hz"));
        assert!(refused("max_torque_n_m = nan\n").contains("joint[6].max_torque_n_m"));
        assert!(refused("velocity_feedforward = 1.5\n").contains("from 0 to 1"));
        assert!(refused("[[joint]]\nname = \"fr3_joint8\"\n").contains("has 8 entries"));
        let swapped = text("").replace("fr3_joint2", "fr3_joint9");
        let error = Actuators::parse(&swapped, Path::new("a.toml"), &fr3()).expect_err("swapped");
        assert!(
            error.to_string().contains("expected \"fr3_joint2\""),
            "{error}"
        );
    }
}
