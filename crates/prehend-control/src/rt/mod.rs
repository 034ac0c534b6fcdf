//! Turns the pure stepper into a thread that keeps time: absolute sleeping, rings instead of locks,
//! statistics in atomics.

mod control_loop;
mod floor;
mod histogram;
mod schedule;
mod stats;

pub use control_loop::{ControlLoop, LoopEvent, LoopMessage, LoopPorts, TimedCommand};
pub use floor::{FloorReport, TimerFloor, measure_floor};
pub use histogram::Quantiles;
pub use schedule::{Realtime, RealtimeConfig, enter_realtime};
pub use stats::LoopReport;
