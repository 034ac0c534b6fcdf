//! Every way to drive an arm, in the simulator.

use std::sync::Arc;

use prehend_robot::Robot;
use prehend_sim::{
    ArmMode, Batch, BatchCell, BatchConfig, ControlMode, FamilySet, PhysicsSettings, SceneConfig,
};
use prehend_types::config::locate;

fn cell() -> BatchCell {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let scene = locate("scenes/lift.toml").expect("scenes/lift.toml");
    BatchCell {
        robot: Arc::new(robot),
        scene: Arc::new(SceneConfig::load(&scene).expect("valid scene")),
        families: FamilySet::Train,
    }
}

fn batch(mode: ControlMode, arm: ArmMode) -> Batch {
    let config = BatchConfig {
        observe: false,
        mode,
        settings: PhysicsSettings {
            arm,
            ..PhysicsSettings::default()
        },
        ..BatchConfig::default()
    };
    Batch::new(&[cell()], config).expect("a batch")
}

fn q(batch: &Batch) -> Vec<f64> {
    batch.world(0).expect("a world").robot_state().q.to_vec()
}

#[test]
fn joint_modes_go_where_they_are_told_with_every_arm() {
    let way = [0.08, -0.06, 0.05, 0.06, -0.1, 0.08, 0.12];
    for arm in ArmMode::ALL {
        for mode in [
            ControlMode::JointPosition,
            ControlMode::JointDelta,
            ControlMode::JointVelocity,
        ] {
            let mut batch = batch(mode, arm);
            let from = q(&batch);
            let action = |k: usize| -> Vec<f64> {
                let moves = k < 20;
                let numbers = (0..7).map(|i| match mode {
                    ControlMode::JointPosition => from[i] + way[i] * (k + 1).min(20) as f64 / 20.0,
                    ControlMode::JointDelta => f64::from(u8::from(moves)) * way[i] / 20.0,
                    _ => f64::from(u8::from(moves)) * way[i],
                });
                numbers.chain([0.5]).collect()
            };
            for k in 0..40 {
                batch.act(&[&action(k)]).expect("an outcome");
            }
            for (i, (now, from)) in q(&batch).iter().zip(&from).enumerate() {
                let error = now - from - way[i];
                // Deltas and speeds count from where the arm is commanded to be, a tenth of a second behind.
                let behind = match mode {
                    ControlMode::JointPosition => 0.0,
                    _ => 0.1 * way[i].abs(),
                };
                assert!(
                    error.abs() < 1e-3 + behind,
                    "{arm:?} {mode:?} joint {i}: {error}"
                );
            }
            let gripper = batch.world(0).expect("a world").robot_state().gripper;
            assert_eq!(gripper.commanded, 0.5);
        }
    }
}

#[test]
fn a_compliant_tool_reaches_its_goal() {
    let mut batch = batch(ControlMode::OperationalSpace, ArmMode::Dynamic);
    let tool = |batch: &Batch| {
        let world = batch.world(0).expect("a world");
        world.robot().forward(&world.robot_state().q)
    };
    let from = tool(&batch);
    // 5 cm and 0.2 rad in ten actions, then half a second to settle.
    let action = |k: usize| match k {
        0..10 => [0.003, 0.004, 0.0, 0.0, 0.0, 0.02, 1.0],
        _ => [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
    };
    let mut goal = from;
    for k in 0..20 {
        batch.act(&[&action(k)]).expect("an outcome");
        let delta = prehend_types::Action {
            translation: nalgebra::Vector3::from_row_slice(&action(k)[..3]),
            rotation: nalgebra::Vector3::from_row_slice(&action(k)[3..6]),
            gripper: 1.0,
        };
        goal *= delta.delta();
    }
    let error = goal.inv_mul(&tool(&batch));
    assert!(error.translation.vector.norm() < 2e-3, "{error}");
    assert!(error.rotation.angle() < 0.01, "{error}");
    assert!((tool(&batch).translation.vector - from.translation.vector).norm() > 0.03);
}

#[test]
fn without_torque_the_arm_floats_and_with_too_much_it_keeps_its_limits() {
    let mut still = batch(ControlMode::Torque, ArmMode::Dynamic);
    let from = q(&still);
    for _ in 0..20 {
        still
            .act(&[&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]])
            .expect("an outcome");
    }
    for (now, from) in q(&still).iter().zip(&from) {
        assert!((now - from).abs() < 1e-3, "{now} {from}");
    }
    let mut wild = batch(ControlMode::Torque, ArmMode::Dynamic);
    for k in 0..100 {
        let push = if k % 7 < 3 { 1e4 } else { -1e4 };
        let action = [push, -push, push, push, -push, push, -push, 1.0];
        wild.act(&[&action]).expect("an outcome");
        let world = wild.world(0).expect("a world");
        for (tau, drive) in world
            .arm_report()
            .tau
            .iter()
            .zip(world.robot().actuators().joints())
        {
            assert!(tau.abs() <= drive.max_torque * (1.0 + 1e-9), "{tau}");
        }
        assert!(world.robot_state().q.is_finite());
    }
}

#[test]
fn a_saved_compliant_arm_goes_on_as_it_would_have() {
    let mut batch = batch(ControlMode::OperationalSpace, ArmMode::Dynamic);
    let action = [0.002, 0.0, 0.003, 0.01, 0.0, 0.0, 0.3];
    for _ in 0..10 {
        batch.act(&[&action]).expect("an outcome");
    }
    let saved = batch.save(0).expect("saved");
    let run = |batch: &mut Batch| -> Vec<u64> {
        let step = |_| batch.act(&[&action]).expect("an outcome")[0].hash;
        (0..10).map(step).collect()
    };
    let first = run(&mut batch);
    batch.restore(0, &saved).expect("restored");
    assert_eq!(run(&mut batch), first);
}

#[test]
fn actions_that_do_not_fit_are_refused() {
    let cells = [cell()];
    for arm in [ArmMode::Exact, ArmMode::Actuated] {
        let config = BatchConfig {
            mode: ControlMode::Torque,
            settings: PhysicsSettings {
                arm,
                ..PhysicsSettings::default()
            },
            ..BatchConfig::default()
        };
        let error = Batch::new(&cells, config)
            .err()
            .expect("refused")
            .to_string();
        assert!(error.contains("needs the arm `dynamic`"), "{error}");
    }
    let mut batch = batch(ControlMode::JointDelta, ArmMode::Exact);
    let before = q(&batch);
    for action in [&[0.0; 7][..], &[f64::NAN; 8][..], &[][..]] {
        let error = batch.act(&[action]).expect_err("refused").to_string();
        assert!(error.contains("`joint_delta` takes 8"), "{error}");
    }
    assert!(batch.act(&[]).is_err());
    assert_eq!(q(&batch), before);
    assert_eq!(
        ControlMode::ALL.map(|mode| mode.action_len(6)),
        [7, 7, 7, 7, 7, 7]
    );
    assert_eq!(ControlMode::Torque.action_len(7), 8);
}
