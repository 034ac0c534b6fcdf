//! Turns statuses as they come into statuses that only go on: what was overtaken on its way says nothing new.

use crate::messages::RobotStatus;

/// Remembers the newest status of a driver. An older one in a newer session is the driver's own business.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatusOrder {
    newest: Option<(u64, u64)>,
}

impl StatusOrder {
    /// Whether a status is newer than all before it, by session and number.
    pub fn admit(&mut self, status: &RobotStatus) -> bool {
        let this = Some((status.epoch, status.seq));
        let is_newer = this > self.newest;
        if is_newer {
            self.newest = this;
        }
        is_newer
    }
}

#[cfg(test)]
mod tests {
    use prehend_types::{GripperState, JointPositions, JointVelocities, RobotState, Stamp};

    use super::*;
    use crate::messages::StopReason;

    #[test]
    fn overtaken_and_repeated_ones_are_refused_and_a_new_session_starts_anew() {
        let state = RobotState {
            stamp: Stamp::ZERO,
            q: JointPositions::zeros(2).expect("fits"),
            dq: JointVelocities::zeros(2).expect("fits"),
            gripper: GripperState {
                width: 0.0,
                commanded: 0.0,
                is_grasping: false,
            },
        };
        let mut order = StatusOrder::default();
        let mut admit = |epoch, seq| {
            order.admit(&RobotStatus::new(
                epoch,
                seq,
                &state,
                None,
                StopReason::None,
            ))
        };
        let seen = [(7, 4), (7, 6), (7, 5), (7, 6), (8, 0), (7, 9), (8, 1)]
            .map(|(epoch, seq)| admit(epoch, seq));
        assert_eq!(seen, [true, true, false, false, true, false, true]);
    }
}
