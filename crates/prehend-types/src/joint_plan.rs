//! Plans in joint space: what scripts, teachers and joint-space policies send instead of tool motions.

use std::time::Duration;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use crate::{JointPositions, MAX_CHUNK, Stamp};

/// How the numbers of a joint plan are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JointSpace {
    /// Where every joint is at the end of a step, rad (m if prismatic).
    Position,
    /// How far every joint moves during a step, rad (m).
    Delta,
    /// How fast every joint moves during a step, rad/s (m/s).
    Velocity,
}

/// One step of a joint plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JointStep {
    /// One number per joint, base to tip; [`JointSpace`] says what it is.
    pub values: JointPositions,
    /// Commanded opening: 0 closed (with the gripper's force limit), 1 fully open.
    pub gripper: f64,
}

/// A plan was given more than [`MAX_CHUNK`] steps, or steps for different numbers of joints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JointPlanError {
    /// Too many steps.
    #[error("a joint plan of {got} steps, at most {MAX_CHUNK} are supported")]
    TooLong {
        /// How many steps were given.
        got: usize,
    },
    /// The steps do not agree with each other.
    #[error("step {index} is for {got} joints, the first one for {expected}")]
    JointCount {
        /// Which step, counted from 0.
        index: usize,
        /// How many joints it has.
        got: usize,
        /// How many the first one has.
        expected: usize,
    },
}

/// A short plan in joint space. Step `i` covers `[start + i dt, start + (i + 1) dt)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointPlan {
    /// When the first step starts.
    pub start: Stamp,
    /// Length of one step.
    pub dt: Duration,
    /// What the numbers are.
    pub space: JointSpace,
    steps: ArrayVec<JointStep, MAX_CHUNK>,
}

impl JointPlan {
    /// A plan from a slice of steps.
    ///
    /// # Errors
    /// [`JointPlanError`] for too many steps, or steps for different numbers of joints.
    pub fn new(
        start: Stamp,
        dt: Duration,
        space: JointSpace,
        steps: &[JointStep],
    ) -> Result<Self, JointPlanError> {
        let expected = steps.first().map_or(0, |step| step.values.len());
        for (index, step) in steps.iter().enumerate() {
            let got = step.values.len();
            if got != expected {
                return Err(JointPlanError::JointCount {
                    index,
                    got,
                    expected,
                });
            }
        }
        let steps =
            ArrayVec::try_from(steps).map_err(|_| JointPlanError::TooLong { got: steps.len() })?;
        Ok(Self {
            start,
            dt,
            space,
            steps,
        })
    }

    /// The steps, first to last.
    #[must_use]
    pub fn steps(&self) -> &[JointStep] {
        &self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_agree_and_fit() {
        let step = |n: usize| JointStep {
            values: JointPositions::zeros(n).expect("few"),
            gripper: 1.0,
        };
        let plan = |steps: &[JointStep]| {
            let dt = Duration::from_millis(50);
            JointPlan::new(Stamp::ZERO, dt, JointSpace::Position, steps)
                .map(|plan| plan.steps().len())
        };
        assert_eq!(plan(&[step(7); MAX_CHUNK]), Ok(MAX_CHUNK));
        assert_eq!(
            plan(&[step(7); MAX_CHUNK + 1]),
            Err(JointPlanError::TooLong { got: MAX_CHUNK + 1 })
        );
        assert!(plan(&[step(7), step(6)]).is_err());
    }
}
