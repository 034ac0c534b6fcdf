//! Turns a rate into what this machine's timer can do at best: the yardstick for the loop.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use prehend_types::Stamp;
use serde::Serialize;

use super::clock::{Clock, Monotonic};
use super::histogram::{Histogram, Quantiles};
use super::schedule::{Realtime, RealtimeConfig, enter_realtime};

/// What a bare timer loop measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FloorReport {
    /// Wake-ups per second asked for.
    pub rate_hz: f64,
    /// Time between wake-ups, µs.
    pub period_us: Quantiles,
    /// Time from the asked moment to waking up, µs.
    pub latency_us: Quantiles,
    /// What the system granted the measuring thread.
    pub realtime: Realtime,
}

/// A loop that only sleeps, in a thread of its own with the same wishes as the control loop.
///
/// Run beside a [`super::ControlLoop`] and for as long, it sees the same machine. Dropping it ends it.
pub struct TimerFloor {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<FloorReport>>,
}

impl TimerFloor {
    /// Starts it.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(rate_hz: f64, config: &RealtimeConfig) -> io::Result<Self> {
        let rate_hz = if rate_hz.is_nan() {
            1.0
        } else {
            rate_hz.clamp(1.0, 10_000.0)
        };
        let stop = Arc::new(AtomicBool::new(false));
        let (config, stopped) = (*config, Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("timer-floor".to_owned())
            .spawn(move || run(rate_hz, &config, &stopped))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Ends it and returns what it measured.
    ///
    /// # Errors
    /// The thread panicked.
    pub fn finish(mut self) -> io::Result<FloorReport> {
        self.stop.store(true, Ordering::Relaxed);
        let result = self.thread.take().map(JoinHandle::join);
        let panicked = || io::Error::other("the timer thread panicked");
        result.and_then(Result::ok).ok_or_else(panicked)
    }
}

impl Drop for TimerFloor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn run(rate_hz: f64, config: &RealtimeConfig, stop: &AtomicBool) -> FloorReport {
    let period = Duration::from_secs_f64(1.0 / rate_hz);
    let realtime = enter_realtime(config);
    let (periods, latencies) = (Histogram::new(), Histogram::new());
    let mut next = Stamp::now().after(period);
    let mut last: Option<Stamp> = None;
    while !stop.load(Ordering::Relaxed) {
        Monotonic.sleep_until(next);
        let woke = Stamp::now();
        latencies.record(woke.as_nanos().saturating_sub(next.as_nanos()));
        if let Some(last) = last {
            periods.record(woke.as_nanos().saturating_sub(last.as_nanos()));
        }
        last = Some(woke);
        while next <= woke {
            next = next.after(period);
        }
    }
    FloorReport {
        rate_hz,
        period_us: periods.quantiles(),
        latency_us: latencies.quantiles(),
        realtime,
    }
}

/// Runs a [`TimerFloor`] for a while.
///
/// # Errors
/// The thread could not be started, or panicked.
pub fn measure_floor(
    rate_hz: f64,
    duration: Duration,
    config: &RealtimeConfig,
) -> io::Result<FloorReport> {
    let floor = TimerFloor::start(rate_hz, config)?;
    std::thread::sleep(duration);
    floor.finish()
}
