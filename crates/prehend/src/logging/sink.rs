//! Turns lines into a file or a terminal that may be slow or blocked, without making those who write wait:
//! what does not fit is dropped and counted.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait: some seconds at the highest level, below a megabyte.
const ROOM: usize = 4096;

/// The near end of a thread that writes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sink {
    lines: SyncSender<Vec<u8>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Lines that were taken and not written yet.
    waiting: Mutex<u64>,
    written: Condvar,
    lost: AtomicU64,
}

impl Sink {
    /// Starts the thread that writes to `out`; it ends when all ends of the sink are gone.
    ///
    /// # Errors
    /// The system gave no thread.
    pub fn spawn(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, taken) = sync_channel(ROOM);
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || own.write(&taken, out))?;
        Ok(Self { lines, shared })
    }

    /// Hands a line over. Never waits for the sink.
    pub fn put(&self, line: &[u8]) {
        *self.shared.lock() += 1;
        if self.lines.try_send(line.to_vec()).is_err() {
            *self.shared.lock() -= 1;
            self.shared.lost.fetch_add(1, SeqCst);
        }
    }

    /// Waits until everything is written, or `patience` has passed.
    pub fn flush(&self, patience: Duration) {
        let waiting = self.shared.lock();
        let is_left = |waiting: &mut u64| *waiting > 0;
        // Whether it is done or given up, the program ends.
        let _ = (self.shared.written).wait_timeout_while(waiting, patience, is_left);
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, u64> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, lines: &Receiver<Vec<u8>>, mut out: impl Write) {
        for line in lines {
            let lost = self.lost.swap(0, SeqCst);
            if lost > 0 {
                // A sink that is gone has no reader to be told.
                let _ = writeln!(
                    out,
                    "prehend: {lost} log records were dropped here: nobody took them"
                );
            }
            let _ = out.write_all(&line).and_then(|()| out.flush());
            *self.lock() -= 1;
            self.written.notify_all();
        }
    }
}

/// One record, handed over whole.
#[derive(Debug)]
pub struct Record<'a>(&'a Sink);

impl Write for Record<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Record<'a>;

    fn make_writer(&'a self) -> Record<'a> {
        Record(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes nothing while the lock is held.
    #[derive(Clone, Default)]
    struct Pipe(Arc<Mutex<Vec<u8>>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_blocked_reader_costs_lines_and_nobodys_time() {
        let pipe = Pipe::default();
        let sink = Sink::spawn(pipe.clone()).expect("a thread");
        let n = ROOM + 1000;
        let blocked = pipe.0.lock().expect("no panic");
        for index in 0..n {
            // Were it to wait for the pipe, it would wait for ever: the lock is held here.
            sink.put(format!("line {index}\n").as_bytes());
        }
        // Nor is the end of the program kept up.
        sink.flush(Duration::from_millis(10));
        drop(blocked);
        sink.flush(Duration::from_secs(60));
        sink.put(b"the last\n");
        sink.flush(Duration::from_secs(60));
        let text = String::from_utf8(pipe.0.lock().expect("no panic").clone()).expect("text");
        let lines = text
            .lines()
            .filter(|line| line.starts_with("line "))
            .count();
        let told: Vec<usize> = (text.lines())
            .filter_map(|line| {
                line.strip_prefix("prehend: ")?
                    .split(' ')
                    .next()?
                    .parse()
                    .ok()
            })
            .collect();
        assert_eq!(lines + told.iter().sum::<usize>(), n, "written or counted");
        assert!(lines >= ROOM && text.ends_with("the last\n"), "{lines}");
    }
}
