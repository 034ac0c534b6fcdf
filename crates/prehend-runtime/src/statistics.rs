//! Turns a control node's report into what it tells whoever watches it, once per second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use prehend_control::rt::Histogram;
use prehend_link::messages::{ControlStatistics, Count, Timing};
use prehend_link::{Link, LinkError, Publisher};
use prehend_types::Stamp;

use crate::control_node::ControlReport;

const PERIOD: Duration = Duration::from_secs(1);

/// The times of a loop and its sender.
pub(crate) struct Times<'a> {
    pub period: &'a Histogram,
    pub compute: &'a Histogram,
    pub command_age: &'a Histogram,
}

/// Says what the control loop does, on a session that carries nothing else.
#[derive(Debug)]
pub(crate) struct Statistics {
    publisher: Publisher<ControlStatistics>,
    robot: String,
    told: Option<Instant>,
    seq: u64,
}

impl Statistics {
    pub fn new(link: &Link) -> Result<Self, LinkError> {
        Ok(Self {
            publisher: link.publisher()?,
            robot: link.robot().to_owned(),
            told: None,
            seq: 0,
        })
    }

    /// Whether a second has passed since the last call that said so.
    pub fn is_due(&mut self) -> bool {
        let is_due = self.told.is_none_or(|told| told.elapsed() >= PERIOD);
        if is_due {
            self.told = Some(Instant::now());
        }
        is_due
    }

    /// Sends one message; `arm_error` says why the newest session is not armed.
    pub fn tell(
        &mut self,
        report: &ControlReport,
        mode: String,
        epoch: u64,
        arm_error: Option<&str>,
        times: &Times<'_>,
    ) {
        let control = &report.control_loop;
        let message = ControlStatistics {
            robot: self.robot.clone(),
            seq: self.seq,
            stamp_nanos: Stamp::now().as_nanos(),
            epoch,
            mode,
            rate_hz: control.rate_hz,
            ticks: control.ticks,
            deadline_misses: control.deadline_misses,
            period: timing(times.period),
            compute: timing(times.compute),
            command_age: timing(times.command_age),
            commands: report.sending.sent,
            commands_lost: report.sending.failed + control.commands_lost,
            interventions: counts(control.limiter.iter()),
            late: counts(control.late.iter()),
            stops: of_map(&report.stops),
            armed: report.armed,
            arm_refused: report.arm_refused,
            arm_error: arm_error.unwrap_or_default().to_owned(),
        };
        self.seq = self.seq.wrapping_add(1);
        // Statistics are a courtesy: the report at the end holds them too.
        if let Err(error) = self.publisher.send(&message) {
            tracing::debug!(%error, "control: statistics not sent");
        }
    }
}

fn timing(histogram: &Histogram) -> Timing {
    let quantiles = histogram.quantiles();
    Timing {
        n: quantiles.n,
        p50_us: quantiles.p50.unwrap_or(0.0),
        p99_us: quantiles.p99.unwrap_or(0.0),
        p999_us: quantiles.p999.unwrap_or(0.0),
        max_us: quantiles.max.unwrap_or(0.0),
        bins: histogram.octaves().to_vec(),
    }
}

fn counts(counts: impl Iterator<Item = (&'static str, u64)>) -> Vec<Count> {
    counts
        .map(|(name, count)| Count {
            name: name.to_owned(),
            count,
        })
        .collect()
}

fn of_map(map: &BTreeMap<String, u64>) -> Vec<Count> {
    map.iter()
        .map(|(name, count)| Count {
            name: name.clone(),
            count: *count,
        })
        .collect()
}
