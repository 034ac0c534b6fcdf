//! Why a command differs from what was asked, as a set per tick and as counters over a run.

/// Why the controller did something else than the plan said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LimitReason {
    /// Going on would leave no stop inside the position limits.
    Position = 0,
    /// Joint speed limit.
    Velocity,
    /// Joint acceleration limit.
    Acceleration,
    /// Joint jerk limit.
    Jerk,
    /// Cap on the tool's linear or angular speed.
    TcpSpeed,
    /// The plan ran further ahead of the arm than allowed and was held back.
    Lag,
    /// A number in the state or in a chunk was NaN or infinite.
    NonFinite,
    /// The newest robot state is too old, or from the future.
    StaleState,
    /// The arm is further from its command than allowed.
    TrackingError,
    /// An action was already past when its chunk was accepted, and was dropped.
    LateAction,
    /// A chunk was refused.
    RefusedChunk,
    /// The plan ended before a new chunk came.
    Underrun,
    /// The plan led below the floor that the tool must stay above.
    Floor,
    /// The slower speed that the maker asks for in front of a position limit.
    Envelope,
    /// Going on would leave no stop inside the box that the tool must stay in.
    Workspace,
    /// Going on would leave no stop before the arm comes too near to itself.
    SelfCollision,
    /// Joint torque limit, or its rate.
    Torque,
    /// The gripper was told to turn back too soon after it had turned.
    Gripper,
    /// A measured position that no arm can have got to in the time since the one before.
    ImplausibleState,
}

impl LimitReason {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 19] = [
        Self::Position,
        Self::Velocity,
        Self::Acceleration,
        Self::Jerk,
        Self::TcpSpeed,
        Self::Lag,
        Self::NonFinite,
        Self::StaleState,
        Self::TrackingError,
        Self::LateAction,
        Self::RefusedChunk,
        Self::Underrun,
        Self::Floor,
        Self::Envelope,
        Self::Workspace,
        Self::SelfCollision,
        Self::Torque,
        Self::Gripper,
        Self::ImplausibleState,
    ];

    /// The name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Position => "position",
            Self::Velocity => "velocity",
            Self::Acceleration => "acceleration",
            Self::Jerk => "jerk",
            Self::TcpSpeed => "tcp_speed",
            Self::Lag => "lag",
            Self::NonFinite => "non_finite",
            Self::StaleState => "stale_state",
            Self::TrackingError => "tracking_error",
            Self::LateAction => "late_action",
            Self::RefusedChunk => "refused_chunk",
            Self::Underrun => "underrun",
            Self::Floor => "floor",
            Self::Envelope => "envelope",
            Self::Workspace => "workspace",
            Self::SelfCollision => "self_collision",
            Self::Torque => "torque",
            Self::Gripper => "gripper",
            Self::ImplausibleState => "implausible_state",
        }
    }
}

/// The reasons that applied in one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitSet(u32);

impl LimitSet {
    /// Adds a reason.
    pub const fn insert(&mut self, reason: LimitReason) {
        self.0 |= 1 << reason as u8;
    }

    /// Whether this reason applied.
    #[must_use]
    pub const fn contains(self, reason: LimitReason) -> bool {
        self.0 & (1 << reason as u8) != 0
    }

    /// Whether nothing was limited.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The reasons, in the order of [`LimitReason::ALL`].
    pub fn iter(self) -> impl Iterator<Item = LimitReason> {
        LimitReason::ALL
            .into_iter()
            .filter(move |reason| self.contains(*reason))
    }
}

/// How often each reason applied: ticks for limits, pieces for late actions and refused chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitCounters([u64; LimitReason::ALL.len()]);

impl LimitCounters {
    /// Counts of one reason.
    #[must_use]
    pub const fn get(&self, reason: LimitReason) -> u64 {
        self.0[reason as usize]
    }

    /// Name and count of every reason, also of those that never applied.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        LimitReason::ALL
            .into_iter()
            .map(|reason| (reason.name(), self.get(reason)))
    }

    pub(crate) const fn add(&mut self, reason: LimitReason, count: u64) {
        self.0[reason as usize] = self.0[reason as usize].saturating_add(count);
    }

    pub(crate) fn add_set(&mut self, set: LimitSet) {
        for reason in set.iter() {
            self.add(reason, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_bit_a_counter_and_a_name_of_its_own() {
        let mut counters = LimitCounters::default();
        for (idx, reason) in LimitReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, idx, "{}", reason.name());
            let mut set = LimitSet::default();
            set.insert(reason);
            assert!(set.iter().eq([reason]));
            counters.add_set(set);
        }
        let mut names: Vec<_> = counters.iter().map(|(name, _)| name).collect();
        assert!(counters.iter().all(|(_, count)| count == 1));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), LimitReason::ALL.len());
    }

    #[test]
    fn a_set_is_counted_once_per_reason() {
        let mut set = LimitSet::default();
        set.insert(LimitReason::Jerk);
        set.insert(LimitReason::Jerk);
        set.insert(LimitReason::Underrun);
        let mut counters = LimitCounters::default();
        counters.add_set(set);
        let named: Vec<_> = counters.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(named, [("jerk", 1), ("underrun", 1)]);
    }
}
