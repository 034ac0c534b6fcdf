//! The rapier side: bodies, contacts and the settings that hold a grasp.
//!
//! Arm links are kinematic and follow forward kinematics; the fingers are dynamic, force-limited and
//! mimic each other. Measured with the probe of November 2026: no dynamic arm in rapier 0.36.1 held a
//! cube through a shake, this representation slips 0.2 mm.

mod gripper;
mod hand;
mod joints;
mod near;
#[cfg(test)]
mod probes;
mod snapshot;
mod touch;

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_robot::{ConvexHull, Link, Part as RobotPart, Robot, Shape};
use prehend_types::Pose;
use rapier3d::dynamics::{MassProperties, RigidBodyBuilder, RigidBodyHandle};
use rapier3d::geometry::{ColliderBuilder, Group, InteractionGroups, InteractionTestMode};
use rapier3d::math::{Pose as RapierPose, Rotation, Vector as RapierVector};
use rapier3d::pipeline::PhysicsWorld;
use serde::{Deserialize, Serialize};

use gripper::Gripper;
pub(crate) use gripper::{FINGER_DAMPING, FINGER_INERTIA, FINGER_MASS, FINGER_STIFFNESS, Travel};
use near::Surroundings;
pub(crate) use touch::{LinkContact, Touched};

use crate::arm::coupling::{HandWay, Reaction};
use crate::geometry;
use crate::randomise::{BodyDraws, Draws};
use crate::scene::{Body, BodyMotion, Scene};
use crate::{PhysicsSettings, SceneConfig, SimError};

/// One tick, s.
pub(crate) const DT: f64 = crate::settings::TICK;

/// Share of an object's spin that is lost per second. rapier knows no rolling resistance: without this
/// a cylinder on a plate rolls on for ever.
const ROLLING_LOSS: f32 = 2.0;
pub(crate) const ROBOT: Group = Group::GROUP_1;
pub(crate) const REST: Group = Group::GROUP_2;

/// A body slower than this everywhere, m/s, for this long, s, sleeps until something touches it: a table
/// full of objects then costs little more than an empty one.
const SLEEP_SPEED: f32 = 0.003;
const SLEEP_AFTER: f32 = 0.2;

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

/// One rapier world with an arm, a table and the bodies on it.
pub(crate) struct Physics {
    world: PhysicsWorld,
    /// Link index and body of every link that can touch something.
    links: Vec<(usize, RigidBodyHandle)>,
    hand_idx: usize,
    gripper: Gripper,
    /// The hand's body, if it gives way; a kinematic link otherwise.
    hand: Option<hand::YieldingHand>,
    /// The bodies that can move, in the scene's order.
    bodies: Vec<RigidBodyHandle>,
    surroundings: Surroundings,
    /// Solver steps per [`Self::step`].
    steps: u32,
    /// What [`Self::step`] covers, s.
    span: f64,
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
        let refuse = |reason: &str| SimError::Robot {
            robot: robot.name().to_owned(),
            reason: reason.to_owned(),
        };
        let gripper = robot.gripper().ok_or_else(|| refuse("it has no gripper"))?;
        let mut world = PhysicsWorld::new();
        world.gravity = RapierVector::new(0.0, 0.0, -9.81);
        world.integration_parameters = settings.integration_parameters();

        let table = ColliderBuilder::cuboid(0.6, 0.8, 0.05)
            .position(RapierPose::translation(0.5, 0.0, -0.05))
            .friction((config.table.friction * draws.cell.table_friction_factor) as f32)
            .collision_groups(groups(REST, ROBOT | REST));
        world.insert_collider(table, None);
        let mut links = Vec::new();
        for (link_idx, link) in robot.links().iter().enumerate() {
            if matches!(link.part, RobotPart::Arm | RobotPart::Hand)
                && (!link.shapes.is_empty() || link_idx == gripper.hand_idx)
            {
                links.push((
                    link_idx,
                    insert_link(&mut world, link, &link_poses[link_idx]),
                ));
            }
        }
        let (_, hand_body) = *links
            .iter()
            .find(|(link_idx, _)| *link_idx == gripper.hand_idx)
            .ok_or_else(|| refuse("its hand link is not part of the arm"))?;
        let base_from_hand = &link_poses[gripper.hand_idx];
        let force = gripper.force * draws.cell.force_factor;
        let fingers = Gripper::insert(&mut world, robot, hand_body, base_from_hand, force)
            .ok_or_else(|| refuse("a finger's link is not moved by the gripper"))?;

        let inserted = scene
            .bodies
            .iter()
            .zip(&draws.bodies)
            .map(|(body, draws)| (body, insert_body(&mut world, body, draws, settings.sleep)));
        let bodies = inserted.filter_map(|(body, handle)| body.can_move().then_some(handle));
        let bodies = bodies.collect();
        Ok(Self {
            world,
            links,
            hand_idx: gripper.hand_idx,
            gripper: fingers,
            hand: None,
            bodies,
            surroundings: Surroundings::new(scene, robot),
            steps: settings.steps(),
            span: settings.span(),
        })
    }

    /// Advances by its span: links go to `link_poses`, the fingers towards `finger_target` (displacement
    /// of each from shut, m) with no more than the gripper's force.
    ///
    /// A hand that gives way goes its own `way`; returns what it felt.
    pub fn step(
        &mut self,
        link_poses: &[Pose],
        finger_target: f64,
        way: Option<&HandWay>,
    ) -> Reaction {
        if let Some(way) = way {
            return self.step_felt(link_poses, finger_target, way);
        }
        let is_near = self.fingers_are_near();
        let links_are_near = self.wake_links(link_poses);
        if self.gripper.is_travelling() && !is_near && !links_are_near && self.all_sleep() {
            self.travel_quietly(link_poses, finger_target);
        } else {
            self.advance(link_poses, finger_target, is_near);
        }
        Reaction::NONE
    }

    /// A step of an arm that feels what its hand and links touch. Where nothing can touch anything, it
    /// feels nothing: what the fingers' motors take from the hand, they give back to it.
    fn step_felt(&mut self, link_poses: &[Pose], finger_target: f64, way: &HandWay) -> Reaction {
        let can_touch = self.fingers_are_near()
            || self.links_are_near(link_poses)
            || self.surroundings.links_are_near_fixed(link_poses);
        if !can_touch && self.all_sleep() {
            self.gripper.detach(&mut self.world);
            self.travel_quietly(link_poses, finger_target);
            self.pace_hand(way);
            return Reaction::NONE;
        }
        self.gripper.keep_pace(&mut self.world);
        let driven = self.drive_hand(way);
        self.advance(link_poses, finger_target, true);
        driven
            .and_then(|driven| self.hand_reaction(&driven))
            .unwrap_or(Reaction::NONE)
    }

    /// What a step of the engine would do where nothing can touch anything.
    fn travel_quietly(&mut self, link_poses: &[Pose], finger_target: f64) {
        self.set_links(link_poses);
        let base_from_hand = &link_poses[self.hand_idx];
        self.gripper
            .travel_quietly(&mut self.world, base_from_hand, finger_target, self.span);
    }

    /// As many solver steps as a tick has.
    fn advance(&mut self, link_poses: &[Pose], finger_target: f64, is_near: bool) {
        let starts: Vec<RapierPose> = self
            .links
            .iter()
            .map(|(_, link)| self.pose(*link))
            .collect();
        for step in 1..=self.steps {
            let share = step as f32 / self.steps as f32;
            self.solve(link_poses, &starts, share, finger_target, is_near);
        }
    }

    /// One solver step, after which the links have gone this share of their way.
    fn solve(
        &mut self,
        link_poses: &[Pose],
        starts: &[RapierPose],
        share: f32,
        finger_target: f64,
        is_near: bool,
    ) {
        let mut base_from_hand = link_poses[self.hand_idx];
        for ((link_idx, handle), start) in self.links.iter().zip(starts) {
            let goal = to_rapier(&link_poses[*link_idx]);
            let pose = if share < 1.0 {
                start.lerp(&goal, share)
            } else {
                goal
            };
            if *link_idx == self.hand_idx && share < 1.0 {
                base_from_hand = from_rapier(&pose);
            }
            if let Some(body) = self.world.bodies.get_mut(*handle)
                && body.is_enabled()
                && body.is_kinematic()
            {
                body.set_next_kinematic_position(pose);
            }
        }
        let dt = self.span / f64::from(self.steps);
        self.gripper
            .drive(&mut self.world, &base_from_hand, finger_target, is_near, dt);
        self.world.step();
    }

    fn pose(&self, body: RigidBodyHandle) -> RapierPose {
        let body = self.world.bodies.get(body);
        body.map_or_else(RapierPose::identity, |body| *body.position())
    }

    fn fingers_are_near(&self) -> bool {
        let bodies = &self.world.bodies;
        let pose = |index: usize| Some(from_rapier(bodies.get(self.bodies[index])?.position()));
        self.surroundings
            .are_near(self.gripper.balls(&self.world), pose)
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
        for (link_idx, handle) in &self.links {
            let pose = &link_poses[*link_idx];
            let is_near = self.surroundings.link_is_near(*link_idx, pose, &centers);
            any |= is_near;
            let is_wanted = is_near || *link_idx == self.hand_idx;
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
        let mut links = self.links.iter();
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
        self.gripper.displacements(&self.world)
    }

    /// Puts the fingers at a displacement, at rest relative to the hand.
    pub fn set_fingers(&mut self, displacements: [f64; 2], base_from_hand: &Pose) {
        self.gripper
            .place(&mut self.world, displacements, base_from_hand);
    }

    /// Puts the links where they are, without a velocity.
    pub fn set_links(&mut self, link_poses: &[Pose]) {
        for (link_idx, handle) in &self.links {
            if let Some(body) = self.world.bodies.get_mut(*handle)
                && body.is_enabled()
            {
                body.set_position(to_rapier(&link_poses[*link_idx]), true);
                body.set_linvel(RapierVector::ZERO, true);
                body.set_angvel(RapierVector::ZERO, true);
            }
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
        let Some(object) = self.bodies.get(body_idx) else {
            return [false; 2];
        };
        self.gripper.bodies().map(|finger| {
            let Some(body) = self.world.bodies.get(finger) else {
                return false;
            };
            body.colliders().iter().any(|collider| {
                self.world
                    .narrow_phase
                    .contact_pairs_with(*collider)
                    .filter(|pair| pair.has_any_active_contact())
                    .any(|pair| {
                        [pair.collider1, pair.collider2].iter().any(|other| {
                            self.world.colliders.get(*other).and_then(|c| c.parent())
                                == Some(*object)
                        })
                    })
            })
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
        impulses.sum::<f64>() * f64::from(self.steps) / self.span
    }

    /// Whether the engine had to disable a body because its state became non-finite.
    pub fn has_quarantined(&self) -> bool {
        !self.world.quarantine().bodies().is_empty()
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

fn insert_link(world: &mut PhysicsWorld, link: &Link, pose: &Pose) -> RigidBodyHandle {
    let body = RigidBodyBuilder::kinematic_position_based().pose(to_rapier(pose));
    let handle = world.insert_body(body);
    for shape in &link.shapes {
        let collider = collider(&shape.shape)
            .position(to_rapier(&shape.link_from_shape))
            .friction(0.5)
            .collision_groups(groups(ROBOT, REST));
        world.insert_collider(collider, Some(handle));
    }
    handle
}

pub(crate) fn insert_body(
    world: &mut PhysicsWorld,
    body: &Body,
    draws: &BodyDraws,
    sleep: bool,
) -> RigidBodyHandle {
    let volume: f64 = body.parts.iter().map(|p| geometry::volume(&p.shape)).sum();
    let builder = match body.motion {
        BodyMotion::Fixed | BodyMotion::Painted => RigidBodyBuilder::fixed(),
        BodyMotion::Free | BodyMotion::Slide { .. } | BodyMotion::Turn { .. } => {
            RigidBodyBuilder::dynamic().angular_damping(ROLLING_LOSS)
        }
    };
    let builder = builder
        .pose(to_rapier(&body.base_from_body))
        .can_sleep(sleep);
    let handle = world.insert_body(builder);
    if let Some(body) = world.bodies.get_mut(handle).filter(|_| sleep) {
        let activation = body.activation_mut();
        activation.normalized_linear_threshold = SLEEP_SPEED;
        activation.time_until_sleep = SLEEP_AFTER;
    }
    if body.motion == BodyMotion::Painted {
        return handle;
    }
    for part in &body.parts {
        let collider = collider(&part.shape)
            .position(to_rapier(&part.body_from_part))
            .density((body.mass * draws.mass_factor / volume) as f32)
            .friction((body.friction * draws.friction_factor) as f32)
            .collision_groups(groups(REST, ROBOT | REST));
        world.insert_collider(collider, Some(handle));
    }
    if !draws.is_uniform() {
        redistribute(world, handle, body, draws);
    }
    joints::insert(world, handle, body);
    handle
}

/// Moves a body's centre of mass and stretches its moments of inertia as drawn.
///
/// One factor for all three principal moments keeps their triangle inequalities, and a centre of mass
/// at most half way out stays inside a convex body: the mass could be spread like this.
fn redistribute(world: &mut PhysicsWorld, handle: RigidBodyHandle, of: &Body, draws: &BodyDraws) {
    let (bodies, colliders) = (&mut world.bodies, &mut world.colliders);
    let Some(body) = bodies.get_mut(handle) else {
        return;
    };
    body.recompute_mass_properties_from_colliders(colliders);
    let uniform = body.mass_properties().local_mprops;
    let half: Vector3<f64> = 0.5 * of.size();
    let [x, y, z] = draws.center_of_mass_share;
    let shift = half.component_mul(&Vector3::new(x, y, z));
    let drawn = MassProperties::with_principal_inertia_frame(
        uniform.local_com + to_rapier_vector(&shift),
        uniform.mass(),
        uniform.principal_inertia() * draws.inertia_factor as f32,
        uniform.principal_inertia_local_frame,
    );
    let own: Vec<_> = body.colliders().to_vec();
    for collider in own {
        if let Some(collider) = colliders.get_mut(collider) {
            collider.set_density(0.0);
        }
    }
    if let Some(body) = bodies.get_mut(handle) {
        body.set_additional_mass_properties(drawn, true);
    }
}

pub(crate) fn groups(own: Group, with: Group) -> InteractionGroups {
    InteractionGroups::new(own, with, InteractionTestMode::And)
}

/// A collider of one of our shapes. rapier's cylinders stand along y, ours along z.
pub(crate) fn collider(shape: &Shape) -> ShapedCollider {
    let upright = Pose::from_parts(
        Translation3::identity(),
        UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::FRAC_PI_2),
    );
    let (builder, turn) = match *shape {
        Shape::Cuboid { half_extents: h } => (
            ColliderBuilder::cuboid(h.x as f32, h.y as f32, h.z as f32),
            Pose::identity(),
        ),
        Shape::Sphere { radius } => (ColliderBuilder::ball(radius as f32), Pose::identity()),
        Shape::Cylinder {
            radius,
            half_length,
        } => (
            ColliderBuilder::cylinder(half_length as f32, radius as f32),
            upright,
        ),
        Shape::Capsule {
            radius,
            half_length,
        } => (
            ColliderBuilder::capsule_z(half_length as f32, radius as f32),
            Pose::identity(),
        ),
        Shape::Convex(ref hull) => (polyhedron(hull), Pose::identity()),
    };
    ShapedCollider { builder, turn }
}

/// A polyhedron's collider. Should rapier refuse it in single precision, its bounding capsule.
fn polyhedron(hull: &ConvexHull) -> ColliderBuilder {
    let points: Vec<_> = hull.points().iter().map(to_rapier_vector).collect();
    ColliderBuilder::convex_mesh(points.clone(), hull.triangles())
        .or_else(|| ColliderBuilder::convex_hull(&points))
        .unwrap_or_else(|| {
            let (a, b, radius) = hull.capsule();
            ColliderBuilder::capsule_from_endpoints(
                to_rapier_vector(&a),
                to_rapier_vector(&b),
                radius as f32,
            )
        })
}

/// A collider builder whose shape still has to be turned so that its axis is z.
pub(crate) struct ShapedCollider {
    builder: ColliderBuilder,
    turn: Pose,
}

impl ShapedCollider {
    pub fn position(self, pose: RapierPose) -> ColliderBuilder {
        self.builder.position(pose * to_rapier(&self.turn))
    }
}

pub(crate) fn to_rapier(pose: &Pose) -> RapierPose {
    let q = pose.rotation.coords;
    RapierPose::from_parts(
        to_rapier_vector(&pose.translation.vector),
        Rotation::from_xyzw(q.x as f32, q.y as f32, q.z as f32, q.w as f32).normalize(),
    )
}

pub(crate) fn to_rapier_vector(v: &Vector3<f64>) -> RapierVector {
    RapierVector::new(v.x as f32, v.y as f32, v.z as f32)
}

pub(crate) fn from_rapier(pose: &RapierPose) -> Pose {
    let q = pose.rotation;
    Pose::from_parts(
        Translation3::from(vector(pose.translation)),
        UnitQuaternion::from_quaternion(nalgebra::Quaternion::new(
            f64::from(q.w),
            f64::from(q.x),
            f64::from(q.y),
            f64::from(q.z),
        )),
    )
}

pub(crate) fn vector(v: RapierVector) -> Vector3<f64> {
    Vector3::new(f64::from(v.x), f64::from(v.y), f64::from(v.z))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_a_mesh_stays_a_polyhedron() {
        // rapier may refuse one and get a capsule instead: not for a plain shape, turned and small.
        let turn = UnitQuaternion::from_euler_angles(0.4, 0.5, 0.6);
        let corners: Vec<Vector3<f64>> = (0..8_u8)
            .map(|i| {
                let sign = |bit: u8| if i & bit == 0 { -1.0 } else { 1.0 };
                turn * Vector3::new(0.02 * sign(1), 0.01 * sign(2), 0.005 * sign(4))
            })
            .collect();
        let hull = ConvexHull::around(&corners).expect("a box").hull;
        let volume = hull.volume();
        let (ellipsoid, _) =
            ConvexHull::ellipsoid(&Vector3::new(0.05, 0.03, 0.02)).expect("an ellipsoid");
        for hull in [hull, ellipsoid] {
            let expected = hull.volume();
            let shaped = collider(&Shape::Convex(std::sync::Arc::new(hull)));
            let built = shaped.position(RapierPose::IDENTITY).density(1.0).build();
            assert!(built.shape().as_convex_polyhedron().is_some());
            let mass = f64::from(built.mass());
            assert!((mass / expected - 1.0).abs() < 1e-3, "{mass} {expected}");
        }
        assert!((volume - 8.0 * 0.02 * 0.01 * 0.005).abs() < 1e-12);
    }

    #[test]
    fn drawn_mass_sits_where_it_was_drawn() {
        let half_extents = Vector3::new(0.02, 0.03, 0.05);
        let body = Body {
            parts: vec![crate::objects::Part {
                shape: Shape::Cuboid { half_extents },
                body_from_part: Pose::translation(0.0, 0.0, 0.05),
            }],
            role: prehend_types::Role::Target,
            motion: BodyMotion::Free,
            mass: 0.2,
            friction: 0.5,
            base_from_body: Pose::identity(),
        };
        let draws = BodyDraws {
            mass_factor: 1.5,
            inertia_factor: 1.2,
            center_of_mass_share: [0.5, 0.0, -0.2],
            friction_factor: 0.8,
        };
        let mut world = PhysicsWorld::new();
        let handle = insert_body(&mut world, &body, &draws, false);
        world.step();
        let inserted = &world.bodies[handle];
        let found = inserted.mass_properties().local_mprops;
        let mass = f64::from(found.mass());
        assert!((mass - 0.3).abs() < 1e-6, "{mass}");
        let off = vector(found.local_com) - Vector3::new(0.01, 0.0, 0.04);
        assert!(off.norm() < 1e-6, "{off}");
        // A box: m (b² + c²) / 12 with whole sides, times the factor.
        let [x, y, z] = [0.04_f64, 0.06, 0.10].map(|side| side * side);
        let mut expected = [y + z, z + x, x + y].map(|sum| 1.2 * 0.3 * sum / 12.0);
        let inertia = found.principal_inertia();
        let mut moments = [inertia.x, inertia.y, inertia.z].map(f64::from);
        expected.sort_by(f64::total_cmp);
        moments.sort_by(f64::total_cmp);
        for (moment, expected) in moments.iter().zip(expected) {
            assert!(
                (moment / expected - 1.0).abs() < 1e-4,
                "{moment} {expected}"
            );
        }
        let friction = world.colliders[inserted.colliders()[0]].friction();
        assert!((friction - 0.4).abs() < 1e-6);
    }
}
