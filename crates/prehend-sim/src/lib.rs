//! Turns robot, scene and seed into stepped worlds, clouds and task results.
//!
//! The only crate that names rapier. It knows neither networks nor zenoh: policies come in through
//! [`prehend_types::Policy`], commands through [`prehend_types::JointCommand`].
//!
//! - [`World`]: one world, stepped by commands, observed by cameras.
//! - [`View`]: the same cameras on a stored state, without physics.
//! - [`rollout`]: one episode of a policy or the expert, with the controller that drives the real arm.
//! - [`Expert`] uses the simulator's state; [`DepthHeuristic`] only what a policy sees.

#![forbid(unsafe_code)]

mod arm;
mod arm_loop;
mod batch;
pub mod camera;
mod command_line;
mod config;
mod control_mode;
mod error;
mod geometry;
mod guard;
mod objects;
mod physics;
mod pilots;
mod randomise;
pub mod render;
mod replay;
mod revision;
mod rollout;
mod saved;
mod scene;
mod settings;
mod state;
pub mod tabletop;
mod tasks;
pub mod verify;
mod view;
mod world;

pub use arm::{ArmMode, ArmReport, Payload};
pub use batch::{
    Autoreset, Batch, BatchCell, BatchConfig, EndedEpisode, Saved, StepOutcome, Tally,
};
pub use config::{
    CameraConfig, CloudConfig, ClutterConfig, NoiseConfig, SceneConfig, TableConfig, TaskConfig,
};
pub use control_mode::ControlMode;
pub use error::SimError;
pub use objects::{
    Family, FamilySet, Grasp, ObjectModel, ObjectRanges, Part, Receptacle, ReceptacleKind,
};
pub use physics::BodyState;
pub use pilots::{DepthHeuristic, Expert};
pub use randomise::{
    ArmRanges, BodyRanges, CameraRanges, Draw, Factor, GripperRanges, Offset, RandomiseConfig,
    TableRanges,
};
pub use replay::{Difference, ReplayStep, Replayed, replay};
pub use revision::revision;
pub use rollout::{
    Delay, Disturbance, EpisodeResult, Handover, Pilot, RolloutConfig, RolloutStep, Seams, rollout,
};
pub use scene::{Body, BodyMotion, Cloth, Partner, Scene};
pub use settings::PhysicsSettings;
pub use state::ClothState;
pub use tasks::{
    CubeConfig, Drawer, DrawerConfig, DrawerEpisode, Episode, Facts, Failure, Grid, GridConfig,
    GridEpisode, Layout, Lift, Memory, Peg, PegConfig, PegEpisode, PickPlace, PickPlaceEpisode,
    PushT, PushTConfig, PushTEpisode, Receptacles, Stack, StackConfig, Task, TaskKind, TaskStatus,
    Variant,
};
pub use view::View;
pub use world::World;
