//! Turns a finished run into its end: the report is printed first, then its files are written, and what
//! went wrong with either decides the exit code without taking the other away.

use std::fmt::Display;

use prehend_data::RunDir;
use prehend_runtime::RuntimeError;
use serde::Serialize;

use crate::exit::{Class, Failure, Verdict, explain};
use crate::session::Session;

/// Prints a report, then writes it to the run's folder. One that cannot be printed is written all the
/// same.
///
/// # Errors
/// [`Class::LostData`].
pub fn print_and_save(
    session: &Session,
    seed: Option<u64>,
    text: &impl Display,
    report: &impl Serialize,
    run_dir: Option<&RunDir>,
) -> Result<(), Failure> {
    let printed = session.report(seed, text, report);
    let saved = run_dir.map_or(Ok(()), |run_dir| {
        run_dir
            .write_summary(&session.object(seed, report))
            .map(drop)
            .map_err(|error| Failure::new(Class::LostData, error))
    });
    printed.and(saved)
}

/// Nothing of a recording may be missing without a word.
///
/// # Errors
/// [`Class::LostData`].
pub fn recorded(lost: &[String]) -> Result<(), Failure> {
    if lost.is_empty() {
        return Ok(());
    }
    let error = anyhow::anyhow!("the recording is incomplete: {}", lost.join("; "));
    Err(Failure::new(Class::LostData, error))
}

/// What a run that made a report ends with: lost results come before what ended it early, and that comes
/// before what it fell short of.
///
/// # Errors
/// What was lost, or what ended the run early.
pub fn conclude(
    kept: Result<(), Failure>,
    ended_early: Option<RuntimeError>,
    verdict: Verdict,
) -> Result<Verdict, Failure> {
    match (kept, ended_early.map(Failure::from)) {
        (Ok(()), None) => Ok(verdict),
        (Ok(()), Some(ended)) => Err(ended),
        (Err(lost), None) => Err(lost),
        (Err(lost), Some(ended)) => Err(lost.context(explain(&ended.error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Failure {
        Failure::new(Class::LostData, anyhow::anyhow!("the disk is full"))
    }

    fn class(result: Result<Verdict, Failure>) -> Option<Class> {
        result.err().map(|failure| failure.class)
    }

    #[test]
    fn lost_results_come_before_what_ended_the_run() {
        let ended = || Some(RuntimeError::Interrupted);
        assert_eq!(class(conclude(Ok(()), None, Verdict::Passed)), None);
        assert_eq!(
            class(conclude(Ok(()), ended(), Verdict::Passed)),
            Some(Class::Runtime)
        );
        assert_eq!(
            class(conclude(Err(lost()), None, Verdict::Passed)),
            Some(Class::LostData)
        );
        let both = conclude(Err(lost()), ended(), Verdict::Passed).expect_err("two errors");
        assert_eq!(both.class, Class::LostData);
        let shown = explain(&both.error);
        assert!(
            shown.contains("stopped while waiting") && shown.contains("disk"),
            "{shown}"
        );
    }
}
