//! What the machine can do to a running cell: too little time, memory, permission.

use std::process::{Command, Stdio};
use std::time::Duration;

use prehend_control::rt::{RealtimeConfig, enter_realtime};
use prehend_link::Link;
use prehend_link::messages::{EpisodeEvent, EventKind, PointCloud2};
use prehend_runtime::{NamedPolicy, PolicyNode};
use prehend_types::{ActionChunk, Observation, PointCloud, Policy, PolicyError, Role, Stamp};

use super::cell::{Cell, NO_PROGRAM};
use crate::Lab;
use crate::fault::{Finding, Outcome};
use crate::lab::Effort;

/// A line of `/proc/self/status`, bytes.
pub(super) fn memory(name: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.ok_or("no such line")?.parse::<u64>()? << 10)
}

/// The most memory that this process ever had, bytes.
pub(crate) fn peak_memory() -> Result<u64, Box<dyn std::error::Error>> {
    memory("VmHWM:")
}

/// The memory that this process has, bytes.
pub(crate) fn resident_memory() -> Result<u64, Box<dyn std::error::Error>> {
    memory("VmRSS:")
}

pub(crate) fn hogs(lab: &Lab) -> Outcome {
    let mut cell = Cell::here(lab)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let ends = std::sync::atomic::AtomicBool::new(false);
    let span = Duration::from_secs(if lab.effort == Effort::Full { 10 } else { 2 });
    std::thread::scope(|scope| {
        for _ in 0..2 * cores {
            scope.spawn(|| {
                // Arithmetic and memory traffic.
                let mut block = vec![1u64; 1 << 20];
                while !ends.load(std::sync::atomic::Ordering::Relaxed) {
                    for k in 1..block.len() {
                        block[k] = block[k].wrapping_mul(3).wrapping_add(block[k - 1]);
                    }
                }
                std::hint::black_box(block);
            });
        }
        std::thread::sleep(span);
        ends.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let seen = cell.driver.see();
    let report = cell.finish_control()?;
    let account = seen.account;
    Ok(Finding::new(
        account.is_clean(),
        format!(
            "{} busy threads for {} s, {}: {} misses in {} ticks, driver {:?}; {account}",
            2 * cores,
            span.as_secs(),
            report.realtime.scheduler,
            report.control_loop.deadline_misses,
            report.control_loop.ticks,
            seen.stop_reason
        ),
    ))
}

pub(crate) fn few_descriptors(lab: &Lab) -> Outcome {
    if lab.program.is_none() {
        return Ok(Finding::partly(true, "nothing", NO_PROGRAM));
    }
    let started = Cell::there(
        lab,
        |program| {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""])
                .arg(program);
            shell
        },
        Stdio::null(),
    );
    let mut cell = started?;
    std::thread::sleep(Duration::from_secs(3));
    let seen = cell.driver.see();
    let ended = cell.process()?.try_wait()?;
    let account = seen.account;
    Ok(Finding::new(
        ended.is_none() && !seen.is_latched && account.is_clean(),
        format!(
            "the control node {}, driver {:?}; {account}",
            ended.map_or("runs".to_owned(), |status| format!("ended: {status}")),
            seen.stop_reason
        ),
    ))
}

pub(crate) fn no_realtime(lab: &Lab) -> Outcome {
    // On a thread of its own, which ends with its priority.
    let granted = std::thread::spawn(|| enter_realtime(&RealtimeConfig::default()))
        .join()
        .map_err(|_| "panicked")?;
    if granted.scheduler != "SCHED_OTHER" {
        return Ok(Finding::partly(
            true,
            format!("{} is granted", granted.scheduler),
            "real-time scheduling is permitted here",
        ));
    }
    let cell = Cell::here(lab)?;
    let says = granted
        .notes
        .iter()
        .find(|note| note.contains("SCHED_FIFO"));
    let account = cell.driver.see().account;
    Ok(Finding::new(
        says.is_some() && account.is_clean(),
        format!(
            "runs with {}; says: {}; {account}",
            granted.scheduler,
            says.map_or("nothing", String::as_str)
        ),
    ))
}

/// Panics as soon as it is asked.
struct Panicking;

impl Policy for Panicking {
    fn name(&self) -> &str {
        "panicking"
    }

    fn reset(&mut self, _: u64) {}

    fn act(&mut self, _: &Observation) -> Result<ActionChunk, PolicyError> {
        panic!("a policy that panics, on purpose")
    }
}

pub(crate) fn panicking_policy(lab: &Lab) -> Outcome {
    let mut cell = Cell::here(lab)?;
    drop(cell.policy.take());
    let link = Link::open(&cell.visitor())?;
    let policy = NamedPolicy {
        policy: Box::new(Panicking),
        provider: "none".to_owned(),
    };
    let node = PolicyNode::spawn(policy, &lab.robot("fr3")?, Duration::from_millis(25), &link)?;
    let clouds = cell.driver_link.publisher::<PointCloud2>()?;
    let events = cell.driver_link.publisher::<EpisodeEvent>()?;
    for _ in 0..300 {
        if !node.is_running() {
            break;
        }
        let seen = cell.driver.see();
        events.send(&EpisodeEvent {
            epoch: seen.epoch,
            episode: 1,
            seed: 1,
            stamp_nanos: seen.now,
            kind: EventKind::Started,
            target: "box".to_owned(),
            held_out: false,
            detail: String::new(),
        })?;
        clouds.send(&PointCloud2::new(&PointCloud {
            stamp: Stamp::from_nanos(seen.now),
            frame: "base".to_owned(),
            points: vec![[0.5, 0.0, 0.1]; 100],
            roles: vec![Role::Target; 100],
        }))?;
        std::thread::sleep(Duration::from_millis(20));
    }
    let ended = !node.is_running();
    let error = node.join().err().map(|error| error.to_string());
    std::thread::sleep(Duration::from_secs(2));
    let seen = cell.driver.see();
    let stands = seen.speed < 0.02;
    let report = cell.finish_control();
    let account = seen.account;
    Ok(Finding::new(
        ended && error.is_some() && stands && report.is_ok() && account.is_clean(),
        format!(
            "reported: {}; the arm stands 2 s later: {stands}; the control node ends in order: {}; {account}",
            error.unwrap_or_else(|| "nothing".to_owned()),
            report.is_ok()
        ),
    ))
}
