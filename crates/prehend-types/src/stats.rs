//! Honest small statistics: success counts with intervals, and quantiles.

use serde::{Deserialize, Serialize};

/// Successes out of n with a 95 % Wilson score interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SuccessRate {
    /// Trials.
    pub n: u64,
    /// Successes.
    pub successes: u64,
    /// `successes / n`; `None` when nothing was tried.
    pub success_rate: Option<f64>,
    /// Lower end of the 95 % Wilson interval.
    pub wilson_low: Option<f64>,
    /// Upper end of the 95 % Wilson interval.
    pub wilson_high: Option<f64>,
}

impl SuccessRate {
    /// The rate and its interval (Wilson 1927, z = 1.96).
    #[must_use]
    pub fn new(successes: u64, n: u64) -> Self {
        if n == 0 {
            return Self {
                n,
                successes,
                success_rate: None,
                wilson_low: None,
                wilson_high: None,
            };
        }
        let z = 1.959_963_984_540_054_f64;
        let (n_f, p) = (n as f64, successes as f64 / n as f64);
        let centre = p + z * z / (2.0 * n_f);
        let half = z * (p * (1.0 - p) / n_f + z * z / (4.0 * n_f * n_f)).sqrt();
        let scale = 1.0 + z * z / n_f;
        Self {
            n,
            successes,
            success_rate: Some(p),
            // Rounding must not keep the ends of none and of all from being 0 and 1.
            wilson_low: Some(if successes == 0 {
                0.0
            } else {
                (centre - half) / scale
            }),
            wilson_high: Some(if successes == n {
                1.0
            } else {
                (centre + half) / scale
            }),
        }
    }
}

impl std::fmt::Display for SuccessRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.success_rate, self.wilson_low, self.wilson_high) {
            (Some(rate), Some(low), Some(high)) => write!(
                f,
                "{}/{} = {:.1} % [{:.1}, {:.1}]",
                self.successes,
                self.n,
                100.0 * rate,
                100.0 * low,
                100.0 * high
            ),
            _ => write!(f, "0/0"),
        }
    }
}

/// The `q`-quantile (0 to 1) of a sorted slice by the nearest-rank rule; `None` if it is empty.
#[must_use]
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let rank = (q.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
    Some(sorted[rank.saturating_sub(1).min(last)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_matches_published_bounds() {
        // The two-sided 95 % Wilson bound of 50 successes in 50 trials, n / (n + z²).
        let rate = SuccessRate::new(50, 50);
        assert!((rate.wilson_low.expect("n > 0") - 0.928_65).abs() < 1e-4);
        for n in 1..200 {
            assert_eq!(SuccessRate::new(n, n).wilson_high, Some(1.0), "{n}");
            assert_eq!(SuccessRate::new(0, n).wilson_low, Some(0.0), "{n}");
        }
        // Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263.
        let rate = SuccessRate::new(81, 263);
        assert!((rate.wilson_low.expect("n > 0") - 0.2553).abs() < 5e-5);
        assert!((rate.wilson_high.expect("n > 0") - 0.3662).abs() < 5e-5);
    }

    #[test]
    fn nothing_tried_gives_no_number() {
        assert_eq!(SuccessRate::new(0, 0).success_rate, None);
    }

    #[test]
    fn quantiles_are_nearest_rank() {
        let values = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(quantile(&values, 0.5), Some(2.0));
        assert_eq!(quantile(&values, 0.99), Some(4.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
