//! One row of the catalogue, and what became of it.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;

use crate::Lab;

/// A fault: what is injected and what must happen.
#[derive(Clone, Copy)]
pub struct Fault {
    /// Section and number in the catalogue, for example `C4`.
    pub id: &'static str,
    /// What is done to the stack.
    pub inject: &'static str,
    /// What must come of it.
    pub required: &'static str,
    pub(crate) trial: Trial,
}

/// How a row is tried.
#[derive(Clone, Copy)]
pub(crate) enum Trial {
    /// On a logical clock or on bytes: the same verdict on every machine.
    Exact(fn(&Lab) -> Outcome),
    /// In real time, on sessions, threads or processes.
    Live(fn(&Lab) -> Outcome),
    /// Not at all, for this reason.
    Skip(&'static str),
}

/// A finding, or why the row could not even be set up.
pub(crate) type Outcome = Result<Finding, Box<dyn Error>>;

/// What was seen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    pass: Option<bool>,
    measured: String,
    skipped_because: Option<String>,
}

impl Finding {
    /// The whole row was tried.
    pub fn new(pass: bool, measured: impl Into<String>) -> Self {
        Self {
            pass: Some(pass),
            measured: measured.into(),
            skipped_because: None,
        }
    }

    /// A part was tried and seen to hold; the row is not judged, because the rest cannot be tried. A part
    /// that falls short fails the row.
    pub fn partly(pass: bool, measured: impl Into<String>, because: impl Into<String>) -> Self {
        Self {
            pass: (!pass).then_some(false),
            measured: measured.into(),
            skipped_because: pass.then(|| because.into()),
        }
    }
}

/// What became of a fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Section and number in the catalogue.
    pub id: &'static str,
    /// What was injected.
    pub inject: &'static str,
    /// Whether what must happen did; null if the row was not judged.
    pub pass: Option<bool>,
    /// What was seen; null if nothing was tried.
    pub measured: Option<String>,
    /// What must happen.
    pub required: &'static str,
    /// Why it was not judged.
    pub skipped_because: Option<String>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.pass {
            Some(true) => "PASS",
            Some(false) => "FAIL",
            None => "SKIP",
        };
        write!(f, "FAULT {} {verdict}", self.id)?;
        let parts = [self.measured.as_ref(), self.skipped_because.as_ref()];
        for (index, part) in parts.into_iter().flatten().enumerate() {
            write!(
                f,
                "{}{part}",
                if index == 0 { " " } else { "; not judged: " }
            )?;
        }
        Ok(())
    }
}

/// All rows that were asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// In the order of the catalogue.
    pub rows: Vec<Row>,
    /// How many pass.
    pub passed: usize,
    /// How many fall short.
    pub failed: usize,
    /// How many were not judged.
    pub skipped: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
            ..
        } = self;
        write!(
            f,
            "{passed} pass, {failed} fail, {skipped} are not judged here"
        )
    }
}

impl Fault {
    /// Tries it. A panic of the stack is a failure of the row, not of the suite.
    #[must_use]
    pub fn run(&self, lab: &Lab) -> Row {
        let trial = match self.trial {
            Trial::Exact(trial) | Trial::Live(trial) => trial,
            Trial::Skip(because) => return self.row(None, None, Some(because.to_owned())),
        };
        match catch_unwind(AssertUnwindSafe(|| trial(lab))) {
            Ok(Ok(finding)) => self.row(
                finding.pass,
                Some(finding.measured),
                finding.skipped_because,
            ),
            Ok(Err(error)) => self.row(Some(false), Some(format!("ended early: {error}")), None),
            Err(_) => self.row(Some(false), Some("panicked".to_owned()), None),
        }
    }

    /// Whether its verdict does not depend on the machine.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        matches!(self.trial, Trial::Exact(_))
    }

    fn row(
        &self,
        pass: Option<bool>,
        measured: Option<String>,
        skipped_because: Option<String>,
    ) -> Row {
        Row {
            id: self.id,
            inject: self.inject,
            pass,
            measured,
            required: self.required,
            skipped_because,
        }
    }
}

/// Tries these faults in order. `look` is shown each row as it is done, and says whether to go on.
pub fn run<'a>(
    faults: impl IntoIterator<Item = &'a Fault>,
    lab: &Lab,
    look: &mut dyn FnMut(&Row) -> bool,
) -> Summary {
    let mut rows = Vec::new();
    for fault in faults {
        rows.push(fault.run(lab));
        if rows.last().is_some_and(|row| !look(row)) {
            break;
        }
    }
    let count = |pass| rows.iter().filter(|row| row.pass == pass).count();
    Summary {
        passed: count(Some(true)),
        failed: count(Some(false)),
        skipped: count(None),
        rows,
    }
}
