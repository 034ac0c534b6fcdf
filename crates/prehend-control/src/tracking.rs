//! Finds the joint that does not go where it is commanded to be.
//!
//! A joint may lag: its drive has a lag of its own, and what it pushes against gives way. One that does not
//! move at all though it is told to is jammed, or its encoder is, and is found long before one that lags.

use prehend_robot::Robot;
use prehend_types::{JointPositions, JointVelocities, MAX_JOINTS, RobotState, Stamp};

/// A joint that does not move may be off by this and its drive's lag, rad.
const JAMMED_ERROR_RAD: f64 = 0.1;
/// A reading that changes by no more than this in a sample does not move, rad. The same for a command.
const STILL_RAD: f64 = 1e-6;
/// Samples in a row that do not move under a command that does, before a joint is taken for jammed.
const JAMMED_SAMPLES: u32 = 5;

/// Watches every joint's distance from its command. Never allocates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tracking {
    /// A joint that moves may be off by this, rad.
    max_error_rad: f64,
    /// How far a drive is behind a ramp, s.
    lag_s: [f64; MAX_JOINTS],
    last: Option<Sample>,
    /// Samples in a row in which each joint did not move though it was told to.
    still: [u32; MAX_JOINTS],
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    stamp: Stamp,
    q: JointPositions,
    q_d: JointPositions,
}

impl Tracking {
    pub fn new(robot: &Robot, max_error_rad: f64) -> Self {
        let mut lag_s = [0.0; MAX_JOINTS];
        for (lag_s, drive) in lag_s.iter_mut().zip(robot.actuators().joints()) {
            let omega = std::f64::consts::TAU * drive.bandwidth_hz;
            *lag_s = 2.0 * drive.damping_ratio * (1.0 - drive.velocity_feedforward) / omega;
        }
        Self {
            max_error_rad,
            lag_s,
            last: None,
            still: [0; MAX_JOINTS],
        }
    }

    /// The arm is taken over: nothing is known of how it followed.
    pub fn begin(&mut self) {
        self.last = None;
        self.still = [0; MAX_JOINTS];
    }

    /// The first joint that is too far from its command, or jammed. A state that was seen before is no
    /// new sample.
    pub fn lost_joint(
        &mut self,
        state: &RobotState,
        q_d: &JointPositions,
        dq_d: &JointVelocities,
    ) -> Option<usize> {
        self.count(state, q_d);
        (0..q_d.len()).find(|joint_idx| {
            let joint_idx = *joint_idx;
            let error = (q_d[joint_idx] - state.q[joint_idx]).abs();
            let lag = self.lag_s[joint_idx] * dq_d[joint_idx].abs();
            let is_jammed = self.still[joint_idx] >= JAMMED_SAMPLES;
            error > self.max_error_rad || is_jammed && error > JAMMED_ERROR_RAD + lag
        })
    }

    fn count(&mut self, state: &RobotState, q_d: &JointPositions) {
        let sample = Sample {
            stamp: state.stamp,
            q: state.q,
            q_d: *q_d,
        };
        let Some(last) = self.last.filter(|last| last.stamp != sample.stamp) else {
            self.last.get_or_insert(sample);
            return;
        };
        for (joint_idx, still) in self.still.iter_mut().enumerate().take(q_d.len()) {
            let stands = |now: &JointPositions, before: &JointPositions| {
                (now[joint_idx] - before[joint_idx]).abs() <= STILL_RAD
            };
            let is_jammed = stands(&sample.q, &last.q) && !stands(&sample.q_d, &last.q_d);
            *still = if is_jammed { *still + 1 } else { 0 };
        }
        self.last = Some(sample);
    }
}

#[cfg(test)]
mod tests {
    use prehend_types::GripperState;

    use super::*;

    const LAG_S: f64 = 0.016;
    const SPEED: f64 = 0.5;
    const DT: f64 = 0.005;

    fn tracking() -> Tracking {
        Tracking {
            max_error_rad: 0.3,
            lag_s: [LAG_S; MAX_JOINTS],
            last: None,
            still: [0; MAX_JOINTS],
        }
    }

    fn one(value: f64) -> JointPositions {
        JointPositions::from_slice(&[value]).expect("one joint")
    }

    /// The error at which a joint that is commanded at `speed` is found, if its reading is `q(t)`.
    fn found(speed: f64, q: impl Fn(f64) -> f64) -> Option<f64> {
        let mut tracking = tracking();
        let dq_d = JointVelocities::from_slice(&[speed]).expect("one joint");
        (0..2000_u64).find_map(|k| {
            let t = k as f64 * DT;
            let (q_d, q) = (one(speed * t), one(q(t)));
            let state = RobotState {
                stamp: Stamp::from_nanos(1 + k * 5_000_000),
                q,
                dq: dq_d,
                gripper: GripperState {
                    width: 0.0,
                    commanded: 0.0,
                    is_grasping: false,
                },
            };
            // A tick between two states looks at the same one again.
            let lost = tracking.lost_joint(&state, &q_d, &dq_d);
            assert_eq!(tracking.lost_joint(&state, &q_d, &dq_d), lost);
            lost.map(|_| (q_d[0] - q[0]).abs())
        })
    }

    #[test]
    fn a_jammed_joint_is_found_at_a_third_of_what_a_lagging_one_may() {
        let jammed = found(SPEED, |_| 0.0).expect("jammed");
        let allowed = JAMMED_ERROR_RAD + LAG_S * SPEED;
        assert!(
            jammed > allowed && jammed <= allowed + 2.0 * SPEED * DT,
            "{jammed}"
        );
        let slow = found(SPEED, |t| 0.5 * SPEED * t).expect("lags ever more");
        assert!((slow - 0.3).abs() < 2.0 * SPEED * DT, "{slow}");
    }

    #[test]
    fn a_joint_that_moves_at_all_or_is_told_to_stand_is_not_jammed() {
        let lags = found(SPEED, |t| SPEED * (t - 0.4));
        assert_eq!(lags, None, "0.2 rad behind, and moving");
        assert_eq!(found(0.0, |_| 0.2), None, "pushed aside, and told to stand");
    }
}
