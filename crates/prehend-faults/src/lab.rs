//! What every row may use: a seed, how much effort is wanted, robots.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use prehend_robot::Robot;
use prehend_types::config::locate;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Parts that parallel work is cut into, on every machine: what is drawn must not depend on its cores.
const PARTS: u64 = 16;

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

    /// Runs `work` once for each of [`PARTS`] parts of `n`, on all cores, and hands the results over in
    /// order. How many cores there are changes nothing but the time.
    pub(crate) fn in_parallel<R: Send>(
        &self,
        n: u64,
        work: impl Fn(std::ops::Range<u64>) -> R + Sync,
    ) -> Vec<R> {
        let part = n.div_ceil(PARTS).max(1);
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let next = AtomicU64::new(0);
        let (next, work) = (&next, &work);
        let take = move || {
            let mut done = Vec::new();
            loop {
                let k = next.fetch_add(1, Relaxed);
                if k >= PARTS {
                    return done;
                }
                done.push((k, work((k * part).min(n)..((k + 1) * part).min(n))));
            }
        };
        let mut parts: Vec<(u64, R)> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(take)).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            running.into_iter().flat_map(join).collect()
        });
        parts.sort_by_key(|(k, _)| *k);
        parts.into_iter().map(|(_, result)| result).collect()
    }
}

/// The arms that controllers are tried on: those with limits on jerk and a tool to move.
pub(crate) const ARMS: [&str; 5] = ["fr3", "panda", "ur5e", "xarm6", "xarm7"];
