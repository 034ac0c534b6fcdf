//! Turns (state, plan, now) into one safe joint command per tick.
//!
//! It does not know networks, simulators, transports or ONNX Runtime: the same [`Controller`] drives a
//! simulated arm in lock step and a real one from a real-time thread. This is the only crate with
//! `unsafe` code, for scheduling and memory locking.
//!
//! - [`Controller`]: the pure stepper for plans of the tool or of the joints, with the joint limiter behind it.
//! - [`SafetyState`]: when an arm may move, as one pure function that both ends of the wire use.
//! - [`TorqueController`]: torques, or a compliant tool, for arms that take them.
//! - [`WireChecker`]: an independent judge of what was really sent, for the other side of the wire.
//! - [`GripperLimiter`]: keeps a gripper from chattering, on both sides of the wire.
//! - [`Follower`]: follows setpoints inside every limit, and brings the arm to rest when they cease.
//! - [`trial`]: adversarial runs of the limiter, and the judge that they are held against.
//! - [`rt::ControlLoop`]: the controller as a real-time thread, and [`rt::measure_floor`] to judge it by.

mod arm;
mod blend;
mod bounds;
mod changeover;
mod check;
mod config;
mod controller;
mod drive;
mod error;
mod fence;
mod follower;
mod gripper;
mod guard;
mod history;
mod ik;
mod joint_path;
mod limiter;
mod path;
mod reasons;
mod reference;
pub mod rt;
mod safety;
mod timing;
mod torque;
mod tracking;
pub mod trial;
mod watch;
mod wire;
mod witness;

pub use arm::joint_bounds;
pub use bounds::{JointBounds, VelocityEnvelope};
pub use check::{is_plausible, is_plausible_step};
pub use config::ControlConfig;
pub use controller::{ChunkReport, Controller, Tick};
pub use error::{ArmError, ChunkError, ControlError, StopReason};
pub use fence::Fence;
pub use follower::Follower;
pub use gripper::{GripperLimiter, gripper_turns};
pub use reasons::{LimitCounters, LimitReason, LimitSet};
pub use safety::{Effect, Mode, Refusal, SafetyEvent, SafetyState};
pub use torque::{TorqueConfig, TorqueController, TorqueGoal, TorqueTick};

pub use wire::{WireChecker, WireReport};
