//! The pick-and-place policy clears tables of objects that it has never seen, with the arm, from clouds alone.

use std::sync::Arc;

use prehend_policy::pick_place::{Area, Cell, Picker, SceneNetwork};
use prehend_policy::{RuntimeOptions, is_offline};
use prehend_robot::{Jaw, Robot};
use prehend_sim::{FamilySet, Pilot, RolloutConfig, SceneConfig, World, rollout};
use prehend_types::config::locate;
use prehend_types::{
    GripperState, JointVelocities, Observation, PointCloud, Policy, RobotState, Stamp,
};

fn robot() -> Arc<Robot> {
    Arc::new(Robot::load(&locate("robots/fr3").expect("shipped")).expect("sound"))
}

fn picker(robot: &Arc<Robot>) -> Picker {
    let options = RuntimeOptions {
        allow_install: !is_offline(),
        ..RuntimeOptions::default()
    };
    let folder = locate("models/pick-place").expect("a shipped bundle");
    let network = SceneNetwork::load(&folder, &options).expect("a whole bundle");
    let jaw = Jaw::load(&locate("robots/grippers/franka_hand.toml").expect("shipped"));
    // As launch/clear_table.toml says.
    let cell = Cell {
        pick: Area {
            min_m: [0.22, -0.38],
            max_m: [0.72, 0.10],
        },
        place: Area {
            min_m: [0.30, 0.15],
            max_m: [0.62, 0.37],
        },
        cameras_m: vec![[0.95, 0.50, 0.70], [0.95, -0.50, 0.70]],
    };
    Picker::new(network, jaw.expect("sound"), Arc::clone(robot), cell)
}

#[test]
fn unseen_objects_go_into_the_tray() {
    let robot = robot();
    let mut picker = picker(&robot);
    let scene = SceneConfig::load(&locate("scenes/clear_table.toml").expect("shipped"));
    let scene = Arc::new(scene.expect("sound"));
    let mut n_cleared = 0;
    for seed in 850_000..850_003 {
        let mut world = World::new(&robot, &scene, seed, FamilySet::All).expect("a usable scene");
        picker.reset(seed);
        let config = RolloutConfig::default();
        let result = rollout(&mut world, Pilot::Policy(&mut picker), &config, &mut |_| {});
        n_cleared += usize::from(result.expect("runs").success);
    }
    let counts = picker.counts();
    assert!(n_cleared >= 1, "{counts:?}");
    assert!(counts.placed >= 5, "{counts:?}");
}

fn observation(robot: &Robot, points: Vec<[f32; 3]>) -> Observation {
    let roles = vec![prehend_types::Role::Other; points.len()];
    Observation {
        stamp: Stamp::ZERO,
        cloud: PointCloud {
            stamp: Stamp::ZERO,
            frame: "base".to_owned(),
            points,
            roles,
        },
        state: RobotState {
            stamp: Stamp::ZERO,
            q: *robot.home(),
            dq: JointVelocities::zeros(robot.n_joints()).expect("seven"),
            gripper: GripperState {
                width: 0.08,
                commanded: 1.0,
                is_grasping: false,
            },
        },
        base_from_tcp: robot.forward(robot.home()),
    }
}

#[test]
fn an_empty_table_is_left_alone_and_a_cloud_in_millimetres_refused() {
    let robot = robot();
    let mut picker = picker(&robot);
    let table: Vec<[f32; 3]> = (0..6400_u16)
        .map(|i| {
            [
                0.2 + 0.0075 * f32::from(i % 80),
                -0.4 + 0.01 * f32::from(i / 80),
                0.0,
            ]
        })
        .collect();
    picker.reset(1);
    for _ in 0..3 {
        let chunk = picker
            .act(&observation(&robot, table.clone()))
            .expect("holds still");
        let moves = chunk
            .actions()
            .iter()
            .map(|action| action.translation.norm());
        assert!(moves.fold(0.0, f64::max) < 1e-3);
    }
    assert_eq!(
        (picker.counts().grasps, picker.counts().looks > 0),
        (0, true)
    );
    let huge: Vec<[f32; 3]> = table.iter().map(|p| p.map(|v| 1000.0 * v)).collect();
    let refused = |picker: &mut Picker, points| {
        let answer = picker.act(&observation(&robot, points));
        answer.expect_err("no cloud of a table").to_string()
    };
    assert!(refused(&mut picker, huge).contains("millimetres"));
    assert!(refused(&mut picker, Vec::new()).contains("0 points"));
}
