//! Turns durations into quantiles: a histogram that one thread fills and any thread reads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

/// Bins per doubling: a bin is at most 1/1024 of its value wide.
const SUB_BITS: u32 = 10;
const SUB: u64 = 1 << SUB_BITS;
/// Up to 2^40 ns, 18 minutes; longer durations count into the last bin.
const TOP_BITS: u32 = 40;
/// Bins of a histogram that is shown: up to 2.1 s, and beyond.
pub const N_OCTAVES: usize = 23;
const N_BINS: usize = ((TOP_BITS - SUB_BITS + 1) as usize) << SUB_BITS;

/// Logarithmic bins with linear steps inside, made once; recording is wait-free.
#[derive(Debug)]
pub struct Histogram {
    bins: Box<[AtomicU64]>,
    max_nanos: AtomicU64,
}

/// Quantiles of recorded durations, µs; `None` if nothing was recorded. Quantiles are exact to 0.1 %
/// (never too low), the maximum is exact.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Quantiles {
    /// Number of durations.
    pub n: u64,
    /// Median.
    pub p50: Option<f64>,
    /// 99 of 100 are at most this.
    pub p99: Option<f64>,
    /// 999 of 1000 are at most this.
    pub p999: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// Nothing recorded.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bins: (0..N_BINS).map(|_| AtomicU64::new(0)).collect(),
            max_nanos: AtomicU64::new(0),
        }
    }

    /// Counts a duration. Never allocates or waits.
    pub fn record(&self, nanos: u64) {
        self.bins[bin(nanos)].fetch_add(1, Relaxed);
        self.max_nanos.fetch_max(nanos, Relaxed);
    }

    /// How many durations lie below 1.024 us, then below twice as much in each next bin; the last holds all
    /// longer ones.
    #[must_use]
    pub fn octaves(&self) -> [u64; N_OCTAVES] {
        let mut octaves = [0; N_OCTAVES];
        for (index, bin) in self.bins.iter().enumerate() {
            // A bin of its own per octave: the first holds what is told apart by the nanosecond.
            let octave = (index >> SUB_BITS).min(N_OCTAVES - 1);
            octaves[octave] += bin.load(Relaxed);
        }
        octaves
    }

    /// What was recorded so far.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        let counts: Vec<u64> = self.bins.iter().map(|bin| bin.load(Relaxed)).collect();
        let n: u64 = counts.iter().sum();
        if n == 0 {
            return Quantiles::default();
        }
        let max = self.max_nanos.load(Relaxed);
        let quantile = |share: f64| {
            let rank = ((share * n as f64).ceil() as u64).clamp(1, n);
            let mut seen = 0;
            let index = counts.iter().position(|count| {
                seen += count;
                seen >= rank
            });
            index.map(|index| upper_edge(index).min(max) as f64 * 1e-3)
        };
        Quantiles {
            n,
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: Some(max as f64 * 1e-3),
        }
    }
}

fn bin(nanos: u64) -> usize {
    if nanos < SUB {
        return nanos as usize;
    }
    let octave = (63 - nanos.leading_zeros()) - SUB_BITS;
    let index = (u64::from(octave + 1) << SUB_BITS) + ((nanos >> octave) - SUB);
    (index as usize).min(N_BINS - 1)
}

/// The largest duration that falls into a bin.
fn upper_edge(index: usize) -> u64 {
    let index = index as u64;
    if index < SUB {
        return index;
    }
    let octave = (index >> SUB_BITS) - 1;
    ((SUB + (index & (SUB - 1)) + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_in_the_bin_whose_edges_hold_it() {
        for nanos in (0..5000).chain([1 << 20, (1 << 30) + 12_345, (1 << 40) - 1]) {
            let index = bin(nanos);
            assert!(upper_edge(index) >= nanos, "{nanos}");
            assert!(index == 0 || upper_edge(index - 1) < nanos, "{nanos}");
        }
        assert_eq!(bin(u64::MAX), N_BINS - 1);
    }

    #[test]
    fn octaves_hold_every_duration_once() {
        let histogram = Histogram::new();
        for nanos in [0, 1023, 1024, 2047, 2048, 1 << 30, u64::MAX] {
            histogram.record(nanos);
        }
        let octaves = histogram.octaves();
        assert_eq!(octaves[..3], [2, 2, 1]);
        assert_eq!((octaves[21], octaves[22]), (1, 1));
        assert_eq!(octaves.iter().sum::<u64>(), histogram.quantiles().n);
    }

    #[test]
    fn quantiles_of_a_ramp() {
        let histogram = Histogram::new();
        for micros in 1..=1000_u64 {
            histogram.record(micros * 1000);
        }
        let quantiles = histogram.quantiles();
        let close = |got: Option<f64>, wanted: f64| {
            let got = got.expect("recorded");
            assert!(got >= wanted && got <= wanted * 1.001, "{got} {wanted}");
        };
        close(quantiles.p50, 500.0);
        close(quantiles.p99, 990.0);
        close(quantiles.p999, 999.0);
        assert_eq!(quantiles.max, Some(1000.0));
    }
}
