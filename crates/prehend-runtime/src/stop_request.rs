//! Asks a driver to stop its arm, and waits until it says that it has.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use prehend_link::messages::{RobotStatus, StopReason, StopRequest};
use prehend_link::{Link, Received};
use prehend_types::Stamp;
use serde::Serialize;

use crate::RuntimeError;
use crate::operator::stop_name;

/// Time between two requests: a single one may be dropped on the way.
const ASK_AGAIN: Duration = Duration::from_millis(10);
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
    /// Requests that were sent.
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
/// [`RuntimeError::NotReady`] if the driver says nothing or takes no requests, [`RuntimeError::Link`].
pub fn ask_to_stop(link: &Link, timeout: Duration) -> Result<StopAnswer, RuntimeError> {
    let statuses = link.queue::<RobotStatus>(STATUS_QUEUE)?;
    let requests = link.publisher::<StopRequest>()?;
    let not_ready = |what, remedy| RuntimeError::NotReady {
        what,
        seconds: timeout.as_secs_f64(),
        remedy: Cow::Borrowed(remedy),
    };
    let mut newest = statuses.wait(timeout).ok_or_else(|| {
        not_ready(
            "the driver said nothing",
            "is it the driver that listens there, and for this robot?",
        )
    })?;
    let begun = Instant::now();
    while !requests.has_subscriber() {
        if begun.elapsed() >= timeout {
            let remedy = "give the driver's endpoint: others move no arm";
            return Err(not_ready("nobody there can be asked to stop", remedy));
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
            let epoch = newest.message.epoch;
            requests.send(&StopRequest { epoch })?;
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

fn speed(status: &RobotStatus) -> f64 {
    status.dq.iter().fold(0.0, |most, dq| most.max(dq.abs()))
}

impl StopAnswer {
    fn note(&mut self, received: &Received<RobotStatus>, asked: Stamp) {
        let status = &received.message;
        let since_ms = received.at.seconds_since(asked) * 1e3;
        let is_stopped = !matches!(
            status.stop_reason,
            StopReason::None | StopReason::NotArmed | StopReason::NoSession
        );
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
