//! Replaces the policy of a run while it runs.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use prehend_link::Role;
use prehend_link::messages::{SwapAnswer, SwapRequest, SwapState};
use prehend_runtime::ask_to_swap;
use serde::Serialize;

use crate::attach::Attach;
use crate::exit::{Class, Failure, Verdict};
use crate::session::Session;

const EXAMPLES: &str = "Examples:
  prehend swap models/fr3_pick_place_teacher
  prehend swap models/fr3_pick_place_teacher --shadow 40 --agree 0.05
  prehend swap models/fr3_pick_place --force

Only the folder's name is sent: the policy node loads what lies beside the folder of its own policy, checks it as at a
start, and lets it look on. It takes over between two chunks. It is refused if it fails, panics, or looks for longer
than a chunk is executed; if it does so within the next 50 looks, the one before decides again. A policy that is
refused changes nothing. A recorded run keeps its policy.";

/// Arguments of `prehend swap`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SwapCommand {
    /// Folder of the bundle.
    model: PathBuf,
    /// Looks beside the running policy before it takes over.
    #[arg(long, value_name = "N", default_value_t = 10)]
    shadow: u32,
    /// Refuse it if any number of its chunks (m, rad, opening) differs by more than this meanwhile; more than 0.
    #[arg(long, value_name = "DIFFERENCE", value_parser = difference)]
    agree: Option<f64>,
    /// Take it although it disagrees. One that fails is refused all the same.
    #[arg(long)]
    force: bool,
    /// Longest wait for a decision, s.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    #[command(flatten)]
    attach: Attach,
}

#[derive(Debug, Serialize)]
struct Outcome {
    model: String,
    accepted: bool,
    detail: String,
}

impl SwapCommand {
    /// Asks and waits.
    ///
    /// # Errors
    /// The policy node did not answer, or did not decide in time.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let name = self.model.file_name().and_then(|name| name.to_str());
        let model = name.unwrap_or_default().to_owned();
        let request = SwapRequest {
            model,
            shadow_looks: self.shadow,
            agree_within: self.agree.unwrap_or(0.0),
            force: self.force,
        };
        // What the wire would refuse is a mistake of the command line.
        prehend_link::encode(&request).map_err(|error| Failure::new(Class::Usage, error))?;
        let visit = self.attach.visit_as(Role::Operator)?.visit;
        let mut look = |answer: &SwapAnswer| match answer.state {
            SwapState::Loading => tracing::info!("loading {}", answer.model),
            SwapState::Shadowing => tracing::info!("{} looks on", answer.model),
            _ => {}
        };
        let timeout = Duration::from_secs(self.timeout);
        let answer = ask_to_swap(visit.policy()?, &request, timeout, &mut look)?;
        let outcome = Outcome {
            accepted: answer.state == SwapState::Accepted,
            model: answer.model,
            detail: answer.detail,
        };
        session.report(None, &outcome, &outcome)?;
        if outcome.accepted {
            return Ok(Verdict::Passed);
        }
        Ok(Verdict::FellShort(outcome.to_string()))
    }
}

/// On the wire 0 stands for no such demand: it must not be what the strictest one comes to.
fn difference(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if number > 0.0 && number.is_finite() {
        return Ok(number);
    }
    Err(
        "it must be a finite number above 0; without --agree they may differ by anything"
            .to_owned(),
    )
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.accepted { "accepted" } else { "refused" };
        write!(f, "{} is {what}: {}", self.model, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_demand_that_the_wire_cannot_carry_is_refused() {
        assert_eq!(difference("0.05"), Ok(0.05));
        for text in ["0", "-0.0", "-1", "nan", "inf", "close"] {
            difference(text).expect_err(text);
        }
    }
}
