//! What is done about an engine that gives up.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The outcome of work on one world, or nothing if it panics: its neighbours, and the episodes after it, go on.
/// The world is not to be stepped or looked at after that.
pub(crate) fn guard<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
