//! A short memory of robot states, to find the one that belongs to a cloud.

use std::collections::VecDeque;
use std::time::Duration;

use prehend_types::{RobotState, Stamp};

/// Two seconds at the driver's 200 states per second.
const LENGTH: usize = 400;
/// A state this far from a cloud's stamp does not belong to it: 10 ms are 6 mm at full tool speed.
const TOLERANCE: Duration = Duration::from_millis(10);

/// The newest states of one driver, oldest first, each with its epoch.
#[derive(Debug, Default)]
pub(crate) struct StateHistory {
    states: VecDeque<(u64, RobotState)>,
}

impl StateHistory {
    /// Adds a state. One that is older than the newest is left out: it came too late to matter.
    pub fn push(&mut self, epoch: u64, state: RobotState) {
        if self
            .states
            .back()
            .is_some_and(|(_, last)| state.stamp < last.stamp)
        {
            return;
        }
        if self.states.len() == LENGTH {
            self.states.pop_front();
        }
        self.states.push_back((epoch, state));
    }

    /// The state nearest to `stamp` and its epoch; `None` if there is none within 10 ms.
    pub fn at(&self, stamp: Stamp) -> Option<(u64, RobotState)> {
        let after = self
            .states
            .partition_point(|(_, state)| state.stamp < stamp);
        let distance = |index: usize| {
            let state = self.states.get(index)?;
            let off = state
                .1
                .stamp
                .saturating_since(stamp)
                .max(stamp.saturating_since(state.1.stamp));
            Some((off, *state))
        };
        let before = after.checked_sub(1).and_then(distance);
        [distance(after), before]
            .into_iter()
            .flatten()
            .min_by_key(|(off, _)| *off)
            .filter(|(off, _)| *off <= TOLERANCE)
            .map(|(_, found)| found)
    }
}

#[cfg(test)]
mod tests {
    use prehend_types::{GripperState, JointPositions, JointVelocities};

    use super::*;

    fn state(millis: u64) -> RobotState {
        RobotState {
            stamp: Stamp::from_nanos(millis * 1_000_000),
            q: JointPositions::zeros(7).expect("fits"),
            dq: JointVelocities::zeros(7).expect("fits"),
            gripper: GripperState {
                width: 0.0,
                commanded: 0.0,
                is_grasping: false,
            },
        }
    }

    #[test]
    fn the_nearest_state_is_found_and_far_ones_are_not() {
        let mut history = StateHistory::default();
        for (epoch, millis) in [(1, 100), (1, 105), (1, 103), (2, 120)] {
            history.push(epoch, state(millis));
        }
        let at = |millis: u64| {
            let found = history.at(Stamp::from_nanos(millis * 1_000_000));
            found.map(|(epoch, state)| (epoch, state.stamp.as_nanos() / 1_000_000))
        };
        assert_eq!(at(105), Some((1, 105)));
        assert_eq!(at(103), Some((1, 105)), "the late one was left out");
        assert_eq!(at(112), Some((1, 105)));
        assert_eq!(at(113), Some((2, 120)));
        assert_eq!(at(89), None);
        assert_eq!(at(131), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut history = StateHistory::default();
        (0..1000).for_each(|millis| history.push(1, state(millis)));
        assert_eq!(history.states.len(), LENGTH);
    }
}
