//! What an import tells: for a person as text, for a program as JSON.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::Imported;
use crate::{Dropped, Shape, Suspicion, Weight};

/// Kind of file that was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// ROS.
    Urdf,
    /// MuJoCo.
    Mjcf,
}

/// Something that the file does not say and the robot needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assumed {
    /// The joint or link that it concerns; empty for the whole robot.
    pub of: String,
    /// What was assumed, with its unit.
    pub what: String,
    /// From what, and what to check.
    pub why: String,
}

/// How a motor is commanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActuatorKind {
    /// By position: `force = kp (command - position) - kv speed`.
    Position,
    /// By speed: `force = kv (command - speed)`.
    Velocity,
    /// By force.
    Motor,
}

/// A motor of an MJCF file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Actuator {
    /// Its name, or that of what it drives.
    pub name: String,
    /// The joints it drives, with the share of its force that reaches each.
    pub joints: Vec<(String, f64)>,
    /// How it is commanded.
    pub kind: ActuatorKind,
    /// Position gain.
    pub kp: f64,
    /// Speed gain.
    pub kv: f64,
    /// Largest force, N·m or N, before the share; `None` if unlimited.
    pub force: Option<f64>,
    /// Range of commands, if limited.
    pub command: Option<[f64; 2]>,
}

/// One joint of the arm, as it will be run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JointReport {
    /// Name in the URDF.
    pub name: String,
    /// Position limits, rad or m.
    pub range: [f64; 2],
    /// Home position, rad or m.
    pub home: f64,
    /// Speed limit, rad/s or m/s.
    pub velocity: f64,
    /// Acceleration limit.
    pub acceleration: f64,
    /// Jerk limit.
    pub jerk: f64,
    /// Torque or force limit, N·m or N.
    pub effort: f64,
    /// Viscous friction.
    pub damping: f64,
    /// Coulomb friction.
    pub friction: f64,
    /// Inertia of motor and gear, kg m² or kg.
    pub armature: f64,
}

/// A whole import, for people and programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportReport {
    /// The file.
    pub file: PathBuf,
    /// Its kind.
    pub format: Format,
    /// The robot's name.
    pub name: String,
    /// SHA-256 that policy bundles will refer to.
    pub content_hash: String,
    /// Links of the robot.
    pub links: usize,
    /// Collision shapes, all kinds.
    pub colliders: usize,
    /// Those that are convex pieces of meshes.
    pub convex_pieces: usize,
    /// Mass of everything from the base on, kg.
    pub mass_kg: f64,
    /// Base link.
    pub base_link: String,
    /// Link of the tool centre point.
    pub tcp_link: String,
    /// Largest opening of the gripper, m; `None` without a gripper.
    pub gripper_width_m: Option<f64>,
    /// The arm's joints, base to tip.
    pub joints: Vec<JointReport>,
    /// Motors as the file describes them.
    pub actuators: Vec<Actuator>,
    /// What was guessed.
    pub assumed: Vec<Assumed>,
    /// What was not kept.
    pub dropped: Vec<Dropped>,
    /// Limits that look like degrees or millimetres.
    pub suspicious: Vec<Suspicion>,
    /// Files written.
    pub written: Vec<PathBuf>,
}

impl Imported {
    /// Everything worth telling; `written` is what [`Imported::write`] returned.
    #[must_use]
    pub fn report(&self, written: Vec<PathBuf>) -> ImportReport {
        let robot = &self.robot;
        let limits = robot.limits();
        let joints = robot.joint_names().iter().zip(robot.joint_dynamics());
        let joints = joints
            .enumerate()
            .map(|(idx, (name, dynamics))| JointReport {
                name: name.clone(),
                range: [limits.q_min[idx], limits.q_max[idx]],
                home: robot.home()[idx],
                velocity: limits.dq_max[idx],
                acceleration: limits.ddq_max[idx],
                jerk: limits.dddq_max[idx],
                effort: limits.tau_max[idx],
                damping: dynamics.damping,
                friction: dynamics.friction,
                armature: dynamics.armature,
            });
        let shapes = || robot.links().iter().flat_map(|link| &link.shapes);
        let name_of = |idx: usize| robot.links().get(idx).map_or("", |link| link.name.as_str());
        ImportReport {
            file: self.source.clone(),
            format: self.format,
            name: robot.name().to_owned(),
            content_hash: robot.content_hash().to_owned(),
            links: robot.links().len(),
            colliders: shapes().count(),
            convex_pieces: shapes()
                .filter(|shape| matches!(shape.shape, Shape::Convex(_)))
                .count(),
            mass_kg: robot.links().iter().map(|link| link.inertial.mass).sum(),
            base_link: name_of(0).to_owned(),
            tcp_link: name_of(robot.tcp_idx()).to_owned(),
            gripper_width_m: robot.gripper().map(|gripper| gripper.max_width),
            joints: joints.collect(),
            actuators: self.actuators.clone(),
            assumed: self.assumed.clone(),
            dropped: self.dropped.clone(),
            suspicious: robot.suspicions(),
            written,
        }
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, file, .. } = self;
        writeln!(
            f,
            "{name}: {} joints, {} links, {:.3} kg, {} colliders ({} pieces of meshes), from {}",
            self.joints.len(),
            self.links,
            self.mass_kg,
            self.colliders,
            self.convex_pieces,
            file.display()
        )?;
        match self.gripper_width_m {
            Some(width) => writeln!(f, "gripper opens {width} m")?,
            None => writeln!(f, "no gripper")?,
        }
        writeln!(f, "base {}, tool {}", self.base_link, self.tcp_link)?;
        for assumed in &self.assumed {
            let Assumed { of, what, why } = assumed;
            writeln!(
                f,
                "assumed: {of}{}{what}: {why}",
                if of.is_empty() { "" } else { ": " }
            )?;
        }
        for suspicion in &self.suspicious {
            writeln!(f, "suspicious: {suspicion}")?;
        }
        for dropped in &self.dropped {
            let kind = match dropped.weight {
                Weight::Loss => "lost",
                Weight::Note => "not used",
            };
            let Dropped {
                line, element, why, ..
            } = dropped;
            writeln!(
                f,
                "{kind}: {}:{line}: {element}: {why}",
                dropped.file.display()
            )?;
        }
        for path in &self.written {
            writeln!(f, "wrote {}", path.display())?;
        }
        Ok(())
    }
}
