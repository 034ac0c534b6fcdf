//! The joints alone, with loads made up.

use prehend_types::GripperCommand;
use prehend_types::JointCommand;
use prehend_types::config::locate;

use super::*;
use crate::physics::DT;

fn fr3() -> Arc<Robot> {
    Arc::new(Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot"))
}

/// The robot with joints that turn for ever and drives without friction.
fn endless() -> Arc<Robot> {
    let folder = tempfile::tempdir().expect("a folder");
    let from = locate("robots/fr3").expect("robots/fr3");
    let urdf = std::fs::read_to_string(from.join("robot.urdf")).expect("readable");
    let lines = urdf.lines().map(|line| match line.find("velocity=") {
        Some(at) if line.contains("<limit") => {
            format!("<limit lower=\"-1000\" upper=\"1000\" {}\n", &line[at..])
        }
        _ => format!("{line}\n"),
    });
    let urdf: String = lines.collect();
    std::fs::write(folder.path().join("robot.urdf"), urdf).expect("written");
    let toml = folder.path().join("robot.toml");
    std::fs::copy(from.join("robot.toml"), toml).expect("copied");
    let drive = |joint| {
        format!(
            "[[joint]]\nname = \"fr3_joint{joint}\"\nviscous_friction_n_m_s_per_rad = 0.0\n\
             coulomb_friction_n_m = 0.0\n"
        )
    };
    let drives: String = (1..=7).map(drive).collect();
    std::fs::write(folder.path().join("actuators.toml"), drives).expect("written");
    Arc::new(Robot::load(folder.path()).expect("valid robot"))
}

fn hold(arm: &Arm) -> JointCommand {
    JointCommand {
        q_d: arm.q,
        dq_d: JointVelocities::zeros(arm.q.len()).expect("seven"),
        gripper: GripperCommand { opening: 1.0 },
    }
}

fn weight(arm: &Arm, mass: f64) -> Reaction {
    let terms = arm.robot.articulation(&arm.q);
    let base_from_hand = terms.base_from_joint(arm.hand_joint_idx) * arm.joint_from_hand;
    let at = base_from_hand * Point3::new(0.0, 0.0, 0.1034);
    let load = Wrench::at(&at, Vector3::new(0.0, 0.0, -9.81 * mass), Vector3::zeros());
    Reaction { push: load, load }
}

fn step(arm: &mut Arm, command: &JointCommand, reaction: Reaction) {
    let prediction = arm.predict(&(*command).into(), &[]);
    arm.correct(&prediction, reaction);
}

fn drop_height(arm: &Arm, from: &JointPositions) -> f64 {
    arm.robot.forward(from).translation.z - arm.robot.forward(&arm.q).translation.z
}

#[test]
fn an_arm_that_holds_too_much_stalls_and_sinks_and_says_so() {
    let robot = fr3();
    let mut arm = Arm::new(&robot, ArmMode::Actuated, DT).expect("an arm");
    let command = hold(&arm);
    for _ in 0..200 {
        let load = weight(&arm, 2.0);
        step(&mut arm, &command, load);
        assert!(!arm.report().is_overloaded());
    }
    assert!(
        drop_height(&arm, &command.q_d).abs() < 1e-12,
        "it follows by itself"
    );
    let light = arm.tau[1];
    let mut heavy = 0.0_f64;
    for _ in 0..20 {
        let load = weight(&arm, 30.0);
        step(&mut arm, &command, load);
        heavy = heavy.max(arm.tau[1].abs());
        for (tau, drive) in arm.tau.iter().zip(robot.actuators().joints()) {
            assert!(
                tau.abs() <= drive.max_torque * (1.0 + 1e-9),
                "{:?}",
                arm.tau
            );
        }
    }
    assert!(arm.report().is_overloaded());
    assert!(
        heavy > 80.0 && heavy > light.abs() + 20.0,
        "{heavy} {light}"
    );
    assert!(drop_height(&arm, &command.q_d) > 0.005);
}

#[test]
fn overload_accelerates_as_the_torque_limit_says() {
    // The overloaded joints' accelerations, put into the recursion, need exactly the limits.
    let robot = fr3();
    let mut arm = Arm::new(&robot, ArmMode::Actuated, DT).expect("an arm");
    let command = hold(&arm);
    // The first step is that of a firm hand that starts to give way.
    let reaction = weight(&arm, 40.0);
    step(&mut arm, &command, reaction);
    let reaction = weight(&arm, 40.0);
    let (q, before) = (arm.q, arm.dq);
    step(&mut arm, &command, reaction);
    let mut ddq = [0.0; MAX_JOINTS];
    for idx in 0..7 {
        ddq[idx] = (arm.dq[idx] - before[idx]) / DT;
    }
    let load = prehend_robot::JointLoad {
        joint_idx: arm.hand_joint_idx,
        wrench: reaction.load,
    };
    let tau = robot.articulation(&q).inverse(&before, &ddq, &[load]);
    let mut n_overloaded = 0;
    for (idx, drive) in robot.actuators().joints().iter().enumerate() {
        if arm.overload[idx] {
            n_overloaded += 1;
            assert!(
                (tau[idx].abs() - drive.max_torque).abs() < 1e-6,
                "{idx}: {}",
                tau[idx]
            );
        } else {
            assert!(tau[idx].abs() < drive.max_torque);
        }
    }
    assert!((1..7).contains(&n_overloaded));
}

#[test]
fn a_servo_gives_way_as_its_stiffness_says() {
    // At rest: stiffness times deflection is the torque that is not compensated.
    let robot = fr3();
    let mut arm = Arm::new(&robot, ArmMode::Dynamic, DT).expect("an arm");
    let command = hold(&arm);
    for _ in 0..600 {
        let load = weight(&arm, 1.0);
        step(&mut arm, &command, load);
    }
    let sag = drop_height(&arm, &command.q_d);
    assert!(sag > 2e-4 && sag < 5e-3, "{sag}");
    let terms = robot.articulation(&arm.q);
    let carried = terms.torques_of(arm.hand_joint_idx, &weight(&arm, 1.0).load);
    for (idx, drive) in robot.actuators().joints().iter().enumerate() {
        let spring = drive.stiffness * (command.q_d[idx] - arm.q[idx]);
        assert!(
            (spring + carried[idx]).abs() <= drive.coulomb_friction + 1e-3,
            "{idx}"
        );
    }
    arm.set_payload(Some(Payload {
        mass: 9.81 / 9.806_65,
        center_in_hand: Point3::new(0.0, 0.0, 0.1034),
    }));
    for _ in 0..600 {
        let load = weight(&arm, 1.0);
        step(&mut arm, &command, load);
    }
    assert!(drop_height(&arm, &command.q_d).abs() < 0.15 * sag);
}

#[test]
fn a_free_swing_keeps_its_energy_for_ten_seconds() {
    let robot = endless();
    let mut arm = Arm::new(&robot, ArmMode::Dynamic, DT).expect("an arm");
    arm.set_servo(false);
    let command = hold(&arm);
    let energy = |arm: &Arm| robot.kinetic_energy(&arm.q, &arm.dq) + robot.potential_energy(&arm.q);
    let start = energy(&arm);
    let (mut drift, mut fastest) = (0.0_f64, 0.0_f64);
    for _ in 0..2000 {
        step(&mut arm, &command, Reaction::NONE);
        drift = drift.max((energy(&arm) - start).abs());
        fastest = arm.dq.iter().fold(fastest, |most, dq| most.max(dq.abs()));
    }
    let mut lowest = arm.q;
    lowest[1] = std::f64::consts::PI;
    lowest[3] = 0.0;
    let swing = start - robot.potential_energy(&lowest);
    assert!(swing > 50.0 && fastest > 5.0);
    // 1.6 % at the simulator's step of 5 ms; finer steps are `verify`'s row `energy`.
    assert!(drift < 0.02 * swing, "{drift} J of {swing} J");
}

#[test]
fn a_saved_arm_goes_on_with_the_same_bits() {
    let robot = fr3();
    for mode in ArmMode::ALL {
        let mut arm = Arm::new(&robot, mode, DT).expect("an arm");
        let mut command = hold(&arm);
        let mut go = |arm: &mut Arm, step_idx: u32| {
            let t = f64::from(step_idx) * DT;
            for idx in 0..7 {
                command.q_d[idx] = robot.home()[idx] + 0.2 * libm::sin(3.0 * t + idx as f64);
                command.dq_d[idx] = 0.6 * libm::cos(3.0 * t + idx as f64);
            }
            let load = weight(arm, 3.0 + 10.0 * libm::sin(7.0 * t));
            step(arm, &command, load);
        };
        for step_idx in 0..100 {
            go(&mut arm, step_idx);
        }
        let numbers = arm.to_numbers();
        let mut other = Arm::new(&robot, mode, DT).expect("an arm");
        other.set_numbers(&numbers).expect("its own numbers");
        for step_idx in 100..200 {
            go(&mut arm, step_idx);
            go(&mut other, step_idx);
            let bits = |arm: &Arm| {
                arm.to_numbers()
                    .into_iter()
                    .map(f64::to_bits)
                    .collect::<Vec<_>>()
            };
            assert_eq!(bits(&arm), bits(&other), "{} {step_idx}", mode.name());
            assert_eq!(arm.report(), other.report());
        }
        assert!(other.set_numbers(&numbers[1..]).is_err());
        let mut nan = numbers;
        nan[3] = f64::NAN;
        assert!(other.set_numbers(&nan).is_err());
    }
}

#[test]
fn a_link_that_presses_on_something_fixed_is_stopped() {
    // The elbow's link against a wall of which it is told only a gap and a normal.
    let robot = fr3();
    for mode in [ArmMode::Actuated, ArmMode::Dynamic] {
        let mut arm = Arm::new(&robot, mode, DT).expect("an arm");
        let link_idx = robot.link_idx("fr3_link4").expect("a link");
        let mut poses = vec![Pose::identity(); robot.links().len()];
        let mut at = |arm: &Arm| {
            robot.link_poses(arm.q(), 0.0, &mut poses);
            poses[link_idx].translation.vector
        };
        let wall = at(&arm).x + 0.02;
        let mut command = hold(&arm);
        let (mut deepest, mut speed) = (0.0_f64, 0.0);
        let mut gap = 0.02;
        for step_idx in 0..600 {
            command.q_d[1] = robot.home()[1] + 0.5 * (f64::from(step_idx) / 300.0).min(1.0);
            let contact = LinkContact {
                link_idx,
                point: Point3::from(at(&arm)),
                normal: -Vector3::x(),
                what: crate::physics::Touched::Fixed { gap },
            };
            gap = wall - at(&arm).x;
            let prediction = arm.predict(&command.into(), &[contact]);
            arm.correct(&prediction, Reaction::NONE);
            deepest = deepest.max(at(&arm).x - wall);
            speed = arm.dq.iter().fold(0.0_f64, |most, dq| most.max(dq.abs()));
            for (tau, drive) in arm.tau.iter().zip(robot.actuators().joints()) {
                assert!(tau.abs() <= drive.max_torque * (1.0 + 1e-9));
            }
        }
        assert!(
            deepest < 0.004,
            "{} went {deepest} m into the wall",
            mode.name()
        );
        assert!(deepest > 1e-5, "{} never touched", mode.name());
        assert!(speed < 0.01, "{} still moves at {speed}", mode.name());
        assert!(arm.report().is_overloaded(), "{}", mode.name());
    }
}
