//! Turns one command's result into what is printed: text for people, or one JSON object for programs.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::time::Instant;

use serde::Serialize;

use crate::exit::{Class, Failure, Verdict};
use crate::interrupt::Interrupt;
use crate::logging;

/// Package and commit that this program was built from.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("PREHEND_COMMIT"), ")");

/// What every command shares: when it started, how it reports, whether it was asked to stop.
#[derive(Debug)]
pub struct Session {
    /// Whether the user asked for JSON.
    pub json: bool,
    /// How often `-v` was given, for the processes that a command starts.
    pub verbose: u8,
    /// Whether the user asked to stop.
    pub interrupt: Interrupt,
    command: String,
    started_wall: jiff::Timestamp,
    started: Instant,
}

/// The fields that all reports have.
#[derive(Debug, Serialize)]
struct Common<'a> {
    command: &'a str,
    version: &'static str,
    seed: Option<u64>,
    started_wall: String,
    elapsed_s: f64,
    cores: usize,
}

/// One command's JSON object.
#[derive(Debug, Serialize)]
pub struct Report<'a, T> {
    #[serde(flatten)]
    common: Common<'a>,
    #[serde(flatten)]
    body: &'a T,
}

impl Session {
    /// A session that starts now.
    ///
    /// # Errors
    /// The signal handler could not be set.
    pub fn start(json: bool, verbose: u8) -> Result<Self, Failure> {
        Ok(Self {
            json,
            verbose,
            interrupt: Interrupt::install()?,
            command: as_typed(std::env::args_os()),
            started_wall: jiff::Timestamp::now(),
            started: Instant::now(),
        })
    }

    /// Seconds since the start.
    #[must_use]
    pub fn elapsed_s(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// The command as it could be typed again.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// When it started, RFC 3339.
    #[must_use]
    pub fn started_wall(&self) -> String {
        self.started_wall.to_string()
    }

    /// A report's JSON object. `seed` is null for commands that draw nothing at random.
    #[must_use]
    pub fn object<'a, T: Serialize>(&'a self, seed: Option<u64>, body: &'a T) -> Report<'a, T> {
        let common = Common {
            command: &self.command,
            version: VERSION,
            seed,
            started_wall: self.started_wall(),
            elapsed_s: self.elapsed_s(),
            cores: cores(),
        };
        Report { common, body }
    }

    /// Prints a result: the text on stdout, or with `--json` the text on stderr and the object as the
    /// last line of stdout.
    ///
    /// # Errors
    /// [`Class::LostData`] if stdout cannot be written; a reader that went away is no error.
    pub fn report(
        &self,
        seed: Option<u64>,
        text: &impl Display,
        body: &impl Serialize,
    ) -> Result<(), Failure> {
        if !self.json {
            return put_line(&text.to_string()).map(drop);
        }
        // The text is a courtesy here; the object is the result.
        logging::say(&text.to_string());
        let object = serde_json::to_string(&self.object(seed, body)).map_err(|error| {
            Failure::new(Class::Runtime, error).context("cannot form the report")
        })?;
        put_line(&object).map(drop)
    }

    /// The verdict of a command that the user stopped, else `verdict`.
    #[must_use]
    pub fn unless_stopped(&self, verdict: Verdict) -> Verdict {
        if self.interrupt.is_set() {
            return Verdict::FellShort(
                "stopped by the user; everything finished is kept".to_owned(),
            );
        }
        verdict
    }
}

/// How many cores this process may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Writes a line to stdout; false if nobody reads any more.
///
/// # Errors
/// [`Class::LostData`].
pub fn put_line(line: &str) -> Result<bool, Failure> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            Err(Failure::new(Class::LostData, error).context("cannot write the report to stdout"))
        }
    }
}

/// The command line as it could be typed again in a shell.
fn as_typed(args: impl Iterator<Item = OsString>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    let quote = |arg: String| {
        if !arg.is_empty() && arg.chars().all(plain) {
            return arg;
        }
        format!("'{}'", arg.replace('\'', r"'\''"))
    };
    let mut words: Vec<String> = args
        .map(|arg| quote(arg.to_string_lossy().into_owned()))
        .collect();
    if let Some(program) = words.first_mut() {
        *program = "prehend".to_owned();
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_typed_again() {
        let args = ["/x/prehend", "render", "--out", "my file's.gif"].map(OsString::from);
        assert_eq!(
            as_typed(args.into_iter()),
            r"prehend render --out 'my file'\''s.gif'"
        );
    }
}
