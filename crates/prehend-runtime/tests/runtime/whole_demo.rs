//! All nodes in one process around the simulated cell, until the user stops them.

use std::path::Path;
use std::time::{Duration, Instant};

use prehend_control::rt::RealtimeConfig;
use prehend_runtime::{DemoConfig, LaunchFile, NamedPolicy, Stop, demo};
use prehend_sim::DepthHeuristic;

#[test]
fn a_demo_comes_alive_moves_the_arm_within_limits_and_stops_when_asked() {
    let file = prehend_types::config::locate("launch/demo.toml").expect("exists");
    let mut launch = LaunchFile::load(Path::new(&file)).expect("valid");
    // Tests take no priority over others, and may run on a machine that is busy.
    launch.control.realtime = RealtimeConfig {
        fifo_priority: 0,
        lock_memory: false,
        pin_core: None,
    };
    launch.control.valid_for_millis = 200;
    launch.operator.episodes = 2;
    let policy = NamedPolicy {
        policy: Box::new(DepthHeuristic::default()),
        provider: "test".to_owned(),
    };
    let config = DemoConfig {
        policy: Some(policy),
        floor: true,
        ..DemoConfig::new(launch)
    };
    let stop = Stop::default();
    let mut started: Option<Instant> = None;
    let report = demo(config, &stop, &mut |progress| {
        if progress.operator.elapsed_s > 0.0 && progress.policy.chunks > 3 {
            let started = started.get_or_insert_with(Instant::now);
            if started.elapsed() > Duration::from_secs(1) {
                stop.set();
            }
        }
    })
    .expect("runs");
    assert!(report.interrupted && report.episodes.is_empty());
    assert_eq!((report.rate.n, report.rate.success_rate), (0, None));
    assert!(report.policy_node.chunks > 3 && report.control_node.chunks_accepted > 0);
    assert!(report.control_loop.ticks > 500 && report.control_loop.floor_us.is_some());
    assert!(
        report.control_node.armed >= 2,
        "the rehearsal and the first episode"
    );
    let wire = &report.wire;
    assert!(wire.applied > 100, "{wire:?}");
    assert_eq!(
        (
            wire.limit_violations,
            wire.non_finite,
            wire.expired_executed
        ),
        (0, 0, 0)
    );
    let json = serde_json::to_value(&report).expect("JSON");
    for key in [
        "success_rate",
        "wilson_low",
        "groups",
        "failures",
        "loop",
        "policy_ms",
        "command_age_ms",
        "wire",
        "limiter",
        "provider",
        "realtime",
        "run_dir",
        "baselines",
    ] {
        assert!(json.get(key).is_some(), "{key}");
    }
}
