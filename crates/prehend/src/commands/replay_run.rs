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
    verdict(&report)
}

/// A difference counts for more than a loss after it.
fn verdict(report: &RunReplay) -> Result<Verdict, Failure> {
    let n = report.ticks + report.chunks;
    let lost = report.lost.join("; ");
    if report.identical < n {
        let differ = format!("{} of {n} ticks and chunks differ", n - report.identical);
        let more = (!lost.is_empty()).then(|| format!("; and the recording is incomplete: {lost}"));
        return Ok(Verdict::FellShort(differ + &more.unwrap_or_default()));
    }
    if !lost.is_empty() {
        let error = anyhow::anyhow!("the recording is incomplete: {lost}");
        return Err(Failure::new(Class::LostData, error));
    }
    let nothing = "the recording holds no tick and no chunk: nothing was compared";
    Ok(Verdict::from_shortfall(
        (n == 0).then(|| nothing.to_owned()),
    ))
}

struct Text<'a>(&'a RunReplay);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        write!(
            f,
            "{} identical, of {} ticks and {} chunks",
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
        for (file, version) in &report.recorded_by {
            write!(f, "\n{file} was recorded by prehend {version}")?;
        }
        for file in &report.not_there {
            write!(
                f,
                "\n{file} is not there: what it would hold was not run again"
            )?;
        }
        for lost in &report.lost {
            write!(f, "\nincomplete: {lost}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_compared_is_not_enough_and_a_loss_hides_no_difference() {
        let report = |ticks, identical, lost: &[&str]| RunReplay {
            ticks,
            identical,
            lost: lost.iter().map(|reason| (*reason).to_owned()).collect(),
            ..RunReplay::default()
        };
        let shortfall = |report: &RunReplay| match verdict(report).expect("a verdict") {
            Verdict::FellShort(what) => what,
            Verdict::Passed => panic!("{report:?}"),
        };
        assert_eq!(
            verdict(&report(3, 3, &[])).expect("passes"),
            Verdict::Passed
        );
        assert!(shortfall(&report(0, 0, &[])).contains("nothing was compared"));
        let both = shortfall(&report(3, 2, &["cut"]));
        assert!(both.contains("1 of 3") && both.contains("cut"), "{both}");
        let failure = verdict(&report(3, 3, &["cut"])).expect_err("incomplete");
        assert_eq!(failure.class, Class::LostData);
    }
}
