//! What the arm's modes promise, seen from outside.

use std::path::Path;
use std::sync::Arc;

use prehend_robot::Robot;
use prehend_sim::{ArmMode, FamilySet, Pilot, RolloutConfig, SceneConfig, World, rollout};
use prehend_types::config::locate;
use prehend_types::{
    GripperCommand, JointCommand, JointPositions, JointTorques, JointVelocities, Stream,
    derive_seed,
};

fn fr3() -> Arc<Robot> {
    Arc::new(Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot"))
}

/// The robot with other drives.
fn fr3_with(actuators: &str) -> Arc<Robot> {
    let folder = tempfile::tempdir().expect("a folder");
    let from = locate("robots/fr3").expect("robots/fr3");
    for file in ["robot.urdf", "robot.toml"] {
        std::fs::copy(from.join(file), folder.path().join(file)).expect("copied");
    }
    std::fs::write(folder.path().join("actuators.toml"), actuators).expect("written");
    Arc::new(Robot::load(folder.path()).expect("valid robot"))
}

/// Of one joint's drive.
const FRICTIONLESS: &str = "viscous_friction_n_m_s_per_rad = 0.0\ncoulomb_friction_n_m = 0.0";

fn each_joint(settings: &str) -> String {
    let joints = (1..=7).map(|i| format!("[[joint]]\nname = \"fr3_joint{i}\"\n{settings}\n"));
    joints.collect()
}

fn scene(change: Option<(&str, &str)>) -> Arc<SceneConfig> {
    let path = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
    let Some((from, to)) = change else {
        return Arc::new(SceneConfig::load(&path).expect("valid scene"));
    };
    let text = std::fs::read_to_string(path).expect("readable");
    assert!(text.contains(from));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scene.toml");
    std::fs::write(&path, text.replacen(from, to, 1)).expect("written");
    Arc::new(SceneConfig::load(Path::new(&path)).expect("valid scene"))
}

fn world(robot: &Arc<Robot>, seed: u64, mode: ArmMode) -> World {
    World::with_arm(robot, &scene(None), seed, FamilySet::Train, mode).expect("a scene")
}

fn command(q_d: &[f64], dq_d: &[f64]) -> JointCommand {
    JointCommand {
        q_d: JointPositions::from_slice(q_d).expect("seven"),
        dq_d: JointVelocities::from_slice(dq_d).expect("seven"),
        gripper: GripperCommand { opening: 1.0 },
    }
}

/// Uniform from 0 to 1.
fn unit(seed: u64, index: u64) -> f64 {
    (derive_seed(seed, Stream::Scene, index) >> 11) as f64 / (1_u64 << 53) as f64
}

#[test]
fn a_world_says_how_its_arm_is_simulated() {
    let robot = fr3();
    for mode in ArmMode::ALL {
        assert_eq!(ArmMode::from_name(mode.name()), Some(mode));
        let mut world = world(&robot, 610, mode);
        assert_eq!(world.arm_mode(), mode);
        let result = rollout(
            &mut world,
            Pilot::Expert,
            &RolloutConfig::default(),
            &mut |_| {},
        );
        assert_eq!(result.expect("a rollout").arm, mode);
    }
    let default = World::new(&robot, &scene(None), 610, FamilySet::Train).expect("a scene");
    assert_eq!(default.arm_mode(), ArmMode::Actuated);
    assert_eq!(ArmMode::from_name("magnetic"), None);
}

#[test]
fn an_exact_arm_is_where_it_is_told() {
    let robot = fr3();
    let mut world = world(&robot, 611, ArmMode::Exact);
    let mut q = *robot.home();
    for _ in 0..50 {
        q[0] += 0.002;
        world.write(&command(&q, &[0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]));
        world.step();
        assert_eq!(world.robot_state().q, q);
    }
}

#[test]
fn lag_is_as_parametrised() {
    // Critically damped, with a step too small to meet the acceleration limit.
    let robot = fr3_with(&each_joint("bandwidth_hz = 6.0\ndamping_ratio = 1.0"));
    let omega = std::f64::consts::TAU * 6.0;
    let mut world = world(&robot, 612, ArmMode::Actuated);
    let target = robot.home().map(|q| q + 0.002);
    world.write(&command(&target, &[0.0; 7]));
    for step in 1..=100 {
        world.step();
        let t = f64::from(step) * World::DT;
        let expected = 0.002 * (1.0 - (1.0 + omega * t) * libm::exp(-omega * t));
        for (q, home) in world.robot_state().q.iter().zip(robot.home().iter()) {
            assert!(
                (q - home - expected).abs() < 1e-12,
                "{t}: {} {expected}",
                q - home
            );
        }
    }
    // A ramp of 0.3 rad/s: late by 2 zeta (1 - share) / omega = 26.5 ms.
    let mut q_d = target;
    for _ in 0..100 {
        q_d[0] += 0.3 * World::DT;
        world.write(&command(&q_d, &[0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]));
        world.step();
    }
    let lag = (q_d[0] - world.robot_state().q[0]) / 0.3;
    assert!((lag - 1.0 / omega).abs() < 1e-6, "{lag}");
}

#[test]
fn limits_hold_at_every_step_whatever_is_commanded() {
    let robot = fr3();
    let limits = *robot.limits();
    let mut world = world(&robot, 613, ArmMode::Actuated);
    let mut n_checked = 0;
    let (mut is_fast, mut since_overload) = (false, 1000);
    for step in 0..2000_u64 {
        if step % 40 == 0 {
            let mut q_d = *robot.home();
            let mut dq_d = [0.0; 7];
            for idx in 0..7 {
                let share = unit(step, idx as u64);
                q_d[idx] = limits.q_min[idx] + share * (limits.q_max[idx] - limits.q_min[idx]);
                dq_d[idx] = 4.0 * unit(step, 10 + idx as u64) - 2.0;
            }
            world.write(&command(&q_d, &dq_d));
        }
        let before = world.robot_state().dq;
        world.step();
        let (state, report) = (world.robot_state(), world.arm_report());
        since_overload = if report.is_overloaded() {
            0
        } else {
            since_overload + 1
        };
        assert!(limits.contains(&state.q), "{step}");
        for (idx, drive) in robot.actuators().joints().iter().enumerate() {
            let (dq, tau) = (state.dq[idx], report.tau[idx]);
            assert!(
                tau.abs() <= drive.max_torque * (1.0 + 1e-9),
                "{step} {idx}: {tau}"
            );
            let is_at_stop = state.q[idx] == limits.q_min[idx] || state.q[idx] == limits.q_max[idx];
            // After an overload drives may recover with more than their usual acceleration.
            if since_overload <= 41 || is_at_stop {
                continue;
            }
            n_checked += 1;
            let ddq = (dq - before[idx]) / World::DT;
            assert!(
                ddq.abs() <= drive.max_acceleration * (1.0 + 1e-9),
                "{step} {idx}: {ddq}"
            );
            if before[idx].abs() <= drive.max_velocity {
                assert!(
                    dq.abs() <= drive.max_velocity * (1.0 + 1e-12),
                    "{step} {idx}: {dq}"
                );
            }
            is_fast |= dq.abs() > 0.9 * drive.max_velocity;
        }
    }
    assert!(is_fast, "no limit was met");
    assert!(n_checked > 1000, "{n_checked} of 14000");
}

/// Whether the expert held the target for a while, its steps with overload, and the shoulder's greatest
/// torque, N m.
fn effort(robot: &Arc<Robot>, mass: &str, seed: u64) -> (bool, usize, f64) {
    let scene = scene(Some(("mass_kg = [0.03, 0.30]", mass)));
    let mut world =
        World::with_arm(robot, &scene, seed, FamilySet::Train, ArmMode::Actuated).expect("a scene");
    let rate_hz = 1.0 / World::DT;
    let config = prehend_control::ControlConfig {
        rate_hz,
        ..Default::default()
    };
    let mut controller =
        prehend_control::Controller::new(Arc::clone(robot), config).expect("a controller");
    controller.arm(&world.robot_state()).expect("armed");
    let (mut overloaded, mut most) = (0, 0.0_f64);
    let mut was_held = false;
    let mut felt = f64::INFINITY;
    for _ in 0..160 {
        let action = prehend_sim::Expert.next_action(&world, controller.base_from_tcp_d());
        let dt = std::time::Duration::from_millis(50);
        let chunk = prehend_types::ActionChunk::new(world.now(), dt, 1, &[action; 4]);
        let chunk = chunk.expect("four fit");
        if controller.accept(&chunk, world.now()).is_err() {
            break;
        }
        for _ in 0..10 {
            let tick = controller.tick(&world.robot_state(), world.now());
            world.write(&tick.command);
            world.step();
            overloaded += usize::from(world.arm_report().is_overloaded());
            most = most.max(world.arm_report().tau[1].abs());
            was_held |= world.facts().touches(0).contains(&true);
            // At some moment of the carrying nothing but the weight acts.
            let weight = 9.81 * world.scene().bodies[0].mass;
            felt = felt.min((-world.arm_report().load.force.z / weight - 1.0).abs());
        }
    }
    assert!(felt < 0.01, "weight felt to {felt}");
    (was_held, overloaded, most)
}

#[test]
fn a_heavy_payload_overloads_a_weak_drive_and_a_light_one_does_not() {
    // Reaching over the table the shoulder carries up to 66 N m by itself, up to 79 with 1.5 kg.
    let weak = each_joint("").replacen(
        "name = \"fr3_joint2\"\n",
        "name = \"fr3_joint2\"\nmax_torque_n_m = 70.0\n",
        1,
    );
    let robot = fr3_with(&weak);
    let (light_held, light, bare) = effort(&robot, "mass_kg = [0.05, 0.05]", 500);
    let (heavy_held, heavy, loaded) = effort(&robot, "mass_kg = [1.5, 1.5]", 500);
    assert!(light_held && heavy_held);
    assert!(loaded > bare + 3.0, "{loaded} {bare}");
    assert_eq!(light, 0);
    assert!(heavy > 5, "{heavy}");
}

#[test]
fn fingers_pressed_on_the_table_stand_still_within_the_torque_limits() {
    // 10 mm deep the servos' stiffness gives 120 N; 40 mm saturate them.
    let robot = fr3();
    for (depth, least, most) in [(0.01, 100.0, 140.0), (0.04, 200.0, 350.0)] {
        let mut world = world(&robot, 21003, ArmMode::Dynamic);
        let mut q = *robot.home();
        let mut forces = Vec::new();
        let down = nalgebra::UnitQuaternion::from_axis_angle(
            &nalgebra::Vector3::x_axis(),
            std::f64::consts::PI,
        );
        let from = robot.forward(&q).translation.vector;
        let over = nalgebra::Vector3::new(0.45, -0.42, 0.10);
        let deep = nalgebra::Vector3::new(0.45, -0.42, 0.0095 - depth);
        for step in 0..1600 {
            let share = |first: i32| (f64::from(step - first) / 400.0).clamp(0.0, 1.0);
            let at = from.lerp(&over, share(0)).lerp(&deep, share(400));
            let pose = prehend_types::Pose::from_parts(at.into(), down);
            let next = robot
                .inverse(&pose, &q, &Default::default())
                .expect("in reach");
            let dq: Vec<f64> = next
                .iter()
                .zip(q.iter())
                .map(|(a, b)| (a - b) / World::DT)
                .collect();
            q = next;
            let mut command = command(&q, &dq);
            command.gripper.opening = 0.0;
            world.write(&command);
            world.step();
            let report = world.arm_report();
            for (tau, drive) in report.tau.iter().zip(robot.actuators().joints()) {
                assert!(tau.abs() <= drive.max_torque * (1.0 + 1e-9), "{step}");
            }
            if step >= 1200 {
                forces.push(report.load.force.z);
            }
        }
        let (low, high) = forces
            .iter()
            .fold((f64::MAX, 0.0_f64), |(low, high), force| {
                (low.min(*force), high.max(*force))
            });
        assert!(low > least && high < most, "{depth}: {low} to {high} N");
        assert!(high - low < 0.01 * high, "{depth}: {low} to {high} N");
        assert_eq!(world.arm_report().is_overloaded(), depth > 0.02);
        // A drive at its limit has no stiffness left: it may creep.
        let creep = if depth > 0.02 { 1e-2 } else { 1e-3 };
        assert!(world.robot_state().dq.iter().all(|dq| dq.abs() < creep));
    }
}

#[test]
fn an_arm_without_torque_falls_as_the_equations_say() {
    // Against classical Runge-Kutta with steps of 0.1 ms, which knows no friction.
    let robot = fr3_with(&each_joint(FRICTIONLESS));
    let mut world = world(&robot, 614, ArmMode::Dynamic);
    world.set_servo(false);
    let (mut q, mut dq) = (*robot.home(), JointVelocities::zeros(7).expect("seven"));
    let tau = JointTorques::zeros(7).expect("seven");
    let h = 1e-4;
    let at = |q: &JointPositions, dq: &JointVelocities, v: &[f64], a: &[f64], by: f64| {
        let (mut q, mut dq) = (*q, *dq);
        for idx in 0..7 {
            q[idx] += by * v[idx];
            dq[idx] += by * a[idx];
        }
        (q, dq)
    };
    // A fifth of a second: then joint 4 meets its stop.
    for _ in 0..40 {
        world.step();
        for _ in 0..50 {
            let slope = |q: &JointPositions, dq: &JointVelocities| {
                robot.forward_dynamics(q, dq, &tau, &[]).expect("finite")
            };
            let (v1, a1) = (dq, slope(&q, &dq));
            let (q2, v2) = at(&q, &dq, &v1, &a1, h / 2.0);
            let a2 = slope(&q2, &v2);
            let (q3, v3) = at(&q, &dq, &v2, &a2, h / 2.0);
            let a3 = slope(&q3, &v3);
            let (q4, v4) = at(&q, &dq, &v3, &a3, h);
            let a4 = slope(&q4, &v4);
            for idx in 0..7 {
                q[idx] += h / 6.0 * (v1[idx] + 2.0 * (v2[idx] + v3[idx]) + v4[idx]);
                dq[idx] += h / 6.0 * (a1[idx] + 2.0 * (a2[idx] + a3[idx]) + a4[idx]);
            }
        }
    }
    let state = world.robot_state();
    let fallen = robot.forward(robot.home()).translation.z - robot.forward(&q).translation.z;
    let mut worst = 0.0_f64;
    for idx in 0..7 {
        worst = worst.max((state.q[idx] - q[idx]).abs());
    }
    assert!(fallen.abs() > 0.05, "{fallen}");
    assert!(worst < 2e-4, "{worst}");
}

/// Its joints' friction, given by nothing but `dynamics` in robot.urdf, makes an arm that falls slower.
#[test]
fn friction_of_the_description_is_felt_without_an_actuators_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = locate("robots/fr3").expect("robots/fr3");
    let urdf = std::fs::read_to_string(from.join("robot.urdf")).expect("readable");
    let toml = folder.path().join("robot.toml");
    std::fs::copy(from.join("robot.toml"), toml).expect("copied");
    let fastest = |friction: &str| {
        let given = "damping=\"0.003\" friction=\"0.2\"";
        let urdf = urdf.replace(given, friction);
        std::fs::write(folder.path().join("robot.urdf"), urdf).expect("written");
        let robot = Arc::new(Robot::load(folder.path()).expect("valid robot"));
        let mut world = world(&robot, 614, ArmMode::Dynamic);
        world.set_servo(false);
        for _ in 0..20 {
            world.step();
        }
        world.robot_state().dq[1].abs()
    };
    let free = fastest("damping=\"0\" friction=\"0\"");
    let damped = fastest("damping=\"20\" friction=\"0\"");
    let dry = fastest("damping=\"0\" friction=\"10\"");
    assert!(free > 0.1, "{free}");
    assert!(damped < 0.95 * free, "{damped} {free}");
    assert!(dry < 0.95 * free, "{dry} {free}");
}

#[test]
fn equal_commands_give_equal_bits_in_every_mode() {
    let robot = fr3();
    for mode in ArmMode::ALL {
        let run = || {
            let mut world = world(&robot, 615, mode);
            let mut hashes = Vec::new();
            let result = rollout(
                &mut world,
                Pilot::Expert,
                &RolloutConfig::default(),
                &mut |step| {
                    hashes.push(step.hash);
                },
            );
            let bits: Vec<u64> = world.arm_numbers().into_iter().map(f64::to_bits).collect();
            (hashes, bits, result.expect("a rollout").success)
        };
        let (hashes, bits, success) = run();
        assert!(success, "{}", mode.name());
        assert_eq!((hashes, bits, success), run(), "{}", mode.name());
    }
}

#[test]
fn a_restored_arm_goes_on_from_where_it_was() {
    let robot = fr3();
    for mode in ArmMode::ALL {
        let mut first = world(&robot, 616, mode);
        let target = robot.home().map(|q| q + 0.1);
        first.write(&command(&target, &[0.0; 7]));
        for _ in 0..20 {
            first.step();
        }
        let mut second = world(&robot, 616, mode);
        second.restore(&first.state_vector()).expect("its state");
        second
            .set_arm_numbers(&first.arm_numbers())
            .expect("its arm");
        assert_eq!(first.robot_state().q, second.robot_state().q);
        second.write(&command(&target, &[0.0; 7]));
        for _ in 0..20 {
            first.step();
            second.step();
        }
        // Free of contact the arm does not depend on what the engine keeps to itself.
        for (a, b) in first
            .robot_state()
            .q
            .iter()
            .zip(second.robot_state().q.iter())
        {
            assert!((a - b).abs() < 1e-6, "{} {a} {b}", mode.name());
        }
        assert!(second.set_arm_numbers(&[1.0, 2.0]).is_err());
    }
}
