//! Plans in joint space: they arrive, agree with each other, mix with tool plans, and keep every limit.

use std::time::Duration;

use prehend_control::{ChunkError, ControlConfig, LimitReason, Mode};
use prehend_types::{JointPlan, JointPositions, JointSpace, JointStep, Stamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::rig::{Rig, action, fr3};

const STEP: Duration = Duration::from_millis(50);

fn step(values: [f64; 7]) -> JointStep {
    JointStep {
        values: JointPositions::from_slice(&values).expect("seven"),
        gripper: 1.0,
    }
}

fn plan(start: Stamp, space: JointSpace, steps: &[JointStep]) -> JointPlan {
    JointPlan::new(start, STEP, space, steps).expect("a plan")
}

/// Eight even steps that move every joint by `way`, in each of the spaces.
fn ways(rig: &Rig, way: [f64; 7]) -> [JointPlan; 3] {
    let q = rig.state.q;
    let at = |k: usize| std::array::from_fn(|i| q[i] + way[i] * (k + 1) as f64 / 8.0);
    let positions: Vec<JointStep> = (0..8).map(|k| step(at(k))).collect();
    let delta = step(way.map(|way| way / 8.0));
    let velocity = step(way.map(|way| way / 0.4));
    [
        plan(rig.now(), JointSpace::Position, &positions),
        plan(rig.now(), JointSpace::Delta, &[delta; 8]),
        plan(rig.now(), JointSpace::Velocity, &[velocity; 8]),
    ]
}

#[test]
fn all_spaces_arrive_at_the_same_place_and_stay() {
    let way = [0.10, -0.06, 0.08, 0.05, -0.12, 0.07, 0.15];
    let mut ends = Vec::new();
    for space in 0..3 {
        let mut rig = Rig::armed(ControlConfig::default());
        let from = rig.state.q;
        let plan = ways(&rig, way)[space].clone();
        rig.controller
            .accept_joints(&plan, rig.now())
            .expect("accepted");
        for _ in 0..600 {
            rig.tick();
        }
        assert_eq!(rig.controller.mode(), Mode::Holding);
        for (i, way) in way.iter().enumerate() {
            let error = rig.state.q[i] - from[i] - way;
            assert!(error.abs() < 1e-4, "space {space}, joint {i}: {error}");
        }
        rig.assert_clean();
        ends.push(rig.state.q);
    }
    for end in &ends[1..] {
        let apart = end.iter().zip(ends[0].iter()).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f64::max) < 1e-9);
    }
}

#[test]
fn a_plan_that_nobody_renews_ends_without_overshoot() {
    let mut rig = Rig::armed(ControlConfig::default());
    let from = rig.state.q[0];
    let fast = step([0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let plan = plan(rig.now(), JointSpace::Velocity, &[fast; 6]);
    rig.controller
        .accept_joints(&plan, rig.now())
        .expect("accepted");
    let mut farthest = 0.0_f64;
    for _ in 0..2_000 {
        rig.tick();
        farthest = farthest.max(rig.state.q[0] - from);
    }
    assert!((rig.state.q[0] - from - 0.15).abs() < 1e-4);
    assert!(farthest < 0.15 + 2e-3, "{farthest}");
    assert!(rig.controller.is_at_rest());
}

#[test]
fn what_makes_no_sense_is_refused_and_the_plan_before_goes_on() {
    let mut rig = Rig::armed(ControlConfig::default());
    let now = rig.now();
    let still = step([0.0; 7]);
    let short = JointStep {
        values: JointPositions::from_slice(&[0.0; 6]).expect("six"),
        gripper: 1.0,
    };
    let mut nan = still;
    nan.values[3] = f64::NAN;
    let degrees = step([0.0, 180.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let controller = &mut rig.controller;
    let mut accept = |plan: &JointPlan| controller.accept_joints(plan, now);
    let delta = |steps: &[JointStep]| plan(now, JointSpace::Delta, steps);
    assert!(accept(&delta(&[still; 4])).is_ok());
    assert_eq!(accept(&delta(&[])), Err(ChunkError::Empty));
    assert_eq!(
        accept(&delta(&[short])),
        Err(ChunkError::JointCount {
            got: 6,
            expected: 7
        })
    );
    assert_eq!(
        accept(&delta(&[still, nan])),
        Err(ChunkError::NonFinite { index: 1 })
    );
    assert_eq!(
        accept(&delta(&[degrees])),
        Err(ChunkError::ImplausibleJoint { index: 0 })
    );
    let mut long = delta(&[still]);
    long.dt = Duration::from_secs(9);
    assert!(matches!(accept(&long), Err(ChunkError::Duration { .. })));
    let mut old = delta(&[still; 16]);
    old.start = Stamp::from_nanos(now.as_nanos() - 300_000_000);
    assert!(matches!(accept(&old), Err(ChunkError::OutOfOrder { .. })));
    assert_eq!(rig.controller.mode(), Mode::Tracking);
    let refused = rig.controller.counters().get(LimitReason::RefusedChunk);
    assert_eq!(refused, 6);
}

#[test]
fn a_tool_plan_and_joint_plans_follow_each_other_in_mid_motion() {
    let mut rig = Rig::armed(ControlConfig::default());
    let mut fastest = 0.0_f64;
    for k in 0..4000 {
        match k % 400 {
            0 => {
                let chunk = rig.chunk(&[action(0.012, 0.006, -0.004); 8]);
                rig.controller.accept(&chunk, rig.now()).expect("accepted");
            }
            100 => {
                let way = [0.1, -0.05, 0.0, 0.05, 0.0, -0.1, 0.2];
                let plan = ways(&rig, way)[1].clone();
                rig.controller
                    .accept_joints(&plan, rig.now())
                    .expect("accepted");
            }
            200 => {
                let chunk = rig.chunk(&[action(-0.012, -0.006, 0.004); 8]);
                rig.controller.accept(&chunk, rig.now()).expect("accepted");
            }
            300 => {
                let home = *fr3().home();
                let back = plan(
                    rig.now(),
                    JointSpace::Position,
                    &[JointStep {
                        values: home,
                        gripper: 0.0,
                    }; 8],
                );
                rig.controller
                    .accept_joints(&back, rig.now())
                    .expect("accepted");
            }
            _ => {}
        }
        let tick = rig.tick();
        fastest = tick
            .command
            .dq_d
            .iter()
            .fold(fastest, |a, b| a.max(b.abs()));
    }
    assert!(fastest > 0.2, "it does move: {fastest}");
    rig.assert_clean();
}

#[test]
fn a_storm_of_joint_plans_breaks_no_limit_and_never_goes_below_the_floor() {
    let config = ControlConfig::default();
    for seed in 0..4 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut rig = Rig::armed(config);
        let mut lowest = f64::INFINITY;
        for k in 0..20_000 {
            if k % 37 == 0 {
                let scale = [0.05, 0.5, 20.0][rng.random_range(0..3)];
                let space = [
                    JointSpace::Position,
                    JointSpace::Delta,
                    JointSpace::Velocity,
                ][rng.random_range(0..3)];
                let steps: Vec<JointStep> = (0..rng.random_range(1..=16))
                    .map(|_| step(std::array::from_fn(|_| scale * rng.random_range(-1.0..1.0))))
                    .collect();
                let plan = plan(rig.now(), space, &steps);
                let _ = rig.controller.accept_joints(&plan, rig.now());
            }
            lowest = lowest.min(rig.tick().base_from_tcp_d.translation.z);
        }
        rig.assert_clean();
        // Braking takes its way: joints stop later than the tool is asked to.
        assert!(
            lowest > config.min_tool_height_m - 0.03,
            "seed {seed}: {lowest}"
        );
    }
}

#[test]
fn the_tool_is_never_faster_than_its_cap() {
    let config = ControlConfig {
        max_tcp_speed_m_per_s: 0.1,
        ..ControlConfig::default()
    };
    let mut rig = Rig::armed(config);
    let fast = step([1.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let plan = plan(rig.now(), JointSpace::Velocity, &[fast; 16]);
    rig.controller
        .accept_joints(&plan, rig.now())
        .expect("accepted");
    let mut before = *rig.controller.base_from_tcp_d();
    let mut fastest = 0.0_f64;
    for _ in 0..400 {
        let now = rig.tick().base_from_tcp_d;
        let way = now.translation.vector - before.translation.vector;
        fastest = fastest.max(way.norm() / config.dt_s());
        before = now;
    }
    assert!(fastest > 0.09 && fastest < 0.103, "{fastest}");
    assert!(rig.controller.counters().get(LimitReason::TcpSpeed) > 0);
}
