//! Decides whether a driver's session is one that this controller may take over: of the arm that it was
//! started for, and not refused by the driver itself.

use prehend_link::messages::{ArmRefusal, RobotStatus};
use prehend_robot::Robot;

/// Digits of a fingerprint that are shown.
const SHOWN: usize = 12;

/// Why a driver's session is not armed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TakeoverError {
    /// The driver drives another arm than the one whose limits and kinematics the controller knows.
    #[error(
        "the driver drives {driver}, this controller was started for {controller}; give both the same robot \
         description, the one of the arm that is there"
    )]
    Model {
        /// Model and fingerprint that the driver tells.
        driver: String,
        /// Ours.
        controller: String,
    },
    /// The controller itself is at fault, and whoever asked for the session has not acknowledged it.
    #[error(
        "the controller is at fault; see to what broke, then ask for a session that acknowledges it"
    )]
    AtFault,
    /// The arm is not where its driver tells it to be.
    #[error(
        "the driver refuses: joint {} is {:.3} rad from where it is told to be, at most {} is allowed when \
         arming; look what holds or moved the arm, then ask for a new session",
        refusal.joint_idx, refusal.distance_rad, refusal.limit_rad
    )]
    Refused {
        /// What the driver says.
        refusal: ArmRefusal,
    },
}

/// Judges the session that a status tells of.
///
/// # Errors
/// [`TakeoverError`]: the arm must not be armed in it, whatever else is in order.
pub fn check_takeover(status: &RobotStatus, robot: &Robot) -> Result<(), TakeoverError> {
    if status.model != robot.name() || status.model_hash != robot.content_hash() {
        return Err(TakeoverError::Model {
            driver: shown(&status.model, &status.model_hash),
            controller: shown(robot.name(), robot.content_hash()),
        });
    }
    match status.refusal.first() {
        Some(refusal) => Err(TakeoverError::Refused { refusal: *refusal }),
        None => Ok(()),
    }
}

fn shown(model: &str, hash: &str) -> String {
    if model.is_empty() {
        return "an arm that it does not name".to_owned();
    }
    format!(
        "{model} (description {})",
        hash.get(..SHOWN).unwrap_or(hash)
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prehend_drivers::arm_id;
    use prehend_link::messages::StopReason;
    use prehend_types::config::locate;
    use prehend_types::{GripperState, JointVelocities, RobotState, Stamp};

    use super::*;

    fn robot(name: &str) -> Arc<Robot> {
        let folder = locate(format!("robots/{name}")).expect("shipped");
        Arc::new(Robot::load(&folder).expect("valid"))
    }

    fn status(robot: &Robot) -> RobotStatus {
        let state = RobotState {
            stamp: Stamp::ZERO,
            q: *robot.home(),
            dq: JointVelocities::zeros(robot.n_joints()).expect("fits"),
            gripper: GripperState {
                width: 0.08,
                commanded: 1.0,
                is_grasping: false,
            },
        };
        let id = arm_id("cell", robot);
        RobotStatus::new(&id, 7, 0, &state, None, StopReason::NotArmed)
    }

    #[test]
    fn another_arm_is_not_taken_over_and_both_are_named() {
        let (fr3, panda) = (robot("fr3"), robot("panda"));
        assert_eq!(check_takeover(&status(&fr3), &fr3), Ok(()));
        let said = check_takeover(&status(&panda), &fr3).expect_err("as many joints");
        let said = said.to_string();
        assert!(said.contains("panda") && said.contains("fr3"), "{said}");
        // The same name with other limits, and a driver that does not say.
        let mut other = status(&fr3);
        other.model_hash.replace_range(..1, "x");
        assert!(check_takeover(&other, &fr3).is_err());
        let mut silent = status(&fr3);
        silent.model.clear();
        assert!(check_takeover(&silent, &fr3).is_err());
    }

    #[test]
    fn what_the_driver_refuses_is_refused_with_joint_and_distance() {
        let fr3 = robot("fr3");
        let mut refused = status(&fr3);
        refused.refusal.push(ArmRefusal {
            joint_idx: 2,
            distance_rad: 0.3,
            limit_rad: 0.1,
        });
        let said = check_takeover(&refused, &fr3)
            .expect_err("refused")
            .to_string();
        assert!(
            said.contains("joint 2 is 0.300 rad") && said.contains("0.1"),
            "{said}"
        );
    }
}
