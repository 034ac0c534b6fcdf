//! What a running loop shows to the outside: atomics it writes and anybody reads.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use serde::Serialize;

use super::deadline::Stage;
use super::histogram::{Histogram, Quantiles};
use crate::{LimitCounters, LimitReason, Mode};

/// Written by the loop only.
#[derive(Debug)]
pub(crate) struct LoopStats {
    pub rate_hz: f64,
    pub period: Histogram,
    pub latency: Histogram,
    pub compute: Histogram,
    pub state_age: Histogram,
    pub chunk_age: Histogram,
    /// Ticks in which a stage was late, in the order of [`Stage::ALL`].
    pub late: [AtomicU64; Stage::ALL.len()],
    pub ticks: AtomicU64,
    pub commands: AtomicU64,
    pub commands_lost: AtomicU64,
    pub events_lost: AtomicU64,
    pub deadline_misses: AtomicU64,
    pub mode: AtomicU8,
    limiter: [AtomicU64; LimitReason::ALL.len()],
}

/// A moment of a loop's life. Counts are exact once the loop has ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoopReport {
    /// Ticks per second asked for.
    pub rate_hz: f64,
    /// Ticks that ran.
    pub ticks: u64,
    /// Time between wake-ups, µs.
    pub period_us: Quantiles,
    /// Time from the planned moment to waking up, µs.
    pub latency_us: Quantiles,
    /// Time from waking up to the end of the tick's work, µs.
    pub compute_us: Quantiles,
    /// Age of the state that a tick judged the arm by, while armed, µs.
    pub state_age_us: Quantiles,
    /// Age of chunks when they were accepted, µs.
    pub chunk_age_us: Quantiles,
    /// Planned ticks that never ran because the one before was late or long.
    pub deadline_misses: u64,
    /// Armed ticks in which a stage of the work was late, by stage.
    pub late: StageCounts,
    /// Commands handed to the link.
    pub commands: u64,
    /// Commands that found the link's ring full.
    pub commands_lost: u64,
    /// Events that found their ring full.
    pub events_lost: u64,
    /// What the controller is doing.
    #[serde(skip)]
    pub mode: Mode,
    /// How often each limit applied.
    #[serde(serialize_with = "by_name")]
    pub limiter: LimitCounters,
}

/// A count for every stage that has a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StageCounts([u64; Stage::ALL.len()]);

impl StageCounts {
    /// Every stage's name and count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let of = |stage: Stage| (stage.name(), self.get(stage));
        Stage::ALL.map(of).into_iter()
    }

    /// The count of one stage.
    #[must_use]
    pub const fn get(&self, stage: Stage) -> u64 {
        self.0[stage as usize]
    }
}

impl Serialize for StageCounts {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_map(self.iter())
    }
}

impl LoopStats {
    pub(crate) fn new(rate_hz: f64) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            rate_hz,
            period: Histogram::new(),
            latency: Histogram::new(),
            compute: Histogram::new(),
            state_age: Histogram::new(),
            chunk_age: Histogram::new(),
            late: std::array::from_fn(|_| zero()),
            ticks: zero(),
            commands: zero(),
            commands_lost: zero(),
            events_lost: zero(),
            deadline_misses: zero(),
            mode: AtomicU8::new(Mode::Disarmed as u8),
            limiter: std::array::from_fn(|_| zero()),
        }
    }

    pub(crate) fn store_limiter(&self, counters: &LimitCounters) {
        for (own, reason) in self.limiter.iter().zip(LimitReason::ALL) {
            own.store(counters.get(reason), Relaxed);
        }
    }

    pub(crate) fn mode(&self) -> Mode {
        let mode = self.mode.load(Relaxed);
        let known = Mode::ALL.into_iter().find(|known| *known as u8 == mode);
        known.unwrap_or(Mode::Disarmed)
    }

    pub(crate) fn report(&self) -> LoopReport {
        let mut limiter = LimitCounters::default();
        for (own, reason) in self.limiter.iter().zip(LimitReason::ALL) {
            limiter.add(reason, own.load(Relaxed));
        }
        LoopReport {
            rate_hz: self.rate_hz,
            ticks: self.ticks.load(Relaxed),
            period_us: self.period.quantiles(),
            latency_us: self.latency.quantiles(),
            compute_us: self.compute.quantiles(),
            state_age_us: self.state_age.quantiles(),
            chunk_age_us: self.chunk_age.quantiles(),
            deadline_misses: self.deadline_misses.load(Relaxed),
            late: StageCounts(std::array::from_fn(|i| self.late[i].load(Relaxed))),
            commands: self.commands.load(Relaxed),
            commands_lost: self.commands_lost.load(Relaxed),
            events_lost: self.events_lost.load(Relaxed),
            mode: self.mode(),
            limiter,
        }
    }
}

fn by_name<S: serde::Serializer>(counters: &LimitCounters, out: S) -> Result<S::Ok, S::Error> {
    out.collect_map(counters.iter())
}
