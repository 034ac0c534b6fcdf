//! What ends a driver or keeps it from starting.

use prehend_control::ControlError;
use prehend_link::LinkError;
use prehend_sim::SimError;

use crate::vendor::Mismatch;

/// Why a driver did not start, or ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// A setting is out of range.
    #[error("driver configuration: field `{field}`: {value} is not within {low} to {high}")]
    Config {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: f64,
        /// Least allowed.
        low: f64,
        /// Most allowed.
        high: f64,
    },
    /// A rate does not leave whole physics steps between two events.
    #[error(
        "driver configuration: field `{field}`: {value} Hz is no whole number of physics steps; the \
         nearest are {:.3} and {:.3} Hz",
        nearest[0],
        nearest[1]
    )]
    Rate {
        /// Name of the field.
        field: &'static str,
        /// Its value, Hz.
        value: f64,
        /// The nearest rates that are possible, Hz.
        nearest: [f64; 2],
    },
    /// The robot's limits or state cannot be used.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The vendor's controller has another arm.
    #[error(transparent)]
    Arm(#[from] Mismatch),
    /// The simulated cell could not be built.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// A topic could not be declared or spoken on.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The system gave no thread.
    #[error("cannot start the driver's thread: {source}")]
    Thread {
        /// What the system said.
        source: std::io::Error,
    },
    /// The driver's thread panicked: a fault of ours, please report it.
    #[error("the driver's thread panicked: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },
}
