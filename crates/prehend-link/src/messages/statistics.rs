//! `prehend_msgs/msg/ControlStatistics`: what a control loop does, for whoever watches it.

use serde::{Deserialize, Serialize};

use super::{MAX_TEXT, is_name, text::misleads};
use crate::{DecodeError, Message, Topic};

/// Most bins of a histogram: above 2^40 ns, 18 minutes, nothing is told apart.
const MAX_BINS: usize = 32;
/// Most counts of a kind.
const MAX_COUNTS: usize = 64;

/// Times of one stage, as in `msg/Timing.msg`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// How many.
    pub n: u64,
    /// Median, us; 0 if there are none, as the others.
    pub p50_us: f64,
    /// 99 of 100 are at most this, us.
    pub p99_us: f64,
    /// 999 of 1000 are at most this, us.
    pub p999_us: f64,
    /// The longest, us.
    pub max_us: f64,
    /// How many below 1.024 us, then below twice as much in each next one; the last holds all longer ones.
    pub bins: Vec<u64>,
}

/// How often something happened, as in `msg/Count.msg`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// What.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// What a control loop has done since its node started, as in `msg/ControlStatistics.msg`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlStatistics {
    /// Whose arm it moves, as [`LinkConfig::robot`](crate::LinkConfig::robot) names it.
    pub robot: String,
    /// Counts these messages.
    pub seq: u64,
    /// When, monotonic ns.
    pub stamp_nanos: u64,
    /// Newest session that the driver announced.
    pub epoch: u64,
    /// What it is doing.
    pub mode: String,
    /// Ticks per second that are wanted.
    pub rate_hz: f64,
    /// Ticks that ran.
    pub ticks: u64,
    /// Planned ticks that never ran, because the one before was late or long.
    pub deadline_misses: u64,
    /// Between two wake-ups.
    pub period: Timing,
    /// From waking up to the end of a tick's work.
    pub compute: Timing,
    /// From a command's tick until it was handed to the link.
    pub command_age: Timing,
    /// Commands that were handed to the link.
    pub commands: u64,
    /// Commands that were not: by full rings or a closed session.
    pub commands_lost: u64,
    /// What the limiter kept to.
    pub interventions: Vec<Count>,
    /// Armed ticks in which a stage of the work was late, by stage.
    pub late: Vec<Count>,
    /// Stops that latched, by reason.
    pub stops: Vec<Count>,
    /// Sessions that were taken over.
    pub armed: u64,
    /// Attempts that were refused.
    pub arm_refused: u64,
    /// Why the newest session is not armed; empty if it is, or nothing was tried.
    pub arm_error: String,
}

impl Message for ControlStatistics {
    const TOPIC: Topic = Topic::Statistics;
    const TYPE_NAME: &'static str = "prehend_msgs/msg/ControlStatistics";
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 32 << 10;

    fn robot(&self) -> Option<&str> {
        Some(&self.robot)
    }

    fn check(&self) -> Result<(), DecodeError> {
        is_name::<Self>("robot", &self.robot)?;
        is_name::<Self>("mode", &self.mode)?;
        let invalid = |field, message: &str| Err(DecodeError::invalid::<Self>(field, message));
        if self.arm_error.len() > MAX_TEXT || self.arm_error.contains(misleads) {
            return invalid("arm_error", "too long, or a control character inside");
        }
        if !self.rate_hz.is_finite() {
            return invalid("rate_hz", "not finite");
        }
        for (field, timing) in [
            ("period", &self.period),
            ("compute", &self.compute),
            ("command_age", &self.command_age),
        ] {
            let times = [timing.p50_us, timing.p99_us, timing.p999_us, timing.max_us];
            if timing.bins.len() > MAX_BINS || !times.iter().all(|time| time.is_finite()) {
                return invalid(field, "too many bins, or a time that is not finite");
            }
        }
        for (field, counts) in [
            ("interventions", &self.interventions),
            ("late", &self.late),
            ("stops", &self.stops),
        ] {
            if counts.len() > MAX_COUNTS {
                return invalid(field, "too many");
            }
            for count in counts {
                is_name::<Self>(field, &count.name)?;
            }
        }
        Ok(())
    }
}
