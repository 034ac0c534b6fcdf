//! Turns a recorded run into the same commands and chunks again, or into the first that differs.

use std::fmt;
use std::path::Path;

use prehend_runtime::{RunReplay, replay_run};

use crate::exit::{Class, Failure, Verdict};
use crate::session::Session;

/// Replays a run's folder.
///
/// # Errors
/// A recording was refused, or holds less than the run: then after everything it holds was replayed.
pub fn run(folder: &Path, session: &Session) -> Result<Verdict, Failure> {
    let report = replay_run(folder)?;
    session.report(None, &Text(&report), &report)?;
    if !report.lost.is_empty() {
        let error = anyhow::anyhow!("the recording is incomplete: {}", report.lost.join("; "));
        return Err(Failure::new(Class::LostData, error));
    }
    let n = report.ticks + report.chunks;
    let shortfall = (report.identical < n)
        .then(|| format!("{} of {n} ticks and chunks differ", n - report.identical));
    Ok(Verdict::from_shortfall(shortfall))
}

struct Text<'a>(&'a RunReplay);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        write!(
            f,
            "{} of {} ticks and {} chunks identical",
            report.identical, report.ticks, report.chunks
        )?;
        if let Some(difference) = &report.first_difference {
            match (difference.tick, difference.chunk) {
                (Some(tick), _) => write!(f, "; tick {tick}")?,
                (None, chunk) => write!(f, "; chunk {}", chunk.unwrap_or_default())?,
            }
            write!(
                f,
                " differs first, in `{}`: recorded {}, replayed {}",
                difference.field, difference.recorded, difference.replayed
            )?;
        }
        if let Some(engine) = report.engine.as_ref().filter(|e| e.recorded != e.replayed) {
            write!(
                f,
                "\nthe policy was computed by {}, now by {}",
                engine.recorded, engine.replayed
            )?;
        }
        for lost in &report.lost {
            write!(f, "\nincomplete: {lost}")?;
        }
        Ok(())
    }
}
