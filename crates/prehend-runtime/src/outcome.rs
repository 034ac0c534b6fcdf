//! What is left of work that an error may have ended early.

use crate::RuntimeError;

/// A report with what cut it short: what is finished outlives whatever goes wrong later.
#[derive(Debug)]
#[must_use]
pub struct Outcome<R> {
    /// Everything that was finished and collected.
    pub report: R,
    /// What ended the work early, if anything did.
    pub error: Option<RuntimeError>,
}

impl<R> Outcome<R> {
    /// The report of work that nothing ended early.
    ///
    /// # Errors
    /// What did; the report is then gone.
    pub fn whole(self) -> Result<R, RuntimeError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.report),
        }
    }
}
