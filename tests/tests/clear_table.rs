//! The pick-and-place policy clears tables of objects that it has never seen, with the arm, from clouds alone.

use std::path::Path;
use std::sync::Arc;

use prehend_robot::Robot;
use prehend_runtime::LaunchFile;
use prehend_sim::{FamilySet, Pilot, RolloutConfig, SceneConfig, World, rollout};
use prehend_types::config::locate;
use prehend_types::{
    GripperState, JointVelocities, Observation, PointCloud, Policy, RobotState, Stamp,
};

/// What launch/clear_table.toml says.
fn launched() -> (Arc<Robot>, Box<dyn Policy>) {
    let launch = LaunchFile::load(Path::new("launch/clear_table.toml")).expect("shipped");
    let robot = launch.load_robot().expect("shipped");
    let policy = launch.load_policy(&robot).expect("shipped").policy;
    (robot, policy)
}

#[test]
fn unseen_objects_go_into_the_tray() {
    let (robot, mut picker) = launched();
    let scene = SceneConfig::load(&locate("scenes/clear_table.toml").expect("shipped"));
    let scene = Arc::new(scene.expect("sound"));
    let (mut n_cleared, mut n_placed) = (0, 0);
    for seed in 850_000..850_003 {
        let mut world = World::new(&robot, &scene, seed, FamilySet::All).expect("a usable scene");
        picker.reset(seed);
        let config = RolloutConfig::default();
        let result = rollout(
            &mut world,
            Pilot::Policy(picker.as_mut()),
            &config,
            &mut |_| {},
        );
        n_cleared += usize::from(result.expect("runs").success);
        n_placed += picker.tally().get("placed").copied().unwrap_or(0);
    }
    assert!(n_cleared >= 1, "{n_placed} placed");
    assert!(n_placed >= 5, "{n_placed} placed");
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
        committed: prehend_types::Actions::new(),
    }
}

#[test]
fn an_empty_table_is_left_alone_and_a_cloud_in_millimetres_refused() {
    let (robot, mut picker) = launched();
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
    let tally = picker.tally();
    assert!(tally["looks"] > 0 && !tally.contains_key("grasps"));
    let huge: Vec<[f32; 3]> = table.iter().map(|p| p.map(|v| 1000.0 * v)).collect();
    let refused = |picker: &mut dyn Policy, points| {
        let answer = picker.act(&observation(&robot, points));
        answer.expect_err("no cloud of a table").to_string()
    };
    assert!(refused(picker.as_mut(), huge).contains("millimetres"));
    assert!(refused(picker.as_mut(), Vec::new()).contains("0 points"));
}
