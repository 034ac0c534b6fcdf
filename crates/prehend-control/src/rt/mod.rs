//! Turns the pure stepper into a thread that keeps time: absolute sleeping, rings instead of locks,
//! statistics in atomics. What it saw can be kept on a [`Tape`] and run again with [`LoopReplay`].

mod clock;
mod control_loop;
mod deadline;
mod floor;
mod histogram;
mod mark;
mod ports;
mod replay;
mod schedule;
mod stats;
mod sync;
mod tape;
mod worker;

pub use clock::{Clock, Monotonic};
pub use control_loop::{ControlLoop, StartError};
pub use deadline::{Deadline, DeadlineConfig, MissPolicy, Stage};
pub use floor::{FloorReport, TimerFloor, measure_floor};
pub use histogram::{Histogram, N_OCTAVES, Quantiles};
pub use mark::Mark;
pub use ports::{LoopEvent, LoopMessage, LoopPorts, TimedCommand};
pub use replay::LoopReplay;
pub use schedule::{Realtime, RealtimeConfig, enter_realtime};
pub use stats::{LoopReport, StageCounts};
pub use tape::{Moment, SentCommand, Tape, TapeReader, TickOutcome, TickRecord};
