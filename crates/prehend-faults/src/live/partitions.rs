//! What a stalled, one-way or broken connection does to a real controller and driver.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use prehend_link::messages::StopReason;
use rand::Rng;

use super::cell::{Cell, NO_PROGRAM, VALID_FOR};
use super::driver::DT;
use super::proxy::Way;
use crate::Lab;
use crate::fault::{Finding, Outcome};
use crate::sim::Halts;

const SOON: Duration = Duration::from_secs(10);
/// Speed of a joint at which a policy is killed, rad/s.
const AT_SPEED: f64 = 0.1;

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// T6 in real time.
pub(crate) fn deaf_driver(lab: &Lab) -> Outcome {
    let cell = Cell::here(lab)?;
    let begun = Instant::now();
    cell.proxy.hold(Way::Up, true);
    let seen = cell.until("stopped", SOON, |seen| seen.is_latched)?;
    let latched = begun.elapsed();
    cell.until("at rest", SOON, |seen| seen.is_at_rest)?;
    let rested = cell.driver.see();
    // What was held back comes in one bunch, and is old.
    let _ = cell.driver.arrivals();
    cell.proxy.hold(Way::Up, false);
    std::thread::sleep(Duration::from_secs(2));
    let late = cell.driver.arrivals().len();
    let after = cell.driver.see();
    let moved = (after.q.iter().zip(rested.q.iter()))
        .fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()));
    let account = &after.account;
    Ok(Finding::new(
        account.is_clean()
            && seen.stop_reason == StopReason::Expired
            && moved == 0.0
            && after.is_latched
            && late > 0,
        format!(
            "{:?} {:.0} ms after the last bytes ({:.0} allowed); in the 2 s after it {late} commands came and moved \
             the arm by {moved} rad; {account}",
            seen.stop_reason,
            millis(latched),
            millis(VALID_FOR + DT),
        ),
    ))
}

/// T7 in real time.
pub(crate) fn deaf_controller(lab: &Lab) -> Outcome {
    let cell = Cell::here(lab)?;
    let begun = Instant::now();
    cell.proxy.hold(Way::Down, true);
    let seen = cell.until("stopped", SOON, |seen| seen.is_latched)?;
    let took = begun.elapsed();
    let account = seen.account;
    Ok(Finding::new(
        account.is_clean() && seen.stop_reason == StopReason::Requested,
        format!(
            "the controller has stopped the arm ({:?}) after {:.0} ms; {account}",
            seen.stop_reason,
            millis(took)
        ),
    ))
}

/// T8 in real time.
pub(crate) fn healed(lab: &Lab) -> Outcome {
    let cell = Cell::here(lab)?;
    cell.proxy.hold_both(true);
    cell.until("at rest", SOON, |seen| seen.is_latched && seen.is_at_rest)?;
    // Longer than the link's lease of 10 s.
    std::thread::sleep(Duration::from_secs(if lab.of(100) == 100 { 30 } else { 2 }));
    let before = cell.driver.see();
    cell.proxy.hold_both(false);
    std::thread::sleep(Duration::from_secs(5));
    let after = cell.driver.see();
    let executed = after.report.applied - before.report.applied;
    let rearmed = cell.rearm();
    let account = cell.driver.see().account;
    Ok(Finding::new(
        executed == 0 && before.q == after.q && rearmed.is_ok() && account.is_clean(),
        format!(
            "{executed} commands executed in the 5 s after it; new session: {}; {account}",
            rearmed.map_or_else(
                |error| error.to_string(),
                |seconds| format!("moves after {seconds:.1} s")
            )
        ),
    ))
}

/// T9 in real time.
pub(crate) fn flapping(lab: &Lab) -> Outcome {
    let cell = Cell::here(lab)?;
    let mut halts = Halts::default();
    let mut watch = |span: Duration| {
        let begun = Instant::now();
        while begun.elapsed() < span {
            let seen = cell.driver.see();
            halts.see(seen.now, seen.epoch, &seen.q);
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    for round in 0..lab.of(3000).clamp(5, 30) {
        cell.proxy.hold_both(true);
        watch(Duration::from_millis(200));
        cell.proxy.hold_both(false);
        watch(Duration::from_millis(200));
        if round % 10 == 9 {
            cell.driver.rearm();
        }
    }
    let account = cell.driver.see().account;
    Ok(Finding::new(
        account.is_clean() && halts.moved > 0 && halts.most == 1 && halts.displacement == 0.0,
        format!("{halts}; {account}"),
    ))
}

/// T5 in real time.
pub(crate) fn bunching(lab: &Lab) -> Outcome {
    let cell = Cell::here(lab)?;
    let mut rng = lab.rng("live bunching");
    let mut sessions = 1;
    for _ in 0..lab.of(4000).clamp(10, 40) {
        cell.proxy.hold_both(true);
        std::thread::sleep(Duration::from_millis(rng.random_range(1..500)));
        cell.proxy.hold_both(false);
        std::thread::sleep(Duration::from_millis(rng.random_range(1..300)));
        let seen = cell.driver.see();
        if seen.is_latched && seen.is_at_rest {
            cell.driver.rearm();
            sessions += 1;
        }
    }
    let seen = cell.driver.see();
    let account = seen.account;
    Ok(Finding::new(
        account.is_clean(),
        format!(
            "{} stops in {sessions} sessions, {} commands too old on arrival; {account}",
            account.stops, seen.report.gate.expired
        ),
    ))
}

pub(crate) fn reconnect(lab: &Lab) -> Outcome {
    let cell = Cell::here(lab)?;
    cell.proxy.cut(true);
    cell.until("at rest", SOON, |seen| seen.is_latched && seen.is_at_rest)?;
    let before = cell.driver.see();
    std::thread::sleep(Duration::from_secs(1));
    let _ = cell.driver.arrivals();
    cell.proxy.open();
    let begun = Instant::now();
    // The controller is there again when it knows of a peer and the arm follows it in a new session.
    let connected = loop {
        if cell.driver_link.peer_count() >= 2 {
            break Some(begun.elapsed());
        }
        if begun.elapsed() > Duration::from_secs(20) {
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    std::thread::sleep(Duration::from_secs(1));
    let stood = cell.driver.see().q == before.q;
    let rearmed = cell.rearm();
    let account = cell.driver.see().account;
    Ok(Finding::new(
        connected.is_some_and(|took| took <= Duration::from_secs(5))
            && stood
            && rearmed.is_ok()
            && account.is_clean(),
        format!(
            "connected again after {}; the arm stood: {stood}; new session: {}; {account}",
            connected.map_or("never".to_owned(), |took| format!(
                "{:.2} s",
                took.as_secs_f64()
            )),
            rearmed.map_or_else(
                |error| error.to_string(),
                |seconds| format!("moves after {seconds:.1} s")
            )
        ),
    ))
}

/// C12.
pub(crate) fn policy_killed(lab: &Lab) -> Outcome {
    if lab.program.is_none() {
        return Ok(Finding::partly(true, "nothing", NO_PROGRAM));
    }
    let mut cell = Cell::with_policy_process(lab)?;
    let mut policy = cell.policy_process.take().ok_or("no process")?;
    // As `kill -9`, in mid-motion.
    let before = cell.until("at speed", SOON, |seen| seen.speed > AT_SPEED)?;
    policy.0.kill()?;
    let begun = Instant::now();
    let signal = policy.0.wait()?.signal();
    cell.until("at rest", SOON, |seen| seen.is_latched && seen.is_at_rest)?;
    let rested = begun.elapsed();
    std::thread::sleep(Duration::from_secs(1));
    let seen = cell.driver.see();
    let report = cell.finish_control()?;
    let account = seen.account;
    Ok(Finding::new(
        signal == Some(9) && account.is_clean() && !report.stops.is_empty(),
        format!(
            "its process ended by signal {signal:?} at {:.2} rad/s; at rest and latched {:.0} ms later, driver {:?}, \
             stops {:?}; the loop ended in order after {} ticks; {account}",
            before.speed,
            millis(rested),
            seen.stop_reason,
            report.stops,
            report.control_loop.ticks,
        ),
    ))
}
