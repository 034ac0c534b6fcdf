//! Turns a rate into what this machine's timer can do at best: the yardstick for the loop.

use std::time::Duration;

use prehend_types::Stamp;
use serde::Serialize;

use super::histogram::{Histogram, Quantiles};
use super::schedule::{Realtime, RealtimeConfig, enter_realtime, sleep_until};

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

/// Runs a loop that only sleeps, in a thread of its own with the same wishes as the control loop, and
/// returns when `duration` (at most an hour) is over.
///
/// It may run beside a [`super::ControlLoop`], so that both see the same machine.
///
/// # Errors
/// The thread could not be started.
pub fn measure_floor(
    rate_hz: f64,
    duration: Duration,
    config: &RealtimeConfig,
) -> std::io::Result<FloorReport> {
    let rate_hz = if rate_hz.is_nan() {
        1.0
    } else {
        rate_hz.clamp(1.0, 10_000.0)
    };
    let period = Duration::from_secs_f64(1.0 / rate_hz);
    let config = *config;
    let thread = std::thread::Builder::new()
        .name("timer-floor".to_owned())
        .spawn(move || {
            let realtime = enter_realtime(&config);
            let (periods, latencies) = (Histogram::new(), Histogram::new());
            let mut next = Stamp::now().after(period);
            let end = next.after(duration.min(Duration::from_secs(3600)));
            let mut last: Option<Stamp> = None;
            while next < end {
                sleep_until(next);
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
        })?;
    thread
        .join()
        .map_err(|_| std::io::Error::other("the timer thread panicked"))
}
