//! Turns typed commands into arm motion: for now a simulated arm, behind the shell that any arm gets.
//!
//! It must not know policies, networks or how a plan is made. A driver owns its arm: it alone decides
//! whether a command is followed, and it stops the arm by itself when commands cease, whoever died.
//!
//! - [`Shell`]: the pure decision, tick by tick: follow, glide, stop, stay stopped. [`tick`] puts it
//!   around any [`prehend_types::Plant`].
//! - [`SimDriver`]: a simulated cell in real time behind the messages of `prehend-link`.
//! - [`vendor`]: the rules of vendors' own controllers, and a rig that drives whole stacks against them.
//! - [`WireReport`]: what the driver's side of the wire saw, for reports.

#![forbid(unsafe_code)]

mod arm_id;
mod config;
mod error;
mod inbox;
mod outbox;
mod pace;
mod recorder;
mod shell;
mod sim_cell;
mod sim_driver;
pub mod vendor;

pub use arm_id::arm_id;
pub use config::DriverConfig;
pub use error::DriverError;
pub use pace::Pace;
pub use recorder::{AgeMillis, Recorder, WireReport};
pub use shell::{Shell, ShellConfig, tick};
pub use sim_driver::{DriverHandle, Observer, SimDriver};
