//! Two flat pads that pinch one object: one fixed, one force-limited as a finger is.

use nalgebra::{UnitQuaternion, Vector3};
use prehend_robot::Shape;
use prehend_types::{Pose, Role};
use rapier3d::dynamics::{
    ImpulseJointHandle, JointAxis, MotorModel, PrismaticJointBuilder, RigidBodyBuilder,
    RigidBodyHandle,
};
use rapier3d::geometry::ColliderBuilder;
use rapier3d::math::{Pose as RapierPose, Vector as RapierVector};
use rapier3d::pipeline::PhysicsWorld;
use rapier3d::prelude::{CoefficientCombineRule, MassProperties};

use super::touch;
use crate::PhysicsSettings;
use crate::objects::Part;
use crate::physics::{
    FINGER_DAMPING, FINGER_INERTIA, FINGER_MASS, FINGER_STIFFNESS, REST, ROBOT, from_rapier,
    groups, insert_body,
};
use crate::randomise::BodyDraws;
use crate::scene::{Body, BodyMotion};

/// Gravity of the simulator, m/s².
pub(super) const GRAVITY: f64 = 9.81;
/// Half the thickness of a pad along y, and half its faces' edge, m.
const PAD: [f32; 2] = [0.005, 0.02];

/// An object between two pads, at the origin. The pads' faces look along y; gravity pulls along -z.
pub(super) struct Pinch {
    world: PhysicsWorld,
    settings: PhysicsSettings,
    object: RigidBodyHandle,
    pad: RigidBodyHandle,
    joint: ImpulseJointHandle,
    force: f64,
    /// Place of the moving pad's centre at the start, m.
    start: f64,
}

/// What is pinched.
#[derive(Debug, Clone)]
pub(super) struct Pinched {
    pub shape: Shape,
    /// Turns the shape; its extent along y, once turned, is `2 half_width`.
    pub rotation: UnitQuaternion<f64>,
    /// m.
    pub half_width: f64,
    /// kg.
    pub mass: f64,
    pub friction: f64,
}

impl Pinch {
    /// The pads just touch the object; gravity is off.
    pub fn new(settings: &PhysicsSettings, pinched: &Pinched, force: f64) -> Self {
        let mut world = PhysicsWorld::new();
        world.gravity = RapierVector::ZERO;
        world.integration_parameters = settings.integration_parameters();
        let face = ColliderBuilder::cuboid(PAD[1], PAD[0], PAD[1])
            .density(0.0)
            .friction(1.0)
            .friction_combine_rule(CoefficientCombineRule::Min)
            .collision_groups(groups(ROBOT, REST));
        let start = pinched.half_width + f64::from(PAD[0]);

        let base = world.insert_body(RigidBodyBuilder::fixed());
        let at_fixed = RapierPose::translation(0.0, -start as f32, 0.0);
        world.insert_collider(face.clone().position(at_fixed), Some(base));
        let mass = MassProperties::new(
            RapierVector::ZERO,
            FINGER_MASS as f32,
            RapierVector::splat(FINGER_INERTIA as f32),
        );
        let pad = RigidBodyBuilder::dynamic()
            .pose(RapierPose::translation(0.0, start as f32, 0.0))
            .gravity_scale(0.0)
            .can_sleep(false)
            .additional_mass_properties(mass);
        let pad = world.insert_body(pad);
        world.insert_collider(face, Some(pad));
        let mut joint = PrismaticJointBuilder::new(RapierVector::new(0.0, 1.0, 0.0))
            .local_anchor1(RapierVector::new(0.0, start as f32, 0.0))
            .local_anchor2(RapierVector::ZERO)
            .motor_model(MotorModel::ForceBased)
            .motor_max_force(2.0 * force as f32)
            .build();
        joint.set_contacts_enabled(false);
        let joint = world.insert_impulse_joint(base, pad, joint);

        let body = Body {
            parts: vec![Part {
                shape: pinched.shape.clone(),
                body_from_part: Pose::identity(),
            }],
            role: Role::Target,
            motion: BodyMotion::Free,
            mass: pinched.mass,
            friction: pinched.friction,
            base_from_body: Pose::from_parts(Vector3::zeros().into(), pinched.rotation),
        };
        let object = insert_body(&mut world, &body, &BodyDraws::NEUTRAL, false);
        Self {
            world,
            settings: *settings,
            object,
            pad,
            joint,
            force,
            start,
        }
    }

    pub fn switch_gravity_on(&mut self) {
        self.world.gravity = RapierVector::new(0.0, 0.0, -GRAVITY as f32);
    }

    /// Lets time pass.
    pub fn run(&mut self, seconds: f64) {
        let n_steps = (seconds / self.settings.dt()).round() as u64;
        for _ in 0..n_steps {
            let pad = self.world.bodies.get(self.pad);
            let y = pad.map_or(f64::NAN, |body| f64::from(body.position().translation.y));
            // As the gripper's fingers: always so far behind that the spring pushes with the force.
            let aim = (y - self.start) - self.force / FINGER_STIFFNESS;
            if let Some(joint) = self.world.impulse_joints.get_mut(self.joint, true) {
                joint.data.set_motor(
                    JointAxis::LinX,
                    aim as f32,
                    0.0,
                    FINGER_STIFFNESS as f32,
                    FINGER_DAMPING as f32,
                );
            }
            self.world.step();
        }
    }

    /// Where the object is; NaN if it was lost.
    pub fn object(&self) -> Pose {
        self.world.bodies.get(self.object).map_or_else(
            || Pose::translation(f64::NAN, f64::NAN, f64::NAN),
            |body| from_rapier(body.position()),
        )
    }

    /// How far the object is sunk into the pads at its deepest contact, m.
    pub fn sink(&self) -> f64 {
        touch::deepest(&self.world, self.object)
    }
}
