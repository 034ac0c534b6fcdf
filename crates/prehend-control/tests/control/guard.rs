//! The arm keeps off itself, and its tool in the box.

use std::sync::Arc;
use std::time::Duration;

use prehend_control::trial::{ArmFindings, run_arm};
use prehend_control::{ControlConfig, Fence, JointBounds, LimitReason, Mode, joint_bounds};
use prehend_robot::Robot;
use prehend_types::{JointPlan, JointPositions, JointSpace, JointStep};

use crate::rig::{Rig, action, fr3};

fn towards(rig: &Rig, q: &[f64]) -> JointPlan {
    let step = JointStep {
        values: JointPositions::from_slice(q).expect("fits"),
        gripper: 1.0,
    };
    JointPlan::new(
        rig.now(),
        Duration::from_millis(200),
        JointSpace::Position,
        &[step; 8],
    )
    .expect("a plan")
}

/// Folded, the FR3's hand is inside its own shoulder.
const FOLDED: [f64; 7] = [0.0, 0.0, 0.0, -3.0, 0.0, 0.6, 0.8];

#[test]
fn an_arm_that_is_folded_onto_itself_stops_before_it_and_comes_away_again() {
    let robot = fr3();
    let config = ControlConfig {
        self_collision_margin_m: 0.01,
        min_tool_height_m: -1.0,
        ..ControlConfig::default()
    };
    let margin = config.self_collision_margin_m;
    let folded = JointPositions::from_slice(&FOLDED).expect("seven");
    assert!(
        robot.self_distance(&folded) < margin,
        "the plan does lead there"
    );
    let mut rig = Rig::armed(config);
    let mut nearest = f64::INFINITY;
    for k in 0..3_000 {
        if k % 500 == 0 {
            let plan = towards(&rig, &FOLDED);
            rig.controller
                .accept_joints(&plan, rig.now())
                .expect("armed");
        }
        nearest = nearest.min(robot.self_distance(&rig.tick().command.q_d));
    }
    assert!(nearest >= margin - 5e-4, "{nearest}");
    assert!(
        nearest < margin + 0.05,
        "it went as near as it may: {nearest}"
    );
    assert!(rig.controller.counters().get(LimitReason::SelfCollision) > 0);
    let home = robot.home().to_vec();
    for k in 0..3_000 {
        if k % 500 == 0 {
            let plan = towards(&rig, &home);
            rig.controller
                .accept_joints(&plan, rig.now())
                .expect("armed");
        }
        rig.tick();
    }
    let gap = |(q, home): (&f64, &f64)| (q - home).abs();
    let farthest = rig.state.q.iter().zip(&home).map(gap).fold(0.0, f64::max);
    assert!(farthest < 0.05, "{farthest}");
    rig.assert_clean();
}

#[test]
fn the_tool_stays_in_its_box() {
    let robot = fr3();
    let home = robot.forward(robot.home()).translation.vector;
    let fence = Fence {
        min_m: [home.x - 0.1, home.y - 0.1, home.z - 0.1],
        max_m: [home.x + 0.1, home.y + 0.05, home.z + 0.1],
    };
    let mut rig = Rig::armed(ControlConfig {
        fence: Some(fence),
        ..ControlConfig::default()
    });
    let mut deepest = f64::INFINITY;
    for k in 0..2_500_u64 {
        if k % 100 == 0 {
            // The tool points down: its y is the base's -y.
            let way = if k < 1_500 { 0.02 } else { -0.02 };
            let chunk = rig.chunk(&[action(0.0, way, 0.0); 8]);
            rig.controller.accept(&chunk, rig.now()).expect("armed");
        }
        let at = rig.tick().base_from_tcp_d.translation.vector;
        deepest = deepest.min(fence.depth(&at));
    }
    assert!((-5e-4..0.01).contains(&deepest), "{deepest}");
    assert!(rig.controller.counters().get(LimitReason::Workspace) > 0);
    let y = rig.controller.base_from_tcp_d().translation.vector.y;
    assert!(y > home.y + 0.04, "it went from one wall to the other: {y}");
    rig.assert_clean();
}

/// Under tighter limits a stop is longer: they wait until that stop, too, ends inside the box.
#[test]
fn limits_that_change_in_motion_do_not_lead_the_tool_out_of_its_box() {
    let robot = fr3();
    let home = robot.forward(robot.home()).translation.vector;
    let fence = Fence {
        min_m: [home.x - 0.3, home.y - 0.3, home.z - 0.3],
        max_m: [home.x + 0.3, home.y + 0.25, home.z + 0.3],
    };
    let bounds = joint_bounds(&robot).expect("valid");
    let bounds = &bounds[..robot.n_joints()];
    let tight: Vec<JointBounds> = (bounds.iter())
        .map(|bounds| JointBounds {
            max_acceleration: 0.1 * bounds.max_acceleration,
            max_jerk: 0.02 * bounds.max_jerk,
            envelope: None,
            ..*bounds
        })
        .collect();
    let (mut deepest, mut fastest, mut waited) = (f64::INFINITY, 0.0_f64, 0);
    for after in (100..260).step_by(7) {
        let mut rig = Rig::armed(ControlConfig {
            fence: Some(fence),
            ..ControlConfig::default()
        });
        for tick in 0..1_000 {
            if tick % 100 == 0 {
                // The tool points down: its y is the base's -y.
                let chunk = rig.chunk(&[action(0.0, -0.03, 0.0); 8]);
                rig.controller.accept(&chunk, rig.now()).expect("armed");
            }
            if tick == after {
                rig.controller.set_bounds(&tight).expect("valid");
                fastest = rig
                    .state
                    .dq
                    .iter()
                    .fold(fastest, |most, dq| most.max(dq.abs()));
            }
            let tick = rig.tick();
            waited += u64::from(tick.limited.contains(LimitReason::Workspace));
            deepest = deepest.min(fence.depth(&tick.base_from_tcp_d.translation.vector));
        }
        assert_eq!(rig.controller.mode(), Mode::Tracking);
        rig.assert_clean();
    }
    assert!(deepest > -5e-4, "{deepest} m");
    assert!(fastest > 0.5 && waited > 0, "{fastest} rad/s, {waited}");
}

#[test]
fn no_plan_leads_any_robot_into_itself_or_out_of_its_box() {
    let mut all = ArmFindings::default();
    for name in ["fr3", "panda", "ur5e", "xarm6", "xarm7", "so101"] {
        let folder = prehend_types::config::locate(format!("robots/{name}")).expect("it ships");
        let robot = Arc::new(Robot::load(&folder).expect("it loads"));
        for seed in 0..3 {
            let found = run_arm(&robot, seed, 2_000).expect("valid");
            let broken = [
                found.violations,
                found.too_near,
                found.outside,
                found.no_stop,
            ];
            assert_eq!(broken, [0; 4], "{name}, {seed}: {found:?}");
            all.add(&found);
        }
    }
    assert!(all.kept_apart > 0 && all.kept_inside > 0, "{all:?}");
}
