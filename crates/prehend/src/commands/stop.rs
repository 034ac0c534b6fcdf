//! Stops an arm, and waits until its driver says so.

use std::fmt;
use std::time::Duration;

use clap::Args;
use prehend_runtime::{StopAnswer, ask_to_stop};

use crate::attach::Attach;
use crate::exit::{Class, Failure, Verdict};
use crate::live::number;
use crate::session::Session;

const EXAMPLES: &str = "Examples:
  prehend stop
  prehend stop --launch launch/fr3_sim.toml
  prehend stop --connect tcp/127.0.0.1:7450 --json

Without --connect and --launch it is the driver of the newest run in runs/ that is asked. It brings the arm to
rest inside its limits and follows nobody until it is armed anew: an operator that still asks for episodes
will do so, end it with Ctrl-C. This is no emergency stop: it is as good as processes and network are.";

/// Longest wait for the driver to say that it stopped.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Arguments of `prehend stop`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct StopCommand {
    #[command(flatten)]
    attach: Attach,
}

struct Shown<'a>(&'a StopAnswer);

impl StopCommand {
    /// Asks and waits.
    ///
    /// # Errors
    /// The driver did not answer, or did not say within two seconds that it stopped.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let visit = self.attach.visit()?.visit;
        let answer = ask_to_stop(visit.driver()?, TIMEOUT)?;
        session.report(None, &Shown(&answer), &answer)?;
        if answer.confirmed {
            return Ok(Verdict::Passed);
        }
        let error = anyhow::anyhow!(
            "the driver did not say within {} s that it stopped; use the arm's own stop, then end the run",
            TIMEOUT.as_secs()
        );
        Err(Failure::new(Class::Runtime, error))
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = self.0;
        let (confirmed, at_rest) = (number(answer.confirmed_ms, 2), number(answer.at_rest_ms, 1));
        match answer.reason {
            Some(reason) => write!(
                f,
                "stopped ({reason}): the driver says so {confirmed} ms after the request, the arm stands \
                 after {at_rest} ms"
            ),
            None => write!(f, "not stopped, after {} requests", answer.requests),
        }
    }
}
