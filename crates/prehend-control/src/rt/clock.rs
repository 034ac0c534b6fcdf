//! The loop's view of time, so that a test can stand in for the machine.

use prehend_types::Stamp;
use rustix::time::{ClockId, Timespec};

use super::StartError;

/// Sleeps by which a timer is judged.
const TRIALS: u32 = 20;
/// A timer that stretches one period by more than this, at its best, does not hold the rate.
const STRETCH: f64 = 1.5;

/// Tells the time and waits for it.
pub trait Clock: Send + 'static {
    /// Now.
    fn now(&mut self) -> Stamp;

    /// Returns at `moment` or later; at once if it has passed.
    fn sleep_until(&mut self, moment: Stamp);
}

/// `CLOCK_MONOTONIC`, which no clock synchronisation can move.
#[derive(Debug, Clone, Copy, Default)]
pub struct Monotonic;

impl Clock for Monotonic {
    fn now(&mut self) -> Stamp {
        Stamp::now()
    }

    fn sleep_until(&mut self, moment: Stamp) {
        let nanos = moment.as_nanos();
        let request = Timespec {
            tv_sec: (nanos / 1_000_000_000) as i64,
            tv_nsec: (nanos % 1_000_000_000) as _,
        };
        // A signal may end the sleep early: sleep on. The time is absolute, so nothing drifts.
        while rustix::thread::clock_nanosleep_absolute(ClockId::Monotonic, &request)
            == Err(rustix::io::Errno::INTR)
        {}
    }
}

/// Tries a few periods. The best of them counts: a busy machine delays some sleeps, a coarse timer all.
pub(super) fn check_timer(clock: &mut impl Clock, rate_hz: f64) -> Result<(), StartError> {
    let period = std::time::Duration::from_secs_f64(1.0 / rate_hz);
    let mut best_s = f64::INFINITY;
    // The first sleep begins anywhere between two wake-ups of a coarse timer, the others at one.
    let first = clock.now().after(period);
    clock.sleep_until(first);
    for _ in 0..TRIALS {
        let begun = clock.now();
        clock.sleep_until(begun.after(period));
        best_s = best_s.min(clock.now().seconds_since(begun));
    }
    if best_s > STRETCH * period.as_secs_f64() {
        return Err(StartError::CoarseTimer {
            rate_hz,
            best_ms: best_s * 1e3,
            holds_hz: (1.0 / best_s).floor(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Wakes only at multiples of its tick.
    struct Coarse {
        now: Stamp,
        tick_nanos: u64,
    }

    impl Clock for Coarse {
        fn now(&mut self) -> Stamp {
            self.now
        }

        fn sleep_until(&mut self, moment: Stamp) {
            let next = moment.as_nanos().next_multiple_of(self.tick_nanos);
            self.now = Stamp::from_nanos(next);
        }
    }

    fn check(tick: Duration, rate_hz: f64) -> Result<(), StartError> {
        let mut clock = Coarse {
            now: Stamp::from_nanos(1_234_567),
            tick_nanos: tick.as_nanos() as u64,
        };
        check_timer(&mut clock, rate_hz)
    }

    #[test]
    fn a_coarse_timer_is_refused_with_the_rate_that_it_holds() {
        let error = check(Duration::from_millis(10), 1000.0).expect_err("HZ=100");
        let shown = error.to_string();
        assert!(
            shown.contains("1000 Hz") && shown.contains("100 Hz holds"),
            "{shown}"
        );
        assert!(check(Duration::from_millis(4), 500.0).is_err());
        assert!(check(Duration::from_millis(10), 100.0).is_ok());
        assert!(check(Duration::from_micros(50), 1000.0).is_ok());
    }

    #[test]
    fn one_good_sleep_among_late_ones_is_enough() {
        struct Busy(Coarse, u32);
        impl Clock for Busy {
            fn now(&mut self) -> Stamp {
                self.0.now
            }
            fn sleep_until(&mut self, moment: Stamp) {
                self.1 += 1;
                let late = if self.1 == 7 { 0 } else { 30 };
                self.0.now = moment.after(Duration::from_millis(late));
            }
        }
        let coarse = Coarse {
            now: Stamp::ZERO,
            tick_nanos: 1,
        };
        assert!(check_timer(&mut Busy(coarse, 0), 1000.0).is_ok());
    }
}
