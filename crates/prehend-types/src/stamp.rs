//! Time: monotonic nanoseconds, shared by every process of one machine.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment on the monotonic clock, in nanoseconds.
///
/// On a live system this is `CLOCK_MONOTONIC`, which all processes of one machine share and which no
/// clock synchronisation can move; in simulation it counts simulated time from zero. Wall time is
/// never used for control: it only labels logs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Stamp(u64);

impl Stamp {
    /// The zero of the clock.
    pub const ZERO: Self = Self(0);

    /// Now, on this machine's monotonic clock.
    #[must_use]
    pub fn now() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        // Both parts of a monotonic time are non-negative by definition of the clock.
        Self(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }

    /// A stamp from raw nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Raw nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since `earlier`; negative if `earlier` is later.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        if self.0 >= earlier.0 {
            (self.0 - earlier.0) as f64 * 1e-9
        } else {
            -((earlier.0 - self.0) as f64 * 1e-9)
        }
    }

    /// Time since `earlier`, or zero if `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This moment plus a duration, saturating at the end of time.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_nanos() as u64))
    }
}
