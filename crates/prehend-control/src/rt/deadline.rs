//! What the loop does when a stage of its work is late: a policy and a counter for each.

use serde::{Deserialize, Serialize};

use crate::ControlError;

/// What a late stage is answered with, in the tick that notices it. The severest of all late stages counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissPolicy {
    /// Counted, nothing else.
    Warn,
    /// This tick commands nothing: the driver carries the arm on for a moment, then stops it.
    Skip,
    /// This tick brakes; the plan is taken up again with the first tick that is in time.
    Hold,
    /// The arm stops until it is armed anew.
    Stop,
}

/// One stage's deadline.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// The stage is late when it takes longer than this, ms, 0.01 to 60,000.
    pub after_millis: f64,
    /// What is done about it.
    pub policy: MissPolicy,
}

/// Stages of the loop's work that have a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// From the planned moment of a tick to waking up.
    Wake = 0,
    /// The work of the tick before, from waking up to its end.
    Work,
    /// Age of the newest state.
    State,
    /// Since the plan ran out, while the arm holds.
    Plan,
}

impl Stage {
    /// Every stage, in the order of the counters.
    pub const ALL: [Self; 4] = [Self::Wake, Self::Work, Self::State, Self::Plan];

    /// The name used in settings and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wake => "wake",
            Self::Work => "work",
            Self::State => "state",
            Self::Plan => "plan",
        }
    }
}

/// The deadlines of a loop. They hold while it is armed; the trust limits of [`crate::ControlConfig`] on
/// states and plans hold beside them.
///
/// A late loop never makes up for what it missed, whatever the policy: planned ticks that have passed are
/// left out, one command continues the one before it by one period, and the next follows a period later.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadlineConfig {
    /// From the planned moment of a tick to waking up. Default 1 ms, warn.
    pub wake: Deadline,
    /// The work of a tick. Default 1 ms, warn.
    pub work: Deadline,
    /// Age of the newest state. Default 50 ms, warn: ten times the period of a driver at 200 Hz.
    pub state: Deadline,
    /// Since the plan ran out: the arm holds by then in any case. Default 1 s, warn.
    pub plan: Deadline,
}

impl Default for DeadlineConfig {
    fn default() -> Self {
        let warn_after = |after_millis| Deadline {
            after_millis,
            policy: MissPolicy::Warn,
        };
        Self {
            wake: warn_after(1.0),
            work: warn_after(1.0),
            state: warn_after(50.0),
            plan: warn_after(1000.0),
        }
    }
}

impl DeadlineConfig {
    /// The deadline of a stage.
    #[must_use]
    pub const fn of(&self, stage: Stage) -> Deadline {
        match stage {
            Stage::Wake => self.wake,
            Stage::Work => self.work,
            Stage::State => self.state,
            Stage::Plan => self.plan,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ControlError> {
        let fields = [
            "deadlines.wake.after_millis",
            "deadlines.work.after_millis",
            "deadlines.state.after_millis",
            "deadlines.plan.after_millis",
        ];
        for (stage, field) in Stage::ALL.into_iter().zip(fields) {
            let (value, low, high) = (self.of(stage).after_millis, 0.01, 60_000.0);
            if !(value >= low && value <= high) {
                return Err(ControlError::Config {
                    field,
                    value,
                    low,
                    high,
                });
            }
        }
        Ok(())
    }

    /// Which stages are late, and the severest policy among them. `nanos` are in the order of
    /// [`Stage::ALL`].
    pub(super) fn judge(&self, nanos: [u64; 4]) -> ([bool; 4], Option<MissPolicy>) {
        let is_late =
            |stage: Stage| nanos[stage as usize] as f64 > self.of(stage).after_millis * 1e6;
        let late = Stage::ALL.map(is_late);
        let policies = Stage::ALL.into_iter().filter(|stage| late[*stage as usize]);
        (late, policies.map(|stage| self.of(stage).policy).max())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_severest_policy_of_the_late_stages_counts() {
        let mut config = DeadlineConfig::default();
        config.state.policy = MissPolicy::Hold;
        config.work.policy = MissPolicy::Skip;
        assert_eq!(config.judge([1_000_000; 4]), ([false; 4], None));
        let (late, policy) = config.judge([1_000_001, 2_000_000, 60_000_000, 0]);
        assert_eq!(late, [true, true, true, false]);
        assert_eq!(policy, Some(MissPolicy::Hold));
    }

    #[test]
    fn a_deadline_that_is_none_is_refused_by_name() {
        for bad in [0.0, -1.0, f64::NAN, 1e9] {
            let mut config = DeadlineConfig::default();
            config.plan.after_millis = bad;
            let shown = config.check().expect_err("out of range").to_string();
            assert!(shown.contains("deadlines.plan.after_millis"), "{shown}");
        }
    }
}
