//! Tasks that are yet to come, as episodes in whole worlds: stepped, judged, seen, saved and gone on with. Nothing in
//! the design may forbid them.

use nalgebra::{UnitQuaternion, Vector3};
use prehend_types::config::locate;
use prehend_types::{Action, Role};

use super::*;
use crate::objects::Part;
use crate::objects::build::{block, sphere, upright};
use crate::scene::{Body, BodyMotion};
use crate::tasks::Variant;

/// An episode in which nothing is left to the arm: it is over when what must happen has happened.
#[derive(Debug)]
struct Probe {
    scene: Scene,
    instruction: &'static str,
    /// How much of it has happened, 0 to 1.
    happened: fn(&[BodyState]) -> f64,
}

impl Episode for Probe {
    fn scene(&self) -> &Scene {
        &self.scene
    }

    fn instruction(&self) -> String {
        self.instruction.to_owned()
    }

    fn variant(&self) -> Variant {
        Variant {
            name: "probe",
            is_held_out: false,
        }
    }

    fn accepts(&self, _facts: &Facts<'_>) -> bool {
        true
    }

    fn judge(&self, facts: &Facts<'_>, memory: &mut Memory) -> TaskStatus {
        let is_done = (self.happened)(facts.bodies) >= 1.0;
        TaskStatus {
            success: memory.lasted(is_done, facts.config.task.rest_s),
            failure: facts.is_late().then_some(Failure::TimedOut),
        }
    }

    fn progress(&self, facts: &Facts<'_>, _status: &TaskStatus) -> f64 {
        (self.happened)(facts.bodies).clamp(0.0, 1.0)
    }

    fn expert(&self, _facts: &Facts<'_>, _base_from_tcp_d: &Pose) -> Action {
        Action::hold(1.0)
    }
}

fn body(parts: Vec<Part>, motion: BodyMotion, mass: f64, at: [f64; 3]) -> Body {
    Body {
        parts,
        role: Role::Target,
        motion,
        mass,
        friction: 0.5,
        base_from_body: Pose::translation(at[0], at[1], at[2]),
    }
}

/// Steps the probe until it succeeds, through bytes on the way, and says how it ended and what was seen at last.
fn play(
    instruction: &'static str,
    bodies: Vec<Body>,
    happened: fn(&[BodyState]) -> f64,
) -> (TaskStatus, usize, World) {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let path = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
    let config = SceneConfig::load(&path).expect("valid scene");
    let (robot, config) = (Arc::new(robot), Arc::new(config));
    let scene = Scene {
        seed: 3,
        attempt: 0,
        bodies,
    };
    let episode = Arc::new(Probe {
        scene,
        instruction,
        happened,
    });
    let settings = PhysicsSettings::default();
    let mut world =
        World::build(&robot, &config, episode, FamilySet::Train, &settings).expect("a world");
    assert_eq!(world.episode().instruction(), instruction);
    let mut copy = None;
    let mut hashes = Vec::new();
    for step in 0..600 {
        if step == 40 {
            copy = Some(world.clone());
        }
        world.step();
        hashes.push(world.hash());
        assert!((0.0..=1.0).contains(&world.progress()));
        if world.task().success {
            break;
        }
    }
    // A copy of the middle ends as the original does, and a flat vector restores what is seen.
    let mut copy = copy.expect("it takes longer than that");
    for hash in &hashes[40..] {
        copy.step();
        assert_eq!(copy.hash(), *hash);
    }
    let seen = world.observe().cloud;
    copy.restore(&world.state_vector()).expect("its own vector");
    assert_eq!(copy.observe().cloud, seen);
    let of_bodies = seen.roles.iter().filter(|role| **role == Role::Target);
    (world.task(), of_bodies.count(), world)
}

fn lean(body: &BodyState) -> f64 {
    1.0 - (body.base_from_body.rotation * Vector3::z()).z
}

#[test]
fn bowling_a_ball_knocks_a_pin_over_and_not_the_one_beside_it() {
    let mut ramp = body(
        vec![block([0.20, 0.10, 0.01], [0.0; 3])],
        BodyMotion::Fixed,
        0.0,
        [0.40, 0.2, 0.06],
    );
    ramp.base_from_body.rotation = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), 0.5);
    ramp.role = Role::Other;
    let ball = body(vec![sphere(0.03)], BodyMotion::Free, 0.5, [0.35, 0.2, 0.10]);
    let pin = |y: f64| {
        body(
            vec![upright(0.01, 0.08, [0.0; 3])],
            BodyMotion::Free,
            0.03,
            [0.62, y, 0.0],
        )
    };
    let bodies = vec![ball, pin(0.2), pin(0.28), ramp];
    let (status, n_seen, world) = play("bowl", bodies, |bodies| 2.0 * lean(&bodies[1]));
    assert!(status.success, "the pin in the way fell");
    assert!(
        lean(&world.state.bodies[2]) < 0.01,
        "the one beside it stands"
    );
    assert!(n_seen > 20, "{n_seen}");
}

#[test]
fn pouring_grains_come_to_rest_in_a_cup() {
    let wall = |x: f64, y: f64| {
        let (w, d) = if x == 0.0 {
            (0.06, 0.004)
        } else {
            (0.004, 0.06)
        };
        block([w, d, 0.05], [x, y, 0.0])
    };
    let cup = vec![
        block([0.06, 0.06, 0.004], [0.0; 3]),
        wall(0.03, 0.0),
        wall(-0.03, 0.0),
        wall(0.0, 0.03),
        wall(0.0, -0.03),
    ];
    let mut bodies: Vec<Body> = (0..64)
        .map(|i| {
            let at = |k: i32| 0.011 * (f64::from(k) - 1.5);
            let z = 0.06 + 0.011 * f64::from(i / 16);
            let [x, y] = [0.5 + at(i % 4), at(i / 4 % 4)];
            body(vec![sphere(0.005)], BodyMotion::Free, 0.001, [x, y, z])
        })
        .collect();
    bodies.push(body(cup, BodyMotion::Fixed, 0.0, [0.5, 0.0, 0.0]));
    let (status, n_seen, world) = play("pour", bodies, |bodies| {
        let is_inside = |body: &&BodyState| {
            let at = body.base_from_body.translation;
            (at.x - 0.5).abs() < 0.03 && at.y.abs() < 0.03 && at.z < 0.05
        };
        bodies.iter().filter(is_inside).count() as f64 / 64.0
    });
    assert!(status.success);
    assert_eq!(world.state.bodies.len(), 64);
    assert!(n_seen > 20, "{n_seen}");
}

#[test]
fn turning_a_lever_falls_about_its_axis_to_its_stop() {
    let turn = BodyMotion::Turn {
        axis: Vector3::y_axis(),
        range: [-0.1, 0.8],
        friction: 0.02,
    };
    // Its weight hangs 5 cm beside the axis: 0.098 N m.
    let lever = vec![block([0.12, 0.02, 0.02], [0.05, 0.0, 0.0])];
    let bodies = vec![body(lever, turn, 0.2, [0.5, 0.1, 0.2])];
    let (status, n_seen, _) = play("turn the lever down", bodies, |bodies| {
        bodies[0].base_from_body.rotation.angle() / 0.75
    });
    assert!(status.success);
    assert!(n_seen > 20, "{n_seen}");
}
