//! The policy as a whole, without a world.

use prehend_types::GripperState;
use prehend_types::config::locate;

use super::way::tests::at;
use super::*;
use crate::{EngineChoice, RuntimeOptions};

fn picker() -> Picker {
    let shipped = |path: &str| locate(path).expect("shipped");
    let options = RuntimeOptions {
        engine: EngineChoice::Embedded,
        ..RuntimeOptions::default()
    };
    let network = SceneNetwork::load(&shipped("models/pick-place"), &options);
    let jaw = Jaw::load(&shipped("robots/grippers/franka_hand.toml"));
    let robot = Robot::load(&shipped("robots/fr3")).expect("sound");
    let area = |min_m, max_m| Area { min_m, max_m };
    let cell = Cell {
        pick: area([0.22, -0.38], [0.72, 0.1]),
        place: area([0.3, 0.15], [0.62, 0.37]),
        astray: None,
        cameras_m: vec![[0.95, 0.5, 0.7]],
    };
    Picker::new(
        network.expect("sound"),
        jaw.expect("sound"),
        Arc::new(robot),
        cell,
    )
}

/// The arm stands still beside its home and holds something.
fn holding(robot: &Robot, millis: u64) -> Observation {
    let mut now = at(0.0, millis);
    now.state.q = *robot.home();
    now.state.q[0] += 0.8;
    now.base_from_tcp = robot.forward(&now.state.q);
    now.state.gripper = GripperState {
        width: 0.03,
        commanded: 0.0,
        is_grasping: true,
    };
    now
}

#[test]
fn a_hand_that_is_stuck_does_not_let_go_in_the_air() {
    let mut picker = picker();
    let robot = Arc::clone(&picker.robot);
    let lower = Phase::Lower {
        opening: 0.6,
        is_place: true,
    };
    let now = holding(&robot, 0);
    let down = raised(&now.base_from_tcp, -0.3);
    picker.begin(lower, [Waypoint::careful(down, 0.0)], &now);
    let mut opened = None;
    for step in 0..40 {
        let chunk = picker.act(&holding(&robot, 100 * step)).expect("acts");
        let is_open = chunk.actions().iter().any(|action| action.gripper > 0.0);
        if is_open && opened.is_none() {
            opened = Some(picker.tally());
        }
    }
    // It has nowhere else to go: after two tries it gives up, having placed nothing.
    let tally = opened.expect("it ends");
    assert_eq!(tally.get("stuck"), Some(&u64::from(MOST_STUCK)));
    assert_eq!(tally.get("misses"), Some(&1));
    assert_eq!(tally.get("placed"), None);
}
