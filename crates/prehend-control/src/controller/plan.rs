//! The plan that runs, of the tool or of the joints, and where it wants the arm.

use nalgebra::Vector3;
use prehend_types::{MAX_JOINTS, Stamp};

use super::track::pose_error;
use crate::drive::Drive;
use crate::joint_path::{JointPath, JointSample, padded};
use crate::path::Sample;
use crate::reference::Reference;
use crate::{ControlConfig, LimitReason, LimitSet};

/// The plan that runs.
#[derive(Debug, Clone, Copy)]
#[allow(
    clippy::large_enum_variant,
    reason = "one per arm, and nothing may be boxed here"
)]
pub(super) enum Plan {
    Tool(Reference),
    Joints(JointPath),
}

/// Where the arm is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// Where it stands: no plan.
    Hold,
    Tool(Sample),
    Joints(JointSample),
}

impl Plan {
    pub(super) fn start(&self) -> Stamp {
        match self {
            Self::Tool(reference) => reference.start(),
            Self::Joints(path) => path.start(),
        }
    }

    pub(super) fn sample(&self, now: Stamp) -> Target {
        match self {
            Self::Tool(reference) => Target::Tool(reference.sample(now)),
            Self::Joints(path) => Target::Joints(path.sample(now)),
        }
    }

    /// Moves the plan back to where the limits let the arm follow, so that it does not wind up
    /// against a limit and jump when the limit is gone.
    pub(super) fn hold_back(
        &mut self,
        target: &Target,
        drive: &Drive,
        config: &ControlConfig,
        limited: &mut LimitSet,
    ) {
        match (self, target) {
            (Self::Tool(reference), Target::Tool(sample)) => {
                let (linear, angular) = pose_error(&sample.base_from_tcp, drive.base_from_tcp());
                let linear = back(linear, config.max_lag_m);
                let angular = back(angular, config.max_lag_rad);
                if linear != Vector3::zeros() || angular != Vector3::zeros() {
                    limited.insert(LimitReason::Lag);
                    reference.shift(&linear, &angular);
                }
            }
            (Self::Joints(path), Target::Joints(sample)) => {
                let (q, most) = (padded(drive.q()), config.max_lag_rad);
                let back: [f64; MAX_JOINTS] = std::array::from_fn(|i| {
                    let ahead = sample.q[i] - q[i];
                    ahead.clamp(-most, most) - ahead
                });
                if back.iter().any(|by| *by != 0.0) {
                    limited.insert(LimitReason::Lag);
                    path.shift(&back);
                }
            }
            _ => {}
        }
    }
}

/// What brings `ahead` back to a length of `most`.
fn back(ahead: Vector3<f64>, most: f64) -> Vector3<f64> {
    let norm = ahead.norm();
    if norm > most {
        ahead * (most / norm - 1.0)
    } else {
        Vector3::zeros()
    }
}

impl Target {
    /// Opening of the gripper, 0 to 1; `now` if none is asked for.
    pub(super) fn gripper(&self, now: f64) -> f64 {
        match self {
            Self::Hold => now,
            Self::Tool(sample) => sample.gripper,
            Self::Joints(sample) => sample.gripper,
        }
    }

    pub(super) fn ended(&self) -> bool {
        match self {
            Self::Hold => true,
            Self::Tool(sample) => sample.ended,
            Self::Joints(sample) => sample.ended,
        }
    }

    /// As the tool's motion, for a plan of the tool to go on from.
    pub(super) fn as_tool(&self, drive: &Drive, gripper: f64) -> Sample {
        let standing = Reference::standing(*drive.base_from_tcp(), gripper);
        match self {
            Self::Tool(sample) => *sample,
            Self::Hold => standing,
            Self::Joints(_) => {
                let (linear, angular) = drive.twist();
                Sample {
                    linear,
                    angular,
                    ..standing
                }
            }
        }
    }

    /// As the joints' motion, for a plan of the joints to go on from.
    pub(super) fn as_joints(&self, drive: &Drive, gripper: f64) -> JointSample {
        match self {
            Self::Joints(sample) => *sample,
            Self::Tool(_) | Self::Hold => JointSample {
                q: padded(drive.q()),
                dq: padded(drive.dq()),
                gripper,
                ended: true,
            },
        }
    }
}
