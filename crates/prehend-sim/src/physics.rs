//! The rapier side: bodies, contacts and the settings that hold a grasp.
//!
//! Links go where the arm's own equations put them; a hand that gives way is a body of its own
//! ([`hand`]). The fingers are dynamic, force-limited and mimic each other. Measured with the probe of
//! November 2026: no arm made of rapier 0.36.1's own multibody joints held a cube through a shake.

mod cloth;
mod gripper;
mod hand;
mod insert;
mod joints;
mod limb;
mod near;
#[cfg(test)]
mod probes;
mod snapshot;
mod touch;

use std::sync::Arc;

use nalgebra::Vector3;
use prehend_robot::Robot;
use prehend_types::Pose;
use rapier3d::dynamics::{RigidBodyHandle, SoftBodyHandle};
use rapier3d::geometry::{ColliderBuilder, ColliderSet, Group};
use rapier3d::math::{Pose as RapierPose, Vector as RapierVector};
use rapier3d::pipeline::PhysicsWorld;
use serde::{Deserialize, Serialize};

pub(crate) use cloth::flat;
pub(crate) use gripper::{FINGER_DAMPING, FINGER_INERTIA, FINGER_MASS, FINGER_STIFFNESS, Travel};
pub(crate) use gripper::{FingerSpec, Gripper};
pub(crate) use insert::{
    collider, from_rapier, groups, insert_body, to_rapier, to_rapier_vector, vector,
};
use limb::Limb;
pub(crate) use limb::Reach;
use near::Surroundings;
pub(crate) use touch::{LinkContact, Touched};

use crate::arm::coupling::{HandWay, Reaction};
use crate::randomise::Draws;
use crate::scene::Scene;
use crate::state::ClothState;
use crate::{PhysicsSettings, SceneConfig, SimError};

/// One tick, s.
pub(crate) const DT: f64 = crate::settings::TICK;

pub(crate) const ROBOT: Group = Group::GROUP_1;
pub(crate) const REST: Group = Group::GROUP_2;

/// Position, orientation and velocity of a body in the base frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BodyState {
    /// Its pose.
    pub base_from_body: Pose,
    /// Velocity of its centre of mass, m/s.
    pub linear: Vector3<f64>,
    /// Angular velocity, rad/s.
    pub angular: Vector3<f64>,
}

impl BodyState {
    /// A body that does not move.
    pub(crate) fn at_rest(base_from_body: Pose) -> Self {
        Self {
            base_from_body,
            linear: Vector3::zeros(),
            angular: Vector3::zeros(),
        }
    }
}

/// One rapier world with an arm, a table and the bodies on it.
pub(crate) struct Physics {
    world: PhysicsWorld,
    limb: Limb,
    /// Other arms, in the scene's order.
    partners: Vec<Limb>,
    /// The hand's body, if it gives way; a kinematic link otherwise.
    hand: Option<hand::YieldingHand>,
    /// The bodies that can move, in the scene's order.
    bodies: Vec<RigidBodyHandle>,
    /// The cloths, in the scene's order.
    cloths: Vec<SoftBodyHandle>,
    /// Of one episode, whatever copies of its world do.
    surroundings: Arc<Surroundings>,
    /// Solver steps per [`Self::step`].
    steps: u32,
    /// What [`Self::step`] covers, s.
    span: f64,
    /// Whether the engine ever had to disable something because its state became non-finite. It forgets
    /// that with its next step.
    has_diverged: bool,
}

impl Physics {
    pub fn new(
        robot: &Robot,
        config: &SceneConfig,
        scene: &Scene,
        link_poses: &[Pose],
        settings: &PhysicsSettings,
        draws: &Draws,
    ) -> Result<Self, SimError> {
        let mut world = PhysicsWorld::new();
        // The arm's own equations have the standard 9.80665, 0.03 % less; one number for both would change
        // every bit of every stored episode.
        world.gravity = RapierVector::new(0.0, 0.0, -9.81);
        world.integration_parameters = settings.integration_parameters();
        // Exactly what comes in below: an arena that doubles wastes a seventh of a world.
        let n_shapes = robot.links().iter().map(|link| link.shapes.len());
        let n_parts = scene.bodies.iter().map(|body| body.parts.len());
        let n_colliders = 1 + n_shapes.sum::<usize>() + n_parts.sum::<usize>();
        world.colliders = ColliderSet::with_capacity(n_colliders);

        let table = ColliderBuilder::cuboid(0.6, 0.8, 0.05)
            .position(RapierPose::translation(0.5, 0.0, -0.05))
            .friction((config.table.friction * draws.cell.table_friction_factor) as f32)
            .collision_groups(groups(REST, ROBOT | REST));
        world.insert_collider(table, None);
        let gripper = robot.gripper();
        let force = gripper.map_or(0.0, |gripper| gripper.force) * draws.cell.force_factor;
        let max_width = gripper.map_or(0.0, |gripper| gripper.max_width);
        let limb = Limb::insert(&mut world, robot, link_poses, force)?;

        let inserted = scene
            .bodies
            .iter()
            .zip(&draws.bodies)
            .map(|(body, draws)| (body, insert_body(&mut world, body, draws, settings.sleep)));
        let bodies = inserted.filter_map(|(body, handle)| body.can_move().then_some(handle));
        let bodies = bodies.collect();
        let cloths = scene.cloths.iter();
        let cloths = cloths.map(|own| cloth::insert(&mut world, own)).collect();
        let partners = scene.partners.iter().map(|partner| {
            let mut links = vec![Pose::identity(); robot.links().len()];
            partner.link_poses(robot, &partner.start, max_width, &mut links);
            Limb::insert(&mut world, robot, &links, force)
        });
        let partners = partners.collect::<Result<_, _>>()?;
        Ok(Self {
            world,
            limb,
            partners,
            hand: None,
            bodies,
            cloths,
            surroundings: Arc::new(Surroundings::new(scene, robot)),
            steps: settings.steps(),
            span: settings.span(),
            has_diverged: false,
        })
    }

    /// Advances by its span: every arm's links go to where it reaches, the fingers towards their target
    /// with no more than the gripper's force.
    ///
    /// A hand that gives way goes its own `way`; returns what it felt.
    pub fn step(
        &mut self,
        to: Reach<'_>,
        way: Option<&HandWay>,
        partners: &[Reach<'_>],
    ) -> Reaction {
        if let Some(way) = way {
            return self.step_felt(to, way, partners);
        }
        let is_near = self.is_crowded() || self.fingers_are_near();
        let links_are_near = self.wake_links(to.links);
        if self.limb.gripper.is_travelling() && !is_near && !links_are_near && self.all_sleep() {
            self.travel_quietly(to);
        } else {
            self.advance(to, is_near, partners);
        }
        Reaction::NONE
    }

    /// A step of an arm that feels what its hand and links touch. Where nothing can touch anything, it
    /// feels nothing: what the fingers' motors take from the hand, they give back to it.
    fn step_felt(&mut self, to: Reach<'_>, way: &HandWay, partners: &[Reach<'_>]) -> Reaction {
        let can_touch = self.is_crowded()
            || self.fingers_are_near()
            || self.links_are_near(to.links)
            || self.surroundings.links_are_near_fixed(to.links);
        if !can_touch && self.all_sleep() {
            self.limb.gripper.detach(&mut self.world);
            self.travel_quietly(to);
            self.pace_hand(way);
            return Reaction::NONE;
        }
        self.limb.gripper.keep_pace(&mut self.world);
        let driven = self.drive_hand(way);
        self.advance(to, true, partners);
        driven
            .and_then(|driven| self.hand_reaction(&driven))
            .unwrap_or(Reaction::NONE)
    }

    /// Whether something is in the cell that nobody keeps at a distance: a sheet is everywhere, another arm
    /// moves as it likes.
    fn is_crowded(&self) -> bool {
        !self.cloths.is_empty() || !self.partners.is_empty()
    }

    /// What a step of the engine would do where nothing can touch anything.
    fn travel_quietly(&mut self, to: Reach<'_>) {
        self.set_links(to.links);
        let base_from_hand = &to.links[self.limb.hand_idx];
        let (gripper, world) = (&mut self.limb.gripper, &mut self.world);
        gripper.travel_quietly(world, base_from_hand, to.finger_target, self.span);
    }

    /// As many solver steps as a tick has.
    fn advance(&mut self, to: Reach<'_>, is_near: bool, partners: &[Reach<'_>]) {
        let starts = self.limb.poses(&self.world);
        let partner_starts: Vec<Vec<RapierPose>> = self
            .partners
            .iter()
            .map(|limb| limb.poses(&self.world))
            .collect();
        let dt = self.span / f64::from(self.steps);
        for step in 1..=self.steps {
            let share = step as f32 / self.steps as f32;
            let world = &mut self.world;
            self.limb.drive(world, to, &starts, share, is_near, dt);
            let partners = self.partners.iter_mut().zip(partners).zip(&partner_starts);
            for ((limb, to), starts) in partners {
                limb.drive(world, *to, starts, share, true, dt);
            }
            self.world.step();
            self.has_diverged |= !self.world.quarantine().is_empty();
        }
    }

    fn fingers_are_near(&self) -> bool {
        let bodies = &self.world.bodies;
        let pose = |index: usize| Some(from_rapier(bodies.get(self.bodies[index])?.position()));
        self.surroundings
            .are_near(self.limb.gripper.balls(&self.world), pose)
    }

    /// Takes links out of the engine while no body is near them, and puts them back in time. Returns
    /// whether one is near. The hand always stays: the fingers hang on it.
    fn wake_links(&mut self, link_poses: &[Pose]) -> bool {
        let bodies = &self.world.bodies;
        let centers: Vec<Option<Pose>> = self
            .bodies
            .iter()
            .map(|handle| Some(from_rapier(bodies.get(*handle)?.position())))
            .collect();
        let mut any = false;
        let is_crowded = self.is_crowded();
        for (link_idx, handle) in &self.limb.links {
            let pose = &link_poses[*link_idx];
            let is_near = self.surroundings.link_is_near(*link_idx, pose, &centers);
            any |= is_near;
            let is_wanted = is_near || is_crowded || *link_idx == self.limb.hand_idx;
            if let Some(body) = self.world.bodies.get_mut(*handle)
                && body.is_enabled() != is_wanted
            {
                body.set_enabled(is_wanted);
                body.set_position(to_rapier(pose), false);
            }
        }
        any
    }

    fn links_are_near(&self, link_poses: &[Pose]) -> bool {
        let centers: Vec<Option<Pose>> = (0..self.bodies.len())
            .map(|index| Some(self.body(index)?.base_from_body))
            .collect();
        let mut links = self.limb.links.iter();
        links.any(|(link_idx, _)| {
            let pose = &link_poses[*link_idx];
            self.surroundings.link_is_near(*link_idx, pose, &centers)
        })
    }

    fn all_sleep(&self) -> bool {
        let mut bodies = self
            .bodies
            .iter()
            .map(|handle| self.world.bodies.get(*handle));
        bodies.all(|body| body.is_none_or(|body| body.is_sleeping()))
    }

    /// Displacement of each finger from shut, m.
    pub fn finger_displacements(&self) -> [f64; 2] {
        self.limb.gripper.displacements(&self.world)
    }

    /// Puts the fingers at a displacement, at rest relative to the hand.
    pub fn set_fingers(&mut self, displacements: [f64; 2], base_from_hand: &Pose) {
        self.limb
            .gripper
            .place(&mut self.world, displacements, base_from_hand);
    }

    /// Puts the links where they are, without a velocity.
    pub fn set_links(&mut self, link_poses: &[Pose]) {
        self.limb.place(&mut self.world, link_poses);
    }

    /// Displacement of each finger of another arm from shut, m.
    pub fn partner_displacements(&self, partner_idx: usize) -> Option<[f64; 2]> {
        let limb = self.partners.get(partner_idx)?;
        Some(limb.gripper.displacements(&self.world))
    }

    /// Puts another arm somewhere, at rest.
    pub fn set_partner(&mut self, partner_idx: usize, links: &[Pose], displacements: [f64; 2]) {
        if let Some(limb) = self.partners.get_mut(partner_idx) {
            limb.place(&mut self.world, links);
            let base_from_hand = &links[limb.hand_idx];
            limb.gripper
                .place(&mut self.world, displacements, base_from_hand);
        }
    }

    /// Writes where the particles of a cloth are to `state`.
    pub fn read_cloth(&self, index: usize, state: &mut ClothState) {
        if let Some(sheet) = self.cloths.get(index) {
            cloth::read(&self.world, *sheet, state);
        }
    }

    pub fn set_cloth(&mut self, index: usize, state: &ClothState) {
        if let Some(sheet) = self.cloths.get(index) {
            cloth::place(&mut self.world, *sheet, state);
        }
    }

    pub fn body(&self, index: usize) -> Option<BodyState> {
        let body = self.world.bodies.get(*self.bodies.get(index)?)?;
        Some(BodyState {
            base_from_body: from_rapier(body.position()),
            linear: vector(body.linvel()),
            angular: vector(body.angvel()),
        })
    }

    pub fn set_body(&mut self, index: usize, state: &BodyState) {
        let Some(handle) = self.bodies.get(index) else {
            return;
        };
        if let Some(body) = self.world.bodies.get_mut(*handle) {
            body.set_position(to_rapier(&state.base_from_body), true);
            body.set_linvel(to_rapier_vector(&state.linear), true);
            body.set_angvel(to_rapier_vector(&state.angular), true);
        }
    }

    /// Which of the two fingers touch a body.
    pub fn finger_contacts(&self, body_idx: usize) -> [bool; 2] {
        let object = self.bodies.get(body_idx);
        object.map_or([false; 2], |object| {
            self.limb.finger_contacts(&self.world, *object)
        })
    }

    /// Which of the two fingers of another arm touch a body.
    pub fn partner_contacts(&self, partner_idx: usize, body_idx: usize) -> [bool; 2] {
        let pair = self
            .partners
            .get(partner_idx)
            .zip(self.bodies.get(body_idx));
        pair.map_or([false; 2], |(limb, object)| {
            limb.finger_contacts(&self.world, *object)
        })
    }

    /// Normal forces between two bodies in the last solver step, added up, N.
    pub fn contact_force(&self, body_idx: usize, other_idx: usize) -> f64 {
        let (Some(own), Some(other)) = (self.bodies.get(body_idx), self.bodies.get(other_idx))
        else {
            return 0.0;
        };
        let parent = |collider| self.world.colliders.get(collider).and_then(|c| c.parent());
        let colliders = self.world.bodies.get(*own).into_iter();
        let pairs = colliders
            .flat_map(|body| body.colliders())
            .flat_map(|collider| self.world.narrow_phase.contact_pairs_with(*collider));
        let impulses = pairs
            .filter(|pair| {
                [pair.collider1, pair.collider2]
                    .map(parent)
                    .contains(&Some(*other))
            })
            .flat_map(|pair| pair.solver_manifolds())
            .flat_map(|manifold| &manifold.points)
            .map(|point| f64::from(point.data.impulse));
        self.mean_force(impulses.sum())
    }

    /// The force behind an impulse of the last solver step, of which a span may have several, N.
    fn mean_force(&self, impulse: f64) -> f64 {
        impulse * f64::from(self.steps) / self.span
    }

    /// Whether the engine ever had to disable something because its state became non-finite: what is
    /// left is no world any more, however finite it looks.
    pub fn has_diverged(&self) -> bool {
        self.has_diverged
    }

    /// The engine's world, for measuring.
    pub fn world(&self) -> &PhysicsWorld {
        &self.world
    }

    /// The handles of the bodies that can move, in the scene's order.
    pub fn body_handles(&self) -> &[RigidBodyHandle] {
        &self.bodies
    }
}
