//! Turns a launch file into running nodes: driver, policy, control loop, operator; in one process or in
//! several, with the same code.
//!
//! It must not know transports, physics or inference engines: it names only the crates that hide them,
//! starts them in the right order, and collects what they report.
//!
//! - [`LaunchFile`]: every process and every topic between them, checked.
//! - [`DriverNode`], [`PolicyNode`], [`ControlNode`], [`Operator`]: what runs; each speaks on a link of
//!   its own.
//! - [`Visit`]: a look at running nodes without being one of them; [`ask_to_stop`]: what anybody may ask for.
//! - [`replay_run`]: what was recorded of a run, again, to the bit.
//! - [`run`]: one process per node, or a single one; [`demo`]: all in this process, measured.

#![forbid(unsafe_code)]

mod command_sender;
mod control_node;
mod demo;
mod demo_report;
mod driver_node;
mod error;
mod handover;
mod history;
mod latency;
pub mod launch;
mod live;
mod node;
mod operator;
mod outcome;
mod planner;
mod policy_node;
mod recording;
mod refiner;
mod run;
mod setup;
mod statistics;
mod stop_request;
mod supervisor;
mod swap;
mod takeover;
mod visit;

pub use command_sender::SendReport;
pub use control_node::{ControlNode, ControlReport, ControlSettings};
pub use demo::{DemoConfig, DemoProgress, demo};
pub use demo_report::{DemoReport, LoopSummary};
pub use driver_node::DriverNode;
pub use error::RuntimeError;
pub use latency::Millis;
pub use launch::LaunchFile;
pub use node::{NodeHandle, NodeKind, Stop};
pub use operator::{EpisodeRecord, OnProgress, Operator, OperatorProgress, OperatorReport};
pub use outcome::Outcome;
pub use policy_node::{NamedPolicy, PolicyNode, PolicyReport, PolicySet};
pub use prehend_drivers::WireReport;
pub use recording::{Difference, Engines, RecordReport, RunReplay, is_recorded_run, replay_run};
pub use refiner::{Refine, RefineReport};
pub use run::{RunConfig, RunReport, run};
pub use stop_request::{StopAnswer, ask_to_stop};
pub use supervisor::{LOG_VARIABLE, SUPERVISOR_VARIABLE};
pub use swap::{PolicySource, ask_to_swap};
pub use takeover::{TakeoverError, check_takeover};
pub use visit::{Place, Visit};
