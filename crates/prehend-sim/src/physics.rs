//! The rapier side: bodies, contacts and the settings that hold a grasp.
//!
//! Arm links are kinematic and follow forward kinematics; the fingers are dynamic, force-limited and
//! mimic each other. Measured with the probe of November 2026: no dynamic arm in rapier 0.36.1 held a
//! cube through a shake, this representation slips 0.2 mm.

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_robot::{ConvexHull, Finger, Link, Motion, Part as RobotPart, Robot, Shape};
use prehend_types::Pose;
use rapier3d::dynamics::{
    ImpulseJointHandle, IntegrationParameters, JointAxis, MotorModel, PrismaticJointBuilder,
    RigidBodyBuilder, RigidBodyHandle, SpringCoefficients,
};
use rapier3d::geometry::{ColliderBuilder, Group, InteractionGroups, InteractionTestMode};
use rapier3d::math::{Pose as RapierPose, Rotation, Vector as RapierVector};
use rapier3d::pipeline::PhysicsWorld;
use rapier3d::prelude::{CoefficientCombineRule, MassProperties};

use crate::geometry;
use crate::objects::Part;
use crate::scene::Scene;
use crate::{SceneConfig, SimError};

/// Physics step, s.
pub(crate) const DT: f64 = 0.005;

/// Stiffness of the finger motors, N/m: how far behind its target a finger must be to push with all
/// of its force.
const FINGER_STIFFNESS: f64 = 5000.0;
/// Damping of the finger motors, N s/m.
const FINGER_DAMPING: f64 = 100.0;
/// Share of an object's spin that is lost per second. rapier knows no rolling resistance: without this
/// a cylinder on a plate rolls on for ever.
const ROLLING_LOSS: f32 = 2.0;
/// Mass of a finger, kg, and its principal inertia, kg m². The whole mass sits at the pad's centre:
/// with the real centre of mass a held cube slips 16 mm instead of 0.2 (probe, section 1).
const FINGER_MASS: f64 = 0.1;
const FINGER_INERTIA: f64 = 1e-4;

const ROBOT: Group = Group::GROUP_1;
const REST: Group = Group::GROUP_2;

/// Position, orientation, velocity of a free body.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BodyState {
    pub base_from_body: Pose,
    pub linear: Vector3<f64>,
    pub angular: Vector3<f64>,
}

/// One finger: a body whose frame is the hand's, moved to the pad's centre.
struct FingerBody {
    body: RigidBodyHandle,
    joint: ImpulseJointHandle,
    /// Pad centre in the hand's frame with the gripper shut.
    shut: Vector3<f64>,
    /// Opening direction in the hand's frame.
    axis: Vector3<f64>,
}

/// One rapier world with an arm, a table, a receptacle and objects.
pub(crate) struct Physics {
    world: PhysicsWorld,
    /// Link index and body of every link that can touch something.
    links: Vec<(usize, RigidBodyHandle)>,
    hand_idx: usize,
    fingers: [FingerBody; 2],
    objects: Vec<RigidBodyHandle>,
    finger_force: f64,
}

impl Physics {
    pub fn new(
        robot: &Robot,
        config: &SceneConfig,
        scene: &Scene,
        link_poses: &[Pose],
    ) -> Result<Self, SimError> {
        let refuse = |reason: &str| SimError::Robot {
            robot: robot.name().to_owned(),
            reason: reason.to_owned(),
        };
        let gripper = robot.gripper().ok_or_else(|| refuse("it has no gripper"))?;
        let mut world = PhysicsWorld::new();
        world.gravity = RapierVector::new(0.0, 0.0, -9.81);
        world.integration_parameters = integration_parameters();

        let table = ColliderBuilder::cuboid(0.6, 0.8, 0.05)
            .position(RapierPose::translation(0.5, 0.0, -0.05))
            .friction(config.table.friction as f32)
            .collision_groups(groups(REST, ROBOT | REST));
        world.insert_collider(table, None);
        for part in &scene.receptacle.parts {
            let base_from_part = scene.receptacle.base_from_body * part.body_from_part;
            let collider = collider(&part.shape)
                .position(to_rapier(&base_from_part))
                .friction(0.6)
                .collision_groups(groups(REST, ROBOT | REST));
            world.insert_collider(collider, None);
        }

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
        let mut insert = |finger: &Finger| {
            insert_finger(
                &mut world,
                robot,
                finger,
                hand_body,
                &link_poses[gripper.hand_idx],
            )
            .ok_or_else(|| refuse("a finger's link is not moved by the gripper"))
        };
        let fingers = [insert(&gripper.left)?, insert(&gripper.right)?];

        let objects = scene.objects.iter().zip(&scene.base_from_objects);
        let objects = objects
            .map(|(object, pose)| {
                let volume: f64 = object
                    .parts
                    .iter()
                    .map(|p| geometry::volume(&p.shape))
                    .sum();
                insert_object(
                    &mut world,
                    &object.parts,
                    object.mass / volume,
                    object.friction,
                    pose,
                )
            })
            .collect();
        Ok(Self {
            world,
            links,
            hand_idx: gripper.hand_idx,
            fingers,
            objects,
            finger_force: gripper.force,
        })
    }

    /// Advances by [`DT`]: links go to `link_poses`, the fingers towards `finger_target` (displacement
    /// of each from shut, m) with no more than the gripper's force.
    pub fn step(&mut self, link_poses: &[Pose], finger_target: f64) {
        for (link_idx, handle) in &self.links {
            if let Some(body) = self.world.bodies.get_mut(*handle) {
                body.set_next_kinematic_position(to_rapier(&link_poses[*link_idx]));
            }
        }
        // Both motors aim at the same displacement, no further from the fingers' mean than the force
        // allows: two saturated motors that do not know each other drift sideways together.
        let [left, right] = self.finger_displacements();
        let mean = 0.5 * (left + right);
        let reach = self.finger_force / FINGER_STIFFNESS;
        let aim = finger_target.clamp(mean - reach, mean + reach) as f32;
        for finger in &self.fingers {
            if let Some(joint) = self.world.impulse_joints.get_mut(finger.joint, true) {
                joint.data.set_motor(
                    JointAxis::LinX,
                    aim,
                    0.0,
                    FINGER_STIFFNESS as f32,
                    FINGER_DAMPING as f32,
                );
            }
        }
        self.world.step();
    }

    /// Displacement of each finger from shut, m.
    pub fn finger_displacements(&self) -> [f64; 2] {
        let hand = self.hand_pose();
        self.fingers.each_ref().map(|finger| {
            let Some(body) = self.world.bodies.get(finger.body) else {
                return f64::NAN;
            };
            let in_hand = hand.inv_mul(&from_rapier(body.position()));
            (in_hand.translation.vector - finger.shut).dot(&finger.axis)
        })
    }

    /// Puts the fingers at a displacement, at rest relative to the hand.
    pub fn set_fingers(&mut self, displacements: [f64; 2], base_from_hand: &Pose) {
        for (finger, displacement) in self.fingers.iter().zip(displacements) {
            if let Some(body) = self.world.bodies.get_mut(finger.body) {
                let at = Translation3::from(finger.shut + finger.axis * displacement);
                body.set_position(to_rapier(&(base_from_hand * at)), true);
                body.set_linvel(RapierVector::ZERO, true);
                body.set_angvel(RapierVector::ZERO, true);
            }
        }
    }

    /// Puts the links where they are, without a velocity.
    pub fn set_links(&mut self, link_poses: &[Pose]) {
        for (link_idx, handle) in &self.links {
            if let Some(body) = self.world.bodies.get_mut(*handle) {
                body.set_position(to_rapier(&link_poses[*link_idx]), true);
            }
        }
    }

    pub fn object(&self, index: usize) -> Option<BodyState> {
        let body = self.world.bodies.get(*self.objects.get(index)?)?;
        Some(BodyState {
            base_from_body: from_rapier(body.position()),
            linear: vector(body.linvel()),
            angular: vector(body.angvel()),
        })
    }

    pub fn set_object(&mut self, index: usize, state: &BodyState) {
        let Some(handle) = self.objects.get(index) else {
            return;
        };
        if let Some(body) = self.world.bodies.get_mut(*handle) {
            body.set_position(to_rapier(&state.base_from_body), true);
            body.set_linvel(to_rapier_vector(&state.linear), true);
            body.set_angvel(to_rapier_vector(&state.angular), true);
        }
    }

    /// Which of the two fingers touch an object.
    pub fn finger_contacts(&self, object_idx: usize) -> [bool; 2] {
        let Some(object) = self.objects.get(object_idx) else {
            return [false; 2];
        };
        self.fingers.each_ref().map(|finger| {
            let Some(body) = self.world.bodies.get(finger.body) else {
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

    /// Whether the engine had to disable a body because its state became non-finite.
    pub fn has_quarantined(&self) -> bool {
        !self.world.quarantine().bodies().is_empty()
    }

    fn hand_pose(&self) -> Pose {
        self.links
            .iter()
            .find(|(link_idx, _)| *link_idx == self.hand_idx)
            .and_then(|(_, handle)| self.world.bodies.get(*handle))
            .map_or_else(Pose::identity, |body| from_rapier(body.position()))
    }
}

/// Row A of the probe: the settings under which a pinched object creeps 0.002 um/s.
fn integration_parameters() -> IntegrationParameters {
    IntegrationParameters {
        dt: DT as f32,
        num_solver_iterations: 8,
        contact_recycling: false,
        contact_softness: SpringCoefficients::new(200.0, 10.0),
        static_contact_softness: SpringCoefficients::new(400.0, 10.0),
        normalized_prediction_distance: 0.002,
        ..IntegrationParameters::default()
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

fn insert_finger(
    world: &mut PhysicsWorld,
    robot: &Robot,
    finger: &Finger,
    hand_body: RigidBodyHandle,
    base_from_hand: &Pose,
) -> Option<FingerBody> {
    let link = robot.links().get(finger.link_idx)?;
    let Motion::Finger { axis } = link.motion else {
        return None;
    };
    let hand_from_finger = link.parent_from_joint;
    let axis = hand_from_finger * axis;
    let shut = (hand_from_finger * finger.pad.link_from_shape)
        .translation
        .vector;
    let open = 0.5 * robot.gripper()?.max_width;

    let position = base_from_hand * Translation3::from(shut + axis * open);
    let mass = MassProperties::new(
        RapierVector::ZERO,
        FINGER_MASS as f32,
        RapierVector::splat(FINGER_INERTIA as f32),
    );
    let body = RigidBodyBuilder::dynamic()
        .pose(to_rapier(&position))
        .gravity_scale(0.0)
        .can_sleep(false)
        .additional_mass_properties(mass);
    let body = world.insert_body(body);
    let pad_from_hand = Translation3::from(-shut);
    for shape in link.shapes.iter().chain([&finger.pad]) {
        let at = pad_from_hand * hand_from_finger * shape.link_from_shape;
        // Min lets an object's own coefficient decide; the pads' rubber is never the slippery side.
        let collider = collider(&shape.shape)
            .position(to_rapier(&at))
            .density(0.0)
            .friction(1.0)
            .friction_combine_rule(CoefficientCombineRule::Min)
            .collision_groups(groups(ROBOT, REST));
        world.insert_collider(collider, Some(body));
    }
    let mut joint = PrismaticJointBuilder::new(to_rapier_vector(&axis))
        .local_anchor1(to_rapier_vector(&shut))
        .local_anchor2(RapierVector::ZERO)
        .limits([0.0, open as f32])
        .motor_model(MotorModel::ForceBased)
        .motor_max_force(2.0 * robot.gripper()?.force as f32)
        .build();
    joint.set_contacts_enabled(false);
    let joint = world.insert_impulse_joint(hand_body, body, joint);
    Some(FingerBody {
        body,
        joint,
        shut,
        axis,
    })
}

fn insert_object(
    world: &mut PhysicsWorld,
    parts: &[Part],
    density: f64,
    friction: f64,
    pose: &Pose,
) -> RigidBodyHandle {
    let body = RigidBodyBuilder::dynamic()
        .pose(to_rapier(pose))
        .angular_damping(ROLLING_LOSS)
        .can_sleep(false);
    let handle = world.insert_body(body);
    for part in parts {
        let collider = collider(&part.shape)
            .position(to_rapier(&part.body_from_part))
            .density(density as f32)
            .friction(friction as f32)
            .collision_groups(groups(REST, ROBOT | REST));
        world.insert_collider(collider, Some(handle));
    }
    handle
}

fn groups(own: Group, with: Group) -> InteractionGroups {
    InteractionGroups::new(own, with, InteractionTestMode::And)
}

/// A collider of one of our shapes. rapier's cylinders stand along y, ours along z.
fn collider(shape: &Shape) -> ShapedCollider {
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
struct ShapedCollider {
    builder: ColliderBuilder,
    turn: Pose,
}

impl ShapedCollider {
    fn position(self, pose: RapierPose) -> ColliderBuilder {
        self.builder.position(pose * to_rapier(&self.turn))
    }
}

fn to_rapier(pose: &Pose) -> RapierPose {
    let q = pose.rotation.coords;
    RapierPose::from_parts(
        to_rapier_vector(&pose.translation.vector),
        Rotation::from_xyzw(q.x as f32, q.y as f32, q.z as f32, q.w as f32).normalize(),
    )
}

fn to_rapier_vector(v: &Vector3<f64>) -> RapierVector {
    RapierVector::new(v.x as f32, v.y as f32, v.z as f32)
}

fn from_rapier(pose: &RapierPose) -> Pose {
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

fn vector(v: RapierVector) -> Vector3<f64> {
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
}
