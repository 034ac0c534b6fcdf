//! Turns Ctrl-C (and SIGTERM, SIGHUP) into a flag that work looks at between two steps.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prehend_runtime::SUPERVISOR_VARIABLE;

use crate::exit::{Class, Failure};

/// Whether the user asked to stop. The first signal sets it, so that work ends in order and keeps what
/// it has; a second one ends the process at once, which no file here minds.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Catches the signals from now on; once per process.
    ///
    /// # Errors
    /// The system refused.
    pub fn install() -> Result<Self, Failure> {
        let flag = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&flag);
        // A node's process is stopped by its supervisor, which has told the user.
        let is_watched = std::env::var_os(SUPERVISOR_VARIABLE).is_some();
        ctrlc::set_handler(move || {
            if seen.swap(true, Ordering::SeqCst) {
                std::process::exit(Class::Runtime as i32);
            }
            if is_watched {
                return;
            }
            let _ = writeln!(
                std::io::stderr(),
                "\nstopping in order; once more to stop at once"
            );
        })
        .map_err(|error| Failure::new(Class::Runtime, error).context("cannot catch Ctrl-C"))?;
        Ok(Self(flag))
    }

    /// Whether a signal came.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// The flag itself, for libraries that look at one.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// A flag that nothing sets.
    #[cfg(test)]
    pub fn never() -> Self {
        Self(Arc::default())
    }
}
