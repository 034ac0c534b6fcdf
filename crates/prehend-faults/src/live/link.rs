//! Loads and abuse of real sessions, measured beside the same without them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use prehend_link::messages::{CommandMode, JointCommand, PointCloud2};
use prehend_link::{Link, LinkConfig, free_loopback_endpoint, measure_loopback};
use prehend_types::stats::quantile;
use prehend_types::{PointCloud, Role, Stamp};

use super::driver::Arrival;
use super::machine::resident_memory;
use super::proxy::Proxy;
use crate::Lab;
use crate::fault::{Finding, Outcome};

/// Commands that are sent without a pause to fill what is between two sessions.
const BURST: u64 = 100_000;

pub(super) fn command(seq: u64) -> JointCommand {
    JointCommand {
        robot: "faults".to_owned(),
        epoch: 1,
        seq,
        stamp_nanos: 0,
        sent_nanos: Stamp::now().as_nanos(),
        valid_for_nanos: 100_000_000,
        q_d: vec![0.1; 7],
        dq_d: vec![0.0; 7],
        gripper_opening: 1.0,
        mode: CommandMode::Track,
    }
}

/// Two sessions that know each other: the one that listens, the one that calls.
fn pair(robot: &str) -> Result<(Link, Link), Box<dyn std::error::Error>> {
    let endpoint = free_loopback_endpoint()?;
    let far = Link::open(&LinkConfig::for_robot(robot).listening(&endpoint))?;
    let near = Link::open(&LinkConfig::for_robot(robot).connecting(&endpoint))?;
    Ok((far, near))
}

pub(super) fn met(has: impl Fn() -> bool) -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    while !has() {
        if begun.elapsed() > Duration::from_secs(5) {
            return Err("two sessions did not find each other".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn at(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, q)
}

pub(crate) fn slow_subscriber(lab: &Lab) -> Outcome {
    let (far, near) = pair("faults-slow")?;
    // It never comes to read more than this.
    let _unread = far.queue::<JointCommand>(8)?;
    let is_slow = Arc::new(AtomicBool::new(true));
    let own = Arc::clone(&is_slow);
    let slow = far.subscribe::<JointCommand>(move |_| {
        if own.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
    })?;
    let publisher = near.publisher::<JointCommand>()?;
    met(|| publisher.has_subscriber())?;
    let n = lab.of(20_000).max(2000);
    let sent = std::cell::Cell::new(0);
    let mut calls = [Vec::new(), Vec::new()];
    let mut next = Instant::now();
    let send = |calls: &mut Vec<f64>| -> Result<(), Box<dyn std::error::Error>> {
        let message = command(sent.replace(sent.get() + 1));
        let begun = Instant::now();
        publisher.send(&message)?;
        calls.push(begun.elapsed().as_secs_f64() * 1e6);
        Ok(())
    };
    for _ in 0..n {
        send(&mut calls[0])?;
        next += Duration::from_millis(1);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    // More than any buffer on the way holds.
    for _ in 0..BURST {
        send(&mut calls[1])?;
    }
    is_slow.store(false, Relaxed);
    // A number that is lost shows in the next one that comes: so one now and then until all are accounted for.
    let begun = Instant::now();
    let counts = loop {
        std::thread::sleep(Duration::from_millis(20));
        let counts = slow.counts();
        if counts.received + counts.lost == sent.get() || begun.elapsed() > Duration::from_secs(20)
        {
            break counts;
        }
        send(&mut Vec::new())?;
    };
    let (accounted, sent) = (counts.received + counts.lost, sent.get());
    let [paced, burst] = calls.map(|calls| Calls::of(&calls));
    Ok(Finding::new(
        [&paced, &burst].iter().all(|calls| calls.p9999 <= 50.0)
            && counts.lost > 0
            && accounted == sent,
        format!(
            "send takes {paced} at 1 kHz, {burst} in a burst; {sent} sent, of which the subscriber got {} and \
             counted {} as lost: {accounted} accounted for",
            counts.received, counts.lost
        ),
    ))
}

/// How long calls took, us.
struct Calls {
    p50: f64,
    p9999: f64,
    max: f64,
    n: usize,
}

impl Calls {
    fn of(calls: &[f64]) -> Self {
        Self {
            p50: at(calls, 0.5).unwrap_or(f64::NAN),
            p9999: at(calls, 0.9999).unwrap_or(f64::NAN),
            max: calls.iter().copied().fold(0.0, f64::max),
            n: calls.len(),
        }
    }
}

impl std::fmt::Display for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { p50, p9999, max, n } = self;
        write!(
            f,
            "{p50:.0} / {p9999:.0} / {max:.0} us (p50 / p99.99 / max, n = {n})"
        )
    }
}

pub(crate) fn cloud_stream(lab: &Lab) -> Outcome {
    let n = lab.of(10_000).max(1000);
    let measure = || measure_loopback(n, 1000.0, &mut || true);
    let before = measure()?.one_way_us;
    let (far, near) = pair("faults-clouds")?;
    let clouds = far.latest::<PointCloud2>()?;
    let publisher = near.publisher::<PointCloud2>()?;
    met(|| publisher.has_subscriber())?;
    let points = 1 << 16;
    let cloud = PointCloud2::new(&PointCloud {
        stamp: Stamp::now(),
        frame: "base".to_owned(),
        points: vec![[0.1, 0.2, 0.3]; points],
        roles: vec![Role::Other; points],
    });
    let size = cloud.data.len() as u64;
    let (ends, sent, got) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let begun = Instant::now();
    let during = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = Instant::now();
            while !ends.load(Relaxed) {
                if publisher.send(&cloud).is_err() {
                    return;
                }
                sent.fetch_add(size, Relaxed);
                next += Duration::from_secs_f64(size as f64 / 50e6);
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        scope.spawn(|| {
            while !ends.load(Relaxed) {
                got.fetch_add(
                    u64::from(clouds.wait(Duration::from_millis(50)).is_some()),
                    Relaxed,
                );
            }
        });
        let times = measure();
        ends.store(true, Relaxed);
        times
    })?
    .one_way_us;
    let rate = sent.load(Relaxed) as f64 / begun.elapsed().as_secs_f64() * 1e-6;
    let p = |values: &[f64]| at(values, 0.999).unwrap_or(f64::NAN);
    let (before, during) = (p(&before), p(&during));
    Ok(Finding::new(
        during <= 1.05 * before && rate >= 49.0,
        format!(
            "one way p99.9 {before:.0} us without, {during:.0} us beside {rate:.0} MB/s ({} clouds seen), n = {n} each",
            got.load(Relaxed)
        ),
    ))
}

pub(crate) fn restarted_publisher(lab: &Lab) -> Outcome {
    let endpoint = free_loopback_endpoint()?;
    let receiver = Link::open(&LinkConfig::for_robot("faults-restart").listening(&endpoint))?;
    let commands = receiver.queue::<JointCommand>(64)?;
    let restart = |seq: u64| -> Result<bool, Box<dyn std::error::Error>> {
        let link = Link::open(&LinkConfig::for_robot("faults-restart").connecting(&endpoint))?;
        let publisher = link.publisher::<JointCommand>()?;
        met(|| publisher.has_subscriber())?;
        publisher.send(&command(seq))?;
        let got = commands.wait(Duration::from_secs(2)).is_some();
        drop(publisher);
        // A session that cannot close is gone all the same.
        let _ = link.close();
        Ok(got)
    };
    // The first ones fill what is kept for good: thread pools, tables.
    let warm_up = lab.of(1000).max(10) / 5;
    let n = lab.of(1000).max(10);
    let mut lost = 0;
    for seq in 0..warm_up {
        lost += u64::from(!restart(seq)?);
    }
    let (before, locked) = (resident_memory()?, locked_memory()?);
    for seq in 0..n {
        lost += u64::from(!restart(seq)?);
    }
    let grown = resident_memory()? as f64 - before as f64;
    let locked = locked_memory()? as f64 - locked as f64;
    Ok(Finding::new(
        grown < 1e6 && locked < 1e6 && lost == 0,
        format!(
            "after {warm_up} others, {n} restarts: resident {:+.2} MB, locked {:+.2} MB (both ends in this process), \
             {lost} without a message",
            grown * 1e-6,
            locked * 1e-6
        ),
    ))
}

fn locked_memory() -> Result<u64, Box<dyn std::error::Error>> {
    super::machine::memory("VmLck:")
}

pub(crate) fn close_under_stall(_: &Lab) -> Outcome {
    let endpoint = free_loopback_endpoint()?;
    let far = Link::open(&LinkConfig::for_robot("faults-close").listening(&endpoint))?;
    let mut proxy = Proxy::new();
    let through = proxy.stand_before(&endpoint)?;
    let near = Link::open(&LinkConfig::for_robot("faults-close").connecting(&through))?;
    let _received = far.queue::<JointCommand>(8)?;
    let publisher = near.publisher::<JointCommand>()?;
    met(|| publisher.has_subscriber())?;
    proxy.hold_both(true);
    for seq in 0..20_000 {
        publisher.send(&command(seq))?;
    }
    drop(publisher);
    let begun = Instant::now();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let closed = near.close();
        // Whoever waited may have given up.
        let _ = tell.send(closed.is_ok());
    });
    let closed = told.recv_timeout(Duration::from_secs(30));
    let took = begun.elapsed();
    Ok(Finding::new(
        closed.is_ok() && took <= Duration::from_secs(2),
        format!(
            "closed after {:.2} s with 20,000 commands waiting in a connection that does not move; the loop's \
             thread has no session to close",
            took.as_secs_f64()
        ),
    ))
}

/// Times between the sending of commands that rise, us.
pub(super) fn spacing(arrivals: &[Arrival]) -> Vec<f64> {
    let sent: Vec<u64> = arrivals
        .iter()
        .filter(|arrival| arrival.mode == CommandMode::Track)
        .map(|arrival| arrival.sent)
        .collect();
    sent.windows(2)
        .map(|pair| (pair[1] as f64 - pair[0] as f64) * 1e-3)
        .collect()
}

pub(super) fn p999(values: &[f64]) -> f64 {
    at(values, 0.999).unwrap_or(f64::NAN)
}
