//! Whether the arm that a vendor's controller has is the one that a robot's description means.

use prehend_robot::Robot;
use prehend_types::JointPositions;

use super::Motion;

/// The arm that a vendor's controller says it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Identity {
    /// The vendor's name of it.
    pub model: &'static str,
    /// Name of the description that is meant for it, a folder in `robots/`.
    pub robot: &'static str,
    /// Range of every joint, rad, base to tip.
    pub ranges: &'static [[f64; 2]],
}

/// The arm is not the one that the description means; it must not be armed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Mismatch {
    /// Another arm.
    #[error("the controller has a {model}, which robots/{expected} describes, not {loaded}")]
    Model {
        /// The vendor's name of the arm.
        model: &'static str,
        /// Description that would be right.
        expected: &'static str,
        /// Name of the description that was loaded.
        loaded: String,
    },
    /// Another number of joints.
    #[error("the controller's {model} has {reported} joints, the description {own}")]
    JointCount {
        /// The vendor's name of the arm.
        model: &'static str,
        /// Joints of the arm.
        reported: usize,
        /// Joints of the description.
        own: usize,
    },
    /// The same arm by name with another range, as mirrored and narrowed series of a model have.
    #[error(
        "joint {joint_idx} of the controller's {model} moves within {reported:?} rad, not within the \
         description's {own:?}: the arm is of another type or series"
    )]
    Range {
        /// The vendor's name of the arm.
        model: &'static str,
        /// Which joint, counted from 0.
        joint_idx: usize,
        /// Range of the arm.
        reported: [f64; 2],
        /// Range of the description.
        own: [f64; 2],
    },
}

/// A description may round a range this much, rad.
const ROUNDING: f64 = 1e-6;

impl Identity {
    /// The arm, standing at `q`.
    ///
    /// # Errors
    /// [`Mismatch::JointCount`].
    pub(super) fn standing(&self, q: &JointPositions) -> Result<Motion, Mismatch> {
        let mismatch = Mismatch::JointCount {
            model: self.model,
            reported: self.ranges.len(),
            own: q.len(),
        };
        if q.len() != self.ranges.len() {
            return Err(mismatch);
        }
        Motion::at_rest(q).map_err(|_| mismatch)
    }

    /// Refuses a description that is not of this arm: by name, by number of joints, and because some
    /// joint could be sent where the arm's cannot go.
    ///
    /// # Errors
    /// [`Mismatch`].
    pub fn check(&self, robot: &Robot) -> Result<(), Mismatch> {
        if robot.name() != self.robot {
            return Err(Mismatch::Model {
                model: self.model,
                expected: self.robot,
                loaded: robot.name().to_owned(),
            });
        }
        let limits = robot.limits();
        if robot.n_joints() != self.ranges.len() {
            return Err(Mismatch::JointCount {
                model: self.model,
                reported: self.ranges.len(),
                own: robot.n_joints(),
            });
        }
        for (joint_idx, reported) in self.ranges.iter().enumerate() {
            let own = [limits.q_min[joint_idx], limits.q_max[joint_idx]];
            if own[0] < reported[0] - ROUNDING || own[1] > reported[1] + ROUNDING {
                return Err(Mismatch::Range {
                    model: self.model,
                    joint_idx,
                    reported: *reported,
                    own,
                });
            }
        }
        Ok(())
    }
}
