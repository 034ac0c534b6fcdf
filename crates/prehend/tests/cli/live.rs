//! Commands that run in real time: stopped by the user, and kept from their ports.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use prehend_link::messages::{RobotStatus, StopReason};
use prehend_link::{Link, LinkConfig, Queue, free_loopback_endpoint};

use crate::common::{check_refused, code_and_stderr, prehend, root};

/// A launch file with every `from` replaced, in a temporary folder.
pub fn launch_with(file: &str, changes: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let mut text = std::fs::read_to_string(root().join("launch").join(file)).expect("reads");
    for (from, to) in changes {
        assert!(text.contains(from), "{file} has no {from:?}");
        text = text.replace(from, to);
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let copy = folder.path().join(file);
    std::fs::write(&copy, text).expect("writes");
    (folder, copy)
}

/// A demo or a run of all nodes with one more listener: the test.
pub struct WatchedRun {
    folder: tempfile::TempDir,
    file: PathBuf,
    pub child: Child,
    statuses: Queue<RobotStatus>,
}

impl WatchedRun {
    /// Starts `command`, whose arguments end with what comes before the launch file.
    pub fn start(command: &[&str], changes: &[(&str, &str)]) -> Self {
        let endpoint = free_loopback_endpoint().expect("a free port");
        let ports = format!("[driver.wires]\nlisten = \"{endpoint}\"");
        let mut all = vec![(
            "[driver.wires]\nlisten = \"tcp/127.0.0.1:0\"",
            ports.as_str(),
        )];
        all.extend(changes);
        let (folder, file) = launch_with("demo.toml", &all);
        let child = prehend(&["--json"])
            .args(command)
            .arg(&file)
            .arg("--runs")
            .arg(folder.path().join("runs"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let config = LinkConfig {
            connect_timeout_millis: 60_000,
            ..LinkConfig::for_robot("fr3").connecting(&endpoint)
        };
        let link = Link::open(&config).expect("the driver listens");
        Self {
            folder,
            file,
            child,
            statuses: link.queue(1 << 15).expect("declares"),
        }
    }

    /// Waits until commands move the arm in a counted episode: the first session seen may be the
    /// rehearsal's, which ends as soon as everybody works.
    pub fn wait_until_moving(&self) {
        let mut first = None;
        wait_until("moving", || {
            std::iter::from_fn(|| self.statuses.take()).any(|received| {
                let status = received.message;
                if status.stop_reason == StopReason::NoSession {
                    return false;
                }
                let is_counted = status.epoch > *first.get_or_insert(status.epoch);
                is_counted && status.is_following() && speed(&status) > 0.1
            })
        });
    }

    /// The launch file that the run froze.
    pub fn frozen(&self) -> PathBuf {
        let runs = std::fs::read_dir(self.folder.path().join("runs")).expect("lists");
        let only = runs.flatten().next().expect("one run");
        only.path().join("launch.toml")
    }

    /// Waits for the end: exit code, stderr, and the JSON object if there is one.
    pub fn finish(self) -> Ended {
        let output = self.child.wait_with_output().expect("it ends");
        let (code, stderr) = code_and_stderr(&output);
        assert_eq!(
            processes_with(self.folder.path(), ""),
            [0_u32; 0],
            "left behind"
        );
        let stdout = String::from_utf8(output.stdout).expect("text");
        let last = stdout.lines().last().unwrap_or_else(|| panic!("{stderr}"));
        Ended {
            code,
            stderr,
            report: serde_json::from_str(last).expect("JSON"),
            last_status: std::iter::from_fn(|| self.statuses.take())
                .last()
                .map(|received| received.message),
            _folder: self.folder,
        }
    }
}

pub struct Ended {
    code: Option<i32>,
    stderr: String,
    pub report: serde_json::Value,
    last_status: Option<RobotStatus>,
    _folder: tempfile::TempDir,
}

impl Ended {
    /// What must never be on the wire was not, and something was.
    #[track_caller]
    pub fn check_wire(&self) {
        check_wire(&self.report["nodes"]["driver"]);
    }
}

#[track_caller]
fn check_wire(wire: &serde_json::Value) {
    for count in ["commands", "applied"] {
        assert!(wire[count].as_u64() > Some(0), "{count}: {wire}");
    }
    for count in ["limit_violations", "non_finite", "expired_executed"] {
        assert_eq!(wire[count], 0, "{count}");
    }
}

/// Highest speed of any joint, rad/s.
fn speed(status: &RobotStatus) -> f64 {
    status.dq.iter().fold(0.0, |speed, dq| speed.max(dq.abs()))
}

fn interrupt(child: &Child) {
    send("-INT", child.id());
}

pub fn send(signal: &str, pid: u32) {
    let status = Command::new("kill")
        .args([signal, &pid.to_string()])
        .status();
    assert!(status.expect("kill runs").success());
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(120), "never {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Processes whose command line names something in this folder and contains these words.
fn processes_with(folder: &Path, words: &str) -> Vec<u32> {
    let name = folder.to_string_lossy();
    let entries = std::fs::read_dir("/proc").expect("lists");
    let is_ours = |path: &Path| {
        let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(&*name) && line.contains(words)
    };
    entries
        .flatten()
        .filter(|entry| is_ours(&entry.path()))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").to_string();
    let (_folder, file) = launch_with("fr3_sim.toml", &[("127.0.0.1:7450", &port)]);
    let file = file.to_str().expect("a plain path");
    let words = [port.as_str(), "the port is taken", "another port"];
    check_refused(&["run", file, "--only", "driver"], 4, &words);
    let runs = tempfile::tempdir().expect("temporary folder");
    let runs = runs.path().to_str().expect("a plain path");
    check_refused(&["run", file, "--runs", runs], 4, &words);
    check_refused(&["demo", "--launch", file, "--runs", runs], 4, &words);
}

#[test]
fn ctrl_c_ends_a_demo_with_the_arm_at_rest_and_its_report_saved() {
    let run = WatchedRun::start(&["demo", "--episodes", "1000", "--launch"], &[]);
    run.wait_until_moving();
    interrupt(&run.child);
    let ended = run.finish();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("stopping in order"),
        "{}",
        ended.stderr
    );
    let report = &ended.report;
    assert_eq!(report["interrupted"], true);
    // The flag won over the file's 10, and the file over the defaults.
    let settings = settings(report);
    assert!(settings.contains("\nepisodes = 1000\n"), "{settings}");
    assert!(settings.contains("\ncamera_rate_hz = 10"), "{settings}");
    check_wire(&report["wire"]);
    assert_at_rest(&ended);
    let summary = Path::new(report["run_dir"].as_str().expect("a folder")).join("summary.json");
    assert!(summary.exists(), "{summary:?}");
}

#[test]
fn a_run_of_one_episode_ends_with_every_report() {
    let run = WatchedRun::start(&["run"], &[("episodes = 10", "episodes = 1")]);
    // What is edited from now on is for the next run.
    run.wait_until_moving();
    std::fs::write(&run.file, "robot = \"robots/none\"").expect("writes");
    let ended = run.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let settings = settings(&ended.report);
    assert!(settings.contains("\nepisodes = 1\n"), "{settings}");
    assert!(settings.contains("command_rate_hz = 500"), "{settings}");
    let nodes = &ended.report["nodes"];
    for node in ["driver", "policy", "control", "operator"] {
        assert!(nodes[node].is_object(), "{node}: {}", nodes[node]);
    }
    let episodes = nodes["operator"]["episodes"].as_array().expect("a list");
    assert_eq!(episodes.len(), 1);
    assert_eq!(ended.report["lost"], serde_json::json!([]));
    ended.check_wire();
    let folder = Path::new(ended.report["run_dir"].as_str().expect("a folder"));
    assert!(folder.join("summary.json").exists(), "{folder:?}");
    let log = std::fs::read_to_string(folder.join("run.log")).expect("reads");
    assert!(log.contains("operator: ended, exit status: 0"), "{log}");
}

#[test]
fn ctrl_c_ends_a_run_and_leaves_no_process_behind() {
    let run = WatchedRun::start(&["run"], &[("episodes = 10", "episodes = 1000")]);
    wait_until("all five started", || {
        processes_with(run.folder.path(), "").len() == 5
    });
    run.wait_until_moving();
    interrupt(&run.child);
    let ended = run.finish();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    ended.check_wire();
    let nodes = &ended.report["nodes"];
    assert_eq!(nodes["operator"]["interrupted"], true);
    assert!(nodes["control"]["chunks_accepted"].as_u64() > Some(0));
    assert!(nodes["policy"]["chunks"].as_u64() > Some(0));
    assert_at_rest(&ended);
}

#[test]
fn a_control_process_that_is_killed_leaves_the_arm_stopped_by_its_driver() {
    let run = WatchedRun::start(&["run"], &[("episodes = 10", "episodes = 1000")]);
    run.wait_until_moving();
    let control = processes_with(run.folder.path(), "--only control");
    assert_eq!(control.len(), 1, "{control:?}");
    // Whoever could notice sleeps, so that only the driver itself can stop the arm.
    send("-STOP", run.child.id());
    send("-KILL", control[0]);
    wait_until("stopped by the driver", || {
        let newest = std::iter::from_fn(|| run.statuses.take()).last();
        newest.is_some_and(|newest| {
            newest.message.stop_reason == StopReason::Expired && speed(&newest.message) < 0.01
        })
    });
    send("-CONT", run.child.id());
    let ended = run.finish();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("control ended too early"),
        "{}",
        ended.stderr
    );
    let driver = &ended.report["nodes"]["driver"];
    assert!(driver["expiry_stops"].as_u64() > Some(0), "{driver}");
    assert!(ended.report["nodes"]["control"].is_null());
    ended.check_wire();
    assert_at_rest(&ended);
}

/// What a crash inside ONNX Runtime does: its process is the policy's and nobody else's.
#[test]
fn a_policy_process_that_crashes_leaves_the_arm_held_by_its_controller() {
    let run = WatchedRun::start(&["run"], &[("episodes = 10", "episodes = 1000")]);
    run.wait_until_moving();
    let policy = processes_with(run.folder.path(), "--only policy");
    assert_eq!(policy.len(), 1, "{policy:?}");
    // Whoever could notice sleeps, so that controller and driver are left to themselves.
    send("-STOP", run.child.id());
    // As abort() ends it. A SIGSEGV that is only sent is swallowed once by the handler that Rust installs.
    send("-ABRT", policy[0]);
    wait_until("held by the controller", || {
        let newest = std::iter::from_fn(|| run.statuses.take()).last();
        newest.is_some_and(|newest| newest.message.is_following() && speed(&newest.message) < 0.02)
    });
    send("-CONT", run.child.id());
    let ended = run.finish();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("policy ended too early"),
        "{}",
        ended.stderr
    );
    let nodes = &ended.report["nodes"];
    assert!(nodes["policy"].is_null());
    assert_eq!(nodes["driver"]["expiry_stops"], 0, "{nodes}");
    ended.check_wire();
    assert_at_rest(&ended);
}

/// The settings that a run was frozen with, after a look whether they are those that it reports.
#[track_caller]
fn settings(report: &serde_json::Value) -> String {
    let folder = Path::new(report["run_dir"].as_str().expect("a folder"));
    let file = folder.join("launch.toml");
    let text = std::fs::read_to_string(&file).expect("reads");
    let sha256 = prehend_policy::sha256_hex(text.as_bytes());
    assert_eq!(report["settings_sha256"], sha256.as_str());
    prehend_runtime::LaunchFile::load(&file).expect("a launch file itself");
    text
}

#[track_caller]
fn assert_at_rest(ended: &Ended) {
    let last = ended.last_status.as_ref().expect("the driver spoke");
    let reasons = [
        StopReason::Requested,
        StopReason::Expired,
        StopReason::Shutdown,
    ];
    assert!(reasons.contains(&last.stop_reason), "{last:?}");
    assert!(speed(last) < 0.05, "{last:?}");
}
