//! Turns log events into lines on stderr and, during a run, in the run folder's log.

use std::fs::File;
use std::io::{self, Write};
use std::sync::OnceLock;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

static RUN_LOG: OnceLock<File> = OnceLock::new();

/// Starts logging: warnings to stderr, more with `-v`, or as `PREHEND_LOG` says in tracing's syntax.
pub fn start(verbose: u8) {
    let default = match verbose {
        // zenoh warns of what its configuration here intends: no discovery, no gossip.
        0 => "warn,zenoh=error",
        1 => "info",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("PREHEND_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let to_stderr = fmt::layer().with_writer(io::stderr).with_filter(filter);
    let to_run = fmt::layer()
        .with_ansi(false)
        .with_writer(|| RunLog)
        .with_filter(LevelFilter::INFO);
    tracing_subscriber::registry()
        .with(to_stderr)
        .with(to_run)
        .init();
}

/// From now on, what happens is also written to this file. A process has one run: a second file is
/// ignored.
pub fn also_to(file: File) {
    let _ = RUN_LOG.set(file);
}

/// The run's log, or nothing before there is one.
struct RunLog;

impl Write for RunLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        RUN_LOG
            .get()
            .map_or(Ok(bytes.len()), |mut file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        RUN_LOG.get().map_or(Ok(()), |mut file| file.flush())
    }
}
