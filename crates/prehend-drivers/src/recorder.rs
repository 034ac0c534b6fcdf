//! Turns received commands into an account of them: the recorder on the driver's side of the wire.

use hdrhistogram::Histogram;
use prehend_control::{JointBounds, WireChecker};
use prehend_link::messages::{CommandMode, JointCommand};
use prehend_link::{GateCounts, LinkCounts};
use prehend_types::{JointCommand as JointSetpoint, Stamp};
use serde::{Deserialize, Serialize};

/// Highest command age that is told apart, us.
const MAX_AGE_MICROS: u64 = 60_000_000;

/// From the sending of a command until its arrival, ms; `None` where nothing was received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct AgeMillis {
    /// Median.
    pub p50: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Highest.
    pub max: Option<f64>,
    /// Commands.
    pub n: u64,
}

/// What the driver's side of the wire saw since the driver started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WireReport {
    /// Commands that arrived and were decoded, those to stop included.
    pub commands: u64,
    /// Commands that broke at least one limit, by finite differences of consecutive ones.
    pub limit_violations: u64,
    /// ... of which position.
    pub position_violations: u64,
    /// ... of which velocity.
    pub velocity_violations: u64,
    /// ... of which acceleration.
    pub acceleration_violations: u64,
    /// ... of which jerk.
    pub jerk_violations: u64,
    /// Highest velocity, acceleration and jerk, each as a share of its limit.
    pub worst_share: [f64; 3],
    /// Commands with NaN, infinity or another number of joints.
    pub non_finite: u64,
    /// Sequence numbers that never came.
    pub gaps: u64,
    /// Commands that were repeated, overtaken, or of an earlier epoch.
    pub out_of_order: u64,
    /// Setpoints told to the arm that broke at least one limit, by finite differences. Must be 0.
    pub told_violations: u64,
    /// Ticks in which the arm was not told to be where the command was: a limit stood in the way, or it
    /// was returning from a pause.
    pub held_back: u64,
    /// Ticks in which the gripper was not told what the command said: it had turned too short a time ago.
    #[serde(default)]
    pub gripper_held_back: u64,
    /// Commands that moved the arm.
    pub applied: u64,
    /// Commands that moved the arm after they had expired. Must be 0.
    pub expired_executed: u64,
    /// Commands that were accepted but expired before a tick could use them.
    pub expired_unused: u64,
    /// Commands too far from where the arm was told to be.
    pub jumps_refused: u64,
    /// Commands that came before the arm was seen to be where it is told to be.
    pub refused_at_arming: u64,
    /// Commands of the current epoch that came while the arm was stopped.
    pub ignored_while_stopped: u64,
    /// From sending until arrival.
    pub command_age_ms: AgeMillis,
    /// Times the arm stopped because commands ceased.
    pub expiry_stops: u64,
    /// Times the arm stopped because a command asked for it.
    pub requested_stops: u64,
    /// Verdicts of the gate.
    pub gate: GateCounts,
    /// What the link saw of the command topic.
    pub link: LinkCounts,
    /// Physics steps done.
    pub steps: u64,
    /// Physics steps that were skipped because the driver was late.
    pub overruns: u64,
}

/// Watches every command that arrives and every one that is executed.
#[derive(Debug, Clone)]
pub struct Recorder {
    checker: WireChecker,
    /// The same of what the arm is told.
    told: WireChecker,
    ticks: u64,
    /// Times that the arm went on from where it was not told to be.
    resumes: u64,
    /// Commands to stop.
    stops: u64,
    /// `None` cannot happen with these constants; then ages are not reported.
    age_micros: Option<Histogram<u64>>,
    pub(crate) report: WireReport,
}

impl Recorder {
    /// A recorder for limits, the nominal time between two commands and that between two ticks, s.
    #[must_use]
    pub fn new(bounds: &[JointBounds], command_dt_s: f64, dt_s: f64) -> Self {
        Self {
            checker: WireChecker::new(bounds, command_dt_s),
            told: WireChecker::new(bounds, dt_s),
            ticks: 0,
            resumes: 0,
            stops: 0,
            age_micros: Histogram::new_with_bounds(1, MAX_AGE_MICROS, 3).ok(),
            report: WireReport::default(),
        }
    }

    /// Looks at a command, whether or not it will be accepted.
    pub fn received(&mut self, message: &JointCommand, arrived: Stamp) {
        let age = arrived.saturating_since(message.sent());
        let micros = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        if let Some(ages) = &mut self.age_micros {
            ages.saturating_record(micros);
        }
        if message.mode == CommandMode::Stop {
            // Anybody may stop: its values are not followed, and its number is none of the sequence.
            self.stops += 1;
        } else if let Some(command) = message.setpoint() {
            self.checker.check(message.epoch, message.seq, &command);
        }
    }

    /// Looks at what the arm is told in this tick.
    pub fn told(&mut self, epoch: u64, command: &JointSetpoint) {
        self.ticks += 1;
        // Differences start anew with every session, and with every resumption.
        let session = epoch.saturating_add(self.resumes);
        self.told.check(session, self.ticks, command);
    }

    /// Notes that what the arm is told next does not continue what it was told last.
    pub fn resumed(&mut self) {
        self.resumes += 1;
    }

    /// Notes that a command moves the arm; `at` is taken as the arm is told.
    pub fn executed(&mut self, expires: Stamp, at: Stamp) {
        self.report.applied += 1;
        self.report.expired_executed += u64::from(at >= expires);
    }

    /// The account so far.
    #[must_use]
    pub fn report(&self) -> WireReport {
        let wire = self.checker.report();
        WireReport {
            commands: wire.commands + self.stops,
            limit_violations: wire.limit_violations,
            position_violations: wire.position,
            velocity_violations: wire.velocity,
            acceleration_violations: wire.acceleration,
            jerk_violations: wire.jerk,
            worst_share: wire.worst_share,
            non_finite: wire.non_finite,
            told_violations: self.told.report().limit_violations + self.told.report().non_finite,
            gaps: wire.missing,
            out_of_order: wire.out_of_order,
            command_age_ms: self
                .age_micros
                .as_ref()
                .map_or_else(AgeMillis::default, ages),
            ..self.report.clone()
        }
    }
}

fn ages(micros: &Histogram<u64>) -> AgeMillis {
    let n = micros.len();
    let millis = |micros: u64| (n > 0).then_some(micros as f64 * 1e-3);
    AgeMillis {
        p50: millis(micros.value_at_quantile(0.5)),
        p99: millis(micros.value_at_quantile(0.99)),
        max: millis(micros.max()),
        n,
    }
}
