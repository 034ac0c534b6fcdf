//! The universal judge: looks at every message on the wire and at everything that the arm is told.
//!
//! It shares nothing with the code under test but the limits. Which session runs it knows from whoever
//! starts one, until when the arm may move from the commands as they arrive, and what the driver does from
//! where it tells the arm to be and from its statuses.

use prehend_control::{JointBounds, WireChecker};
use prehend_link::SenderId;
use prehend_link::messages::{CommandMode, JointCommand, RobotStatus, StopReason};
use prehend_types::{JointCommand as Setpoint, JointPositions};

use super::account::Account;
use super::warrant::Warrant;

/// Ticks that a stop may take longer than its limits need: for rounding a motion to ticks.
const SLACK: u64 = 6;
/// What the judge remembers of the way that the arm is told, ticks.
const PAST: usize = 3;

/// What is judged, and by which numbers.
#[derive(Debug, Clone)]
pub(crate) struct Rules<'a> {
    /// Whose arm it is.
    pub robot: &'a str,
    pub bounds: &'a [JointBounds],
    pub command_dt_s: f64,
    pub driver_dt_s: f64,
    /// Longest time to live that the driver may grant, ns.
    pub max_valid_for: u64,
}

/// Sees what is sent, what arrives and what is told.
#[derive(Debug)]
pub(crate) struct Judge {
    sent: WireChecker,
    told: WireChecker,
    account: Account,
    warrant: Warrant,
    bounds: Vec<JointBounds>,
    dt_s: f64,
    /// Number of the command that the driver said last it follows, in this session.
    followed: Option<u64>,
    /// Whether the driver has followed commands in this session.
    has_begun: bool,
    /// Ticks within which the arm has to stand, once the session is over.
    ticks_left: Option<u64>,
    /// Where the arm was told to be, newest first, in this session.
    past: [Option<JointPositions>; PAST],
}

impl Judge {
    pub fn new(rules: &Rules) -> Self {
        let Rules {
            robot,
            bounds,
            command_dt_s,
            driver_dt_s,
            max_valid_for,
        } = *rules;
        Self {
            sent: WireChecker::new(bounds, command_dt_s),
            told: WireChecker::new(bounds, driver_dt_s),
            account: Account::default(),
            warrant: Warrant::new(robot, bounds.len(), max_valid_for),
            bounds: bounds.to_vec(),
            dt_s: driver_dt_s,
            followed: None,
            has_begun: false,
            ticks_left: None,
            past: [None; PAST],
        }
    }

    /// An operator has started this session.
    pub fn session(&mut self, epoch: u64) {
        self.warrant.begin(epoch);
        self.followed = None;
        self.has_begun = false;
        self.ticks_left = None;
        self.past = [None; PAST];
    }

    /// Looks at a command as it leaves the controller.
    pub fn sent(&mut self, message: &JointCommand) {
        if message.mode == CommandMode::Track
            && let Some(setpoint) = message.setpoint()
        {
            self.account.commands += 1;
            self.sent.check(message.epoch, message.seq, &setpoint);
        }
    }

    /// Looks at a command of anybody's as it reaches the driver.
    pub fn arrives(&mut self, at: u64, sender: Option<SenderId>, message: &JointCommand) {
        self.warrant.arrives(at, sender, message);
    }

    /// Looks at what the driver tells its arm at `now`, and at what it says of that.
    pub fn told(&mut self, now: u64, told: &Setpoint, status: &RobotStatus) {
        self.account.told += 1;
        self.told
            .check(self.warrant.epoch(), self.account.told, told);
        let runs = status.stop_reason == StopReason::None;
        self.has_begun |= runs;
        let may_run = self.warrant.lets_move(now);
        self.account.ticks_past_expiry += u64::from(runs && !may_run);
        if runs {
            self.check_followed(status);
        }
        let is_over = says_stopped(status.stop_reason) || self.has_begun && !may_run;
        if is_over && self.ticks_left.is_none() {
            self.account.stops += 1;
            self.ticks_left = Some(self.stop_ticks());
        }
        self.check_standstill(&told.q_d);
        self.past.rotate_right(1);
        self.past[0] = Some(told.q_d);
    }

    /// What was found so far.
    pub fn account(&self) -> Account {
        let (sent, told) = (self.sent.report(), self.told.report());
        Account {
            sent_violations: sent.limit_violations + sent.out_of_order,
            told_violations: told.limit_violations,
            non_finite: sent.non_finite + told.non_finite,
            ..self.account.clone()
        }
    }

    /// The command that the driver says it follows must be one that it may, and newer than the last.
    fn check_followed(&mut self, status: &RobotStatus) {
        let seq = status.command_seq;
        if status.command_age_nanos == RobotStatus::NO_COMMAND {
            self.account.unwarranted += 1;
            return;
        }
        if self.followed == Some(seq) {
            return;
        }
        let is_old = |last: u64| (seq.wrapping_sub(last) as i64) < 0;
        self.account.old_executed += u64::from(self.followed.is_some_and(is_old));
        self.account.unwarranted += u64::from(!self.warrant.covers(seq));
        self.followed = Some(seq);
    }

    /// Where nothing may move the arm, it stands.
    fn check_standstill(&mut self, q: &JointPositions) {
        let must_stand = match &mut self.ticks_left {
            None => !self.has_begun,
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                // Two ticks in one place are no speed and no acceleration: what moves after that moves anew.
                if self.past.iter().all(|past| *past == self.past[0]) {
                    *left = 0;
                }
                *left == 0
            }
        };
        let moves = self.past[0].is_some_and(|before| before != *q);
        self.account.moved_unasked += u64::from(must_stand && moves);
    }

    /// Ticks that a stop takes from how the arm is told to move, by every joint's limits.
    fn stop_ticks(&self) -> u64 {
        let [Some(q0), Some(q1), Some(q2)] = &self.past else {
            return SLACK;
        };
        let seconds = self.bounds.iter().enumerate().map(|(joint_idx, bounds)| {
            let speed = |from: &JointPositions, to: &JointPositions| {
                (to[joint_idx] - from[joint_idx]) / self.dt_s
            };
            let (dq, before) = (speed(q1, q0), speed(q2, q1));
            let ddq = ((dq - before) / self.dt_s).abs();
            // Turn the acceleration round, brake, let go.
            let gained = 0.5 * ddq * ddq / bounds.max_jerk;
            (dq.abs() + gained) / bounds.max_acceleration
                + (ddq + 2.0 * bounds.max_acceleration) / bounds.max_jerk
        });
        (seconds.fold(0.0, f64::max) / self.dt_s).ceil() as u64 + SLACK
    }
}

/// Whether the session is over, in the driver's own words.
fn says_stopped(reason: StopReason) -> bool {
    match reason {
        StopReason::Expired | StopReason::Requested | StopReason::Fault | StopReason::Shutdown => {
            true
        }
        StopReason::None | StopReason::NotArmed | StopReason::NoSession => false,
    }
}
