//! What shared state is made of. A place of its own, so that a test can put loom's model in its stead.

pub(super) use std::sync::atomic::{AtomicU64, Ordering};
