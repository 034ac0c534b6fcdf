//! Turns nothing into anything: the shared words of prehend.
//!
//! Joint vectors, poses, clouds, observations, action chunks, commands and time, and the bounded reading of
//! files and the strict one of TOML that every other crate shares. This crate depends on no other crate of ours.
//!
//! Units are SI and radians. Joint-space and control values are `f64`; clouds are `f32`.

#![forbid(unsafe_code)]

mod action;
mod cloud;
mod commitment;
pub mod config;
pub mod files;
mod grasp;
mod joint_plan;
mod joints;
mod observation;
mod plant;
mod policy;
mod running;
mod seed;
mod stamp;
pub mod stats;

pub use action::{Action, ActionChunk, Actions, ChunkTooLong, Decision, MAX_CHUNK};
pub use cloud::{PointCloud, Role};
pub use commitment::Commitment;
pub use grasp::{N_WIDTHS, TableGrasp, WIDTH_CLASS_M};
pub use joint_plan::{JointPlan, JointPlanError, JointSpace, JointStep};
pub use joints::{
    JointAccelerations, JointPositions, JointTorques, JointVelocities, MAX_JOINTS, TooManyJoints,
};
pub use observation::{GripperState, Observation, RobotState};
pub use plant::{GripperCommand, JointCommand, Plant};
pub use policy::{Policy, PolicyError, Tally};
pub use running::ahead;
pub use seed::{Stream, derive_seed};
pub use stamp::Stamp;

/// A rigid transform; `a_from_b` maps coordinates in frame b to frame a. Metres, radians.
pub type Pose = nalgebra::Isometry3<f64>;
