//! A number that one thread leaves behind for another, with everything that it did before.

use super::sync::{AtomicU64, Ordering};

/// No number was left yet.
const NEVER: u64 = u64::MAX;

/// Set once by one thread and read by any. Who sees it set sees all that its thread did before it, and all
/// that this thread had seen others do: what lies in rings then is there to be taken. Wait-free.
#[derive(Debug)]
pub struct Mark(AtomicU64);

impl Default for Mark {
    fn default() -> Self {
        Self(AtomicU64::new(NEVER))
    }
}

impl Mark {
    /// Leaves a number below `u64::MAX` behind; the first one stays.
    pub fn set(&self, number: u64) {
        if self.0.load(Ordering::Relaxed) == NEVER {
            self.0.store(number, Ordering::Release);
        }
    }

    /// The number, if it was left already.
    #[must_use]
    pub fn get(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Acquire)).filter(|number| *number != NEVER)
    }
}
