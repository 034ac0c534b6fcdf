//! Turns the control loop's tape into `control.rec`, on a thread of its own.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prehend_control::rt::TapeReader;
use prehend_data::{DataError, RecordingWriter};

use super::{RecordReport, Recording};
use crate::RuntimeError;

/// How often the tape is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// What is lost at most when the process is killed.
const FLUSH: Duration = Duration::from_millis(250);

/// A recording that is being made. It ends with the control loop.
#[derive(Debug)]
pub(crate) struct ControlRecorder {
    thread: JoinHandle<RecordReport>,
}

impl ControlRecorder {
    pub fn spawn(recording: &Recording, tape: TapeReader) -> Result<Self, RuntimeError> {
        let writer = RecordingWriter::create(&recording.path, &recording.header)?;
        let thread = std::thread::Builder::new()
            .name("control-recorder".to_owned())
            .spawn(move || record(writer, tape))
            .map_err(|source| RuntimeError::Thread {
                name: "control-recorder",
                source,
            })?;
        Ok(Self { thread })
    }

    /// Waits for the end. Call it once the loop has ended.
    pub fn join(self) -> RecordReport {
        self.thread.join().unwrap_or_else(|_| RecordReport {
            lost: Some("the recorder panicked; this is a bug in prehend".to_owned()),
            ..RecordReport::default()
        })
    }
}

fn record(writer: RecordingWriter, tape: TapeReader) -> RecordReport {
    let mut report = RecordReport {
        path: writer.path().to_owned(),
        ..RecordReport::default()
    };
    match copy(writer, tape, &mut report) {
        Ok(bytes) => report.bytes = bytes,
        Err(error) => report.lost = Some(error.to_string()),
    }
    if let Some(lost) = &report.lost {
        tracing::warn!("control: the run is not recorded to its end: {lost}");
    }
    report
}

/// Returns the length of the file. The tape is let go at the end, which costs the loop nothing.
fn copy(
    mut writer: RecordingWriter,
    mut tape: TapeReader,
    report: &mut RecordReport,
) -> Result<u64, DataError> {
    let mut flushed = Instant::now();
    loop {
        // Both read before the ticks: what came before they were set is then still written.
        let (is_over, full_at) = (tape.is_abandoned(), tape.full_at());
        while let Some(tick) = tape.pop() {
            writer.push(&tick)?;
            report.records += 1;
        }
        if let Some(tick) = full_at {
            report.lost = Some(format!(
                "the recorder fell behind at tick {tick}; the loop went on without it"
            ));
        }
        if is_over || full_at.is_some() {
            return writer.finish(report.lost.as_deref());
        }
        if flushed.elapsed() >= FLUSH {
            flushed = Instant::now();
            writer.flush()?;
            report.bytes = writer.bytes();
        }
        std::thread::sleep(LOOK);
    }
}
