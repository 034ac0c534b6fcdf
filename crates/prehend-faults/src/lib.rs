//! Turns the catalogue of faults into rows that pass, fall short, or say why they cannot be tried here.
//!
//! A fault is injected into the real controller, driver shell, link or loader, and what comes of it is
//! judged on the driver's side of the wire. It must not know networks, training or physics: the arm here
//! is wherever it is told to be, so that nothing but the stack under test can smooth a command.
//!
//! - [`catalogue`]: every row, with what is injected and what must happen.
//! - [`run`]: tries them and reports each.
//! - `sim`: controller and driver on one logical clock, with a seeded link between them that loses,
//!   repeats, delays, reorders and cuts.
//! - `live`: the same nodes on real sessions over loopback, behind a proxy that stalls and cuts.

#![forbid(unsafe_code)]

mod catalogue;
mod fault;
mod lab;
mod live;
mod sim;

pub use catalogue::catalogue;
pub use fault::{Fault, Row, Summary, run};
pub use lab::{Effort, Lab};
