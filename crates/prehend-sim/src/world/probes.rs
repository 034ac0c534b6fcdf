//! Tasks that are yet to come, as episodes in whole worlds: stepped, judged, seen, saved and gone on with. Nothing in
//! the design may forbid them.

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_control::ControlConfig;
use prehend_types::config::locate;
use prehend_types::{Action, ActionChunk, Role};

use super::*;
use crate::arm_loop::{ACTION_DT, ArmLoop, BRIDGE};
use crate::objects::Part;
use crate::objects::build::{block, sphere, upright};
use crate::pilots::{Expert, rule};
use crate::scene::{Body, BodyMotion, Cloth, Partner};
use crate::tasks::{Failure, Variant};

/// What an arm does next, from where its tool is commanded to be.
type Script = fn(&Facts<'_>, &Pose) -> Action;

/// An episode that is over when what must happen has happened.
#[derive(Debug)]
struct Probe {
    scene: Scene,
    instruction: &'static str,
    /// How much of it has happened, 0 to 1.
    happened: fn(&Facts<'_>) -> f64,
    script: Script,
    partner_script: Script,
}

impl Probe {
    /// One in which nothing is left to the arm.
    fn new(instruction: &'static str, bodies: Vec<Body>, happened: fn(&Facts<'_>) -> f64) -> Self {
        Self {
            scene: Scene::of_bodies(3, 0, bodies),
            instruction,
            happened,
            script: |_, _| Action::hold(1.0),
            partner_script: |_, _| Action::hold(1.0),
        }
    }
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
        let is_done = (self.happened)(facts) >= 1.0;
        TaskStatus {
            success: memory.lasted(is_done, facts.config.task.rest_s),
            failure: facts.is_late().then_some(Failure::TimedOut),
        }
    }

    fn progress(&self, facts: &Facts<'_>, _status: &TaskStatus) -> f64 {
        (self.happened)(facts).clamp(0.0, 1.0)
    }

    fn expert(&self, facts: &Facts<'_>, base_from_tcp_d: &Pose) -> Action {
        (self.script)(facts, base_from_tcp_d)
    }

    fn partner_expert(
        &self,
        facts: &Facts<'_>,
        partner_idx: usize,
        partner_from_tcp_d: &Pose,
    ) -> Action {
        assert_eq!(partner_idx, 0);
        (self.partner_script)(facts, partner_from_tcp_d)
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

/// Plays the probe until it succeeds, and says how it ended, how many points of its targets were seen at last,
/// and how the world was left.
fn play(probe: Probe) -> (TaskStatus, usize, World) {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let path = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
    let config = SceneConfig::load(&path).expect("valid scene");
    let (robot, config) = (Arc::new(robot), Arc::new(config));
    let instruction = probe.instruction;
    let settings = PhysicsSettings::default();
    let episode = Arc::new(probe);
    let mut world =
        World::build(&robot, &config, episode, FamilySet::Train, &settings).expect("a world");
    assert_eq!(world.episode().instruction(), instruction);
    let mut arm = ArmLoop::new(&world, &ControlConfig::default()).expect("an arm at home");
    let mut middle = None;
    let mut hashes = Vec::new();
    while !world.task().success && world.task().failure.is_none() {
        if hashes.len() == 4 {
            let bytes = world.physics.to_bytes().expect("bytes");
            let mut copy = world.clone();
            copy.physics.set_bytes(&bytes).expect("its own bytes");
            middle = Some((copy, arm.clone()));
        }
        act(&mut arm, &mut world);
        hashes.push(world.hash());
        assert!((0.0..=1.0).contains(&world.progress()));
        assert_eq!(arm.status(&world).failure, None);
    }
    // A copy of the middle ends as the original does, and a flat vector restores what is seen.
    let (mut copy, mut arm) = middle.expect("it takes longer than that");
    for hash in &hashes[4..] {
        act(&mut arm, &mut copy);
        assert_eq!(copy.hash(), *hash);
    }
    let seen = world.observe().cloud;
    copy.restore(&world.state_vector()).expect("its own vector");
    assert_eq!(copy.observe().cloud, seen);
    assert_eq!(copy.hash(), world.hash());
    let of_targets = seen.roles.iter().filter(|role| **role == Role::Target);
    (world.task(), of_targets.count(), world)
}

fn act(arm: &mut ArmLoop, world: &mut World) {
    let action = Expert.next_action(world, &arm.base_from_tcp_d());
    let chunk = ActionChunk::new(world.now(), ACTION_DT, 1, &[action; BRIDGE]).expect("a chunk");
    arm.accept(&chunk, world).expect("an action");
    arm.advance(world);
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
    let (status, n_seen, world) = play(Probe::new("bowl", bodies, |facts| {
        2.0 * lean(&facts.bodies[1])
    }));
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
    let (status, n_seen, world) = play(Probe::new("pour", bodies, |facts| {
        let is_inside = |body: &&BodyState| {
            let at = body.base_from_body.translation;
            (at.x - 0.5).abs() < 0.03 && at.y.abs() < 0.03 && at.z < 0.05
        };
        facts.bodies.iter().filter(is_inside).count() as f64 / 64.0
    }));
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
    let (status, n_seen, _) = play(Probe::new("turn the lever down", bodies, |facts| {
        facts.bodies[0].base_from_body.rotation.angle() / 0.75
    }));
    assert!(status.success);
    assert!(n_seen > 20, "{n_seen}");
}

/// Goes over `at`, down to `low`, and up again at `lift_s` with whatever it closed on a second and a half before.
fn fetch(facts: &Facts<'_>, tcp: &Pose, at: [f64; 2], low: f64, lift_s: f64) -> Action {
    let off = libm::hypot(tcp.translation.x - at[0], tcp.translation.y - at[1]);
    let opens = facts.time() < lift_s - 1.5;
    let height = if facts.time() < lift_s && off < 0.005 {
        low
    } else {
        0.2
    };
    let goal = Pose::from_parts(
        Translation3::new(at[0], at[1], height),
        rule::pointing_down(0.0),
    );
    rule::move_towards(tcp, &goal, f64::from(u8::from(opens)), 0.1)
}

#[test]
fn two_arms_lift_a_tray_together() {
    let handle = |y: f64| block([0.03, 0.03, 0.08], [0.0, y, 0.0]);
    let floor = block([0.10, 0.56, 0.01], [0.0; 3]);
    let tray = vec![floor, handle(-0.25), handle(0.25)];
    let tray = body(tray, BodyMotion::Free, 0.3, [0.45, 0.45, 0.0]);
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let mut probe = Probe::new("lift the tray", vec![tray], |facts| {
        let touched = [facts.touches(0), facts.partner_touches(0, 0)];
        let is_held = touched == [[true; 2]; 2] && lean(&facts.bodies[0]) < 0.01;
        let height = facts.bodies[0].base_from_body.translation.z;
        f64::from(u8::from(is_held)) * height / 0.08
    });
    probe.scene.partners.push(Partner {
        base_from_partner: Pose::translation(0.0, 0.9, 0.0),
        start: *robot.home(),
    });
    probe.script = |facts, tcp| fetch(facts, tcp, [0.45, 0.2], 0.06, 6.5);
    probe.partner_script = |facts, tcp| fetch(facts, tcp, [0.45, -0.2], 0.06, 6.5);
    let (status, n_seen, world) = play(probe);
    assert!(status.success, "{status:?}");
    assert!(n_seen > 20, "{n_seen}");
    assert!(
        world
            .partner_state(0)
            .expect("a partner")
            .gripper
            .is_grasping
    );
    assert_eq!(world.partner_state(1), None);
}

#[test]
fn folding_a_towel_hangs_it_over_a_rail() {
    let mut rail = body(
        vec![block([0.03, 0.30, 0.02], [0.0; 3])],
        BodyMotion::Fixed,
        0.0,
        [0.52, 0.0, 0.15],
    );
    rail.role = Role::Other;
    // Folded in two: its middle lies on the rail, both ends hang well below.
    let mut probe = Probe::new("fold the towel", vec![rail], |facts| {
        let rows: Vec<f32> = facts.cloths[0]
            .positions
            .chunks_exact(9)
            .map(|row| row.iter().map(|at| at.z).sum::<f32>() / 9.0)
            .collect();
        let (middle, ends) = (rows[6], rows[0].max(rows[12]));
        f64::from(u8::from(middle > 0.165)) * f64::from(middle - ends) / 0.06
    });
    probe.scene.cloths.push(Cloth {
        role: Role::Target,
        particles: [13, 9],
        spacing: 0.02,
        thickness: 0.003,
        mass: 0.05,
        friction: 0.8,
        base_from_cloth: Pose::translation(0.40, -0.08, 0.20),
    });
    let (status, n_seen, world) = play(probe);
    let state = &world.state.cloths[0];
    assert!(status.success, "{status:?} {:?}", state.positions);
    assert_eq!(state.positions.len(), 117);
    assert!(n_seen > 20, "{n_seen}");
    let mut short = world.state_vector();
    short.pop();
    assert!(world.clone().restore(&short).is_err());
}
