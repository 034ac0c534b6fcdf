//! Asks a driver to stop its arm, and waits until it says that it has.

use std::time::{Duration, Instant};

use prehend_link::messages::{CommandMode, JointCommand, RobotStatus, StopReason};
use prehend_link::{Link, Received};
use prehend_types::Stamp;
use serde::Serialize;

use crate::RuntimeError;
use crate::operator::stop_name;

/// Time between two requests: a single one may be dropped on the way, as every command may.
const ASK_AGAIN: Duration = Duration::from_millis(10);
/// The driver grants less where less is allowed.
const VALID_FOR: Duration = Duration::from_millis(200);
/// Below this every joint counts as standing, rad/s.
const REST_RAD_PER_S: f64 = 0.01;
const STATUS_QUEUE: usize = 1024;

/// What became of the wish.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StopAnswer {
    /// Whether the driver says that it follows no commands of its session any more.
    pub confirmed: bool,
    /// Why it says so: `requested`, or what had stopped it before.
    pub reason: Option<&'static str>,
    /// Session that was stopped.
    pub epoch: u64,
    /// Commands to stop that were sent.
    pub requests: u64,
    /// From the first request until the first status that shows it, ms.
    pub confirmed_ms: Option<f64>,
    /// From the first request until the first status with every joint below 0.01 rad/s, ms.
    pub at_rest_ms: Option<f64>,
    /// Highest joint speed in the last status before the first request, rad/s.
    pub speed_before_rad_per_s: f64,
}

/// Asks until the driver says that it stopped and the arm stands, or `timeout` has passed since the first
/// request. The driver then follows nobody until somebody arms it anew: an operator that still asks for
/// episodes will.
///
/// # Errors
/// [`RuntimeError::NotReady`] if the driver says nothing or takes no commands, [`RuntimeError::Link`].
pub fn ask_to_stop(link: &Link, timeout: Duration) -> Result<StopAnswer, RuntimeError> {
    let statuses = link.queue::<RobotStatus>(STATUS_QUEUE)?;
    let commands = link.publisher::<JointCommand>()?;
    let not_ready = |what, remedy| RuntimeError::NotReady {
        what,
        seconds: timeout.as_secs_f64(),
        remedy,
    };
    let mut newest = statuses.wait(timeout).ok_or_else(|| {
        not_ready(
            "the driver said nothing",
            "is it the driver that listens there, and for this robot?",
        )
    })?;
    let begun = Instant::now();
    while !commands.has_subscriber() {
        if begun.elapsed() >= timeout {
            let remedy = "give the driver's endpoint: others are not asked to stop";
            return Err(not_ready("nobody there took commands", remedy));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    while let Some(received) = statuses.take() {
        newest = received;
    }

    let mut answer = StopAnswer {
        speed_before_rad_per_s: speed(&newest.message),
        ..StopAnswer::default()
    };
    let asked = Stamp::now();
    let begun = Instant::now();
    let mut next_request = begun;
    while begun.elapsed() < timeout && !(answer.confirmed && answer.at_rest_ms.is_some()) {
        if !answer.confirmed && Instant::now() >= next_request {
            next_request += ASK_AGAIN;
            commands.send(&request(&newest.message, answer.requests))?;
            answer.requests += 1;
        }
        if let Some(received) = statuses.wait(ASK_AGAIN / 2) {
            if received.at >= asked {
                answer.note(&received, asked);
            }
            newest = received;
        }
    }
    Ok(answer)
}

/// Sent to the session that the driver announced last. Its values are not followed and its number is none of
/// the sequence: a stop passes with any, but for the arm's number of joints.
fn request(status: &RobotStatus, seq: u64) -> JointCommand {
    let now = Stamp::now().as_nanos();
    JointCommand {
        epoch: status.epoch,
        seq,
        stamp_nanos: now,
        sent_nanos: now,
        valid_for_nanos: VALID_FOR.as_nanos() as u64,
        q_d: status.q.clone(),
        dq_d: vec![0.0; status.q.len()],
        gripper_opening: status.gripper_commanded,
        mode: CommandMode::Stop,
    }
}

fn speed(status: &RobotStatus) -> f64 {
    status.dq.iter().fold(0.0, |most, dq| most.max(dq.abs()))
}

impl StopAnswer {
    fn note(&mut self, received: &Received<RobotStatus>, asked: Stamp) {
        let status = &received.message;
        let since_ms = received.at.seconds_since(asked) * 1e3;
        let is_stopped = !matches!(status.stop_reason, StopReason::None | StopReason::NotArmed);
        if is_stopped && !self.confirmed {
            self.confirmed = true;
            self.reason = stop_name(status.stop_reason);
            self.epoch = status.epoch;
            self.confirmed_ms = Some(since_ms);
        }
        if self.confirmed && self.at_rest_ms.is_none() && speed(status) < REST_RAD_PER_S {
            self.at_rest_ms = Some(since_ms);
        }
    }
}
