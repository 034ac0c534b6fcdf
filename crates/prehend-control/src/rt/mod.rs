//! Turns the pure stepper into a thread that keeps time: absolute sleeping, rings instead of locks,
//! statistics in atomics.

mod clock;
mod control_loop;
mod deadline;
mod floor;
mod histogram;
mod ports;
mod schedule;
mod stats;
mod worker;

pub use clock::{Clock, Monotonic};
pub use control_loop::{ControlLoop, StartError};
pub use deadline::{Deadline, DeadlineConfig, MissPolicy, Stage};
pub use floor::{FloorReport, TimerFloor, measure_floor};
pub use histogram::{Histogram, Quantiles};
pub use ports::{LoopEvent, LoopMessage, LoopPorts, TimedCommand};
pub use schedule::{Realtime, RealtimeConfig, enter_realtime};
pub use stats::{LoopReport, StageCounts};
