//! The newest snapshot of something that another thread keeps up to date.

use std::sync::{Arc, Mutex, PoisonError};

/// A value that one thread replaces now and then and others copy. Never used on the control thread.
#[derive(Debug)]
pub(crate) struct Live<T>(Arc<Mutex<T>>);

impl<T: Default> Default for Live<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(T::default())))
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Live<T> {
    /// Replaces it. A value is replaced as a whole, so a poisoned lock is as good as new.
    pub fn set(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }

    /// A copy of the newest.
    pub fn get(&self) -> T {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
