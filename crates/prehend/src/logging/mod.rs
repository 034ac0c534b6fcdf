//! Turns log events into lines on stderr and, during a run, in the run folder's log. Nobody who logs waits
//! for either: a reader that does not read costs records, which are counted, and never a node's time.

mod sink;

use std::fs::File;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::OptionalWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use sink::{Record, Sink};

static STDERR: OnceLock<Sink> = OnceLock::new();
static RUN_LOG: OnceLock<Sink> = OnceLock::new();
/// Who writes a line for every message that is not as it should be, as fast as a peer sends them: the link counts those.
const PER_MESSAGE: &str = "cdr_encoding";
/// How long the end of the program waits for its last lines to be taken.
const PATIENCE: Duration = Duration::from_secs(1);

/// Starts logging: warnings to stderr, more with `-v`, or as `PREHEND_LOG` says in tracing's syntax.
///
/// # Errors
/// The system gave no thread for it.
pub fn start(verbose: u8) -> io::Result<()> {
    let default = match verbose {
        // zenoh warns of what its configuration here intends: no discovery, no gossip.
        0 => "warn,zenoh=error",
        1 => "info",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("PREHEND_LOG")
        .unwrap_or_else(|_| EnvFilter::new(format!("{default},{PER_MESSAGE}=off")));
    let stderr = Sink::spawn(io::stderr())?;
    let _ = STDERR.set(stderr.clone());
    let to_stderr = fmt::layer().with_writer(stderr).with_filter(filter);
    let to_run = fmt::layer()
        .with_ansi(false)
        .with_writer(RunLog)
        .with_filter(
            Targets::new()
                .with_default(LevelFilter::INFO)
                .with_target(PER_MESSAGE, LevelFilter::OFF),
        );
    tracing_subscriber::registry()
        .with(to_stderr)
        .with(to_run)
        .init();
    Ok(())
}

/// From now on, what happens is also written to this file. A process has one run: a second file is
/// ignored.
pub fn also_to(file: File) {
    match Sink::spawn(file) {
        Ok(sink) => _ = RUN_LOG.set(sink),
        Err(error) => tracing::warn!(%error, "the run's log is not written: no thread for it"),
    }
}

/// Writes a line to stderr, behind what was logged before it.
pub fn say(line: &str) {
    if let Some(stderr) = STDERR.get() {
        stderr.put(format!("{line}\n").as_bytes());
    }
}

/// Waits a moment for the last lines to be written: nothing else does when the program ends.
pub fn finish() {
    for sink in [&STDERR, &RUN_LOG] {
        if let Some(sink) = sink.get() {
            sink.flush(PATIENCE);
        }
    }
}

/// The run's log, or nothing before there is one.
struct RunLog;

impl<'a> MakeWriter<'a> for RunLog {
    type Writer = OptionalWriter<Record<'a>>;

    fn make_writer(&'a self) -> Self::Writer {
        RUN_LOG.get().map(Sink::make_writer).into()
    }
}
