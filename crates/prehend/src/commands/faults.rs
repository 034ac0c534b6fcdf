//! Turns the catalogue of faults into rows: what was injected, what came of it.

use std::io::Write as _;

use clap::Args;
use prehend_faults::{Effort, Fault, Lab, Row, catalogue, run};

use crate::exit::{Failure, Verdict};
use crate::session::{Session, put_line};

const EXAMPLES: &str = "Examples:
  prehend faults
  prehend faults --only C4,T6 --seed 7
  prehend faults --quick --json

Faults are injected into controller, driver shell, link and loader, and judged on the driver's side of the
wire. Each row prints `FAULT <id> PASS|FAIL|SKIP <what was seen>`. Exits with 1 if a row fails. All of it takes
many minutes, `--quick` few; rows that measure times want an idle machine.";

/// Arguments of `prehend faults`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Faults {
    /// Only these rows, for example C4 or T6 (which takes T6/live along); a letter takes a whole section.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Every random choice is drawn from it.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A hundredth of the numbers: a look, not a proof.
    #[arg(long)]
    quick: bool,
}

impl Faults {
    /// Tries the faults that were asked for.
    ///
    /// # Errors
    /// A row that does not exist was asked for, or the report could not be written.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let all = catalogue();
        if let Some(id) = self
            .only
            .iter()
            .find(|id| !all.iter().any(|row| is(row, id)))
        {
            let known: Vec<&str> = all.iter().map(|row| row.id).collect();
            return Err(Failure::usage(format!(
                "--only {id}: there is no such fault; there are {}",
                known.join(", ")
            )));
        }
        let wanted = all
            .iter()
            .filter(|row| self.only.is_empty() || self.only.iter().any(|id| is(row, id)));
        let lab = Lab {
            seed: self.seed,
            effort: if self.quick {
                Effort::Short
            } else {
                Effort::Full
            },
            program: std::env::current_exe().ok(),
        };
        let mut written = Ok(true);
        let summary = run(wanted, &lab, &mut |row| {
            written = say(session, row);
            matches!(written, Ok(true)) && !session.interrupt.is_set()
        });
        written?;
        session.report(Some(self.seed), &summary, &summary)?;
        let shortfall = (summary.failed > 0).then(|| format!("{} faults", summary.failed));
        Ok(session.unless_stopped(Verdict::from_shortfall(shortfall)))
    }
}

/// Whether a row is meant by what was typed.
fn is(row: &Fault, typed: &str) -> bool {
    let catalogued = row.id.split('/').next().unwrap_or(row.id);
    let section = catalogued.trim_end_matches(|c: char| c.is_ascii_digit());
    [row.id, catalogued, section]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(typed))
}

/// Shows a row as soon as it is done; false if nobody reads any more.
fn say(session: &Session, row: &Row) -> Result<bool, Failure> {
    if session.json {
        // A courtesy: the object on stdout is the result.
        let _ = writeln!(std::io::stderr(), "{row}");
        return Ok(true);
    }
    put_line(&row.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_named_by_id_or_by_section() {
        let of = |typed: &str| {
            let rows = catalogue();
            let ids: Vec<&str> = rows
                .iter()
                .filter(|row| is(row, typed))
                .map(|row| row.id)
                .collect();
            ids
        };
        assert_eq!(of("t6"), ["T6", "T6/live"]);
        assert_eq!(of("T6/live"), ["T6/live"]);
        assert_eq!(of("C").len(), 30);
        assert!(of("C31").is_empty() && of("").is_empty());
    }
}
