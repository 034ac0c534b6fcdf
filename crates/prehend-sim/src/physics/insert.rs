//! Turns links and bodies into the engine's bodies and colliders, and back.

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_robot::{ConvexHull, Link, Shape};
use prehend_types::Pose;
use rapier3d::dynamics::{MassProperties, RigidBodyBuilder, RigidBodyHandle};
use rapier3d::geometry::{ColliderBuilder, Group, InteractionGroups, InteractionTestMode};
use rapier3d::math::{Pose as RapierPose, Rotation, Vector as RapierVector};
use rapier3d::pipeline::PhysicsWorld;

use super::{REST, ROBOT, joints};
use crate::geometry;
use crate::randomise::BodyDraws;
use crate::scene::{Body, BodyMotion};
use crate::settings::LENGTH_UNIT;

/// Share of an object's spin that is lost per second. rapier knows no rolling resistance: without this
/// a cylinder on a plate rolls on for ever.
const ROLLING_LOSS: f32 = 2.0;

/// A body slower than this everywhere, m/s, for this long, s, sleeps until something touches it: a table
/// full of objects then costs little more than an empty one.
const SLEEP_SPEED: f32 = 0.003;
const SLEEP_AFTER: f32 = 0.2;

/// A body this light, kg, may carry others of hundreds of times its mass, which slide off it unless
/// everything in touch with it is solved in so many sub-steps more.
const LIGHT: f64 = 0.02;
const LIGHT_ITERATIONS: usize = 8;

pub(super) fn insert_link(world: &mut PhysicsWorld, link: &Link, pose: &Pose) -> RigidBodyHandle {
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
    let mass = body.mass * draws.mass_factor;
    let extra = if mass < LIGHT { LIGHT_ITERATIONS } else { 0 };
    let builder = builder
        .pose(to_rapier(&body.base_from_body))
        .additional_solver_iterations(extra)
        .can_sleep(sleep);
    let handle = world.insert_body(builder);
    if let Some(body) = world.bodies.get_mut(handle).filter(|_| sleep) {
        let activation = body.activation_mut();
        activation.normalized_linear_threshold = SLEEP_SPEED / LENGTH_UNIT;
        activation.time_until_sleep = SLEEP_AFTER;
    }
    if body.motion == BodyMotion::Painted {
        return handle;
    }
    for part in &body.parts {
        let collider = collider(&part.shape)
            .position(to_rapier(&part.body_from_part))
            .density((mass / volume) as f32)
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
/// One factor for all three principal moments keeps their triangle inequalities. Along an axis a convex
/// body's mass has at most a third of its half size h squared as variance, so at most 2/3 h² with the
/// largest factor; with its centre at most h/2 out there is room for 3/4 h² within the box around it. In
/// a box the mass could be spread like this; in a rounder body not always.
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
