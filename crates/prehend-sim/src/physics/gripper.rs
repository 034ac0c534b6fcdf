//! Two fingers that mimic each other: force-limited bodies on slides while anything is near, parts of
//! the hand that only travel while nothing is.
//!
//! Two saturated motors that do not know each other drift sideways together, so both aim at the same
//! displacement, no further from the fingers' mean than the force allows. In free space the slides'
//! constraints would only repeat the motors' own equation of motion, at two thirds of the cost of a
//! step: there it is integrated directly.

use nalgebra::{Translation3, Vector3};
use prehend_robot::{Finger as RobotFinger, LinkShape, Motion, Robot};
use prehend_types::Pose;
use rapier3d::dynamics::{
    ImpulseJointHandle, JointAxis, MotorModel, PrismaticJointBuilder, RigidBodyBuilder,
    RigidBodyHandle, RigidBodyType,
};
use rapier3d::math::Vector as RapierVector;
use rapier3d::pipeline::PhysicsWorld;
use rapier3d::prelude::{CoefficientCombineRule, MassProperties};
use serde::{Deserialize, Serialize};

use super::{REST, ROBOT, collider, from_rapier, groups, to_rapier, to_rapier_vector, vector};

/// Stiffness of the finger motors, N/m: how far behind its target a finger must be to push with all
/// of its force.
pub(crate) const FINGER_STIFFNESS: f64 = 5000.0;
/// Damping of the finger motors, N s/m.
pub(crate) const FINGER_DAMPING: f64 = 100.0;
/// Mass of a finger, kg, and its principal inertia, kg m². The whole mass sits at the pad's centre:
/// with the real centre of mass a held cube slips 16 mm instead of 0.2 (probe, section 1).
pub(crate) const FINGER_MASS: f64 = 0.1;
pub(crate) const FINGER_INERTIA: f64 = 1e-4;
/// Parts of a step in which a travelling finger is integrated: as many as the solver has.
const TRAVEL_STEPS: u32 = 8;

/// A finger before it is put into a world; hand frame.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FingerSpec {
    /// Centre of the pad with the gripper shut, m.
    pub shut: Vector3<f64>,
    /// Direction in which it opens.
    pub axis: Vector3<f64>,
    /// What touches objects, with the gripper shut: `link_from_shape` is the pose in the hand's frame.
    pub shapes: Vec<LinkShape>,
}

/// One finger: a body whose frame is the hand's, moved to the pad's centre.
#[derive(Clone)]
struct Finger {
    body: RigidBodyHandle,
    joint: ImpulseJointHandle,
    /// Pad centre in the hand's frame with the gripper shut.
    shut: Vector3<f64>,
    /// Opening direction in the hand's frame.
    axis: Vector3<f64>,
    /// Balls around the finger's shapes: centre in the finger's frame, radius.
    balls: Vec<(Vector3<f64>, f64)>,
}

/// Displacement from shut and speed of a finger along its axis, m and m/s.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Travel {
    displacement: f64,
    speed: f64,
}

/// The gripper's part of a world.
#[derive(Clone)]
pub(crate) struct Gripper {
    hand: RigidBodyHandle,
    fingers: [Finger; 2],
    force: f64,
    /// Displacement of each finger when open, m.
    open: f64,
    /// Where the fingers travel while nothing is near.
    travel: Option<[Travel; 2]>,
}

impl Gripper {
    /// A robot's gripper. Each finger pushes with `force`, N. `None` if a finger's link is not moved by
    /// the gripper.
    pub fn insert(
        world: &mut PhysicsWorld,
        robot: &Robot,
        hand: RigidBodyHandle,
        base_from_hand: &Pose,
        force: f64,
    ) -> Option<Self> {
        let gripper = robot.gripper()?;
        let open = 0.5 * gripper.max_width;
        let specs = [
            FingerSpec::of_robot(robot, &gripper.left)?,
            FingerSpec::of_robot(robot, &gripper.right)?,
        ];
        Some(Self::attach(
            world,
            hand,
            base_from_hand,
            &specs,
            force,
            open,
        ))
    }

    /// Two fingers on a hand, open; `open` is the displacement of each from shut, m.
    pub fn attach(
        world: &mut PhysicsWorld,
        hand: RigidBodyHandle,
        base_from_hand: &Pose,
        fingers: &[FingerSpec; 2],
        force: f64,
        open: f64,
    ) -> Self {
        let fingers = fingers
            .each_ref()
            .map(|spec| insert_finger(world, spec, hand, base_from_hand, force, open));
        Self {
            hand,
            fingers,
            force,
            open,
            travel: None,
        }
    }

    /// Sets the fingers on their way towards `target` (displacement of each from shut, m), before the
    /// engine's step. `base_from_hand` is where the hand will be after it.
    pub fn drive(
        &mut self,
        world: &mut PhysicsWorld,
        base_from_hand: &Pose,
        target: f64,
        is_near: bool,
        dt: f64,
    ) {
        match (self.travel, is_near) {
            (None, false) => self.release(world),
            (Some(_), true) => self.engage(world),
            _ => {}
        }
        let aim = self.aim(world, target);
        if self.travel.is_some() {
            self.advance(aim, dt, |finger, at| {
                if let Some(body) = world.bodies.get_mut(finger) {
                    body.set_next_kinematic_position(to_rapier(&(base_from_hand * at)));
                }
            });
            return;
        }
        for finger in &self.fingers {
            if let Some(joint) = world.impulse_joints.get_mut(finger.joint, true) {
                joint.data.set_motor(
                    JointAxis::LinX,
                    aim as f32,
                    0.0,
                    FINGER_STIFFNESS as f32,
                    FINGER_DAMPING as f32,
                );
            }
        }
    }

    /// Moves travelling fingers without an engine's step.
    pub fn travel_quietly(
        &mut self,
        world: &mut PhysicsWorld,
        base_from_hand: &Pose,
        target: f64,
        dt: f64,
    ) {
        let aim = self.aim(world, target);
        self.advance(aim, dt, |finger, at| {
            if let Some(body) = world.bodies.get_mut(finger) {
                body.set_position(to_rapier(&(base_from_hand * at)), false);
            }
        });
    }

    pub fn is_travelling(&self) -> bool {
        self.travel.is_some()
    }

    fn aim(&self, world: &PhysicsWorld, target: f64) -> f64 {
        let [left, right] = self.displacements(world);
        let mean = 0.5 * (left + right);
        let reach = self.force / FINGER_STIFFNESS;
        target.clamp(mean - reach, mean + reach)
    }

    /// Advances travelling fingers; `place` gets each one's body and where it goes in the hand's frame.
    fn advance(
        &mut self,
        aim: f64,
        dt: f64,
        mut place: impl FnMut(RigidBodyHandle, Translation3<f64>),
    ) {
        for (finger, travel) in self.fingers.iter().zip(self.travel.iter_mut().flatten()) {
            *travel = travel.advance(aim, self.open, 2.0 * self.force, dt);
            let at = finger.shut + finger.axis * travel.displacement;
            place(finger.body, Translation3::from(at));
        }
    }

    /// Makes the fingers parts of the hand, if they are not.
    pub fn detach(&mut self, world: &mut PhysicsWorld) {
        if self.travel.is_none() {
            self.release(world);
        }
    }

    /// Gives fingers that were parts of the hand its velocity and their own, before they slide again.
    pub fn keep_pace(&self, world: &mut PhysicsWorld) {
        let Some(hand) = world.bodies.get(self.hand) else {
            return;
        };
        let (turn, hand_pose) = (hand.angvel(), from_rapier(hand.position()));
        for (finger, travel) in self.fingers.iter().zip(self.travel.iter().flatten()) {
            let carried = world
                .bodies
                .get(self.hand)
                .zip(world.bodies.get(finger.body))
                .map(|(hand, body)| hand.velocity_at_point(body.translation()));
            let own = hand_pose.rotation * finger.axis * travel.speed;
            if let (Some(carried), Some(body)) = (carried, world.bodies.get_mut(finger.body)) {
                body.set_linvel(carried + to_rapier_vector(&own), true);
                body.set_angvel(turn, true);
            }
        }
    }

    /// From sliding bodies to parts of the hand.
    fn release(&mut self, world: &mut PhysicsWorld) {
        let displacements = self.displacements(world);
        let speeds = self.fingers.each_ref().map(|finger| {
            let (Some(body), Some(hand)) =
                (world.bodies.get(finger.body), world.bodies.get(self.hand))
            else {
                return 0.0;
            };
            let axis = from_rapier(hand.position()).rotation * finger.axis;
            let carried = hand.velocity_at_point(body.translation());
            (vector(body.linvel()) - vector(carried)).dot(&axis)
        });
        self.travel = Some([0, 1].map(|i| Travel {
            displacement: displacements[i],
            speed: speeds[i],
        }));
        self.set_kind(world, RigidBodyType::KinematicPositionBased);
    }

    /// From parts of the hand to sliding bodies: they keep the velocity that they were moved with.
    fn engage(&mut self, world: &mut PhysicsWorld) {
        self.travel = None;
        self.set_kind(world, RigidBodyType::Dynamic);
    }

    fn set_kind(&self, world: &mut PhysicsWorld, kind: RigidBodyType) {
        for finger in &self.fingers {
            if let Some(body) = world.bodies.get_mut(finger.body) {
                body.set_body_type(kind, true);
            }
            if let Some(joint) = world.impulse_joints.get_mut(finger.joint, true) {
                joint.data.set_enabled(kind == RigidBodyType::Dynamic);
            }
        }
    }

    /// Displacement of each finger from shut, m.
    pub fn displacements(&self, world: &PhysicsWorld) -> [f64; 2] {
        if let Some(travel) = self.travel {
            return travel.map(|travel| travel.displacement);
        }
        let hand = world.bodies.get(self.hand);
        let hand = hand.map_or_else(Pose::identity, |body| from_rapier(body.position()));
        self.fingers.each_ref().map(|finger| {
            let Some(body) = world.bodies.get(finger.body) else {
                return f64::NAN;
            };
            let in_hand = hand.inv_mul(&from_rapier(body.position()));
            (in_hand.translation.vector - finger.shut).dot(&finger.axis)
        })
    }

    /// Puts the fingers at a displacement, at rest relative to the hand.
    pub fn place(
        &mut self,
        world: &mut PhysicsWorld,
        displacements: [f64; 2],
        base_from_hand: &Pose,
    ) {
        for (finger, displacement) in self.fingers.iter().zip(displacements) {
            if let Some(body) = world.bodies.get_mut(finger.body) {
                let at = Translation3::from(finger.shut + finger.axis * displacement);
                body.set_position(to_rapier(&(base_from_hand * at)), true);
                body.set_linvel(RapierVector::ZERO, true);
                body.set_angvel(RapierVector::ZERO, true);
            }
        }
        if let Some(travel) = &mut self.travel {
            *travel = displacements.map(|displacement| Travel {
                displacement,
                speed: 0.0,
            });
        }
    }

    /// The fingers' bodies, left and right.
    pub fn bodies(&self) -> [RigidBodyHandle; 2] {
        self.fingers.each_ref().map(|finger| finger.body)
    }

    /// Balls that contain the fingers where they are: centre in the base frame and radius, m.
    pub fn balls<'a>(
        &'a self,
        world: &'a PhysicsWorld,
    ) -> impl Iterator<Item = (Vector3<f64>, f64)> + 'a {
        self.fingers.iter().flat_map(|finger| {
            let body = world.bodies.get(finger.body);
            let pose = body.map_or_else(Pose::identity, |body| from_rapier(body.position()));
            finger.balls.iter().map(move |(center, radius)| {
                (pose.rotation * center + pose.translation.vector, *radius)
            })
        })
    }

    pub fn travel(&self) -> Option<[Travel; 2]> {
        self.travel
    }

    pub fn set_travel(&mut self, travel: Option<[Travel; 2]>) {
        self.travel = travel;
    }
}

impl Travel {
    pub fn is_finite(&self) -> bool {
        self.displacement.is_finite() && self.speed.is_finite()
    }

    /// One step of the motor's own equation, m a = K (aim - x) - D v, its force limited; backward Euler
    /// in the spring and the damper, as the engine's soft constraints are.
    fn advance(self, aim: f64, open: f64, most: f64, dt: f64) -> Self {
        let Self {
            mut displacement,
            mut speed,
        } = self;
        let dt = dt / f64::from(TRAVEL_STEPS);
        for _ in 0..TRAVEL_STEPS {
            let drag = dt * FINGER_DAMPING + dt * dt * FINGER_STIFFNESS;
            let push = dt * FINGER_STIFFNESS * (aim - displacement);
            let next = (FINGER_MASS * speed + push) / (FINGER_MASS + drag);
            let most = most * dt / FINGER_MASS;
            speed += (next - speed).clamp(-most, most);
            let moved = displacement + dt * speed;
            displacement = moved.clamp(0.0, open);
            if displacement != moved {
                speed = 0.0;
            }
        }
        Self {
            displacement,
            speed,
        }
    }
}

impl FingerSpec {
    fn of_robot(robot: &Robot, finger: &RobotFinger) -> Option<Self> {
        let link = robot.links().get(finger.link_idx)?;
        let Motion::Finger { axis } = link.motion else {
            return None;
        };
        let hand_from_finger = link.parent_from_joint;
        let shut = (hand_from_finger * finger.pad.link_from_shape)
            .translation
            .vector;
        // Where the link's own shapes hold the pad, a second one would only double its contacts.
        let pad = (!link.shapes.contains(&finger.pad)).then_some(&finger.pad);
        let shapes = link.shapes.iter().chain(pad).map(|shape| LinkShape {
            link_from_shape: hand_from_finger * shape.link_from_shape,
            shape: shape.shape.clone(),
        });
        Some(Self {
            shut,
            axis: hand_from_finger * axis,
            shapes: shapes.collect(),
        })
    }
}

fn insert_finger(
    world: &mut PhysicsWorld,
    spec: &FingerSpec,
    hand: RigidBodyHandle,
    base_from_hand: &Pose,
    force: f64,
    open: f64,
) -> Finger {
    let FingerSpec { shut, axis, .. } = *spec;
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
    let mut balls = Vec::new();
    for shape in &spec.shapes {
        let at = pad_from_hand * shape.link_from_shape;
        balls.push((at.translation.vector, crate::geometry::radius(&shape.shape)));
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
        .motor_max_force(2.0 * force as f32)
        .build();
    joint.set_contacts_enabled(false);
    let joint = world.insert_impulse_joint(hand, body, joint);
    Finger {
        body,
        joint,
        shut,
        axis,
        balls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::DT;

    #[test]
    fn a_travelling_finger_arrives_and_stays_inside_its_stops() {
        let mut travel = Travel {
            displacement: 0.04,
            speed: 0.0,
        };
        for _ in 0..100 {
            let next = travel.advance(0.01, 0.04, 140.0, DT);
            assert!((0.0..=0.04).contains(&next.displacement));
            assert!((next.speed - travel.speed).abs() <= 140.0 * DT / FINGER_MASS + 1e-9);
            travel = next;
        }
        assert!((travel.displacement - 0.01).abs() < 1e-6, "{travel:?}");
        let shut = (0..100).fold(travel, |travel, _| travel.advance(-0.01, 0.04, 140.0, DT));
        assert_eq!(shut.displacement, 0.0);
    }
}
