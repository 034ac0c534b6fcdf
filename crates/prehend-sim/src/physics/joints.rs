//! Joints between a body and the world, slowed by dry friction.

use rapier3d::dynamics::{
    GenericJoint, MotorModel, PrismaticJointBuilder, RevoluteJointBuilder, RigidBodyBuilder,
    RigidBodyHandle,
};
use rapier3d::pipeline::PhysicsWorld;

use super::{to_rapier, to_rapier_vector};
use crate::scene::{Body, BodyMotion};

/// Steepness of dry friction near standstill, N s/m: a steady force below the friction creeps by this
/// little, 10 um/s per newton.
const STICTION: f32 = 1e5;
/// The same for turning, N·m s/rad.
const TURN_STICTION: f32 = 1e2;

/// Ties a body to the world as its motion asks for.
pub(super) fn insert(world: &mut PhysicsWorld, handle: RigidBodyHandle, body: &Body) {
    match body.motion {
        BodyMotion::Free | BodyMotion::Fixed | BodyMotion::Painted => {}
        BodyMotion::Slide {
            axis,
            range,
            friction,
        } => {
            let joint = PrismaticJointBuilder::new(to_rapier_vector(&axis))
                .limits(range.map(|v| v as f32))
                .motor_model(MotorModel::ForceBased)
                .motor_velocity(0.0, STICTION)
                .motor_max_force(friction as f32);
            tie(world, handle, body, joint.build().into());
        }
        BodyMotion::Turn {
            axis,
            range,
            friction,
        } => {
            let joint = RevoluteJointBuilder::new(to_rapier_vector(&axis))
                .limits(range.map(|v| v as f32))
                .motor_model(MotorModel::ForceBased)
                .motor_velocity(0.0, TURN_STICTION)
                .motor_max_force(friction as f32);
            tie(world, handle, body, joint.build().into());
        }
    }
}

/// Adds a joint between the world and a body where it is put down. A motor that wants to stand still,
/// with a limited force, is dry friction.
fn tie(world: &mut PhysicsWorld, handle: RigidBodyHandle, body: &Body, mut joint: GenericJoint) {
    joint.set_contacts_enabled(false);
    let anchor = anchor(world, body);
    world.insert_impulse_joint(anchor, handle, joint);
}

/// A body of the world that never moves, where `body` is put down.
fn anchor(world: &mut PhysicsWorld, body: &Body) -> RigidBodyHandle {
    world.insert_body(RigidBodyBuilder::fixed().pose(to_rapier(&body.base_from_body)))
}

#[cfg(test)]
mod tests {
    use nalgebra::{Unit, Vector3};
    use prehend_types::Pose;

    use super::*;
    use crate::physics::Physics;
    use crate::physics::probes::{cube, run, world};

    /// A cube on a vertical rail, pulled down by 1.962 N.
    fn on_a_rail(friction: f64, range: [f64; 2]) -> (Physics, Vec<Pose>) {
        let down = BodyMotion::Slide {
            axis: Unit::new_unchecked(-Vector3::z()),
            range,
            friction,
        };
        world(vec![cube(down, Pose::translation(0.6, 0.1, 0.6))])
    }

    fn fallen(physics: &Physics) -> f64 {
        0.6 - physics
            .body(0)
            .expect("a cube")
            .base_from_body
            .translation
            .z
    }

    #[test]
    fn dry_friction_holds_a_slide_up_to_its_force() {
        let (mut held, links) = on_a_rail(2.5, [-0.1, 0.3]);
        run(&mut held, &links, 2.0);
        assert!(fallen(&held).abs() < 2e-4, "{}", fallen(&held));

        // Above it, a = g - friction / m = 9.81 - 7.5 m/s² for 0.4 s.
        let (mut slips, links) = on_a_rail(1.5, [-0.1, 0.3]);
        run(&mut slips, &links, 0.4);
        let expected = 0.5 * (9.81 - 1.5 / 0.2) * 0.4 * 0.4;
        let error = fallen(&slips) - expected;
        assert!(error.abs() < 0.04 * expected, "{error}");
    }

    #[test]
    fn a_slide_ends_at_its_range_and_moves_along_its_axis_only() {
        let (mut physics, links) = on_a_rail(0.5, [-0.1, 0.15]);
        run(&mut physics, &links, 1.5);
        let body = physics.body(0).expect("a cube");
        let away = body.base_from_body.translation.vector - Vector3::new(0.6, 0.1, 0.45);
        assert!(away.norm() < 1e-3, "{away}");
        assert!(body.base_from_body.rotation.angle() < 1e-3);
        assert!(body.linear.norm() < 1e-3);
    }
}
