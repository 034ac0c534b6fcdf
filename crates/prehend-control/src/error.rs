//! Why something was refused. No variant holds anything on the heap: they are made on the control thread.

use serde::{Deserialize, Serialize};

use crate::{Refusal, SafetyState};

/// A controller could not be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// A setting is out of its range.
    #[error("control setting `{field}` is {value}, must be from {low} to {high}")]
    Config {
        /// Name of the setting.
        field: &'static str,
        /// What it was.
        value: f64,
        /// Lowest sensible value.
        low: f64,
        /// Highest sensible value.
        high: f64,
    },
    /// A limit of the robot is not finite, not positive, or an empty range.
    #[error(
        "limits of joint {joint_idx} (counted from 0) are not usable: correct robot.toml or the URDF"
    )]
    Limits {
        /// Which joint.
        joint_idx: usize,
    },
    /// A motion to stop from holds NaN or infinity.
    #[error("the motion of joint {joint_idx} (counted from 0) is not finite")]
    NonFinite {
        /// Which joint.
        joint_idx: usize,
    },
    /// A session was armed or stopped before.
    #[error("epoch {epoch} was used before, take one above {spent}")]
    OldEpoch {
        /// As asked.
        epoch: u64,
        /// The highest that was used.
        spent: u64,
    },
    /// Something broke, and nobody has acknowledged it.
    #[error("at fault ({reason:?}); see to its cause, then ask for a session that acknowledges it")]
    Fault {
        /// What broke.
        reason: StopReason,
    },
    /// A motion to start from is faster than any arm.
    #[error(
        "joint {joint_idx} (counted from 0) is given more than three times its speed or acceleration limit"
    )]
    Implausible {
        /// Which joint.
        joint_idx: usize,
    },
    /// The robot has no joints or too many, or vectors of other lengths were given for it.
    #[error("a robot with {n_joints} joints cannot be controlled, 1 to {max} can", max = prehend_types::MAX_JOINTS)]
    JointCount {
        /// How many it has.
        n_joints: usize,
    },
}

/// The arm was not armed; nothing moves.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ArmError {
    /// It is armed already, or being armed.
    #[error("already armed; stop first")]
    AlreadyArmed,
    /// The session was armed or stopped before.
    #[error("epoch {epoch} was used before; ask for a new session, above {spent}")]
    OldEpoch {
        /// As asked.
        epoch: u64,
        /// The highest that was used.
        spent: u64,
    },
    /// Something broke, and nobody has acknowledged it.
    #[error("at fault ({reason}); see to its cause, then ask for a session that acknowledges it")]
    Fault {
        /// What broke.
        reason: StopReason,
    },
    /// A joint is not where it is commanded to be.
    #[error(
        "joint {joint_idx} is {distance} rad from where it is commanded to be, at most {limit} is \
         allowed when arming"
    )]
    Distance {
        /// Which joint, counted from 0.
        joint_idx: usize,
        /// How far.
        distance: f64,
        /// The most allowed.
        limit: f64,
    },
    /// It was stopped, or let go, before it was armed.
    #[error("stopped before it was armed")]
    Withdrawn,
    /// No state has come yet.
    #[error("no state of the robot has come yet; is its driver running?")]
    NoState,
    /// The newest state is too old, or from the future.
    #[error("the newest state of the robot is {age_s} s old; is its driver running?")]
    StaleState {
        /// Its age, s.
        age_s: f64,
    },
    /// It is still stopping.
    #[error("still stopping; wait until the arm stands still")]
    Stopping,
    /// A measured number is NaN or infinite.
    #[error("the measured state is not finite at joint {joint_idx}")]
    NonFinite {
        /// Which joint, counted from 0.
        joint_idx: usize,
    },
    /// The state has another number of joints than the robot.
    #[error("the measured state has {got} joints, the robot has {expected}")]
    JointCount {
        /// How many the state has.
        got: usize,
        /// How many the robot has.
        expected: usize,
    },
    /// A joint is outside its position limits.
    #[error("joint {joint_idx} is at {q} rad, outside [{lower}, {upper}]; move it inside by hand")]
    OutsideLimits {
        /// Which joint, counted from 0.
        joint_idx: usize,
        /// Where it is.
        q: f64,
        /// Lower limit.
        lower: f64,
        /// Upper limit.
        upper: f64,
    },
    /// A joint moves.
    #[error("joint {joint_idx} moves at {dq} rad/s, at most {limit} is allowed when arming")]
    Moving {
        /// Which joint, counted from 0.
        joint_idx: usize,
        /// How fast.
        dq: f64,
        /// The most allowed.
        limit: f64,
    },
}

impl ArmError {
    /// Why a safety state that a wish to arm session `epoch` came to refuses it.
    pub(crate) const fn refused(refusal: Refusal, safety: &SafetyState, epoch: u64) -> Self {
        match (refusal, safety.stop_reason()) {
            (Refusal::Stopping, _) => Self::Stopping,
            (Refusal::OldEpoch, _) => Self::OldEpoch {
                epoch,
                spent: safety.spent(),
            },
            (Refusal::Fault, Some(reason)) => Self::Fault { reason },
            (Refusal::AlreadyArmed | Refusal::NotArmed | Refusal::Fault, _) => Self::AlreadyArmed,
        }
    }
}

/// A chunk was refused; the plan before it goes on.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// Nothing is armed, or the arm is stopping.
    #[error("not armed")]
    NotArmed,
    /// A chunk without actions.
    #[error("the chunk has no action")]
    Empty,
    /// `dt` is not between 1 ms and 1 s.
    #[error("one action lasts {dt_s} s, must be from 0.001 to 1")]
    Duration {
        /// Length of one action, s.
        dt_s: f64,
    },
    /// NaN or infinity.
    #[error("action {index} is not finite")]
    NonFinite {
        /// First such action.
        index: usize,
    },
    /// One action moves further than any arm could.
    #[error(
        "action {index} moves {translation_m} m and {rotation_rad} rad, at most 1 m and 3.2 rad make sense"
    )]
    Implausible {
        /// First such action.
        index: usize,
        /// Length of its translation.
        translation_m: f64,
        /// Its angle.
        rotation_rad: f64,
    },
    /// A step of a joint plan holds a number that no joint could reach.
    #[error("step {index} holds a joint value above 100 rad or rad/s; joints are in radians")]
    ImplausibleJoint {
        /// First such step.
        index: usize,
    },
    /// A joint plan for another number of joints than the robot has.
    #[error("the plan is for {got} joints, the robot has {expected}")]
    JointCount {
        /// How many the plan has.
        got: usize,
        /// How many the robot has.
        expected: usize,
    },
    /// It starts too far in the future.
    #[error("the chunk starts {lead_s} s in the future")]
    FromFuture {
        /// How far.
        lead_s: f64,
    },
    /// It starts too long ago.
    #[error("the chunk started {age_s} s ago")]
    TooOld {
        /// How long ago.
        age_s: f64,
    },
    /// It was computed from an older observation than the plan that runs.
    #[error("the chunk is {behind_s} s older than the plan that runs")]
    OutOfOrder {
        /// How much older.
        behind_s: f64,
    },
    /// All of its actions are past.
    #[error("all {dropped} actions are past")]
    Expired {
        /// How many.
        dropped: usize,
    },
}

/// Why the arm stopped and stays stopped until it is armed anew. A stop that a joint is to blame for names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StopReason {
    /// Somebody asked for it.
    Requested,
    /// The robot's state was stale for too long: its driver, or the way to it, is gone.
    StaleState,
    /// Commands ceased: their sender, or the way to it, is gone.
    Expired,
    /// The other end of the wire stopped the arm, without a fault of its own.
    Peer,
    /// The one who owns the arm is ending.
    Shutdown,
    /// A deadline was missed whose policy is to stop.
    Deadline,
    /// The robot's state was not finite, or had another number of joints, for too long.
    BadState,
    /// Too many chunks in a row were not finite.
    BadChunks,
    /// A joint was too far from its command.
    TrackingError {
        /// Which joint, counted from 0.
        joint_idx: usize,
    },
    /// The arm, or its driver, reported an error.
    DriverFault,
    /// Whoever made the plans is gone: its process, or the way to it.
    PolicyGone,
    /// A joint was measured, more than once, where it cannot have got to.
    ImplausibleState {
        /// Which joint, counted from 0.
        joint_idx: usize,
    },
    /// The robot's state is older than the one before it: its driver's clock went back.
    DriverClock,
}

impl StopReason {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::Requested,
        Self::StaleState,
        Self::Expired,
        Self::Peer,
        Self::Shutdown,
        Self::Deadline,
        Self::BadState,
        Self::BadChunks,
        Self::TrackingError { joint_idx: 0 },
        Self::DriverFault,
        Self::PolicyGone,
        Self::ImplausibleState { joint_idx: 0 },
        Self::DriverClock,
    ];

    /// Whether something broke, which somebody has to acknowledge before the arm is armed again.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        match self {
            Self::Requested
            | Self::StaleState
            | Self::Expired
            | Self::Peer
            | Self::Shutdown
            | Self::Deadline
            | Self::PolicyGone => false,
            Self::BadState
            | Self::BadChunks
            | Self::TrackingError { .. }
            | Self::DriverFault
            | Self::ImplausibleState { .. }
            | Self::DriverClock => true,
        }
    }
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Requested => "somebody asked for it",
            Self::StaleState => "the robot's states came too late for too long",
            Self::Expired => "commands ceased",
            Self::Peer => "the other end of the wire stopped it",
            Self::Shutdown => "whoever owns the arm is ending",
            Self::Deadline => "a deadline was missed",
            Self::BadState => "the robot's states could not be used for too long",
            Self::BadChunks => "too many chunks in a row were not finite",
            Self::DriverFault => "the arm or its driver reported an error",
            Self::PolicyGone => "the policy is gone",
            Self::DriverClock => "the driver's clock went back",
            Self::TrackingError { joint_idx } => {
                return write!(
                    f,
                    "joint {joint_idx} (counted from 0) was too far from where it was commanded to be"
                );
            }
            Self::ImplausibleState { joint_idx } => {
                return write!(
                    f,
                    "joint {joint_idx} (counted from 0) was measured where it cannot have got to"
                );
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_says_why_and_which_joint() {
        for reason in StopReason::ALL {
            let (shown, kind) = (reason.to_string(), format!("{reason:?}"));
            assert!(!shown.is_empty());
            assert_eq!(shown.contains("joint 0"), kind.contains("joint_idx"));
        }
    }
}
