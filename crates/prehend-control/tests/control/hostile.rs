//! Whatever comes in, what goes out obeys every limit.

use nalgebra::Vector3;
use prehend_control::{ControlConfig, Mode};
use prehend_types::{Action, ActionChunk, Stamp};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::rig::{Rig, fr3, state_at};

const ODD: [f64; 10] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    1e30,
    -1e300,
    f64::MIN_POSITIVE / 4.0,
    -0.0,
    i32::MIN as f64,
    0.999,
    -3.1,
];

fn number(rng: &mut ChaCha8Rng, scale: f64, odd_share: f64) -> f64 {
    if rng.random_bool(odd_share) {
        ODD[rng.random_range(0..ODD.len())]
    } else {
        scale * rng.random_range(-1.0..1.0)
    }
}

fn action(rng: &mut ChaCha8Rng, scale: f64, odd_share: f64) -> Action {
    let mut vector = |scale| {
        Vector3::new(
            number(rng, scale, odd_share),
            number(rng, scale, odd_share),
            number(rng, scale, odd_share),
        )
    };
    Action {
        translation: vector(scale),
        rotation: vector(4.0 * scale),
        gripper: number(rng, 2.0, odd_share),
    }
}

fn chunk(rng: &mut ChaCha8Rng, now: Stamp, scale: f64, odd_share: f64) -> ActionChunk {
    let n = rng.random_range(0..=16);
    let actions: Vec<Action> = match rng.random_range(0..3) {
        // Noise, a square wave, one direction for long.
        0 => (0..n).map(|_| action(rng, scale, odd_share)).collect(),
        1 => {
            let mut one = action(rng, scale, odd_share);
            (0..n)
                .map(|_| {
                    one.translation = -one.translation;
                    one.rotation = -one.rotation;
                    one
                })
                .collect()
        }
        _ => vec![action(rng, scale, odd_share); n],
    };
    let start = match rng.random_range(0..20) {
        0 => Stamp::from_nanos(rng.random()),
        1 => now.after(Duration::from_millis(rng.random_range(0..150))),
        _ => Stamp::from_nanos(now.as_nanos() - rng.random_range(0..400_000_000)),
    };
    let dt = match rng.random_range(0..20) {
        0 => Duration::from_nanos(rng.random_range(0..3_000_000)),
        _ => Duration::from_millis(50),
    };
    ActionChunk::new(start, dt, 4, &actions).expect("at most 16")
}

/// Ticks an arm through a storm and lets the wire checker judge.
fn storm(seed: u64, rate_hz: f64, scale: f64, odd_share: f64, ticks: u32) -> (u64, f64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let robot = fr3();
    let mut q = *robot.home();
    for (joint_idx, q) in q.iter_mut().enumerate() {
        let limits = robot.limits();
        *q = rng.random_range(limits.q_min[joint_idx]..limits.q_max[joint_idx]);
    }
    let config = ControlConfig {
        rate_hz,
        // Let joint limits, not the tool's, do the work.
        max_tcp_speed_m_per_s: 3.0,
        max_tcp_angular_speed_rad_per_s: 10.0,
        max_lag_m: 0.5,
        max_lag_rad: 1.5,
        max_bad_chunks: 20,
        // Storms begin anywhere, also inside themselves.
        self_collision_margin_m: -1.0,
        pose_gain_per_s: 40.0,
        null_space_gain_per_s: rng.random_range(0.0..10.0),
        blend_s: if rng.random() { 0.0 } else { 0.1 },
        time_to_hold_s: if rng.random() { 0.0 } else { 0.2 },
        ..ControlConfig::default()
    };
    let mut rig = Rig::armed_at(robot, q, config);
    for _ in 0..ticks {
        if rng.random_bool(0.02) {
            let chunk = chunk(&mut rng, rig.now(), scale, odd_share);
            let _ = rig.controller.accept(&chunk, rig.now());
        }
        if rng.random_bool(odd_share * 0.05) {
            rig.skip(Duration::from_micros(rng.random_range(0..100_000)));
        }
        if rng.random_bool(odd_share * 0.01) {
            rig.controller.soft_stop();
        }
        if rig.controller.mode() == Mode::Stopped && rng.random_bool(0.1) {
            rig.epoch += 1;
            rig.controller.arm(&rig.state).expect("at rest");
        }
        if rng.random_bool(odd_share) {
            rig.skip(Duration::from_secs_f64(config.dt_s()));
            let mut state = state_at(rig.state.q, Stamp::from_nanos(rng.random()));
            state.q[rng.random_range(0..7)] = number(&mut rng, 4.0, 0.5);
            state.dq[rng.random_range(0..7)] = number(&mut rng, 4.0, 0.5);
            if rng.random() {
                state.stamp = rig.now();
            }
            rig.tick_with(&state);
        } else {
            rig.tick();
        }
    }
    rig.assert_clean();
    let report = rig.wire.report();
    assert_eq!(report.out_of_order + report.missing, 0);
    (report.commands, report.worst_share[0])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_storm_of_chunks_and_states_breaks_a_limit(
        seed: u64,
        rate_hz in prop::sample::select(vec![200.0, 500.0, 1000.0, 333.3]),
        scale in 0.001_f64..0.3,
        odd_share in prop::sample::select(vec![0.0, 0.0, 0.001, 0.02]),
    ) {
        storm(seed, rate_hz, scale, odd_share, 10_000);
    }
}

/// Storms without odd numbers, which spend their time at the limits, on all cores.
fn long_storm(storms: u64, ticks: u32) {
    let next = AtomicU64::new(0);
    let results = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= storms {
                        return;
                    }
                    let result = storm(seed, 500.0, 0.12, 0.0, ticks);
                    results.lock().expect("no panic").push(result);
                }
            });
        }
    });
    let results = results.into_inner().expect("no panic");
    let commands: u64 = results.iter().map(|(commands, _)| commands).sum();
    let fastest = results.iter().map(|(_, share)| *share).fold(0.0, f64::max);
    assert_eq!(commands, storms * u64::from(ticks));
    assert!(fastest > 0.95, "the storm does reach the limits: {fastest}");
}

#[test]
fn a_million_ticks_at_the_limits_break_none() {
    long_storm(20, 50_000);
}

#[test]
#[ignore = "takes minutes: run with --ignored after a change to the limiter"]
fn ten_million_ticks_at_the_limits_break_none() {
    long_storm(200, 50_000);
}
