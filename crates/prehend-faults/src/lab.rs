//! What every row may use: a seed, how much effort is wanted, robots.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use prehend_robot::Robot;
use prehend_types::config::locate;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// A hundredth of the catalogue's numbers: for `cargo test`.
    Short,
    /// The catalogue's numbers.
    Full,
}

/// Where faults are tried.
#[derive(Debug, Clone)]
pub struct Lab {
    /// Every random choice is drawn from it.
    pub seed: u64,
    /// How much is tried.
    pub effort: Effort,
    /// The prehend program, for faults that need a process of their own to harm.
    pub program: Option<PathBuf>,
}

impl Lab {
    /// A random stream of its own for each name.
    pub(crate) fn rng(&self, name: &str) -> ChaCha8Rng {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        for (byte, letter) in seed[8..].iter_mut().zip(name.bytes()) {
            *byte = letter;
        }
        ChaCha8Rng::from_seed(seed)
    }

    /// The catalogue's number, or a hundredth of it.
    pub(crate) fn of(&self, full: u64) -> u64 {
        match self.effort {
            Effort::Short => (full / 100).max(1),
            Effort::Full => full,
        }
    }

    pub(crate) fn robot(&self, name: &str) -> Result<Arc<Robot>, Box<dyn std::error::Error>> {
        Ok(Arc::new(Robot::load(&locate(
            Path::new("robots").join(name),
        )?)?))
    }

    /// Runs `work` once for each part of `n`, on all cores, and hands the results over in order.
    pub(crate) fn in_parallel<R: Send>(
        &self,
        n: u64,
        work: impl Fn(std::ops::Range<u64>) -> R + Sync,
    ) -> Vec<R> {
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
        let part = n.div_ceil(threads).max(1);
        let ranges = (0..threads).map(|k| (k * part).min(n)..((k + 1) * part).min(n));
        std::thread::scope(|scope| {
            let work = &work;
            let running: Vec<_> = ranges
                .map(|range| scope.spawn(move || work(range)))
                .collect();
            running
                .into_iter()
                .map(|thread| match thread.join() {
                    Ok(result) => result,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
                .collect()
        })
    }
}

/// The arms that controllers are tried on: those with limits on jerk and a tool to move.
pub(crate) const ARMS: [&str; 5] = ["fr3", "panda", "ur5e", "xarm6", "xarm7"];
