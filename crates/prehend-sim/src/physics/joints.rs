//! Joints between a body and the world, slowed by dry friction.

use rapier3d::dynamics::{MotorModel, PrismaticJointBuilder, RigidBodyBuilder, RigidBodyHandle};
use rapier3d::pipeline::PhysicsWorld;

use super::{to_rapier, to_rapier_vector};
use crate::scene::{Body, BodyMotion};

/// Steepness of dry friction near standstill, N s/m: a steady force below the friction creeps by this
/// little, 10 um/s per newton.
const STICTION: f32 = 1e5;

/// Ties a body to the world as its motion asks for.
pub(super) fn insert(world: &mut PhysicsWorld, handle: RigidBodyHandle, body: &Body) {
    match body.motion {
        BodyMotion::Free | BodyMotion::Fixed | BodyMotion::Painted => {}
        BodyMotion::Slide {
            axis,
            range,
            friction,
        } => {
            // A motor that wants to stand still, with a limited force, is dry friction.
            let joint = PrismaticJointBuilder::new(to_rapier_vector(&axis))
                .limits(range.map(|v| v as f32))
                .motor_model(MotorModel::ForceBased)
                .motor_velocity(0.0, STICTION)
                .motor_max_force(friction as f32);
            let mut joint = joint.build();
            joint.set_contacts_enabled(false);
            let anchor = anchor(world, body);
            world.insert_impulse_joint(anchor, handle, joint);
        }
    }
}

/// A body of the world that never moves, where `body` is put down.
fn anchor(world: &mut PhysicsWorld, body: &Body) -> RigidBodyHandle {
    world.insert_body(RigidBodyBuilder::fixed().pose(to_rapier(&body.base_from_body)))
}

#[cfg(test)]
mod tests {
    use nalgebra::{Unit, Vector3};
    use prehend_robot::{Robot, Shape};
    use prehend_types::config::locate;
    use prehend_types::{Pose, Role};

    use super::*;
    use crate::objects::Part;
    use crate::physics::{DT, Physics};
    use crate::randomise::Draws;
    use crate::scene::Scene;
    use crate::{PhysicsSettings, SceneConfig};

    /// A world with these bodies and the arm at home.
    fn world(bodies: Vec<Body>) -> (Physics, Vec<Pose>) {
        let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
        let path = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
        let config = SceneConfig::load(&path).expect("valid scene");
        let mut links = vec![Pose::identity(); robot.links().len()];
        robot.link_poses(robot.home(), 0.08, &mut links);
        let scene = Scene {
            seed: 0,
            attempt: 0,
            bodies,
        };
        let (settings, draws) = (PhysicsSettings::default(), Draws::neutral(1, &robot));
        let physics =
            Physics::new(&robot, &config, &scene, &links, &settings, &draws).expect("a world");
        (physics, links)
    }

    /// Steps a world, the arm standing still.
    fn run(physics: &mut Physics, links: &[Pose], seconds: f64) {
        for _ in 0..(seconds / DT).round() as usize {
            physics.step(links, 0.04, None);
        }
    }

    /// A cube of 4 cm, mass 0.2 kg.
    fn cube(motion: BodyMotion, base_from_body: Pose) -> Body {
        Body {
            parts: vec![Part {
                shape: Shape::Cuboid {
                    half_extents: Vector3::repeat(0.02),
                },
                body_from_part: Pose::identity(),
            }],
            role: Role::Other,
            motion,
            mass: 0.2,
            friction: 0.5,
            base_from_body,
        }
    }

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
