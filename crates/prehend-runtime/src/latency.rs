//! Turns measured times into quantiles in milliseconds.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Longest time that is told apart; longer ones count as this.
const MAX_NANOS: u64 = 600_000_000_000;

/// Quantiles of times, ms; `None` where nothing was measured.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Millis {
    /// Median.
    pub p50: Option<f64>,
    /// 99 of 100 are at most this.
    pub p99: Option<f64>,
    /// 999 of 1000 are at most this.
    pub p999: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
    /// How many were measured.
    pub n: u64,
}

/// Collects times; exact to 0.1 %.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    /// `None` cannot happen with these constants; then nothing is measured.
    nanos: Option<Histogram<u64>>,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            nanos: Histogram::new_with_bounds(1, MAX_NANOS, 3).ok(),
        }
    }
}

impl Times {
    pub fn record(&mut self, time: Duration) {
        if let Some(nanos) = &mut self.nanos {
            nanos.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    pub fn millis(&self) -> Millis {
        let Some(nanos) = self.nanos.as_ref().filter(|nanos| !nanos.is_empty()) else {
            return Millis::default();
        };
        let quantile = |q: f64| Some(nanos.value_at_quantile(q).min(nanos.max()) as f64 * 1e-6);
        Millis {
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: quantile(1.0),
            n: nanos.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_measured_gives_no_number() {
        assert_eq!(Times::default().millis(), Millis::default());
    }

    #[test]
    fn quantiles_are_in_milliseconds() {
        let mut times = Times::default();
        (1..=1000).for_each(|micros| times.record(Duration::from_micros(micros)));
        let millis = times.millis();
        assert_eq!(millis.n, 1000);
        assert!((millis.p50.expect("measured") - 0.5).abs() < 1e-3);
        assert!((millis.max.expect("measured") - 1.0).abs() < 2e-3);
    }
}
