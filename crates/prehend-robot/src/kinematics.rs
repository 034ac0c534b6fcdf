//! Forward kinematics and the geometric Jacobian. Nothing here allocates.

use nalgebra::{SMatrix, Translation3, Unit, UnitQuaternion, Vector3};
use prehend_types::{JointPositions, MAX_JOINTS, Pose};

use crate::{Motion, Robot};

/// Twist of the tool centre point per joint speed: rows 0-2 linear (m/s), rows 3-5 angular (rad/s),
/// in the base frame, at the tool centre point. Columns beyond the joint count are zero.
pub type Jacobian = SMatrix<f64, 6, MAX_JOINTS>;

/// A moving joint with the fixed transforms before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChainJoint {
    pub previous_from_joint: Pose,
    pub axis: Unit<Vector3<f64>>,
    pub is_prismatic: bool,
}

impl ChainJoint {
    /// Pose of what the joint carries in the frame of what the joint before it carries.
    pub fn pose(&self, q: f64) -> Pose {
        let Pose {
            rotation,
            translation,
        } = self.previous_from_joint;
        if self.is_prismatic {
            let shift = rotation * self.axis.into_inner() * q;
            return Pose::from_parts(Translation3::from(translation.vector + shift), rotation);
        }
        Pose::from_parts(
            translation,
            rotation * UnitQuaternion::from_axis_angle(&self.axis, q),
        )
    }
}

impl Robot {
    /// `base_from_tcp` at joint positions `q`. Real-time safe: no allocation.
    ///
    /// Joint values that are missing count as NaN, so that a vector of the wrong length gives a pose
    /// of NaN, which everything downstream refuses, and never a plausible one.
    #[must_use]
    pub fn forward(&self, q: &JointPositions) -> Pose {
        let mut base_from_joint = Pose::identity();
        for (joint, q) in self.chain.joints.iter().zip(values(q)) {
            base_from_joint *= joint.pose(q);
        }
        base_from_joint * self.chain.last_joint_from_tcp
    }

    /// The geometric Jacobian at `q`. Real-time safe: no allocation.
    #[must_use]
    pub fn jacobian(&self, q: &JointPositions) -> Jacobian {
        self.forward_and_jacobian(q).1
    }

    /// [`Self::forward`] and [`Self::jacobian`] in one pass. Real-time safe: no allocation.
    #[must_use]
    pub fn forward_and_jacobian(&self, q: &JointPositions) -> (Pose, Jacobian) {
        let mut base_from_joint = Pose::identity();
        let mut origins = [Vector3::zeros(); MAX_JOINTS];
        let mut axes = [Vector3::zeros(); MAX_JOINTS];
        for (joint_idx, (joint, q)) in self.chain.joints.iter().zip(values(q)).enumerate() {
            base_from_joint *= joint.pose(q);
            origins[joint_idx] = base_from_joint.translation.vector;
            axes[joint_idx] = base_from_joint.rotation * joint.axis.into_inner();
        }
        let base_from_tcp = base_from_joint * self.chain.last_joint_from_tcp;
        let mut jacobian = Jacobian::zeros();
        for (joint_idx, joint) in self.chain.joints.iter().enumerate() {
            let axis = axes[joint_idx];
            let (linear, angular) = if joint.is_prismatic {
                (axis, Vector3::zeros())
            } else {
                (
                    axis.cross(&(base_from_tcp.translation.vector - origins[joint_idx])),
                    axis,
                )
            };
            jacobian
                .fixed_view_mut::<3, 1>(0, joint_idx)
                .copy_from(&linear);
            jacobian
                .fixed_view_mut::<3, 1>(3, joint_idx)
                .copy_from(&angular);
        }
        (base_from_tcp, jacobian)
    }

    /// Poses of all links in the base frame, in the order of [`Self::links`]. Real-time safe: no
    /// allocation.
    ///
    /// `finger_width` is the distance between the pads, m. A shorter `out` gets the first links.
    pub fn link_poses(&self, q: &JointPositions, finger_width: f64, out: &mut [Pose]) {
        for (link_idx, link) in self.links.iter().enumerate().take(out.len()) {
            let value = |joint_idx| q.get(joint_idx).copied().unwrap_or(f64::NAN);
            let motion = match link.motion {
                Motion::Fixed => Pose::identity(),
                Motion::Revolute { joint_idx, axis } => Pose::from_parts(
                    Translation3::identity(),
                    UnitQuaternion::from_axis_angle(&Unit::new_unchecked(axis), value(joint_idx)),
                ),
                Motion::Prismatic { joint_idx, axis } => {
                    Translation3::from(axis * value(joint_idx)).into()
                }
                Motion::Finger { axis } => Translation3::from(axis * (finger_width / 2.0)).into(),
            };
            let parent_from_link = link.parent_from_joint * motion;
            out[link_idx] = match link.parent_idx {
                Some(parent_idx) => out[parent_idx] * parent_from_link,
                None => parent_from_link,
            };
        }
    }
}

fn values(q: &JointPositions) -> impl Iterator<Item = f64> {
    q.iter().copied().chain(std::iter::repeat(f64::NAN))
}
