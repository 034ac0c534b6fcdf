//! What the judge found.

/// Counts of one run.
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
    /// Commands that the driver says it follows though they have no warrant: of another session, robot or
    /// sender, expired on arrival, repeated, or never seen on the wire.
    pub unwarranted: u64,
    /// Commands that the driver says it follows though it had followed a newer one.
    pub old_executed: u64,
    /// Ticks in which the driver says it follows commands when none is alive any more, or after a stop.
    pub ticks_past_expiry: u64,
    /// Ticks in which the arm moved before the first command of a session, or later after its end than a
    /// stop takes.
    pub moved_unasked: u64,
    /// Sessions that ended in a stop.
    pub stops: u64,
}

impl Account {
    /// The universal judge's verdict.
    pub fn is_clean(&self) -> bool {
        self.violations() == 0
    }

    pub fn violations(&self) -> u64 {
        self.kinds().into_iter().map(|(count, _)| count).sum()
    }

    fn kinds(&self) -> [(u64, &'static str); 7] {
        [
            (self.sent_violations, "sent beyond a limit"),
            (self.told_violations, "told beyond a limit"),
            (self.non_finite, "not finite"),
            (self.unwarranted, "followed without a warrant"),
            (self.old_executed, "overtaken but followed"),
            (self.ticks_past_expiry, "ticks past expiry"),
            (self.moved_unasked, "moved unasked"),
        ]
    }

    pub fn add(&mut self, other: &Self) {
        self.commands += other.commands;
        self.told += other.told;
        self.sent_violations += other.sent_violations;
        self.told_violations += other.told_violations;
        self.non_finite += other.non_finite;
        self.unwarranted += other.unwarranted;
        self.old_executed += other.old_executed;
        self.ticks_past_expiry += other.ticks_past_expiry;
        self.moved_unasked += other.moved_unasked;
        self.stops += other.stops;
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} violations", self.violations())?;
        for (count, what) in self.kinds().into_iter().filter(|(count, _)| *count > 0) {
            write!(f, " ({count} {what})")?;
        }
        write!(
            f,
            " in {} commands and {} driver ticks",
            self.commands, self.told
        )
    }
}
