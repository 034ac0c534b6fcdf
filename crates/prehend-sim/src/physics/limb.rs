//! What one arm is in the engine: links that go where its own equations put them, and a gripper.

use prehend_robot::{Part as RobotPart, Robot};
use prehend_types::Pose;
use rapier3d::dynamics::RigidBodyHandle;
use rapier3d::math::{Pose as RapierPose, Vector as RapierVector};
use rapier3d::pipeline::PhysicsWorld;

use super::gripper::Gripper;
use super::insert::{from_rapier, insert_link, to_rapier};
use crate::SimError;

/// Where an arm's links and fingers go in a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach<'a> {
    /// Base-frame poses of all links.
    pub links: &'a [Pose],
    /// Displacement of each finger from shut, m.
    pub finger_target: f64,
}

/// One arm's bodies.
#[derive(Clone)]
pub(super) struct Limb {
    /// Link index and body of every link that can touch something.
    pub links: Vec<(usize, RigidBodyHandle)>,
    pub hand_idx: usize,
    pub gripper: Gripper,
}

impl Limb {
    /// Puts an arm into the world; each of its fingers pushes with up to `force`, N.
    pub fn insert(
        world: &mut PhysicsWorld,
        robot: &Robot,
        link_poses: &[Pose],
        force: f64,
    ) -> Result<Self, SimError> {
        let refuse = |reason: &str| SimError::Robot {
            robot: robot.name().to_owned(),
            reason: reason.to_owned(),
        };
        let gripper = robot.gripper().ok_or_else(|| refuse("it has no gripper"))?;
        let hand_idx = gripper.hand_idx;
        let mut links = Vec::new();
        for (link_idx, link) in robot.links().iter().enumerate() {
            if matches!(link.part, RobotPart::Arm | RobotPart::Hand)
                && (!link.shapes.is_empty() || link_idx == hand_idx)
            {
                links.push((link_idx, insert_link(world, link, &link_poses[link_idx])));
            }
        }
        let hand = links.iter().find(|(link_idx, _)| *link_idx == hand_idx);
        let (_, hand) = *hand.ok_or_else(|| refuse("its hand link is not part of the arm"))?;
        let gripper = Gripper::insert(world, robot, hand, &link_poses[hand_idx], force)
            .ok_or_else(|| refuse("a finger's link is not moved by the gripper"))?;
        Ok(Self {
            links,
            hand_idx,
            gripper,
        })
    }

    /// Where its links are.
    pub fn poses(&self, world: &PhysicsWorld) -> Vec<RapierPose> {
        let pose = |body| world.bodies.get(body).map(|body| *body.position());
        let links = self.links.iter();
        links
            .map(|(_, link)| pose(*link).unwrap_or_else(RapierPose::identity))
            .collect()
    }

    /// Sends the links this share of their way from `starts`, and the fingers on theirs, before a solver
    /// step of `dt`, s.
    pub fn drive(
        &mut self,
        world: &mut PhysicsWorld,
        to: Reach<'_>,
        starts: &[RapierPose],
        share: f32,
        is_near: bool,
        dt: f64,
    ) {
        let mut base_from_hand = to.links[self.hand_idx];
        for ((link_idx, handle), start) in self.links.iter().zip(starts) {
            let goal = to_rapier(&to.links[*link_idx]);
            let pose = if share < 1.0 {
                start.lerp(&goal, share)
            } else {
                goal
            };
            if *link_idx == self.hand_idx && share < 1.0 {
                base_from_hand = from_rapier(&pose);
            }
            if let Some(body) = world.bodies.get_mut(*handle)
                && body.is_enabled()
                && body.is_kinematic()
            {
                body.set_next_kinematic_position(pose);
            }
        }
        self.gripper
            .drive(world, &base_from_hand, to.finger_target, is_near, dt);
    }

    /// Puts the links where they are, without a velocity.
    pub fn place(&self, world: &mut PhysicsWorld, link_poses: &[Pose]) {
        for (link_idx, handle) in &self.links {
            if let Some(body) = world.bodies.get_mut(*handle)
                && body.is_enabled()
            {
                body.set_position(to_rapier(&link_poses[*link_idx]), true);
                body.set_linvel(RapierVector::ZERO, true);
                body.set_angvel(RapierVector::ZERO, true);
            }
        }
    }

    /// Which of the two fingers touch a body.
    pub fn finger_contacts(&self, world: &PhysicsWorld, object: RigidBodyHandle) -> [bool; 2] {
        self.gripper.bodies().map(|finger| {
            let Some(body) = world.bodies.get(finger) else {
                return false;
            };
            let pairs = body
                .colliders()
                .iter()
                .flat_map(|collider| world.narrow_phase.contact_pairs_with(*collider));
            let parent = |collider| world.colliders.get(collider).and_then(|c| c.parent());
            pairs
                .filter(|pair| pair.has_any_active_contact())
                .any(|pair| {
                    [pair.collider1, pair.collider2]
                        .map(parent)
                        .contains(&Some(object))
                })
        })
    }
}
