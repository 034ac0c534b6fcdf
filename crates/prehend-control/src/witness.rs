//! Judges whether what was measured can be true, by what an arm can do in the time since it was last believed.

use prehend_types::RobotState;

use crate::{JointBounds, StopReason};

/// No arm moves this many times faster than its limits, not even one that is pushed.
const PUSHED: f64 = 2.0;
/// What a measured position may be off by for other reasons, rad.
const NOISE: f64 = 0.02;
/// Samples in a row that cannot be true before the arm is stopped.
const MAX_DOUBTS: u32 = 2;

/// What the arm was believed to be last.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Witness {
    believed: Option<RobotState>,
    /// The newest sample that was not, and how many in a row.
    doubted: Option<RobotState>,
    doubts: u32,
}

/// What becomes of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    /// It can be true.
    Believed,
    /// It cannot: the one before stands in for it.
    Doubted(RobotState),
    /// Nothing that is measured can be believed any more.
    Refuted(StopReason),
}

impl Witness {
    /// Begins with a state that was checked by other means.
    pub fn begin(&mut self, state: &RobotState) {
        *self = Self {
            believed: Some(*state),
            ..Self::default()
        };
    }

    /// Judges the newest sample, which has as many joints as `bounds` and finite ones; one that was judged
    /// before is judged as it was. Never allocates.
    pub fn judge(&mut self, state: &RobotState, bounds: &[JointBounds]) -> Verdict {
        let Some(believed) = self.believed else {
            self.begin(state);
            return Verdict::Believed;
        };
        if is_same(state, &believed) {
            return Verdict::Believed;
        }
        if self.doubted.is_some_and(|doubted| is_same(state, &doubted)) {
            return Verdict::Doubted(believed);
        }
        if state.stamp < believed.stamp {
            return Verdict::Refuted(StopReason::DriverClock);
        }
        let dt = state.stamp.seconds_since(believed.stamp);
        let jumps = |(joint_idx, bounds): (usize, &JointBounds)| {
            let way = (state.q[joint_idx] - believed.q[joint_idx]).abs();
            (way > PUSHED * bounds.max_velocity * dt + NOISE).then_some(joint_idx)
        };
        let Some(joint_idx) = bounds.iter().enumerate().find_map(jumps) else {
            self.begin(state);
            return Verdict::Believed;
        };
        self.doubted = Some(*state);
        self.doubts += 1;
        if self.doubts < MAX_DOUBTS {
            Verdict::Doubted(believed)
        } else {
            Verdict::Refuted(StopReason::ImplausibleState { joint_idx })
        }
    }
}

fn is_same(one: &RobotState, other: &RobotState) -> bool {
    one.stamp == other.stamp && one.q == other.q
}

#[cfg(test)]
mod tests {
    use prehend_types::{GripperState, JointPositions, JointVelocities, Stamp};

    use super::*;

    const BOUNDS: JointBounds = JointBounds {
        lower: -3.0,
        upper: 3.0,
        max_velocity: 2.0,
        max_acceleration: 10.0,
        max_jerk: 1000.0,
        envelope: None,
    };

    fn state(millis: u64, q: f64) -> RobotState {
        RobotState {
            stamp: Stamp::from_nanos(millis * 1_000_000),
            q: JointPositions::from_slice(&[0.5, q, 0.1]).expect("fits"),
            dq: JointVelocities::zeros(3).expect("fits"),
            gripper: GripperState {
                width: 0.0,
                commanded: 0.0,
                is_grasping: false,
            },
        }
    }

    fn verdicts(samples: &[(u64, f64)]) -> Vec<Verdict> {
        let mut witness = Witness::default();
        let judge = |(millis, q): &(u64, f64)| witness.judge(&state(*millis, *q), &[BOUNDS; 3]);
        samples.iter().map(judge).collect()
    }

    #[test]
    fn an_arm_may_be_pushed_and_may_have_gone_on_while_nothing_was_heard() {
        for (millis, q) in [(5, 0.035), (100, 0.4), (300, -1.0)] {
            let seen = verdicts(&[(1000, 0.0), (1000 + millis, q)]);
            assert_eq!(seen, [Verdict::Believed; 2], "{q} rad in {millis} ms");
        }
    }

    #[test]
    fn one_jump_is_passed_over_and_the_second_names_the_joint() {
        let (good, back) = (state(1000, 0.0), (1010, 0.01));
        let doubted = Verdict::Doubted(good);
        // Looked at twice, it is still one sample.
        let one = verdicts(&[(1000, 0.0), (1005, 0.5), (1005, 0.5), back, (1015, 0.51)]);
        let again = Verdict::Doubted(state(1010, 0.01));
        let believed = Verdict::Believed;
        assert_eq!(one, [believed, doubted, doubted, believed, again]);
        let two = verdicts(&[(1000, 0.0), (1005, 0.5), (1010, 0.5)]);
        let reason = StopReason::ImplausibleState { joint_idx: 1 };
        assert_eq!(two[2], Verdict::Refuted(reason));
    }

    #[test]
    fn a_clock_that_goes_back_is_noticed_at_once() {
        let seen = verdicts(&[(1000, 0.0), (1000, 0.0), (999, 0.0)]);
        assert_eq!(seen[1], Verdict::Believed);
        assert_eq!(seen[2], Verdict::Refuted(StopReason::DriverClock));
    }
}
