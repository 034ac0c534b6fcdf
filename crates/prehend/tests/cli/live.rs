//! Commands that run in real time: stopped by the user, and kept from their ports.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{check_refused, code_and_stderr, prehend, root};

/// A launch file with `from` replaced, in a temporary folder.
fn launch_with(file: &str, from: &str, to: &str) -> (tempfile::TempDir, PathBuf) {
    let text = std::fs::read_to_string(root().join("launch").join(file)).expect("reads");
    assert!(text.contains(from), "{file} has no {from:?}");
    let folder = tempfile::tempdir().expect("temporary folder");
    let copy = folder.path().join(file);
    std::fs::write(&copy, text.replace(from, to)).expect("writes");
    (folder, copy)
}

fn interrupt(child: &Child) {
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
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

/// Processes whose command line names this file.
fn processes_with(file: &Path) -> usize {
    let name = file.to_string_lossy();
    let entries = std::fs::read_dir("/proc").expect("lists");
    entries
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(&*name))
        .count()
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").to_string();
    let (_folder, file) = launch_with("fr3_sim.toml", "127.0.0.1:7450", &port);
    let file = file.to_str().expect("a plain path");
    let words = [port.as_str(), "the port is taken", "another port"];
    check_refused(&["run", file, "--only", "driver"], 4, &words);
    check_refused(&["run", file], 4, &words);
    check_refused(&["demo", "--launch", file], 4, &words);
}

#[test]
fn ctrl_c_ends_a_demo_with_the_arm_at_rest_and_its_report_saved() {
    let runs = tempfile::tempdir().expect("temporary folder");
    let child = prehend(&["demo", "--episodes", "1000", "--json", "--runs"])
        .arg(runs.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let log = || {
        let folder = std::fs::read_dir(runs.path()).ok()?.flatten().next()?;
        std::fs::metadata(folder.path().join("run.log")).ok()
    };
    wait_until("started", || log().is_some());
    std::thread::sleep(Duration::from_secs(5));
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    let (code, stderr) = code_and_stderr(&output);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("stopping in order"), "{stderr}");
    let stdout = String::from_utf8(output.stdout).expect("text");
    let report: serde_json::Value =
        serde_json::from_str(stdout.lines().last().expect("a line")).expect("JSON");
    assert_eq!(report["interrupted"], true);
    for count in ["limit_violations", "non_finite", "expired_executed"] {
        assert_eq!(report["wire"][count], 0, "{count}");
    }
    let summary = Path::new(report["run_dir"].as_str().expect("a folder")).join("summary.json");
    assert!(summary.exists(), "{summary:?}");
}

#[test]
fn ctrl_c_ends_a_run_and_leaves_no_process_behind() {
    let (_folder, file) = launch_with("demo.toml", "episodes = 10", "episodes = 1000");
    let child = prehend(&["run"])
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    wait_until("all five started", || processes_with(&file) == 5);
    std::thread::sleep(Duration::from_secs(5));
    interrupt(&child);
    let (code, stderr) = code_and_stderr(&child.wait_with_output().expect("it ends"));
    assert_eq!(code, Some(1), "{stderr}");
    assert_eq!(processes_with(&file), 0);
}
