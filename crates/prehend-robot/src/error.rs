//! Why a robot description was refused, and why a pose was not reached.

use std::path::PathBuf;

use prehend_types::config::ConfigError;

/// Why a folder in `robots/` did not become a [`Robot`](crate::Robot).
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
    /// The URDF is not well-formed XML, or uses a DTD (entities are never expanded).
    #[error("{path}:{line}: not a readable URDF: {message}", path = path.display())]
    Xml {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u32,
        /// What the parser said.
        message: String,
    },
    /// An element of the URDF is missing something or makes no sense.
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
