//! Turns the simulator's promises into measured rows.

use std::fmt;

use clap::Args;
use prehend_sim::PhysicsSettings;
use prehend_sim::verify::{VerifyOptions, VerifyRow, names, verify};
use serde::Serialize;

use crate::args::Threads;
use crate::exit::{Failure, Verdict};
use crate::session::Session;
use crate::workcell::Place;

const EXAMPLES: &str = "Examples:
  prehend sim verify
  prehend sim verify --only grasp --json
  prehend sim verify --quick

Measured against required, under the settings that ship. Exits with 1 if a required row fails. All of it
takes about two minutes on two cores.";

/// Arguments of `prehend sim verify`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Verify {
    /// Only tests whose name starts like this; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// A tenth of the minutes and of the shaken seeds: a look, not a proof.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    threads: Threads,
}

#[derive(Debug, Serialize)]
struct Body {
    rows: Vec<VerifyRow>,
    passed: usize,
    failed: usize,
}

impl Verify {
    /// Measures what was asked for.
    ///
    /// # Errors
    /// An input was refused, or a test could not be built.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let unknown = |name: &&String| !names().iter().any(|test| test.starts_with(name.as_str()));
        if let Some(name) = self.only.iter().find(unknown) {
            let known = names().join(", ");
            return Err(Failure::usage(format!(
                "--only {name}: no test starts like this; there are {known}"
            )));
        }
        let cell = self.place.open()?;
        let full = VerifyOptions::default();
        let share = if self.quick { 10 } else { 1 };
        let options = VerifyOptions {
            only: self.only.clone(),
            threads: self.threads.count(),
            shake_seeds: full.shake_seeds / share,
            time_scale: full.time_scale / share as f64,
            settings: PhysicsSettings {
                arm: cell.arm,
                ..full.settings
            },
            ..full
        };
        let rows = verify(&cell.robot, &cell.scene, &options, &mut |row| {
            tracing::info!("{row}");
        })?;
        let count = |pass| rows.iter().filter(|row| row.pass == Some(pass)).count();
        let body = Body {
            passed: count(true),
            failed: count(false),
            rows,
        };
        session.report(None, &body, &body)?;
        let shortfall = (body.failed > 0).then(|| format!("{} required rows fail", body.failed));
        Ok(Verdict::from_shortfall(shortfall))
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        write!(f, "{} pass, {} fail", self.passed, self.failed)
    }
}
