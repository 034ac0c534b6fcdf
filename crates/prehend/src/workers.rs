//! Turns seeds into results on several threads, each with its own tools.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::exit::Failure;
use crate::interrupt::Interrupt;

/// Works on every seed, and returns the results in the order of the seeds.
///
/// Each thread makes its own tool once (a policy, say) and takes the next seed when it is done with
/// one, so that results cannot depend on the number of threads. After Ctrl-C the seeds in work are
/// finished and no others begun: the results of those begun are returned.
///
/// # Errors
/// The failure at the smallest seed, after which no seed is begun.
pub fn for_each_seed<Tool, T: Send>(
    threads: usize,
    seeds: &[u64],
    interrupt: &Interrupt,
    make: impl Fn() -> Result<Tool, Failure> + Sync,
    work: impl Fn(&mut Tool, u64) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let worker = || {
        let mut done = Vec::new();
        // Made before a seed is taken: its failure is reported as that of the first seed.
        let mut tool = match make() {
            Ok(tool) => tool,
            Err(failure) => {
                failed.store(true, Ordering::SeqCst);
                return vec![(0, Err(failure))];
            }
        };
        while !interrupt.is_set() && !failed.load(Ordering::SeqCst) {
            let index = next.fetch_add(1, Ordering::SeqCst);
            let Some(&seed) = seeds.get(index) else {
                break;
            };
            let result = work(&mut tool, seed);
            if result.is_err() {
                failed.store(true, Ordering::SeqCst);
            }
            done.push((index, result));
        }
        done
    };
    let mut results = std::thread::scope(|scope| {
        let n_threads = threads.clamp(1, seeds.len().max(1));
        let handles: Vec<_> = (0..n_threads).map(|_| scope.spawn(worker)).collect();
        let join = |handle: std::thread::ScopedJoinHandle<'_, Vec<_>>| {
            handle.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        handles.into_iter().flat_map(join).collect::<Vec<_>>()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Class;

    #[test]
    fn order_does_not_depend_on_the_number_of_threads() {
        let seeds: Vec<u64> = (100..137).collect();
        for threads in [1, 2, 7, 64] {
            let squares = for_each_seed(
                threads,
                &seeds,
                &Interrupt::never(),
                || Ok(()),
                |(), seed| Ok(seed * seed),
            )
            .expect("nothing fails");
            assert_eq!(
                squares,
                seeds.iter().map(|seed| seed * seed).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn a_failure_ends_the_work() {
        let seeds: Vec<u64> = (0..1_000).collect();
        let begun = AtomicUsize::new(0);
        let failure = for_each_seed(
            2,
            &seeds,
            &Interrupt::never(),
            || Ok(()),
            |(), seed| {
                begun.fetch_add(1, Ordering::SeqCst);
                if seed == 5 {
                    return Err(Failure::bad_input("seed 5"));
                }
                // Long enough for a thread that the machine keeps waiting to say that it failed.
                std::thread::sleep(std::time::Duration::from_millis(1));
                Ok(())
            },
        )
        .expect_err("seed 5 fails");
        assert_eq!(failure.class, Class::BadInput);
        assert!(begun.load(Ordering::SeqCst) < 1_000);
    }
}
