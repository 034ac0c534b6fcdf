//! Joins the checked URDF with `robot.toml`: which joints form the arm, which the gripper.

mod arm;
mod fingers;
mod tree;

use std::path::Path;

use prehend_types::config::ConfigError;
use prehend_types::{JointPositions, MAX_JOINTS, TooManyJoints};

use crate::chain::Chain;
use crate::collision::SelfCollision;
use crate::spec::RobotSpec;
use crate::urdf::Urdf;
use crate::{Actuators, JointDynamics, Link, Robot, RobotError, TcpSpeed, check};

/// The two descriptions, with what errors have to name.
struct Sources<'a> {
    spec: &'a RobotSpec,
    urdf: Urdf,
    toml: &'a Path,
}

/// Positions in `urdf.joints` of the fingers' joints.
#[derive(Clone, Copy)]
struct FingerJoints {
    left: usize,
    right: usize,
}

/// Builds the robot; `toml` is only named in errors.
pub(crate) fn robot(
    spec: &RobotSpec,
    urdf: Urdf,
    toml: &Path,
    content_hash: String,
) -> Result<Robot, RobotError> {
    check::numbers(spec, toml)?;
    let sources = Sources { spec, urdf, toml };
    let base_idx = sources.link("base_link", &spec.base_link)?;
    let arm = sources.arm(base_idx)?;
    let limits = sources.limits(&arm)?;
    check::envelopes(spec, &limits, toml)?;
    let home =
        JointPositions::from_slice(&per_joint(spec.joint.iter().map(|joint| joint.home_rad)))
            .map_err(|error| sources.too_many(error))?;
    check::home(spec, &limits, &home, toml)?;
    let fingers = match &spec.gripper {
        Some(gripper) => Some(sources.finger_joints(gripper)?),
        None => None,
    };
    let links = sources.links(base_idx, &arm, fingers)?;
    let gripper = match &spec.gripper {
        Some(gripper) => Some(sources.gripper(gripper, &links)?),
        None => None,
    };
    let tcp_idx = sources.position(&links, "tcp_link", &spec.tcp_link)?;
    let half_open = gripper
        .as_ref()
        .map_or(0.0, |gripper| gripper.max_width / 2.0);
    let chain = Chain::new(&links, tcp_idx, half_open);
    let mut joint_dynamics = [JointDynamics::default(); MAX_JOINTS];
    let listed = arm.iter().zip(&spec.joint);
    for (slot, (urdf_idx, joint)) in joint_dynamics.iter_mut().zip(listed) {
        *slot = JointDynamics {
            armature: joint.armature_kg_m2,
            ..sources.urdf.joints[*urdf_idx].dynamics
        };
    }
    Ok(Robot {
        name: spec.name.clone(),
        joint_names: spec.joint.iter().map(|joint| joint.name.clone()).collect(),
        finger_joint: spec
            .gripper
            .as_ref()
            .map(|gripper| gripper.left.joint.clone()),
        self_collision: SelfCollision::new(&chain, &links, gripper.as_ref(), &home),
        tcp_speed: TcpSpeed {
            run: spec.tcp.run_speed_m_per_s,
            teach: spec.tcp.teach_speed_m_per_s,
        },
        links,
        limits,
        home,
        gripper,
        tcp_idx,
        content_hash,
        chain,
        actuators: Actuators::default(),
        joint_dynamics,
    })
}

impl Sources<'_> {
    pub fn link(&self, field: &str, name: &str) -> Result<usize, RobotError> {
        self.urdf
            .link_idx(name)
            .ok_or_else(|| self.refuse(field, format!("robot.urdf has no link \"{name}\"")))
    }

    pub fn position(&self, links: &[Link], field: &str, name: &str) -> Result<usize, RobotError> {
        let message = || format!("no link \"{name}\" hangs from base_link in robot.urdf");
        (links.iter().position(|link| link.name == name))
            .ok_or_else(|| self.refuse(field, message()))
    }

    pub fn refuse(&self, field: &str, message: impl Into<String>) -> RobotError {
        RobotError::Config(ConfigError::Value {
            path: self.toml.to_owned(),
            field: field.to_owned(),
            message: message.into(),
        })
    }

    pub fn too_many(&self, error: TooManyJoints) -> RobotError {
        self.refuse("joint", error.to_string())
    }
}

fn per_joint(values: impl Iterator<Item = f64>) -> Vec<f64> {
    values.collect()
}
