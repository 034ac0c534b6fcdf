//! Why a robot description was refused, and why a pose was not reached.

use std::path::PathBuf;

use prehend_types::config::ConfigError;

use crate::Dropped;

/// Why a folder in `robots/`, or a user's model, did not become a [`Robot`](crate::Robot).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RobotError {
    /// `robot.toml` was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file could not be read.
    #[error(
        "cannot read {path:?}: {source}; a robot folder holds robot.urdf and robot.toml, both UTF-8"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is larger than any robot description could be.
    #[error("{path:?} has {bytes} bytes, more than the {limit} that are read")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The most that is read.
        limit: u64,
    },
    /// The file is not well-formed XML, or uses a DTD (entities are never expanded).
    #[error("{path}:{line}: not a readable URDF or MJCF: {message}", path = path.display())]
    Xml {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u32,
        /// What the parser said.
        message: String,
    },
    /// An element of the URDF or MJCF is missing something or makes no sense.
    #[error("{path}:{line}: {element}: {field}: {message}", path = path.display())]
    Urdf {
        /// The file.
        path: PathBuf,
        /// Line of the element, counted from 1.
        line: u32,
        /// The element and its name, for example `joint "fr3_joint1"`.
        element: String,
        /// The attribute or child that is wrong.
        field: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A strict import met something that it cannot keep.
    #[error(
        "{path}:{line}: {element}: {why}; a strict import refuses this, import without strict to go on",
        path = .0.file.display(), line = .0.line, element = .0.element, why = .0.why
    )]
    Strict(Dropped),
    /// The imported robot could not be written.
    #[error("cannot write {path:?}: {source}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Why inverse kinematics gave no joint positions.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IkError {
    /// No start led to the target: it is out of reach, or only reachable beyond a joint limit.
    #[error(
        "pose not reached: best of {starts} starts ends {position_m:.2e} m and {rotation_rad:.2e} rad away"
    )]
    NotReached {
        /// Position left over at the best start, m.
        position_m: f64,
        /// Rotation left over at the best start, rad.
        rotation_rad: f64,
        /// Starts that were tried.
        starts: usize,
    },
    /// The target or the seed holds NaN or infinity.
    #[error("the target pose or the seed is not finite")]
    NonFinite,
    /// The seed has another number of joints than the robot.
    #[error("the seed has {got} joints, the robot has {expected}")]
    JointCount {
        /// Joints in the seed.
        got: usize,
        /// Joints of the robot.
        expected: usize,
    },
}
