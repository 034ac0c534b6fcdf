//! Turns a period into wake-ups on an absolute grid: late ones are skipped, never made up in a burst.

use std::time::Duration;

use prehend_types::Stamp;

/// When the next tick is due. Pure: time comes in as an argument.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    period: Duration,
    next: Stamp,
    overruns: u64,
}

impl Pace {
    /// A grid that starts at `start`; the first tick is due one period later.
    #[must_use]
    pub fn new(period: Duration, start: Stamp) -> Self {
        Self {
            period: period.max(Duration::from_micros(1)),
            next: start.after(period),
            overruns: 0,
        }
    }

    /// How long to sleep until the next tick; zero if it is due.
    #[must_use]
    pub fn sleep_for(&self, now: Stamp) -> Duration {
        self.next.saturating_since(now)
    }

    /// Moves on to the first grid point after `now`; grid points that passed unused are overruns.
    pub fn advance(&mut self, now: Stamp) {
        let late = now.saturating_since(self.next).as_nanos() / self.period.as_nanos();
        let missed = u64::try_from(late).unwrap_or(u64::MAX);
        self.overruns = self.overruns.saturating_add(missed);
        let periods = u32::try_from(missed.saturating_add(1)).unwrap_or(u32::MAX);
        self.next = self.next.after(self.period.saturating_mul(periods));
    }

    /// Starts the grid anew, without counting what passed meanwhile.
    pub fn restart(&mut self, now: Stamp) {
        self.next = now.after(self.period);
    }

    /// Ticks that were skipped so far.
    #[must_use]
    pub fn overruns(&self) -> u64 {
        self.overruns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Stamp {
        Stamp::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn the_grid_does_not_drift() {
        let mut pace = Pace::new(Duration::from_millis(5), at(100));
        assert_eq!(pace.sleep_for(at(101)), Duration::from_millis(4));
        pace.advance(at(106));
        assert_eq!(
            pace.sleep_for(at(106)),
            Duration::from_millis(4),
            "110, not 111"
        );
        assert_eq!(pace.overruns(), 0);
    }

    #[test]
    fn missed_ticks_are_skipped_and_counted() {
        let mut pace = Pace::new(Duration::from_millis(5), at(100));
        pace.advance(at(123));
        assert_eq!(pace.overruns(), 3, "110, 115 and 120 passed");
        assert_eq!(pace.sleep_for(at(123)), Duration::from_millis(2));
        pace.restart(at(500));
        assert_eq!(
            (pace.overruns(), pace.sleep_for(at(500))),
            (3, Duration::from_millis(5))
        );
    }
}
