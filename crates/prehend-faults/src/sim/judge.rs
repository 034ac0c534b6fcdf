//! The universal judge: looks at every command on the wire and at everything that the arm is told.

use prehend_control::{JointBounds, WireChecker};
use prehend_drivers::Shell;
use prehend_link::messages::{CommandMode, JointCommand};
use prehend_types::{JointCommand as Setpoint, JointPositions, Stamp, ahead};

/// What the judge found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    /// Commands that were sent, those to stop left out.
    pub commands: u64,
    /// Ticks of the driver.
    pub told: u64,
    /// Commands beyond a limit, by finite differences, or whose number did not rise.
    pub sent_violations: u64,
    /// Setpoints beyond a limit, by finite differences.
    pub told_violations: u64,
    /// NaN or infinity, on the wire or told.
    pub non_finite: u64,
    /// Commands that moved the arm at or after their expiry.
    pub expired_executed: u64,
    /// Commands that moved the arm though it had followed a newer one.
    pub old_executed: u64,
    /// Ticks in which a stopped arm moved in the epoch in which it was stopped.
    pub moved_while_stopped: u64,
    /// Ticks of the driver at or after the expiry of the newest command in which the arm was not stopped.
    pub ticks_past_expiry: u64,
    /// Stops that latched.
    pub stops: u64,
}

impl Account {
    /// The universal judge's verdict.
    pub fn is_clean(&self) -> bool {
        self.violations() == 0
    }

    pub fn violations(&self) -> u64 {
        self.sent_violations
            + self.told_violations
            + self.non_finite
            + self.expired_executed
            + self.old_executed
            + self.moved_while_stopped
    }

    pub fn add(&mut self, other: &Self) {
        self.commands += other.commands;
        self.told += other.told;
        self.sent_violations += other.sent_violations;
        self.told_violations += other.told_violations;
        self.non_finite += other.non_finite;
        self.expired_executed += other.expired_executed;
        self.old_executed += other.old_executed;
        self.moved_while_stopped += other.moved_while_stopped;
        self.ticks_past_expiry += other.ticks_past_expiry;
        self.stops += other.stops;
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} violations", self.violations())?;
        for (count, what) in [
            (self.sent_violations, "sent beyond a limit"),
            (self.told_violations, "told beyond a limit"),
            (self.non_finite, "not finite"),
            (self.expired_executed, "executed after expiry"),
            (self.old_executed, "overtaken but executed"),
            (self.moved_while_stopped, "moved while stopped"),
        ] {
            if count > 0 {
                write!(f, " ({count} {what})")?;
            }
        }
        write!(
            f,
            " in {} commands and {} driver ticks",
            self.commands, self.told
        )
    }
}

/// Sees what is sent and what is told, and shares nothing with the code that makes them but the limits.
#[derive(Debug)]
pub(crate) struct Judge {
    sent: WireChecker,
    told: WireChecker,
    account: Account,
    /// Newest command that moved the arm.
    executed: Option<(u64, u64)>,
    /// Where the arm came to rest after a stop, and in which epoch.
    rest: Option<(u64, JointPositions)>,
    /// The epoch that was stopped last.
    latched: Option<u64>,
    newest_expiry: Option<u64>,
}

impl Judge {
    /// For commands every `command_dt_s` and driver ticks every `driver_dt_s`.
    pub fn new(bounds: &[JointBounds], command_dt_s: f64, driver_dt_s: f64) -> Self {
        Self {
            sent: WireChecker::new(bounds, command_dt_s),
            told: WireChecker::new(bounds, driver_dt_s),
            account: Account::default(),
            executed: None,
            rest: None,
            latched: None,
            newest_expiry: None,
        }
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

    /// Looks at what the driver tells its arm at `now`, and at the command that it follows, if any.
    pub fn told(&mut self, now: u64, shell: &Shell, told: &Setpoint, expires: Option<Stamp>) {
        self.account.told += 1;
        let epoch = shell.epoch();
        self.told.check(epoch, self.account.told, told);
        if let Some(expires) = expires {
            self.account.expired_executed += u64::from(now >= expires.as_nanos());
            self.newest_expiry = Some(expires.as_nanos());
            let newest = shell.newest(Stamp::from_nanos(now));
            if let Some((seq, _)) = newest {
                let is_old = |(of, last)| of > epoch || of == epoch && ahead(seq, last) <= 0;
                self.account.old_executed += u64::from(self.executed.is_some_and(is_old));
                self.executed = Some((epoch, seq));
            }
        }
        match self.rest {
            Some((rested, q)) if rested == epoch => {
                self.account.moved_while_stopped += u64::from(q != told.q_d);
            }
            _ => self.rest = None,
        }
        if !shell.is_latched() {
            let is_past = self.newest_expiry.is_some_and(|expiry| now >= expiry);
            self.account.ticks_past_expiry += u64::from(is_past);
            return;
        }
        if self.latched != Some(epoch) {
            self.account.stops += 1;
            self.latched = Some(epoch);
            self.newest_expiry = None;
        }
        if shell.is_at_rest() && self.rest.is_none() {
            self.rest = Some((epoch, told.q_d));
        }
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
}
