//! Settings of a simulated arm's driver.

use std::time::Duration;

use prehend_control::gripper_turns;
use prehend_robot::Robot;
use prehend_sim::{FamilySet, World};
use serde::{Deserialize, Serialize};

use crate::{DriverError, ShellConfig};

/// Settings of a [`crate::SimDriver`]. Every key may be left out; unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DriverConfig {
    /// Seed of the first scene. Default 0.
    pub seed: u64,
    /// What objects are drawn from. Default all families.
    pub families: FamilySet,
    /// Clouds per second, 0.1 to 200, such that whole physics steps lie between two. Default 10.
    pub camera_rate_hz: f64,
    /// `JointState` messages per second, for viewers, as above. Default 20.
    pub joint_state_rate_hz: f64,
    /// Nominal rate of commands, by which the recorder takes differences, 50 to 4000. Default 500.
    pub command_rate_hz: f64,
    /// Longest time to live that a command is granted, 5 to 1000 ms. Default 200.
    pub max_valid_for_millis: u64,
    /// A command further than this from where the arm is told to be is not followed, on any joint,
    /// above 0 to 1 rad. Default 0.1.
    pub max_jump_rad: f64,
}

impl Default for DriverConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            families: FamilySet::All,
            camera_rate_hz: 10.0,
            joint_state_rate_hz: 20.0,
            command_rate_hz: 500.0,
            max_valid_for_millis: 200,
            max_jump_rad: 0.1,
        }
    }
}

impl DriverConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// [`DriverError::Config`] naming the field and its range.
    pub fn check(&self) -> Result<(), DriverError> {
        for (field, value, low, high) in [
            ("camera_rate_hz", self.camera_rate_hz, 0.1, 200.0),
            ("joint_state_rate_hz", self.joint_state_rate_hz, 0.1, 200.0),
            ("command_rate_hz", self.command_rate_hz, 50.0, 4000.0),
            (
                "max_valid_for_millis",
                self.max_valid_for_millis as f64,
                5.0,
                1000.0,
            ),
            ("max_jump_rad", self.max_jump_rad, f64::MIN_POSITIVE, 1.0),
        ] {
            if !(value >= low && value <= high) {
                return Err(DriverError::Config {
                    field,
                    value,
                    low,
                    high,
                });
            }
        }
        for (field, rate_hz) in [
            ("camera_rate_hz", self.camera_rate_hz),
            ("joint_state_rate_hz", self.joint_state_rate_hz),
        ] {
            let steps = 1.0 / (rate_hz * World::DT);
            if (steps - steps.round()).abs() > 0.01 {
                let rate = |steps: f64| 1.0 / (steps * World::DT);
                return Err(DriverError::Rate {
                    field,
                    value: rate_hz,
                    nearest: [rate(steps.ceil()), rate(steps.floor())],
                });
            }
        }
        Ok(())
    }

    /// Physics steps between two events of a rate.
    pub(crate) fn steps_per(rate_hz: f64) -> u64 {
        ((1.0 / (rate_hz * World::DT)).round() as u64).max(1)
    }

    pub(crate) fn shell(&self, robot: &Robot) -> ShellConfig {
        ShellConfig {
            dt_s: World::DT,
            command_dt_s: 1.0 / self.command_rate_hz,
            max_valid_for: Duration::from_millis(self.max_valid_for_millis),
            max_jump_rad: self.max_jump_rad,
            max_gripper_turns_per_s: gripper_turns(robot),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_named() {
        assert!(DriverConfig::default().check().is_ok());
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let config = DriverConfig {
                camera_rate_hz: bad,
                ..DriverConfig::default()
            };
            let shown = config.check().expect_err("out of range").to_string();
            assert!(shown.contains("camera_rate_hz"), "{shown}");
        }
    }

    #[test]
    fn rates_that_are_no_whole_steps_are_refused_with_the_nearest() {
        let config = DriverConfig {
            camera_rate_hz: 150.0,
            ..DriverConfig::default()
        };
        let shown = config.check().expect_err("1.33 steps").to_string();
        assert!(shown.contains("100") && shown.contains("200"), "{shown}");
        let slow = DriverConfig {
            camera_rate_hz: 1e-300,
            ..DriverConfig::default()
        };
        assert!(slow.check().is_err());
    }

    #[test]
    fn rates_become_whole_steps() {
        assert_eq!(DriverConfig::steps_per(10.0), 20);
        assert_eq!(DriverConfig::steps_per(200.0), 1);
        assert_eq!(DriverConfig::steps_per(1000.0), 1);
    }
}
