//! Runs the tests' jobs on several threads and hands out rows in the table's order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::VerifyRow;
use crate::SimError;

/// One piece of work: numbers that its test knows how to read.
pub(super) type Job<'a> = Box<dyn Fn() -> Result<Vec<f64>, SimError> + Send + Sync + 'a>;

type MakeRows<'a> = Box<dyn Fn(&[Vec<f64>]) -> Vec<VerifyRow> + 'a>;

/// A test: independent jobs, and what their numbers mean. Jobs share nothing, so that neither their
/// order nor the number of threads can change a row.
pub(super) struct Test<'a> {
    pub jobs: Vec<Job<'a>>,
    /// Gets the jobs' numbers in the order of `jobs`.
    pub rows: MakeRows<'a>,
}

impl<'a> Test<'a> {
    /// A test of a single job.
    pub fn single(
        job: impl Fn() -> Result<Vec<f64>, SimError> + Send + Sync + 'a,
        rows: impl Fn(&[f64]) -> Vec<VerifyRow> + 'a,
    ) -> Self {
        Self {
            jobs: vec![Box::new(job)],
            rows: Box::new(move |results| {
                rows(results.first().map(Vec::as_slice).unwrap_or_default())
            }),
        }
    }
}

/// A number that a job should have returned; NaN, which fails every requirement, if it did not.
pub(super) fn value(numbers: &[f64], index: usize) -> f64 {
    numbers.get(index).copied().unwrap_or(f64::NAN)
}

/// Runs all jobs and returns all rows; the first error, in the table's order, ends it.
pub(super) fn run(
    tests: &[Test<'_>],
    threads: usize,
    on_row: &mut dyn FnMut(&VerifyRow),
) -> Result<Vec<VerifyRow>, SimError> {
    let jobs: Vec<&Job<'_>> = tests.iter().flat_map(|test| &test.jobs).collect();
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            let (sender, jobs, next) = (sender.clone(), &jobs, &next);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { break };
                    if sender.send((index, job())).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let result = collect(tests, jobs.len(), &receiver, on_row);
        // After an error nobody waits for the jobs that were not begun.
        next.store(jobs.len(), Ordering::Relaxed);
        result
    })
}

fn collect(
    tests: &[Test<'_>],
    n_jobs: usize,
    receiver: &mpsc::Receiver<(usize, Result<Vec<f64>, SimError>)>,
    on_row: &mut dyn FnMut(&VerifyRow),
) -> Result<Vec<VerifyRow>, SimError> {
    let mut results: Vec<Option<Result<Vec<f64>, SimError>>> = Vec::new();
    results.resize_with(n_jobs, || None);
    let mut rows = Vec::new();
    let mut first = 0;
    for test in tests {
        let mut numbers = Vec::with_capacity(test.jobs.len());
        for slot in first..first + test.jobs.len() {
            while results[slot].is_none() {
                let Ok((index, result)) = receiver.recv() else {
                    break;
                };
                results[index] = Some(result);
            }
            // A job whose thread died has no numbers; its rows will not pass.
            numbers.push(results[slot].take().unwrap_or_else(|| Ok(Vec::new()))?);
        }
        first += test.jobs.len();
        for row in (test.rows)(&numbers) {
            on_row(&row);
            rows.push(row);
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests() -> Vec<Test<'static>> {
        let jobs = (0..7).map(|i| -> Job<'static> {
            Box::new(move || {
                std::thread::sleep(std::time::Duration::from_millis(7 - i));
                Ok(vec![i as f64])
            })
        });
        let row = |name: &str, value| VerifyRow::reported(name, value, "");
        vec![
            Test {
                jobs: jobs.collect(),
                rows: Box::new(move |all| {
                    let digits = all.iter().fold(0.0, |sum, n| 10.0 * sum + value(n, 0));
                    vec![row("first", digits)]
                }),
            },
            Test::single(|| Ok(vec![8.0]), move |n| vec![row("second", value(n, 0))]),
        ]
    }

    #[test]
    fn rows_come_in_order_whatever_the_threads() {
        for threads in [0, 1, 3, 20] {
            let mut seen = Vec::new();
            let rows = run(&tests(), threads, &mut |row| seen.push(row.clone())).expect("runs");
            assert_eq!(seen, rows);
            assert_eq!(rows[0].measured, Some(123_456.0));
            assert_eq!(rows[1].test, "second");
        }
    }

    #[test]
    fn an_error_ends_the_run() {
        let mut tests = tests();
        tests.insert(
            1,
            Test::single(
                || {
                    Err(SimError::State {
                        reason: "no".to_owned(),
                    })
                },
                |_| Vec::new(),
            ),
        );
        let mut seen = 0;
        assert!(run(&tests, 2, &mut |_| seen += 1).is_err());
        assert_eq!(seen, 1);
    }
}
