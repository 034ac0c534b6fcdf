//! What tasks that are yet to come ask of the engine: screws.

use nalgebra::{Unit, Vector3};
use prehend_robot::{Robot, Shape};
use prehend_types::config::locate;
use prehend_types::{Pose, Role};

use super::*;
use crate::objects::Part;
use crate::scene::{Body, BodyMotion};
use crate::{PhysicsSettings, SceneConfig};

/// A world with these bodies and the arm at home.
pub(super) fn world(bodies: Vec<Body>) -> (Physics, Vec<Pose>) {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let path = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
    let config = SceneConfig::load(&path).expect("valid scene");
    let mut links = vec![Pose::identity(); robot.links().len()];
    robot.link_poses(robot.home(), 0.08, &mut links);
    let scene = Scene::of_bodies(0, 0, bodies);
    let (settings, draws) = (
        PhysicsSettings::default(),
        Draws::neutral(scene.bodies.len(), &robot),
    );
    let physics =
        Physics::new(&robot, &config, &scene, &links, &settings, &draws).expect("a world");
    (physics, links)
}

/// Steps a world, the arm standing still.
pub(super) fn run(physics: &mut Physics, links: &[Pose], seconds: f64) {
    for _ in 0..(seconds / DT).round() as usize {
        physics.step(still(links), None, &[]);
    }
}

/// An arm that stands still, open.
fn still(links: &[Pose]) -> Reach<'_> {
    Reach {
        links,
        finger_target: 0.04,
    }
}

/// A cube of 4 cm, mass 0.2 kg.
pub(super) fn cube(motion: BodyMotion, base_from_body: Pose) -> Body {
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

/// Turning a screw: its head turns under friction, held in place.
#[test]
fn a_screw_turns_above_its_friction_and_stops_at_its_range() {
    let turned = |torque: f32, range: f64| {
        let turn = BodyMotion::Turn {
            axis: Unit::new_unchecked(Vector3::z()),
            range: [-range, range],
            friction: 0.05,
        };
        let (mut physics, links) = world(vec![cube(turn, Pose::translation(0.5, 0.0, 0.02))]);
        for _ in 0..60 {
            let screw = physics.bodies[0];
            let screw = physics.world.bodies.get_mut(screw).expect("the screw");
            screw.reset_torques(true);
            screw.add_torque(RapierVector::Z * torque, true);
            physics.advance(still(&links), true, &[]);
        }
        let body = physics.body(0).expect("the screw");
        let at = body.base_from_body.translation.vector;
        assert!((at - Vector3::new(0.5, 0.0, 0.02)).norm() < 1e-3, "{at}");
        body.base_from_body.rotation.angle()
    };
    assert!(turned(0.045, 1.5) < 0.01, "{}", turned(0.045, 1.5));
    // (0.051 - 0.05) N m on m a² / 6, less what spin is lost: about 0.8 rad in 0.3 s.
    let free = turned(0.051, 1.5);
    assert!((0.4..1.0).contains(&free), "{free}");
    assert!(
        (turned(0.055, 0.3) - 0.3).abs() < 0.01,
        "{}",
        turned(0.055, 0.3)
    );
}
