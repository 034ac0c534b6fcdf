//! A control node in a process of its own, which is stopped, or whose log nobody reads.

use std::io::{PipeWriter, Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use prehend_types::Stamp;
use rustix::process::{Pid, Signal, kill_process};

use super::cell::{Cell, NO_PROGRAM};
use super::link::{p999, spacing};
use super::loads::Times;
use super::proxy::Way;
use crate::Lab;
use crate::fault::{Finding, Outcome};
use crate::lab::Effort;

/// Period of the controller in `launch/fr3_sim.toml`, us.
const PERIOD_US: f64 = 2000.0;

fn without_program() -> Outcome {
    Ok(Finding::partly(true, "nothing", NO_PROGRAM))
}

fn child(lab: &Lab) -> Result<Cell, Box<dyn std::error::Error>> {
    Cell::there(lab, |program| Command::new(program), Stdio::null())
}

/// Stops the control process for so long. Returns when it went on, ns.
fn stall(cell: &mut Cell, span: Duration) -> Result<u64, Box<dyn std::error::Error>> {
    let pid = i32::try_from(cell.process()?.id())?;
    let pid = Pid::from_raw(pid).ok_or("no process")?;
    kill_process(pid, Signal::STOP)?;
    std::thread::sleep(span);
    let now = Stamp::now().as_nanos();
    kill_process(pid, Signal::CONT)?;
    Ok(now)
}

pub(crate) fn stall_of_ten_periods(lab: &Lab) -> Outcome {
    if lab.program.is_none() {
        return without_program();
    }
    let mut cell = child(lab)?;
    let rounds = 20;
    let (mut bursts, mut fewest, mut most, mut closest) = (0, u64::MAX, 0, f64::INFINITY);
    for _ in 0..rounds {
        let _ = cell.driver.arrivals();
        let resumed = stall(&mut cell, Duration::from_micros(10 * PERIOD_US as u64))?;
        std::thread::sleep(Duration::from_millis(100));
        let arrivals = cell.driver.arrivals();
        let after: Vec<_> = arrivals
            .iter()
            .filter(|arrival| arrival.sent >= resumed)
            .copied()
            .collect();
        let Some(first) = after.first() else {
            return Err("no command after the stall".into());
        };
        let ten = 10 * PERIOD_US as u64 * 1000;
        let count = after
            .iter()
            .filter(|arrival| arrival.sent < first.sent + ten)
            .count() as u64;
        let least = spacing(&after)
            .into_iter()
            .take(10)
            .fold(f64::INFINITY, f64::min);
        (fewest, most) = (fewest.min(count), most.max(count));
        closest = closest.min(least);
        bursts += u64::from(count > 10 || least < 0.8 * PERIOD_US);
    }
    let account = cell.driver.see().account;
    Ok(Finding::new(
        bursts == 0 && most == 10 && fewest == 10 && account.is_clean(),
        format!(
            "{rounds} stalls of 20 ms: {fewest} to {most} commands in the 10 periods after, the closest two {:.2} \
             of a period apart, {bursts} stalls with any closer than 0.8 or with more than 10; {account}",
            closest / PERIOD_US
        ),
    ))
}

pub(crate) fn stalls(lab: &Lab) -> Outcome {
    if lab.program.is_none() {
        return without_program();
    }
    let mut cell = child(lab)?;
    let mut spans = vec![Duration::from_millis(100), Duration::from_secs(2)];
    if lab.effort == Effort::Full {
        spans.push(Duration::from_secs(60));
    }
    let mut parts = Vec::new();
    let mut pass = true;
    for span in spans {
        stall(&mut cell, span)?;
        let stopped = cell.driver.see();
        std::thread::sleep(Duration::from_secs(2));
        let after = cell.driver.see();
        let must_stop = span > Duration::from_millis(150);
        let stood = !(stopped.is_latched && stopped.is_at_rest) || stopped.q == after.q;
        pass &= (!must_stop || stopped.is_latched) && stood;
        parts.push(format!(
            "{} ms: {}, {} commands followed in the 2 s after",
            span.as_millis(),
            match (stopped.is_latched, after.is_latched) {
                (true, _) => format!("stopped meanwhile ({:?})", stopped.stop_reason),
                (false, true) => format!("stopped as it went on ({:?})", after.stop_reason),
                (false, false) => "bridged".to_owned(),
            },
            after.report.applied - stopped.report.applied
        ));
        if cell.driver.see().is_latched {
            cell.rearm()?;
        }
    }
    let account = cell.driver.see().account;
    Ok(Finding::new(
        pass && account.is_clean(),
        format!("{}; {account}", parts.join("; ")),
    ))
}

pub(crate) fn blocked_log(lab: &Lab) -> Outcome {
    if lab.program.is_none() {
        return without_program();
    }
    let span = Duration::from_secs(if lab.effort == Effort::Full { 20 } else { 3 });
    let (mut reader, writer) = std::io::pipe()?;
    let mut filler = writer.try_clone()?;
    let log = &Log::default();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut bytes = [0; 4096];
            while !log.is_over.load(Relaxed) {
                if !log.reads.load(Relaxed) {
                    // Held open, so that writers wait.
                    std::thread::sleep(Duration::from_millis(10));
                    continue;
                }
                match reader.read(&mut bytes) {
                    Ok(n) if n > 0 => log.take(&bytes[..n]),
                    _ => break,
                }
            }
            drop(reader);
        });
        let judged = judge_blocked_log(lab, span, writer, log, || {
            // Nobody reads: all room there is is taken. It goes with this thread, or the reader would wait.
            scope.spawn(move || {
                while !log.reads.load(Relaxed) {
                    if filler.write_all(&[b'.'; 4096]).is_err() {
                        return;
                    }
                }
            });
        });
        log.reads.store(true, Relaxed);
        log.is_over.store(true, Relaxed);
        judged
    })
}

/// What is read of a log, and whether anybody reads it.
struct Log {
    reads: AtomicBool,
    is_over: AtomicBool,
    /// The end of what was read.
    text: Mutex<Vec<u8>>,
    lines: AtomicU64,
    dropped: AtomicU64,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            reads: AtomicBool::new(true),
            is_over: AtomicBool::new(false),
            text: Mutex::default(),
            lines: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }
}

impl Log {
    /// Looks through whole lines for what was dropped, in the program's own words.
    fn take(&self, bytes: &[u8]) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.extend_from_slice(bytes);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            self.lines.fetch_add(1, Relaxed);
            if let Some((before, _)) = line.split_once(" log records were dropped") {
                let number = before.rsplit(' ').next().and_then(|n| n.parse().ok());
                self.dropped.fetch_add(number.unwrap_or(0), Relaxed);
            }
        }
    }
}

fn judge_blocked_log(
    lab: &Lab,
    span: Duration,
    into: PipeWriter,
    log: &Log,
    fill: impl FnOnce(),
) -> Outcome {
    let cell = Cell::there(
        lab,
        |program| {
            let mut command = Command::new(program);
            // More than `-vv`: every step of every library.
            command.env("PREHEND_LOG", "trace");
            command
        },
        Stdio::from(into),
    )?;
    let lines = log.lines.load(Relaxed);
    let quiet = Times::measure(&cell, span).periods;
    let rate = (log.lines.load(Relaxed) - lines) as f64 / span.as_secs_f64();
    log.reads.store(false, Relaxed);
    fill();
    std::thread::sleep(Duration::from_millis(200));
    let blocked = Times::measure(&cell, span).periods;
    let moved = !cell.driver.see().is_latched;
    // A stop is something to log.
    cell.proxy.hold(Way::Up, true);
    std::thread::sleep(Duration::from_millis(300));
    cell.proxy.hold(Way::Up, false);
    let again = cell.rearm();
    // Read again, it says what it left out.
    log.reads.store(true, Relaxed);
    let begun = Instant::now();
    while log.dropped.load(Relaxed) == 0 && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let dropped = log.dropped.load(Relaxed);
    let account = cell.driver.see().account;
    let (before, during) = (p999(&quiet), p999(&blocked));
    Ok(Finding::new(
        moved && again.is_ok() && during <= 1.05 * before && dropped > 0 && account.is_clean(),
        format!(
            "period p99.9 {before:.0} us with {rate:.0} lines per second, {during:.0} us with a log that nobody reads \
             (n = {}, {}), of which {dropped} records were counted as dropped; after a stop, which is logged, a new \
             session: {}; {account}",
            quiet.len(),
            blocked.len(),
            again.map_or_else(
                |error| error.to_string(),
                |seconds| format!("moves after {seconds:.1} s")
            )
        ),
    ))
}
