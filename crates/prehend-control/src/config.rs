//! Settings of the controller, with units in the keys.

use serde::{Deserialize, Serialize};

use crate::rt::DeadlineConfig;
use crate::{ControlError, Fence};

/// Periods of the driver that a state is trusted for.
const TRUSTED_PERIODS: f64 = 8.0;

/// Settings of a [`crate::Controller`]. Every key may be left out; unknown keys are refused.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlConfig {
    /// Commands per second, 50 to 4000. One tick always integrates `1 / rate_hz` seconds.
    pub rate_hz: f64,
    /// How fast a pose error decays. Higher follows more tightly and passes on more noise.
    pub pose_gain_per_s: f64,
    /// Share of the plan's own velocity that is passed on, 0 to 1. Below 1 the arm lags behind.
    pub feed_forward: f64,
    /// Damping of the inverse kinematics, in the units of the Jacobian's singular values. Higher is
    /// calmer and less exact near singular poses.
    pub damping: f64,
    /// How fast the free motion of a redundant arm drifts to the home posture while tracking.
    pub null_space_gain_per_s: f64,
    /// The tool centre point is not driven below this height over the base's plane. The default keeps
    /// the Franka finger tips, 9.5 mm below it, off a table that the arm stands on.
    pub min_tool_height_m: f64,
    /// Box that the tool centre point does not leave, in the base frame; none if it is left out.
    pub fence: Option<Fence>,
    /// The arm is stopped before its own parts come nearer to each other than this, by the capsules of
    /// [`prehend_robot::Robot::self_distance`]; from nearer it may only go apart. These are coarse: the
    /// FR3's overlap by more than 10 mm when it stretches forward and low, and the default lets them. 0
    /// keeps them apart.
    pub self_collision_margin_m: f64,
    /// Time over which a new chunk takes over from the old one.
    pub blend_s: f64,
    /// Cap on the tool's speed. ISO/TS 15066 bounds for contact with people are above 0.6 m/s.
    pub max_tcp_speed_m_per_s: f64,
    /// Cap on the tool's angular speed.
    pub max_tcp_angular_speed_rad_per_s: f64,
    /// A plan that nobody renews slows down evenly over this time and stands still at its own end;
    /// the slowing starts half this time before that end.
    pub time_to_hold_s: f64,
    /// Chunks that start longer ago are refused.
    pub max_chunk_age_s: f64,
    /// Chunks that start further in the future are refused.
    pub max_chunk_lead_s: f64,
    /// States that the driver tells per second, 10 to 4000. One that is older than eight periods of it is not
    /// trusted: a driver that has become ten times slower is noticed, one that stumbles is not.
    pub state_rate_hz: f64,
    /// Robot states older than this, or this far in the future, are not trusted at any rate.
    pub max_state_age_s: f64,
    /// A missing, stale or non-finite state that lasts this long is a latched fault.
    pub max_state_gap_s: f64,
    /// Chunks with NaN or infinity in a row that are merely refused; one more is a latched fault.
    pub max_bad_chunks: u32,
    /// How far the plan may run ahead of the commanded tool before it is held back.
    pub max_lag_m: f64,
    /// The same for rotation.
    pub max_lag_rad: f64,
    /// Distance of any joint between command and measurement that is a latched fault. One that does not move
    /// at all though it is commanded to is one at 0.1 rad and its drive's lag.
    pub max_tracking_error_rad: f64,
    /// Joints faster than this when arming are refused.
    pub max_arm_speed_rad_per_s: f64,
    /// Joints further than this from where they are commanded to be when arming are refused.
    pub max_arm_distance_rad: f64,
    /// Joints further than this beyond a position limit when arming are refused. One that is less far
    /// outside may only move inward.
    pub max_arm_outside_rad: f64,
    /// What the loop does when a stage of its work is late.
    pub deadlines: DeadlineConfig,
}

impl Default for ControlConfig {
    fn default() -> Self {
        Self {
            rate_hz: 500.0,
            pose_gain_per_s: 15.0,
            feed_forward: 1.0,
            damping: 0.02,
            null_space_gain_per_s: 0.5,
            min_tool_height_m: 0.012,
            fence: None,
            self_collision_margin_m: -0.02,
            blend_s: 0.1,
            max_tcp_speed_m_per_s: 0.6,
            max_tcp_angular_speed_rad_per_s: 2.0,
            time_to_hold_s: 0.1,
            max_chunk_age_s: 0.5,
            max_chunk_lead_s: 0.1,
            state_rate_hz: 200.0,
            max_state_age_s: 0.1,
            max_state_gap_s: 0.3,
            max_bad_chunks: 3,
            max_lag_m: 0.03,
            max_lag_rad: 0.2,
            max_tracking_error_rad: 0.3,
            max_arm_speed_rad_per_s: 0.05,
            max_arm_distance_rad: 0.02,
            max_arm_outside_rad: 0.01,
            deadlines: DeadlineConfig::default(),
        }
    }
}

impl ControlConfig {
    /// Nominal time between two ticks, s.
    #[must_use]
    pub fn dt_s(&self) -> f64 {
        1.0 / self.rate_hz
    }

    /// Age from which a state is not trusted, s.
    #[must_use]
    pub fn stale_after_s(&self) -> f64 {
        (TRUSTED_PERIODS / self.state_rate_hz).min(self.max_state_age_s)
    }

    /// Refuses values that parse but make no sense.
    ///
    /// # Errors
    /// [`ControlError::Config`], naming the field and its range.
    pub fn check(&self) -> Result<(), ControlError> {
        let ranges: [(&'static str, f64, f64, f64); 22] = [
            ("rate_hz", self.rate_hz, 50.0, 4000.0),
            ("pose_gain_per_s", self.pose_gain_per_s, 0.0, 200.0),
            ("feed_forward", self.feed_forward, 0.0, 1.0),
            ("damping", self.damping, 1e-4, 1.0),
            (
                "null_space_gain_per_s",
                self.null_space_gain_per_s,
                0.0,
                20.0,
            ),
            ("min_tool_height_m", self.min_tool_height_m, -10.0, 10.0),
            (
                "self_collision_margin_m",
                self.self_collision_margin_m,
                -1.0,
                0.2,
            ),
            ("blend_s", self.blend_s, 0.0, 2.0),
            (
                "max_tcp_speed_m_per_s",
                self.max_tcp_speed_m_per_s,
                1e-3,
                3.0,
            ),
            (
                "max_tcp_angular_speed_rad_per_s",
                self.max_tcp_angular_speed_rad_per_s,
                1e-3,
                10.0,
            ),
            ("time_to_hold_s", self.time_to_hold_s, 0.0, 2.0),
            ("max_chunk_age_s", self.max_chunk_age_s, 0.01, 5.0),
            ("max_chunk_lead_s", self.max_chunk_lead_s, 0.0, 5.0),
            ("state_rate_hz", self.state_rate_hz, 10.0, 4000.0),
            ("max_state_age_s", self.max_state_age_s, 1e-3, 5.0),
            ("max_state_gap_s", self.max_state_gap_s, 0.0, 5.0),
            ("max_lag_m", self.max_lag_m, 1e-4, 0.5),
            ("max_lag_rad", self.max_lag_rad, 1e-3, 1.5),
            (
                "max_tracking_error_rad",
                self.max_tracking_error_rad,
                1e-3,
                3.2,
            ),
            (
                "max_arm_speed_rad_per_s",
                self.max_arm_speed_rad_per_s,
                1e-4,
                1.0,
            ),
            ("max_arm_distance_rad", self.max_arm_distance_rad, 1e-4, 0.5),
            ("max_arm_outside_rad", self.max_arm_outside_rad, 0.0, 0.1),
        ];
        for (field, value, low, high) in ranges {
            // Written so that NaN is refused too.
            if !(value >= low && value <= high) {
                return Err(ControlError::Config {
                    field,
                    value,
                    low,
                    high,
                });
            }
        }
        if let Some(fence) = &self.fence {
            fence.check()?;
        }
        if self.pose_gain_per_s * self.dt_s() > 0.5 {
            return Err(ControlError::Config {
                field: "pose_gain_per_s",
                value: self.pose_gain_per_s,
                low: 0.0,
                high: 0.5 * self.rate_hz,
            });
        }
        self.deadlines.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_becomes_ten_times_slower_is_noticed_at_any_rate() {
        for state_rate_hz in [100.0, 200.0, 500.0, 1000.0] {
            let config = ControlConfig {
                state_rate_hz,
                ..ControlConfig::default()
            };
            let age_s = config.stale_after_s();
            assert!(age_s < 10.0 / state_rate_hz, "{age_s}");
            assert!(age_s > 5.0 / state_rate_hz, "one that stumbles is not");
        }
        let slow = ControlConfig {
            state_rate_hz: 30.0,
            ..ControlConfig::default()
        };
        assert_eq!(slow.stale_after_s(), slow.max_state_age_s);
    }

    #[test]
    fn the_default_is_valid_and_nan_is_not() {
        assert!(ControlConfig::default().check().is_ok());
        let config = ControlConfig {
            damping: f64::NAN,
            ..ControlConfig::default()
        };
        let error = config.check().expect_err("NaN must be refused");
        assert!(error.to_string().contains("damping"), "{error}");
    }
}
