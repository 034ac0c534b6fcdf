//! Chunks from a loaded policy, through every engine there is.

use std::time::Duration;

use prehend_policy::{OnnxPolicy, measure_latency, observation_to_inputs};
use prehend_types::{Observation, Policy, PolicyError, stats::quantile};

use crate::fixture::{N_POINTS, Net, embedded, golden, load, observation, onnx_runtime};

fn policies() -> Vec<OnnxPolicy> {
    let (_written, bundle) = load(&Net::small());
    let runtimes = [Some(embedded()), onnx_runtime()];
    let make = |runtime| OnnxPolicy::from_bundle(&bundle, &runtime, 2).expect("loads");
    runtimes.into_iter().flatten().map(make).collect()
}

#[test]
fn a_chunk_starts_at_the_observation() {
    for mut policy in policies() {
        let seen = observation(5, 400);
        let chunk = policy.act(&seen).expect("is good");
        assert_eq!(chunk.start, seen.stamp);
        assert_eq!(chunk.dt, Duration::from_millis(50));
        assert_eq!((chunk.n_action_steps, chunk.actions().len()), (4, 8));
        assert!(
            chunk
                .actions()
                .iter()
                .all(|a| a.is_finite() && (0.0..=1.0).contains(&a.gripper))
        );
        assert_eq!(policy.name(), "fixture");
        // ONNX Runtime's own profile says so, node by node.
        let ran = policy.provider();
        assert!(
            ran.starts_with("embedded") || ran.contains(", CPUExecutionProvider ("),
            "{ran}"
        );
    }
}

#[test]
fn noise_is_fixed_within_an_episode_and_differs_between_seeds() {
    for mut policy in policies() {
        let seen = observation(5, 400);
        let mut act = |seed: Option<u64>| {
            if let Some(seed) = seed {
                policy.reset(seed);
            }
            policy.act(&seen).expect("is good")
        };
        let first = act(Some(1));
        assert_eq!(first, act(None), "same episode, same noise");
        assert_ne!(first, act(Some(2)));
        assert_eq!(first, act(Some(1)), "same seed, same bits");
    }
}

#[test]
fn engines_agree_with_each_other_and_with_plain_arithmetic() {
    let net = Net::small();
    let mut policies = policies();
    for case in golden(&net, 20).cases {
        for policy in &mut policies {
            let name = policy.provider().to_owned();
            let got = policy.infer(&case.inputs(), &case.noise).expect("is good");
            let difference = case.difference(got);
            assert!(difference <= 1e-5, "{name}: {difference:e}");
        }
    }
}

/// An engine that makes the calling thread flush subnormal numbers to zero changes whatever else runs
/// there: episodes then depend on which thread loaded the policy.
#[test]
fn arithmetic_of_the_calling_thread_stays_as_it_was() {
    for mut policy in policies() {
        policy.act(&observation(5, 400)).expect("is good");
        let half = std::hint::black_box(f32::MIN_POSITIVE) * std::hint::black_box(0.5);
        assert!(half > 0.0, "{}", policy.provider());
    }
}

#[test]
fn an_output_that_is_not_finite_is_refused() {
    for mut policy in policies() {
        let mut seen = observation(5, 400);
        seen.state.gripper.width = 0.0;
        let error = policy.act(&seen).expect_err("ln 0 is in there");
        assert!(
            matches!(error, PolicyError::NonFinite { index: 0 }),
            "{error}"
        );
        policy
            .act(&observation(5, 400))
            .expect("the next one is good again");
    }
}

#[test]
fn long_actions_are_shortened_and_absurd_ones_refused() {
    for mut policy in policies() {
        let mut seen = observation(5, 400);
        seen.state.gripper.commanded = 1.3;
        let chunk = policy.act(&seen).expect("0.3 m is shortened");
        for action in chunk.actions() {
            assert!((action.translation.norm() - 0.06).abs() < 1e-9);
            assert!((action.rotation.norm() - 0.4).abs() < 1e-9);
        }
        assert_eq!(policy.n_clamped(), 8);
        seen.state.gripper.commanded = 5.0;
        let error = policy.act(&seen).expect_err("4 m in 50 ms");
        assert!(
            error.to_string().contains("the bundle's bound is 0.06 m"),
            "{error}"
        );
    }
}

#[test]
fn lengths_that_do_not_fit_are_errors() {
    for mut policy in policies() {
        let inputs = observation_to_inputs(&observation(5, 400), N_POINTS - 1).expect("is good");
        policy
            .infer(&inputs, &[0.0; 56])
            .expect_err("one point short");
        let inputs = observation_to_inputs(&observation(5, 400), N_POINTS).expect("is good");
        policy
            .infer(&inputs, &[0.0; 55])
            .expect_err("one number of noise short");
    }
}

#[test]
fn latencies_are_sorted_and_counted() {
    for mut policy in policies() {
        let seen: Vec<Observation> = (0..3).map(|seed| observation(seed, 400)).collect();
        let times_ms = measure_latency(&mut policy, &seen, 20).expect("runs");
        assert_eq!(times_ms.len(), 20);
        assert!(times_ms.is_sorted() && times_ms[0] > 0.0);
    }
}

/// `cargo test --release -p prehend-policy -- --ignored --nocapture latency_of_a_real_size`
#[test]
#[ignore = "a measurement of the shipped policy's size: run with --ignored --nocapture"]
fn latency_of_a_real_size() {
    let (_written, bundle) = load(&Net::new(&[64, 128, 256], &[512, 512, 512]));
    let seen: Vec<Observation> = (0..16).map(|seed| observation(seed, 512)).collect();
    for (runtime, n) in [(onnx_runtime(), 5000), (Some(embedded()), 500)] {
        let Some(runtime) = runtime else { continue };
        let mut policy = OnnxPolicy::from_bundle(&bundle, &runtime, 50).expect("loads");
        let times_ms = measure_latency(&mut policy, &seen, n).expect("runs");
        let at = |q| quantile(&times_ms, q).expect("not empty");
        eprintln!(
            "{}: n {n}, p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms",
            policy.provider(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}

/// `cargo test --release -p prehend-policy -- --ignored --nocapture a_thousand_loads`
#[test]
#[ignore = "minutes long: run with --ignored --nocapture"]
fn a_thousand_loads_leave_no_memory_behind() {
    let resident_mb = || {
        let text = std::fs::read_to_string("/proc/self/statm").expect("linux");
        let pages: f64 = text
            .split(' ')
            .nth(1)
            .and_then(|n| n.parse().ok())
            .expect("a number");
        pages * 4096.0 / 1e6
    };
    let (_written, bundle) = load(&Net::new(&[64, 128, 256], &[512, 512, 512]));
    for (runtime, n) in [(onnx_runtime(), 1000), (Some(embedded()), 100)] {
        let Some(runtime) = runtime else { continue };
        let load = || OnnxPolicy::from_bundle(&bundle, &runtime, 1).expect("loads");
        // Pools and arenas fill first.
        (0..n / 10).for_each(|_| drop(load()));
        let before = resident_mb();
        (0..n).for_each(|_| drop(load()));
        let grown = resident_mb() - before;
        eprintln!(
            "{}: {n} loads, resident {before:.1} MB, {grown:+.1} MB",
            load().provider()
        );
        assert!(grown < 5.0, "{grown} MB");
    }
}
