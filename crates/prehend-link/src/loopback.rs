//! Measures the link alone: a command goes to another session over loopback and comes back as a status.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use prehend_types::Stamp;

use crate::messages::{CommandMode, JointCommand, RobotStatus, StopReason};
use crate::{Latest, Link, LinkConfig, LinkError, Publisher, free_loopback_endpoint};

/// Longest wait for an answer: one that takes longer counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(1);
const MEET_WITHIN: Duration = Duration::from_secs(5);
/// Messages before those that count: threads start, buffers grow.
const WARM_UP: u64 = 100;
const N_JOINTS: usize = 7;

/// What was measured, in the order of sending, us.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoopbackTimes {
    /// From before the sending call until the other session has the message, not yet decoded.
    pub one_way_us: Vec<f64>,
    /// From before the sending call until the answer is here. The thread that answers wakes up in between.
    pub round_trip_us: Vec<f64>,
    /// The sending call itself: encoding, queueing, and what of the sending happens in it.
    pub send_call_us: Vec<f64>,
    /// Messages without an answer within a second.
    pub lost: u64,
}

/// Sends `n` commands of seven joints at `rate_hz`, or for as long as an answer takes if that is longer,
/// between two sessions of this process, on keys that no robot has. `go_on` is asked before each.
///
/// # Errors
/// [`LinkError`]: the sessions could not be opened, or did not find each other.
pub fn measure_loopback(
    n: u64,
    rate_hz: f64,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<LoopbackTimes, LinkError> {
    let endpoint = free_loopback_endpoint()?;
    let robot = format!("loopback-{}", std::process::id());
    let config = LinkConfig::for_robot(&robot);
    let far = Link::open(&config.clone().listening(&endpoint))?;
    let near = Link::open(&config.connecting(&endpoint))?;
    let (statuses, answers) = (
        far.publisher::<RobotStatus>()?,
        near.latest::<RobotStatus>()?,
    );
    let (commands, received) = (
        near.publisher::<JointCommand>()?,
        far.latest::<JointCommand>()?,
    );
    let met = Instant::now();
    while !(commands.has_subscriber() && statuses.has_subscriber()) {
        if met.elapsed() >= MEET_WITHIN {
            return Err(LinkError::Topic {
                key: format!("prehend/{robot}"),
                reason: format!("two sessions did not find each other on {endpoint}"),
            });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let end = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| answer(&robot, &received, &statuses, &end));
        let times = measure(&robot, &commands, &answers, n, rate_hz, go_on);
        end.store(true, Ordering::Relaxed);
        times
    })
}

fn answer(
    robot: &str,
    received: &Latest<JointCommand>,
    statuses: &Publisher<RobotStatus>,
    end: &AtomicBool,
) {
    while !end.load(Ordering::Relaxed) {
        let Some(command) = received.wait(Duration::from_millis(50)) else {
            continue;
        };
        let status = RobotStatus {
            robot: robot.to_owned(),
            model: String::new(),
            model_hash: String::new(),
            epoch: 1,
            acknowledged: false,
            seq: command.message.seq,
            stamp_nanos: command.at.as_nanos(),
            q: command.message.q_d,
            dq: command.message.dq_d,
            gripper_width: 0.0,
            gripper_commanded: 0.0,
            is_grasping: false,
            command_seq: command.message.seq,
            command_age_nanos: 0,
            stop_reason: StopReason::None,
            refusal: Vec::new(),
        };
        // The near end counts what it misses.
        let _ = statuses.send(&status);
    }
}

fn measure(
    robot: &str,
    commands: &Publisher<JointCommand>,
    answers: &Latest<RobotStatus>,
    n: u64,
    rate_hz: f64,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<LoopbackTimes, LinkError> {
    let mut command = JointCommand {
        robot: robot.to_owned(),
        epoch: 1,
        seq: 0,
        stamp_nanos: 0,
        sent_nanos: 0,
        valid_for_nanos: LOST_AFTER.as_nanos() as u64,
        q_d: vec![0.1; N_JOINTS],
        dq_d: vec![0.0; N_JOINTS],
        gripper_opening: 1.0,
        mode: CommandMode::Track,
    };
    let period = Duration::from_secs_f64(1.0 / rate_hz);
    let mut times = LoopbackTimes::default();
    let mut next = Instant::now();
    for seq in 0..n + WARM_UP {
        if !go_on() {
            break;
        }
        let called = Instant::now();
        let sent = Stamp::now();
        command.seq = seq;
        command.sent_nanos = sent.as_nanos();
        commands.send(&command)?;
        let call = called.elapsed();
        let deadline = called + LOST_AFTER;
        let answer = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match answers.wait(left) {
                // An answer to one that counts as lost already.
                Some(answer) if answer.message.seq != seq => {}
                other => break other,
            }
        };
        if seq >= WARM_UP {
            let micros = |at: Stamp| at.seconds_since(sent) * 1e6;
            times.send_call_us.push(call.as_secs_f64() * 1e6);
            match answer {
                Some(answer) => {
                    let arrived = Stamp::from_nanos(answer.message.stamp_nanos);
                    times.one_way_us.push(micros(arrived));
                    times.round_trip_us.push(micros(answer.at));
                }
                None => times.lost += 1,
            }
        }
        next += period;
        let now = Instant::now();
        match next.checked_duration_since(now) {
            Some(left) => std::thread::sleep(left),
            // Late: go on from here, instead of catching up in a burst.
            None => next = now,
        }
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_measured_once() {
        let times = measure_loopback(50, 2000.0, &mut || true).expect("loopback");
        assert_eq!((times.send_call_us.len(), times.lost), (50, 0));
        assert_eq!(
            (times.one_way_us.len(), times.round_trip_us.len()),
            (50, 50)
        );
        for (there, back) in times.one_way_us.iter().zip(&times.round_trip_us) {
            assert!(
                0.0 < *there && there < back,
                "{there} us there, {back} us and back"
            );
        }
    }

    #[test]
    fn it_ends_when_asked() {
        let mut left = WARM_UP + 7;
        let mut go_on = || {
            left -= 1;
            left > 0
        };
        let times = measure_loopback(1_000_000, 2000.0, &mut go_on).expect("loopback");
        assert_eq!(times.send_call_us.len(), 6);
    }
}
