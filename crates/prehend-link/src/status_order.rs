//! Turns statuses as they come into statuses that only go on: what was overtaken on its way says nothing new.

use prehend_types::ahead;

use crate::messages::RobotStatus;

/// Remembers the newest status of a driver. An older one in a newer session is the driver's own business.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatusOrder {
    newest: Option<(u64, u64)>,
}

impl StatusOrder {
    /// Whether a status is newer than all before it, by session and number.
    pub fn admit(&mut self, status: &RobotStatus) -> bool {
        let is_newer = self.newest.is_none_or(|(epoch, seq)| {
            status.epoch > epoch || status.epoch == epoch && ahead(status.seq, seq) > 0
        });
        if is_newer {
            self.newest = Some((status.epoch, status.seq));
        }
        is_newer
    }
}

#[cfg(test)]
mod tests {
    use prehend_types::{GripperState, JointPositions, JointVelocities, RobotState, Stamp};

    use super::*;
    use crate::messages::{ArmId, StopReason};

    #[test]
    fn overtaken_and_repeated_ones_are_refused_and_a_new_session_and_a_number_after_the_last_go_on()
    {
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
        let id = ArmId {
            robot: "arm".to_owned(),
            model: "fr3".to_owned(),
            model_hash: String::new(),
        };
        let mut order = StatusOrder::default();
        let mut admit = |epoch, seq| {
            order.admit(&RobotStatus::new(
                &id,
                epoch,
                seq,
                &state,
                None,
                StopReason::None,
            ))
        };
        let seen = [
            (7, 4),
            (7, 6),
            (7, 5),
            (7, 6),
            (8, u64::MAX),
            (7, 9),
            (8, 0),
        ]
        .map(|(epoch, seq)| admit(epoch, seq));
        assert_eq!(seen, [true, true, false, false, true, false, true]);
    }
}
