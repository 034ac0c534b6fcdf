//! Plans are followed, blended, anchored, and held when they end.

use std::time::Duration;

use nalgebra::Vector3;
use prehend_control::{ChunkError, ControlConfig, LimitReason, Mode};
use prehend_types::{Action, Stamp};

use crate::rig::{Rig, action, chunk};

/// 10 cm in 0.5 s.
const STRAIGHT: [Action; 10] = {
    let step = Action {
        translation: Vector3::new(0.01, 0.0, 0.0),
        rotation: Vector3::new(0.0, 0.0, 0.0),
        gripper: 1.0,
    };
    [step; 10]
};

#[test]
fn a_straight_motion_is_followed_closely_and_ends_exactly() {
    for rate_hz in [200.0, 500.0, 1000.0] {
        let mut rig = Rig::armed(ControlConfig {
            rate_hz,
            ..ControlConfig::default()
        });
        let start = *rig.controller.base_from_tcp_d();
        let begin = rig.now();
        rig.controller
            .accept(&rig.chunk(&STRAIGHT), rig.now())
            .expect("accepted");
        let mut middle_error = f64::NAN;
        let mut aside = 0.0_f64;
        while rig.now().seconds_since(begin) < 0.9 {
            let tick = rig.tick();
            let moved = start.inv_mul(&tick.base_from_tcp_d).translation.vector;
            aside = aside.max(moved.yz().norm());
            let t = rig.now().seconds_since(begin);
            if (t - 0.25).abs() < 1e-6 {
                middle_error = (moved.x - 0.2 * t).abs();
                assert_eq!(tick.mode, Mode::Tracking);
            }
            assert!(moved.x < 0.1005, "no overshoot: {moved}");
        }
        let moved = start.inv_mul(rig.controller.base_from_tcp_d());
        assert!(
            middle_error < 0.005,
            "{rate_hz} Hz: {middle_error} m mid-way"
        );
        assert!((moved.translation.vector.x - 0.1).abs() < 5e-4, "{moved}");
        assert!(moved.rotation.angle() < 2e-3, "{moved}");
        assert!(aside < 2e-3, "{rate_hz} Hz: {aside} m aside");
        assert_eq!(rig.controller.mode(), Mode::Holding);
        rig.assert_clean();
    }
}

#[test]
fn underrun_decelerates_holds_and_does_not_repeat() {
    let mut rig = Rig::armed(ControlConfig::default());
    rig.controller
        .accept(&rig.chunk(&STRAIGHT[..4]), rig.now())
        .expect("accepted");
    for _ in 0..500 {
        rig.tick();
    }
    assert_eq!(rig.controller.mode(), Mode::Holding);
    assert_eq!(rig.controller.counters().get(LimitReason::Underrun), 1);
    let pose = *rig.controller.base_from_tcp_d();
    for _ in 0..2500 {
        rig.tick();
    }
    let drift = pose.inv_mul(rig.controller.base_from_tcp_d());
    assert!(drift.translation.vector.norm() < 1e-5, "{drift}");
    assert!(
        rig.state.dq.iter().all(|dq| dq.abs() < 1e-6),
        "{:?}",
        rig.state.dq
    );
    rig.assert_clean();
}

#[test]
fn late_actions_are_dropped_and_counted() {
    let mut rig = Rig::armed(ControlConfig::default());
    let start = *rig.controller.base_from_tcp_d();
    let chunk = rig.chunk(&STRAIGHT);
    rig.skip(Duration::from_millis(130));
    let report = rig.controller.accept(&chunk, rig.now()).expect("accepted");
    assert_eq!(report.dropped, 2);
    assert_eq!(rig.controller.counters().get(LimitReason::LateAction), 2);
    for _ in 0..500 {
        rig.tick();
    }
    // Anchored at the commanded pose at the chunk's start: late, but it ends at the same place.
    let moved = start.inv_mul(rig.controller.base_from_tcp_d());
    assert!((moved.translation.vector.x - 0.1).abs() < 5e-4, "{moved}");
    rig.assert_clean();

    let chunk = rig.chunk(&STRAIGHT[..2]);
    rig.skip(Duration::from_millis(200));
    assert_eq!(
        rig.controller.accept(&chunk, rig.now()),
        Err(ChunkError::Expired { dropped: 2 })
    );
}

#[test]
fn a_new_chunk_takes_over_without_a_step() {
    let mut rig = Rig::armed(ControlConfig::default());
    rig.controller
        .accept(&rig.chunk(&STRAIGHT), rig.now())
        .expect("accepted");
    for _ in 0..100 {
        rig.tick();
    }
    let seen = rig.now();
    let before = rig.tick().base_from_tcp_d;
    for _ in 0..20 {
        rig.tick();
    }
    // From what was seen 42 ms ago the policy now wants to go sideways.
    let sideways = chunk(seen, &[action(0.0, 0.01, 0.0); 8]);
    let report = rig
        .controller
        .accept(&sideways, rig.now())
        .expect("accepted");
    assert!(report.seam_m > 0.005, "the plans do differ: {report:?}");
    assert!((report.age_s - 0.042).abs() < 1e-9, "{report:?}");
    let mut last = *rig.controller.base_from_tcp_d();
    let mut speed = 0.2;
    let mut acceleration = 0.0_f64;
    for _ in 0..300 {
        let pose = rig.tick().base_from_tcp_d;
        let next = (pose.translation.vector - last.translation.vector).norm() / 0.002;
        acceleration = acceleration.max((next - speed).abs() / 0.002);
        speed = next;
        last = pose;
    }
    assert!(acceleration < 12.0, "peak {acceleration} m/s²");
    let moved = before.inv_mul(&last).translation.vector;
    assert!(
        (moved - Vector3::new(0.0, 0.08, 0.0)).norm() < 2e-3,
        "{moved}"
    );
    rig.assert_clean();
}

#[test]
fn older_chunks_and_those_from_the_future_are_refused() {
    let mut rig = Rig::armed(ControlConfig::default());
    let old = rig.chunk(&STRAIGHT);
    rig.tick();
    let new = rig.chunk(&STRAIGHT);
    rig.controller.accept(&new, rig.now()).expect("accepted");
    assert!(matches!(
        rig.controller.accept(&old, rig.now()),
        Err(ChunkError::OutOfOrder { .. })
    ));
    let future = chunk(rig.now().after(Duration::from_secs(10)), &STRAIGHT);
    assert!(matches!(
        rig.controller.accept(&future, rig.now()),
        Err(ChunkError::FromFuture { .. })
    ));
    assert!(matches!(
        rig.controller
            .accept(&chunk(Stamp::ZERO, &STRAIGHT), rig.now()),
        Err(ChunkError::TooOld { .. })
    ));
    assert_eq!(rig.controller.counters().get(LimitReason::RefusedChunk), 3);
}

#[test]
fn the_plan_does_not_wind_up_against_a_limit() {
    let mut rig = Rig::armed(ControlConfig::default());
    // Out of reach: 0.4 m/s forward for 6 s.
    for _ in 0..30 {
        rig.controller
            .accept(&rig.chunk(&[action(0.02, 0.0, 0.0); 8]), rig.now())
            .expect("accepted");
        for _ in 0..100 {
            rig.tick();
        }
    }
    let stuck = *rig.controller.base_from_tcp_d();
    // Back: it must move at once, not first undo what could not be done.
    rig.controller
        .accept(&rig.chunk(&[action(-0.01, 0.0, 0.0); 8]), rig.now())
        .expect("accepted");
    for _ in 0..150 {
        rig.tick();
    }
    let moved = stuck.inv_mul(rig.controller.base_from_tcp_d());
    // From a stretched elbow, joint speed bounds how fast that is.
    assert!(moved.translation.vector.x < -0.01, "{moved}");
    assert!(moved.translation.vector.yz().norm() < 0.005, "{moved}");
    rig.assert_clean();
}

#[test]
fn a_missed_tick_is_skipped_and_caught_up_with_inside_the_limits() {
    let mut rig = Rig::armed(ControlConfig::default());
    let start = *rig.controller.base_from_tcp_d();
    rig.controller
        .accept(&rig.chunk(&STRAIGHT), rig.now())
        .expect("accepted");
    for k in 0..500 {
        if k == 60 {
            rig.skip(Duration::from_millis(20));
        }
        rig.tick();
    }
    let moved = start.inv_mul(rig.controller.base_from_tcp_d());
    assert!((moved.translation.vector.x - 0.1).abs() < 5e-4, "{moved}");
    rig.assert_clean();
}

#[test]
fn the_tool_never_goes_below_the_floor() {
    let mut rig = Rig::armed(ControlConfig {
        min_tool_height_m: 0.40,
        ..ControlConfig::default()
    });
    // Home holds the tool 0.487 m high, pointing down: its own z leads to the floor.
    let dive = Action {
        translation: Vector3::new(0.0, 0.0, 0.02),
        ..Action::hold(1.0)
    };
    let mut lowest = f64::INFINITY;
    for _ in 0..20 {
        rig.controller
            .accept(&rig.chunk(&[dive; 8]), rig.now())
            .expect("accepted");
        for _ in 0..100 {
            lowest = lowest.min(rig.tick().base_from_tcp_d.translation.z);
        }
    }
    assert!((0.397..0.405).contains(&lowest), "{lowest} m");
    assert!(rig.controller.counters().get(LimitReason::Floor) > 0);
    rig.assert_clean();
}
