//! Turns a user's URDF or MJCF file, on its own, into a robot and the folder that holds it.
//!
//! [`load`] reads the file, guesses what it cannot say (see [`Assumed`]) and lists what it could not
//! keep (see [`Dropped`]). [`Imported::write`] puts `robot.urdf`, a draft of `robot.toml` and the convex
//! pieces of collision meshes into a folder that [`Robot::load`] reads again to the same robot.
//!
//! What is guessed, and from what:
//! - **arm**: the joints on the way to the link with most moving joints before it, at most
//!   [`MAX_JOINTS`](prehend_types::MAX_JOINTS); first in the file of equals. Joints that follow or lead
//!   others, or are called `gripper…`, `…finger…`, `…jaw…`, `…knuckle…` or `…thumb…`, are taken for a hand's,
//!   unless the user names a tool behind them. Joints that are neither the arm's nor the gripper's are held;
//! - **base**: the root link; its child on the way if the root is the world;
//! - **tool**: behind the last joint, the first frame or site called `tcp`, `tool`, `grasp`, `pinch`, `ee`,
//!   `attachment` or `flange`; else between the fingers; else the last link;
//! - **gripper**: two prismatic joints on one link that open in opposite directions;
//! - **home**: the key `home` of an MJCF file, else the middle of the range;
//! - **acceleration and jerk limits**, and speed and effort limits that MJCF lacks: [`JointDefaults`].
//!
//! ```
//! use prehend_robot::import::{ImportOptions, load};
//!
//! let file = prehend_types::config::locate("robots/fr3/robot.urdf")?;
//! let imported = load(&file, &ImportOptions::default())?;
//! assert_eq!(imported.robot.n_joints(), 7);
//! assert!(imported.robot_toml().contains("fr3_hand_tcp"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arm;
mod draft;
mod gripper;
mod mjcf;
mod model;
mod options;
mod report;
mod tool;
mod urdf;
mod write;

use std::path::{Path, PathBuf};

use prehend_types::config;

pub use crate::intake::{Dropped, Weight};
pub use options::{ImportOptions, JointDefaults};
pub use report::{Actuator, ActuatorKind, Assumed, Format, ImportReport, JointReport};

use crate::intake::Intake;
use crate::mesh::{Cut, MeshStore, Roots};
use crate::robot::{MAX_URDF_BYTES, content_hash};
use crate::scan::MAX_DEPTH;
use crate::spec::RobotSpec;
use crate::urdf::xml::Xml;
use crate::{Robot, RobotError, build, files};

/// A robot from a user's file, and what happened on the way.
#[derive(Debug, Clone)]
pub struct Imported {
    /// Ready to use; equal to what [`Robot::load`] gives for the written folder.
    pub robot: Robot,
    /// What the file says and the robot does not have.
    pub dropped: Vec<Dropped>,
    /// What the robot has and the file does not say.
    pub assumed: Vec<Assumed>,
    /// Motors and their gains: reported, because a robot here is driven by its own control loop.
    pub actuators: Vec<Actuator>,
    format: Format,
    source: PathBuf,
    /// Name below the folder, and text.
    files: Vec<(String, String)>,
}

/// Reads a URDF or MJCF file, whichever it is.
///
/// Nothing outside the file's folder, its ROS package and [`ImportOptions::roots`] is opened.
///
/// # Errors
/// [`RobotError`], naming file, line, element and what would be right.
pub fn load(path: &Path, options: &ImportOptions) -> Result<Imported, RobotError> {
    options.check(path)?;
    let text = files::read_text(path, MAX_URDF_BYTES)?;
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut roots = options.roots.clone();
    roots.extend(Roots::package_of(folder));
    let mut intake = Intake {
        roots: Roots::new(folder, &roots),
        meshes: MeshStore::default(),
        cut: Cut::Pieces(options.max_pieces),
        is_import: true,
        is_strict: options.strict,
        repairs_inertia: options.repair_inertias,
        dropped: Vec::new(),
    };
    let xml = Xml::parse(&text, path, MAX_DEPTH)?;
    let root = xml.document.root_element();
    let (format, mut model) = match root.tag_name().name() {
        "robot" => (Format::Urdf, urdf::read(&xml, &mut intake)?),
        "mujoco" => (Format::Mjcf, mjcf::read(&xml, options, &mut intake)?),
        other => {
            let message = format!("<{other}> is neither a URDF's <robot> nor an MJCF's <mujoco>");
            return Err(xml.error(root, "root", message));
        }
    };
    if let Some(name) = &options.name {
        model.name.clone_from(name);
    }
    let plan = arm::plan(&mut model, options, &mut intake)?;
    let toml_text = draft::robot_toml(&model, &plan, options);
    let toml_path = Path::new("robot.toml");
    let spec: RobotSpec = config::parse(&toml_text, toml_path)?;
    let (urdf_text, meshes) = write::urdf(&model);
    let digests: Vec<_> = meshes
        .iter()
        .map(|(name, text)| (name.clone(), write::digest(text)))
        .collect();
    let hash = content_hash(&[&urdf_text, &toml_text], &digests);
    let assumed = model.assumed_of(&plan);
    let robot = build::robot(&spec, model.urdf, toml_path, hash)?;
    let mut files = vec![
        ("robot.urdf".to_owned(), urdf_text),
        ("robot.toml".to_owned(), toml_text),
    ];
    files.extend(meshes);
    Ok(Imported {
        robot,
        dropped: intake.dropped,
        assumed,
        actuators: model.actuators,
        format,
        source: path.to_owned(),
        files,
    })
}

/// Imports a file and, if `out` is given, writes the robot's folder: all that a command line needs.
///
/// # Errors
/// As [`load`] and [`Imported::write`].
pub fn run(
    path: &Path,
    options: &ImportOptions,
    out: Option<&Path>,
) -> Result<ImportReport, RobotError> {
    let imported = load(path, options)?;
    let written = match out {
        Some(folder) => imported.write(folder)?,
        None => Vec::new(),
    };
    Ok(imported.report(written))
}

impl Imported {
    /// The draft of `robot.toml`, for the user to correct: guesses are marked in comments.
    #[must_use]
    pub fn robot_toml(&self) -> &str {
        self.text("robot.toml")
    }

    /// The robot as URDF, in the form that [`Robot::load`] reads.
    #[must_use]
    pub fn robot_urdf(&self) -> &str {
        self.text("robot.urdf")
    }

    fn text(&self, name: &str) -> &str {
        let file = self.files.iter().find(|(file, _)| file == name);
        file.map_or("", |(_, text)| text)
    }

    /// Writes `robot.urdf`, `robot.toml` and the meshes; returns what was written.
    ///
    /// # Errors
    /// [`RobotError::Write`]; a file that exists is never overwritten, because a user may have
    /// corrected it.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, RobotError> {
        write::folder(folder, &self.files)
    }
}
