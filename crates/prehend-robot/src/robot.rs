//! The robot: constant data, loaded once and shared.

use std::path::Path;

use prehend_types::{JointPositions, MAX_JOINTS, config};
use sha2::{Digest, Sha256};

use crate::chain::Chain;
use crate::collision::SelfCollision;
use crate::intake::Intake;
use crate::spec::RobotSpec;
use crate::urdf::Urdf;
use crate::{Actuators, GripperSpec, Limits, Link, RobotError, build, files};

/// Larger than any URDF without embedded meshes.
pub(crate) const MAX_URDF_BYTES: u64 = 16 << 20;

/// One arm, with or without a gripper. Immutable; share it in an `Arc`.
#[derive(Debug, Clone)]
pub struct Robot {
    pub(crate) name: String,
    pub(crate) joint_names: Vec<String>,
    pub(crate) finger_joint: Option<String>,
    pub(crate) links: Vec<Link>,
    pub(crate) limits: Limits,
    pub(crate) home: JointPositions,
    pub(crate) gripper: Option<GripperSpec>,
    pub(crate) tcp_speed: TcpSpeed,
    pub(crate) tcp_idx: usize,
    pub(crate) content_hash: String,
    /// Fixed joints folded away, masses lumped with the gripper half open.
    pub(crate) chain: Chain,
    /// What resists each joint; zero beyond the joint count.
    pub(crate) joint_dynamics: [JointDynamics; MAX_JOINTS],
    pub(crate) self_collision: SelfCollision,
    pub(crate) actuators: Actuators,
}

/// Largest speeds of the tool centre point that this robot is run with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TcpSpeed {
    /// Under a policy, m/s.
    pub run: f64,
    /// While a person teaches or stands by, m/s.
    pub teach: f64,
}

/// What resists a joint beside the links' own inertia; per m instead of per rad on prismatic joints.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct JointDynamics {
    /// Viscous friction, N·m·s/rad.
    pub damping: f64,
    /// Coulomb friction, N·m.
    pub friction: f64,
    /// Inertia of motor and gear, seen at the joint, kg m².
    pub armature: f64,
}

impl Robot {
    /// Reads `robot.urdf`, `robot.toml` and, if there is one, `actuators.toml` from a folder and checks
    /// everything.
    ///
    /// # Errors
    /// [`RobotError`], naming file, line or field, and what would be right.
    pub fn load(folder: &Path) -> Result<Self, RobotError> {
        let urdf_path = folder.join("robot.urdf");
        let toml_path = folder.join("robot.toml");
        let urdf_text = files::read_text(&urdf_path, MAX_URDF_BYTES)?;
        let toml_text = files::read_text(&toml_path, MAX_URDF_BYTES)?;
        let spec: RobotSpec = config::parse(&toml_text, &toml_path)?;
        let mut intake = Intake::of_folder(folder);
        let urdf = Urdf::parse(&urdf_text, &urdf_path, &mut intake)?;
        let hash = content_hash(&[&urdf_text, &toml_text], &intake.meshes.digests);
        let mut robot = build::robot(&spec, urdf, &toml_path, hash)?;
        robot.actuators = Actuators::load(folder, &robot)?;
        Ok(robot)
    }

    /// Name, as policy bundles and logs refer to it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names of the arm's joints in the URDF, base to tip.
    #[must_use]
    pub fn joint_names(&self) -> &[String] {
        &self.joint_names
    }

    /// Name of the left finger's joint in the URDF, if there is a gripper.
    #[must_use]
    pub fn finger_joint(&self) -> Option<&str> {
        self.finger_joint.as_deref()
    }

    /// Number of arm joints; the gripper's do not count.
    #[must_use]
    pub fn n_joints(&self) -> usize {
        self.chain.joints.len()
    }

    /// Limits of the arm's joints.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What resists the arm's joints beside the links' own inertia, base to tip.
    #[must_use]
    pub fn joint_dynamics(&self) -> &[JointDynamics] {
        &self.joint_dynamics[..self.n_joints().min(MAX_JOINTS)]
    }

    /// The pose to start from and to prefer, inside the limits.
    #[must_use]
    pub fn home(&self) -> &JointPositions {
        &self.home
    }

    /// The gripper, if there is one.
    #[must_use]
    pub fn gripper(&self) -> Option<&GripperSpec> {
        self.gripper.as_ref()
    }

    /// Speed caps of the tool centre point.
    #[must_use]
    pub fn tcp_speed(&self) -> TcpSpeed {
        self.tcp_speed
    }

    /// All links, the base first and parents before children.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Index of a link by name.
    #[must_use]
    pub fn link_idx(&self, name: &str) -> Option<usize> {
        self.links.iter().position(|link| link.name == name)
    }

    /// Index of the link whose frame is the tool centre point.
    #[must_use]
    pub fn tcp_idx(&self) -> usize {
        self.tcp_idx
    }

    /// How the drives follow and what they can push, for simulation.
    #[must_use]
    pub fn actuators(&self) -> &Actuators {
        &self.actuators
    }

    /// SHA-256 of `robot.urdf`, `robot.toml` and collision meshes, 64 hex digits: what a policy bundle
    /// was made for.
    #[must_use]
    pub fn content_hash(&self) -> &str {
        &self.content_hash
    }
}

/// Lengths go in first, so that text cannot move from one file to the other unnoticed.
/// Meshes follow with the names that the URDF gives them, in order of first use.
pub(crate) fn content_hash(texts: &[&str], meshes: &[(String, [u8; 32])]) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    for (name, digest) in meshes {
        hasher.update((name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(digest);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
