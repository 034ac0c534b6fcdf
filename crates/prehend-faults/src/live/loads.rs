//! What other work on the same machine and link does to a controller's period and to its commands' age.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prehend_link::Link;
use prehend_link::messages::{JointCommand, RobotStatus};

use super::cell::Cell;
use super::driver::Arrival;
use super::link::{command, met, p999, spacing};
use super::machine::resident_memory;
use crate::Lab;
use crate::fault::{Finding, Outcome};
use crate::lab::Effort;

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

/// M5.
pub(crate) fn flood(lab: &Lab) -> Outcome {
    let cell = Cell::here(lab)?;
    let rogue = Link::open(&cell.visitor())?;
    let commands = rogue.publisher::<JointCommand>()?;
    met(|| commands.has_subscriber())?;
    let (before, sent) = (resident_memory()?, AtomicU64::new(0));
    let begun = std::time::Instant::now();
    let load = |ends: &AtomicBool| {
        // The longest that a receiver decodes.
        let mut message = command(0);
        message.robot = "fr3".to_owned();
        message.q_d = vec![0.1; 8];
        message.dq_d = vec![0.0; 8];
        message.epoch = cell.driver.see().epoch;
        while !ends.load(Relaxed) && commands.send(&message).is_ok() {
            message.seq += 1;
            sent.fetch_add(1, Relaxed);
        }
    };
    let [quiet, loaded] = beside(&cell, lab, load, 1);
    let grown = (resident_memory()? as f64 - before as f64) * 1e-6;
    // Half of the time is the quiet part.
    let rate = sent.load(Relaxed) as f64 / (0.5 * begun.elapsed().as_secs_f64());
    let seen = cell.driver.see();
    let (holds, shown) = change("period", [&quiet.periods, &loaded.periods], 1.1);
    let account = seen.account;
    Ok(Finding::new(
        holds && grown <= 64.0 && rate >= 1e5 && account.is_clean() && !seen.is_latched,
        format!(
            "{rate:.0} messages/s of 200 bytes: {shown}; memory {grown:+.1} MB; driver {:?}; {account}",
            seen.stop_reason
        ),
    ))
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
    let begun = std::time::Instant::now();
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

/// O12.
pub(crate) fn busy_disk(lab: &Lab) -> Outcome {
    let cell = Cell::here(lab)?;
    let folder = tempfile::tempdir()?;
    let written = AtomicU64::new(0);
    let load = |ends: &AtomicBool| {
        let block = vec![7u8; 4 << 20];
        while !ends.load(Relaxed) {
            let file = folder.path().join("busy");
            // A disk that is full is busy too.
            let Ok(mut out) = std::fs::File::create(&file) else {
                return;
            };
            let done = std::io::Write::write_all(&mut out, &block).and_then(|()| out.sync_all());
            written.fetch_add(u64::from(done.is_ok()) * block.len() as u64, Relaxed);
        }
    };
    let [quiet, loaded] = beside(&cell, lab, load, 1);
    let seen = cell.driver.see();
    let (holds, shown) = change("period", [&quiet.periods, &loaded.periods], 1.05);
    let account = seen.account;
    Ok(Finding::new(
        holds && account.is_clean() && !seen.is_latched,
        format!(
            "{} MB written and synced: {shown}; driver {:?}; {account}",
            written.load(Relaxed) >> 20,
            seen.stop_reason
        ),
    ))
}
