//! Turns repeated work into measured rows with their spread.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::exit::{Class, Failure};

/// Each row is measured this many times: the median is reported, the extremes are its spread.
pub const REPEATS: usize = 5;

/// One row of a benchmark.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// `<part>/<mode>/<size>`.
    pub name: String,
    /// Median of the repeats; null if it could not be measured here.
    pub value: Option<f64>,
    /// Unit of `value`, `low` and `high`.
    pub unit: &'static str,
    /// How many single measurements stand behind it.
    pub n: u64,
    /// Smallest of the repeats.
    pub low: Option<f64>,
    /// Largest of the repeats.
    pub high: Option<f64>,
    /// Name of the row it is compared with.
    pub against: Option<String>,
    /// `value` over the other row's.
    pub ratio: Option<f64>,
}

impl Row {
    /// A row from its repeats; without any, a row that says it was not measured.
    #[must_use]
    pub fn new(name: impl Into<String>, unit: &'static str, n: u64, mut repeats: Vec<f64>) -> Self {
        repeats.sort_by(f64::total_cmp);
        Self {
            name: name.into(),
            value: median(&repeats),
            unit,
            n,
            low: repeats.first().copied(),
            high: repeats.last().copied(),
            against: None,
            ratio: None,
        }
    }

    /// The same row, compared with another one.
    #[must_use]
    pub fn against(mut self, other: &Self) -> Self {
        if let (Some(value), Some(base)) = (self.value, other.value) {
            self.against = Some(other.name.clone());
            self.ratio = Some(value / base);
        }
        self
    }
}

/// Of sorted numbers; of an even count the mean of the two in the middle.
fn median(sorted: &[f64]) -> Option<f64> {
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get((sorted.len() - 1) / 2)?;
    Some(0.5 * (lower + upper))
}

/// Measures how often per second some work is done, on `threads` threads at once.
///
/// `make` prepares a thread's own tool, `work` does some of it and returns how often and in what time:
/// what it prepares outside that time does not count. Each repeat lasts at least `repeat`.
///
/// # Errors
/// Whatever `make` or `work` fail with.
pub fn rate<Tool>(
    name: impl Into<String>,
    threads: usize,
    repeat: Duration,
    make: impl Fn(usize) -> Result<Tool, Failure> + Sync,
    work: impl Fn(&mut Tool) -> Result<(u64, Duration), Failure> + Sync,
) -> Result<Row, Failure> {
    let one_thread = |index: usize| -> Result<(u64, f64), Failure> {
        let mut tool = make(index)?;
        let start = Instant::now();
        let (mut n, mut time) = (0, Duration::ZERO);
        while n == 0 || start.elapsed() < repeat {
            let (done, took) = work(&mut tool)?;
            n += done;
            time += took;
        }
        Ok((n, n as f64 / time.as_secs_f64()))
    };
    let mut repeats = Vec::with_capacity(REPEATS);
    let mut n_all = 0;
    for _ in 0..REPEATS {
        let results = std::thread::scope(|scope| {
            let one_thread = &one_thread;
            let handles: Vec<_> = (0..threads.max(1))
                .map(|index| scope.spawn(move || one_thread(index)))
                .collect();
            handles
                .into_iter()
                .map(|handle| handle.join())
                .collect::<Vec<_>>()
        });
        let mut sum = 0.0;
        for result in results {
            let panicked = |_| Failure::new(Class::Runtime, anyhow::anyhow!("a thread panicked"));
            let (n, per_s) = result.map_err(panicked)??;
            n_all += n;
            sum += per_s;
        }
        repeats.push(sum);
    }
    Ok(Row::new(name, "1/s", n_all, repeats))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reports_the_median_and_the_extremes() {
        let row = Row::new("a", "ms", 3, vec![3.0, 1.0, 2.0]);
        assert_eq!(
            (row.value, row.low, row.high),
            (Some(2.0), Some(1.0), Some(3.0))
        );
        let even = Row::new("a", "ms", 4, vec![8.0, 1.0, 2.0, 3.0]);
        assert_eq!(even.value, Some(2.5));
        let other = Row::new("b", "ms", 1, vec![8.0]).against(&row);
        assert_eq!(
            (other.ratio, other.against.as_deref()),
            (Some(4.0), Some("a"))
        );
        assert_eq!(Row::new("c", "ms", 0, Vec::new()).against(&row).ratio, None);
    }

    #[test]
    fn only_the_time_that_work_names_counts() {
        let row = rate(
            "sleep",
            2,
            Duration::from_millis(1),
            |_| Ok(()),
            |()| Ok((10, Duration::from_secs(1))),
        )
        .expect("nothing fails");
        assert_eq!(row.value, Some(20.0), "two threads at ten per second each");
    }
}
