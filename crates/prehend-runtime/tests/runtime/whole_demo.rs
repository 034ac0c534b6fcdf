//! All nodes in one process around the simulated cell, until the user stops them.

use std::path::Path;
use std::time::{Duration, Instant};

use prehend_control::rt::RealtimeConfig;
use prehend_runtime::{
    DemoConfig, LaunchFile, NamedPolicy, NodeKind, Outcome, RuntimeError, Stop, WireReport, demo,
};
use prehend_sim::DepthHeuristic;
use prehend_types::{ActionChunk, Observation, Policy, PolicyError};

/// The demo's launch file for a machine that is busy with other tests.
fn launch() -> LaunchFile {
    let file = prehend_types::config::locate("launch/demo.toml").expect("exists");
    let mut launch = LaunchFile::load(Path::new(&file)).expect("valid");
    // Tests take no priority over others.
    launch.control.realtime = RealtimeConfig {
        fifo_priority: 0,
        lock_memory: false,
        pin_core: None,
    };
    launch.control.valid_for_millis = 200;
    launch.operator.episodes = 2;
    launch
}

/// What must never be on the wire.
fn faults(wire: &WireReport) -> [u64; 3] {
    [
        wire.limit_violations,
        wire.non_finite,
        wire.expired_executed,
    ]
}

#[test]
fn a_demo_comes_alive_moves_the_arm_within_limits_and_stops_when_asked() {
    let policy = NamedPolicy {
        policy: Box::new(DepthHeuristic::default()),
        provider: "test".to_owned(),
    };
    let config = DemoConfig {
        policy: Some(policy),
        floor: true,
        ..DemoConfig::new(launch())
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
    .and_then(Outcome::whole)
    .expect("runs");
    assert!(report.interrupted && report.episodes.is_empty());
    assert_eq!((report.rate.n, report.rate.success_rate), (0, None));
    let control = report.control_node.as_ref().expect("ended in order");
    assert!(report.policy_node.chunks > 3 && control.chunks_accepted > 0);
    let timing = report.control_loop.as_ref().expect("measured");
    assert!(timing.ticks > 500 && timing.floor_us.is_some());
    assert!(control.armed >= 2, "the rehearsal and the first episode");
    let wire = report.wire.as_ref().expect("ended in order");
    assert!(wire.applied > 100, "{wire:?}");
    assert_eq!(faults(wire), [0; 3]);
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

#[test]
fn two_episodes_are_run_to_their_ends_and_counted() {
    let policy = NamedPolicy {
        policy: Box::new(DepthHeuristic::default()),
        provider: "test".to_owned(),
    };
    let config = DemoConfig {
        policy: Some(policy),
        floor: false,
        ..DemoConfig::new(launch())
    };
    let report = demo(config, &Stop::default(), &mut |_| {})
        .and_then(Outcome::whole)
        .expect("runs");
    assert!(!report.interrupted && report.error.is_none());
    let (successes, n) = (report.rate.successes, report.rate.n);
    let failed: u64 = report.failures.values().sum();
    assert_eq!((n, successes + failed), (2, 2), "{:?}", report.episodes);
    let groups: u64 = report.groups.values().map(|group| group.n).sum();
    assert_eq!(groups, 2, "every scene has a target of one group");
    for episode in &report.episodes {
        assert_eq!(episode.success, episode.failure.is_none());
        assert!(episode.duration_s > 0.0 && episode.target.is_some());
    }
    let wire = report.wire.as_ref().expect("ended in order");
    assert!(wire.commands > 1000 && wire.applied > 0, "{wire:?}");
    assert_eq!(faults(wire), [0; 3]);
}

/// Decides until the rehearsal is over, then gives up.
struct Panicking {
    inner: DepthHeuristic,
    resets: u32,
}

impl Policy for Panicking {
    fn name(&self) -> &str {
        "panicking"
    }

    fn reset(&mut self, seed: u64) {
        self.resets += 1;
        self.inner.reset(seed);
    }

    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
        assert!(self.resets < 2, "as a defect of a policy would");
        self.inner.act(observation)
    }
}

#[test]
fn a_node_that_gives_up_leaves_what_the_others_report() {
    let policy = NamedPolicy {
        policy: Box::new(Panicking {
            inner: DepthHeuristic::default(),
            resets: 0,
        }),
        provider: "test".to_owned(),
    };
    let config = DemoConfig {
        policy: Some(policy),
        floor: false,
        ..DemoConfig::new(launch())
    };
    let outcome = demo(config, &Stop::default(), &mut |_| {}).expect("starts");
    let policy = RuntimeError::Panicked {
        node: NodeKind::Policy,
    };
    let shown = outcome.error.map(|error| error.to_string());
    assert_eq!(shown, Some(policy.to_string()));
    let report = outcome.report;
    assert_eq!((&report.error, report.interrupted), (&shown, false));
    assert_eq!(report.policy, "panicking");
    assert!(report.control_node.is_some_and(|node| node.armed >= 1));
    let wire = report.wire.expect("the driver ended in order");
    assert!(wire.commands > 0, "{wire:?}");
    assert_eq!(faults(&wire), [0; 3]);
}
