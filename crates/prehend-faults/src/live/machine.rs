//! What the machine can do to a running cell: too little time, memory, permission.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use nalgebra::Vector3;
use prehend_control::rt::{RealtimeConfig, enter_realtime};
use prehend_link::messages::{EpisodeEvent, PointCloud2};
use prehend_runtime::{NamedPolicy, PolicyNode};
use prehend_types::{Action, ActionChunk, Observation, Policy, PolicyError, Stamp};

use super::cell::{Cell, NO_PROGRAM};
use super::driver::Arrival;
use super::feed::{scene, started};
use super::proxy::Way;
use crate::Lab;
use crate::fault::{Finding, Outcome};
use crate::lab::Effort;

/// Speed of a joint at which a policy may panic, rad/s.
const AT_SPEED: f64 = 0.01;
/// Period of a cell's controller, ns.
const PERIOD_NS: f64 = 2e6;

/// A line of `/proc/self/status`, bytes.
pub(super) fn memory(name: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.ok_or("no such line")?.parse::<u64>()? << 10)
}

/// The most memory that this process has from now on, beside what it has now.
pub(crate) struct PeakMemory {
    before: u64,
}

impl PeakMemory {
    /// Forgets the highest so far, which may have been another row's.
    pub fn watch() -> Result<Self, Box<dyn std::error::Error>> {
        std::fs::write("/proc/self/clear_refs", "5")?;
        Ok(Self {
            before: resident_memory()?,
        })
    }

    /// How much more it was at most, bytes.
    pub fn grown(&self) -> Result<u64, Box<dyn std::error::Error>> {
        Ok(memory("VmHWM:")?.saturating_sub(self.before))
    }
}

/// The memory that this process has, bytes.
pub(crate) fn resident_memory() -> Result<u64, Box<dyn std::error::Error>> {
    memory("VmRSS:")
}

pub(crate) fn hogs(lab: &Lab) -> Outcome {
    let mut cell = Cell::here(lab)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let ends = AtomicBool::new(false);
    let span = Duration::from_secs(if lab.effort == Effort::Full { 10 } else { 2 });
    std::thread::scope(|scope| {
        for _ in 0..2 * cores {
            scope.spawn(|| {
                // Arithmetic and memory traffic.
                let mut block = vec![1u64; 1 << 20];
                while !ends.load(Relaxed) {
                    for k in 1..block.len() {
                        block[k] = block[k].wrapping_mul(3).wrapping_add(block[k - 1]);
                    }
                }
                std::hint::black_box(block);
            });
        }
        let _ = cell.driver.arrivals();
        std::thread::sleep(span);
        ends.store(true, Relaxed);
    });
    let seen = cell.driver.see();
    let missing = missing(&cell.driver.arrivals());
    let report = cell.finish_control()?;
    let counted = report.control_loop.deadline_misses + report.control_loop.commands_lost;
    let account = seen.account;
    Ok(Finding::new(
        account.is_clean() && counted >= missing,
        format!(
            "{} busy threads for {} s, {}: {missing} periods without a command on the wire, {counted} misses counted \
             in {} ticks, driver {:?}; {account}",
            2 * cores,
            span.as_secs(),
            report.realtime.scheduler,
            report.control_loop.ticks,
            seen.stop_reason
        ),
    ))
}

/// Periods without a tick, as the driver's side of the wire shows them: between two commands of which the
/// second is the next one of the first. Waking up takes its time too, so a part of a period is none.
fn missing(arrivals: &[Arrival]) -> u64 {
    let pairs = arrivals
        .windows(2)
        .filter(|pair| pair[1].seq == pair[0].seq + 1);
    let gaps = pairs.map(|pair| pair[1].stamp.saturating_sub(pair[0].stamp) as f64 / PERIOD_NS);
    gaps.map(|periods| (periods - 1.3).max(0.0) as u64).sum()
}

/// Descriptors that the control node may have: what it needs, and fewer than callers take. The catalogue's 64
/// are more than it ever has.
const DESCRIPTORS: usize = 40;

pub(crate) fn few_descriptors(lab: &Lab) -> Outcome {
    if lab.program.is_none() {
        return Ok(Finding::partly(true, "nothing", NO_PROGRAM));
    }
    let (mut said, log) = std::io::pipe()?;
    let mut cell = Cell::there(
        lab,
        |program| {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", "ulimit -n 40; exec \"$0\" \"$@\""])
                .arg(program);
            shell
        },
        Stdio::from(log),
    )?;
    let pid = cell.process()?.id();
    let open = || Ok::<_, std::io::Error>(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count());
    let before = open()?;
    // Callers who never introduce themselves take what is left.
    let address = cell.statistics.trim_start_matches("tcp/").to_owned();
    let (mut callers, mut most) = (Vec::new(), before);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        if callers.len() < 4 * DESCRIPTORS {
            callers.extend(std::net::TcpStream::connect(&address));
        }
        most = most.max(open()?);
        std::thread::sleep(Duration::from_millis(10));
    }
    // With none to spare it still stops and starts.
    cell.proxy.hold(Way::Up, true);
    cell.until("stopped", Duration::from_secs(10), |seen| seen.is_latched)?;
    cell.proxy.hold(Way::Up, false);
    let again = cell.rearm();
    let seen = cell.driver.see();
    let ended = cell.process()?.try_wait()?;
    drop((callers, cell));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut said, &mut text)?;
    let panics = text.matches("panicked").count();
    let account = seen.account;
    Ok(Finding::new(
        ended.is_none()
            && most >= DESCRIPTORS
            && panics == 0
            && again.is_ok()
            && account.is_clean(),
        format!(
            "{before} descriptors open, {most} of {DESCRIPTORS} with callers at its door: the control node {}, {panics} \
             panics; after a stop meanwhile a new session: {}; {account}",
            ended.map_or("runs".to_owned(), |status| format!("ended: {status}")),
            again.map_or_else(
                |error| error.to_string(),
                |seconds| format!("moves after {seconds:.1} s")
            )
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

/// Moves the tool to and fro, and panics when it is told to.
struct Panicking {
    looks: u32,
    panics: Arc<AtomicBool>,
}

impl Policy for Panicking {
    fn name(&self) -> &str {
        "panicking"
    }

    fn reset(&mut self, _: u64) {}

    fn act(&mut self, seen: &Observation) -> Result<ActionChunk, PolicyError> {
        self.looks += 1;
        assert!(
            !self.panics.load(Relaxed),
            "a policy that panics, on purpose"
        );
        let way = if self.looks % 8 < 4 { 0.004 } else { -0.004 };
        let action = Action {
            translation: Vector3::new(0.0, way, way),
            ..Action::hold(1.0)
        };
        let dt = Duration::from_millis(50);
        ActionChunk::new(seen.stamp, dt, 4, &[action; 8]).map_err(|error| PolicyError::Inference {
            reason: error.to_string(),
        })
    }
}

pub(crate) fn panicking_policy(lab: &Lab) -> Outcome {
    let mut cell = Cell::here(lab)?;
    // What ends with the old policy is none of this one's.
    drop(cell.policy.take());
    cell.until("stopped with its policy", Duration::from_secs(10), |seen| {
        seen.is_latched && seen.is_at_rest
    })?;
    let panics = Arc::<AtomicBool>::default();
    let policy = NamedPolicy {
        policy: Box::new(Panicking {
            looks: 0,
            panics: Arc::clone(&panics),
        }),
        provider: "none".to_owned(),
    };
    let (robot, lead) = (lab.robot("fr3")?, Duration::from_millis(25));
    let node = PolicyNode::spawn(policy, &robot, lead, &cell.policy_link)?;
    cell.driver.rearm();
    let clouds = cell.driver_link.publisher::<PointCloud2>()?;
    let events = cell.driver_link.publisher::<EpisodeEvent>()?;
    let (begun, mut fastest) = (Instant::now(), 0.0f64);
    while node.is_running() && begun.elapsed() < Duration::from_secs(30) {
        let seen = cell.driver.see();
        fastest = fastest.max(seen.speed);
        if fastest > AT_SPEED {
            panics.store(true, Relaxed);
        }
        events.send(&started(seen.epoch))?;
        clouds.send(&PointCloud2::new(&scene(Stamp::now())))?;
        std::thread::sleep(Duration::from_millis(20));
    }
    let ended = !node.is_running();
    let error = node.join().err().map(|error| error.to_string());
    let stood = cell.until("stands", Duration::from_secs(10), |seen| seen.speed < 1e-3);
    let account = cell.driver.see().account;
    let report = cell.finish_control();
    Ok(Finding::new(
        ended
            && error.is_some()
            && fastest > AT_SPEED
            && stood.is_ok()
            && report.is_ok()
            && account.is_clean(),
        format!(
            "moved the arm at up to {fastest:.2} rad/s, then panicked; reported: {}; the arm stands: {}; \
             the control node ends in order: {}; {account}",
            error.unwrap_or_else(|| "nothing".to_owned()),
            stood.is_ok(),
            report.is_ok()
        ),
    ))
}
