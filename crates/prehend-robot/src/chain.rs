//! The arm as a chain: fixed joints folded away, bodies lumped to the joint that carries them.

use arrayvec::ArrayVec;
use nalgebra::{Translation3, Unit};
use prehend_types::{MAX_JOINTS, Pose};

use crate::kinematics::ChainJoint;
use crate::{Inertial, Link, Motion};

/// What kinematics and dynamics run on.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    /// The moving joints from base to tool, base first.
    pub joints: ArrayVec<ChainJoint, MAX_JOINTS>,
    /// From the last joint's frame to the tool centre point.
    pub last_joint_from_tcp: Pose,
    /// What each joint carries rigidly, in that joint's frame.
    pub bodies: ArrayVec<Inertial, MAX_JOINTS>,
    /// For every link: how many joints move it, and its pose in the frame of the last of those.
    pub carried: Vec<(usize, Pose)>,
}

impl Chain {
    /// `links` hold arm joints in order 0, 1, ... along one path; `finger_width` is where fingers
    /// stand when masses are lumped, m.
    pub fn new(links: &[Link], tcp_idx: usize, finger_width: f64) -> Self {
        let mut joints = ArrayVec::new();
        let mut bodies: ArrayVec<Inertial, MAX_JOINTS> = ArrayVec::new();
        let mut carried: Vec<(usize, Pose)> = Vec::with_capacity(links.len());
        for link in links {
            let (parent_body, body_from_parent) = match link.parent_idx {
                Some(parent_idx) => carried[parent_idx],
                None => (0, Pose::identity()),
            };
            let body_from_joint = body_from_parent * link.parent_from_joint;
            let here = match link.motion {
                Motion::Revolute { joint_idx, axis } | Motion::Prismatic { joint_idx, axis } => {
                    joints.push(ChainJoint {
                        previous_from_joint: body_from_joint,
                        axis: Unit::new_normalize(axis),
                        is_prismatic: matches!(link.motion, Motion::Prismatic { .. }),
                    });
                    bodies.push(Inertial::default());
                    (joint_idx + 1, Pose::identity())
                }
                Motion::Finger { axis } => {
                    let shift = Translation3::from(axis * (finger_width / 2.0));
                    (parent_body, body_from_joint * shift)
                }
                Motion::Fixed => (parent_body, body_from_joint),
            };
            let (body_idx, body_from_link) = here;
            if let Some(body) = body_idx.checked_sub(1).and_then(|idx| bodies.get_mut(idx)) {
                *body = body.joined(&link.inertial.moved(&body_from_link));
            }
            carried.push(here);
        }
        let last_joint_from_tcp = carried[tcp_idx].1;
        Self {
            joints,
            last_joint_from_tcp,
            bodies,
            carried,
        }
    }
}
