//! What other work on the same machine and link does to a controller's period and to its commands' age.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use prehend_link::Link;
use prehend_link::messages::{JointCommand, RobotStatus};

use super::bulk::{BULK, Bulk};
use super::cell::Cell;
use super::driver::Arrival;
use super::link::{command, met, p999, spacing};
use super::machine::resident_memory;
use crate::Lab;
use crate::fault::{Finding, Outcome};
use crate::lab::Effort;

/// Messages per second that a flood is meant to have.
const WANTED_RATE: f64 = 1e5;

/// Sends one message of a flood, given its number; whether there was somebody to send it.
type Send<'a> = &'a (dyn Fn(u64) -> bool + Sync);

/// Times between a controller's commands, and their ages on arrival, us.
pub(super) struct Times {
    pub periods: Vec<f64>,
    pub ages: Vec<f64>,
}

impl Times {
    fn of(arrivals: &[Arrival]) -> Self {
        Self {
            periods: spacing(arrivals),
            ages: arrivals
                .iter()
                .map(|arrival| arrival.at.saturating_sub(arrival.sent) as f64 * 1e-3)
                .collect(),
        }
    }

    /// What a cell's controller did within so long.
    pub fn measure(cell: &Cell, span: Duration) -> Self {
        let _ = cell.driver.arrivals();
        std::thread::sleep(span);
        Self::of(&cell.driver.arrivals())
    }
}

/// Without a load, then with it.
fn beside(cell: &Cell, lab: &Lab, load: impl Fn(&AtomicBool) + Sync, threads: usize) -> [Times; 2] {
    let span = Duration::from_secs(if lab.effort == Effort::Full { 20 } else { 2 });
    let quiet = Times::measure(cell, span);
    let ends = AtomicBool::new(false);
    let loaded = std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| load(&ends));
        }
        // The load is there before it counts.
        std::thread::sleep(Duration::from_millis(200));
        let loaded = Times::measure(cell, span);
        ends.store(true, Relaxed);
        loaded
    });
    [quiet, loaded]
}

/// How the highest permille of some times changed.
fn change(what: &str, [quiet, loaded]: [&Vec<f64>; 2], allowed: f64) -> (bool, String) {
    let (before, during) = (p999(quiet), p999(loaded));
    (
        during <= allowed * before,
        format!(
            "{what} p99.9 {before:.0} us without, {during:.0} us with (n = {}, {})",
            quiet.len(),
            loaded.len()
        ),
    )
}

/// M5: on the command's key, from a visitor; then on the state's key, from the policy's session, which the
/// controller is connected to: a peer only hears those that it is connected to.
pub(crate) fn flood(lab: &Lab) -> Outcome {
    let cell = Cell::here(lab)?;
    let rogue = Link::open(&cell.visitor())?;
    let commands = rogue.publisher::<JointCommand>()?;
    let large_commands = rogue.publisher::<Bulk<JointCommand>>()?;
    let large_statuses = cell.policy_link.publisher::<Bulk<RobotStatus>>()?;
    met(|| commands.has_subscriber() && large_statuses.has_subscriber())?;
    // The longest that a receiver decodes.
    let mut command = command(0);
    command.robot = "fr3".to_owned();
    command.q_d = vec![0.1; 8];
    command.dq_d = vec![0.0; 8];
    command.epoch = cell.driver.see().epoch;
    let (large_command, large_status) = (Bulk::new(), Bulk::new());
    let floods: [(&str, usize, Send<'_>); 3] = [
        ("commands", 200, &|seq| {
            let message = JointCommand {
                seq,
                ..command.clone()
            };
            commands.send(&message).is_ok()
        }),
        ("oversized commands", BULK, &|_| {
            large_commands.send(&large_command).is_ok()
        }),
        ("oversized statuses", BULK, &|_| {
            large_statuses.send(&large_status).is_ok()
        }),
    ];
    let mut parts = Vec::new();
    let (mut pass, mut is_slow) = (true, false);
    for (what, bytes, send) in floods {
        let (before, sent) = (resident_memory()?, AtomicU64::new(0));
        let load = |ends: &AtomicBool| {
            while !ends.load(Relaxed) && send(sent.load(Relaxed)) {
                sent.fetch_add(1, Relaxed);
            }
        };
        let begun = Instant::now();
        let [quiet, loaded] = beside(&cell, lab, load, 1);
        // Half of the time is the quiet part.
        let rate = sent.load(Relaxed) as f64 / (0.5 * begun.elapsed().as_secs_f64());
        let grown = (resident_memory()? as f64 - before as f64) * 1e-6;
        let (holds, shown) = change("period", [&quiet.periods, &loaded.periods], 1.1);
        let seen = cell.driver.see();
        pass &= holds && grown <= 64.0 && seen.account.is_clean() && !seen.is_latched;
        is_slow |= rate < WANTED_RATE;
        parts.push(format!(
            "{what}, {rate:.0}/s of {bytes} bytes: {shown}; memory {grown:+.1} MB; driver {:?}",
            seen.stop_reason
        ));
        if seen.is_latched {
            cell.rearm()?;
        }
    }
    let account = cell.driver.see().account;
    let measured = format!("{}; {account}", parts.join("; "));
    Ok(match is_slow {
        false => Finding::new(pass, measured),
        true => Finding::partly(
            pass,
            measured,
            "this machine does not send 1e5 messages of each kind per second, which are 6 GB/s",
        ),
    })
}

/// T11.
pub(crate) fn slow_telemetry(lab: &Lab) -> Outcome {
    let cell = Cell::here(lab)?;
    let slow = Link::open(&cell.visitor())?;
    let load = |ends: &AtomicBool| {
        let subscription = slow.subscribe::<RobotStatus>(|_| {
            std::thread::sleep(Duration::from_secs(10));
        });
        while !ends.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(subscription);
    };
    let [quiet, loaded] = beside(&cell, lab, load, 1);
    let seen = cell.driver.see();
    let (holds, shown) = change("age of a command", [&quiet.ages, &loaded.ages], 1.05);
    let account = seen.account;
    Ok(Finding::new(
        holds && account.is_clean() && !seen.is_latched,
        format!("{shown}; driver {:?}; {account}", seen.stop_reason),
    ))
}

/// T13.
pub(crate) fn visitors(lab: &Lab) -> Outcome {
    let cell = Cell::here(lab)?;
    let came = AtomicU64::new(0);
    let begun = Instant::now();
    let config = cell.visitor();
    let load = |ends: &AtomicBool| {
        while !ends.load(Relaxed) {
            let Ok(link) = Link::open(&config) else {
                continue;
            };
            came.fetch_add(1, Relaxed);
            // Gone all the same if it cannot say so.
            let _ = link.close();
        }
    };
    let [quiet, loaded] = beside(&cell, lab, load, 4);
    let rate = came.load(Relaxed) as f64 / (0.5 * begun.elapsed().as_secs_f64());
    let seen = cell.driver.see();
    let (holds, shown) = change("period", [&quiet.periods, &loaded.periods], 1.05);
    let account = seen.account;
    let measured = format!(
        "{rate:.0} sessions come and go per second: {shown}; driver {:?}; {account}",
        seen.stop_reason
    );
    if rate < 200.0 && holds && account.is_clean() {
        return Ok(Finding::partly(
            true,
            measured,
            "this machine does not open 200 sessions per second",
        ));
    }
    Ok(Finding::new(
        holds && account.is_clean() && !seen.is_latched,
        measured,
    ))
}

/// Writers at once, so that one's work between two syncs leaves no gap.
const WRITERS: usize = 2;
/// Magic number of a file system in memory.
const TMPFS: i64 = 0x0102_1994;

/// O12.
pub(crate) fn busy_disk(lab: &Lab) -> Outcome {
    let folder = tempfile::tempdir()?;
    if rustix::fs::statfs(folder.path())?.f_type == TMPFS {
        let because = "the folder for temporary files is in memory; set TMPDIR to one on a disk";
        return Ok(Finding::partly(true, "nothing", because));
    }
    let cell = Cell::here(lab)?;
    let [written, waited, lived, writer] = [const { AtomicU64::new(0) }; 4];
    let load = |ends: &AtomicBool| {
        let block = vec![7u8; 4 << 20];
        let number = writer.fetch_add(1, Relaxed);
        let life = Instant::now();
        while !ends.load(Relaxed) {
            let begun = Instant::now();
            // A disk that is full is busy too, but then nothing is written.
            let done = std::fs::File::create(folder.path().join(number.to_string())).and_then(
                |mut out| {
                    std::io::Write::write_all(&mut out, &block)?;
                    out.sync_all()
                },
            );
            written.fetch_add(u64::from(done.is_ok()) * block.len() as u64, Relaxed);
            waited.fetch_add(begun.elapsed().as_micros() as u64, Relaxed);
        }
        lived.fetch_add(life.elapsed().as_micros() as u64, Relaxed);
    };
    let [quiet, loaded] = beside(&cell, lab, load, WRITERS);
    let share = waited.load(Relaxed) as f64 / lived.load(Relaxed) as f64;
    let seen = cell.driver.see();
    let (holds, shown) = change("period", [&quiet.periods, &loaded.periods], 1.05);
    let account = seen.account;
    Ok(Finding::new(
        holds && written.load(Relaxed) > 0 && share > 0.9 && account.is_clean() && !seen.is_latched,
        format!(
            "{} MB written and synced by {WRITERS} writers that waited {:.0} % of the time: {shown}; driver {:?}; \
             {account}",
            written.load(Relaxed) >> 20,
            share * 100.0,
            seen.stop_reason
        ),
    ))
}
