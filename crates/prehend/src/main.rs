//! Turns a command line into runs, reports and exit codes.
//!
//! Each subcommand is one thin file in `commands/`: it reads arguments, calls the crates that do the
//! work, and hands the result to [`session::Session::report`]. How anything works is not known here.

#![forbid(unsafe_code)]

mod args;
mod attach;
mod closing;
mod commands;
mod effective;
mod exit;
mod film;
mod interrupt;
mod live;
mod logging;
mod meter;
mod policies;
mod progress;
mod recorder;
mod rivals;
mod session;
mod shuffle;
mod table_eval;
mod training;
mod training_speed;
mod trials;
mod wire;
mod workcell;
mod workers;
mod workload;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::exit::{Class, Failure, Verdict};
use crate::session::Session;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = logging::start(cli.verbose) {
        // Nobody is left to tell if stderr is gone.
        let _ = writeln!(std::io::stderr(), "error: cannot start the log: {error}");
        return ExitCode::from(Class::Runtime as u8);
    }
    let code = conclude(run(&cli));
    logging::finish();
    code
}

/// Says what a command ended with, and turns it into an exit code.
fn conclude(result: Result<Verdict, Failure>) -> ExitCode {
    match result {
        Ok(Verdict::Passed) => ExitCode::SUCCESS,
        Ok(Verdict::FellShort(what)) => {
            logging::say(&format!("fell short: {what}"));
            ExitCode::from(1)
        }
        Err(Failure { class, error }) => {
            logging::say(&format!("error: {}", exit::explain(&error)));
            if class == Class::Usage {
                logging::say("try `prehend --help`");
            }
            ExitCode::from(class as u8)
        }
    }
}

fn run(cli: &Cli) -> Result<Verdict, Failure> {
    let session = Session::start(cli.json, cli.verbose)?;
    commands::run(&cli.command, &session)
}
