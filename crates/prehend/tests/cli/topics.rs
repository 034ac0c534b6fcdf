//! What a visitor sees of running nodes, and how anybody stops them.

use std::process::Child;
use std::time::Duration;

use prehend_link::free_loopback_endpoint;
use serde_json::Value;

use crate::common::{check_refused, code_and_stderr, prehend, run};
use crate::live::{WatchedRun, launch_with, send};

/// A driver alone, on a port of its own. Dropping it ends it.
struct Driver {
    child: Child,
    endpoint: String,
    _folder: tempfile::TempDir,
}

impl Driver {
    fn start() -> Self {
        let endpoint = free_loopback_endpoint().expect("a free port");
        let commands = free_loopback_endpoint().expect("a free port");
        let changes = [
            ("tcp/127.0.0.1:7450", endpoint.as_str()),
            ("tcp/127.0.0.1:7460", commands.as_str()),
        ];
        let (folder, file) = launch_with("fr3_sim.toml", &changes);
        let mut command = prehend(&["run", "--only", "driver", "--json"]);
        let child = command
            .arg(&file)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the program starts");
        let driver = Self {
            child,
            endpoint,
            _folder: folder,
        };
        for _ in 0..100 {
            if driver
                .ask(&["topic", "info", "status", "--seconds", "0.5"])
                .0
                == Some(0)
            {
                return driver;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the driver never spoke");
    }

    /// A command's exit code and the lines of its stdout.
    fn ask(&self, args: &[&str]) -> (Option<i32>, Vec<Value>) {
        let args = [args, &["--connect", &self.endpoint, "--json"]].concat();
        answer(&args)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        send("-TERM", self.child.id());
        let _ = self.child.wait();
    }
}

#[track_caller]
fn answer(args: &[&str]) -> (Option<i32>, Vec<Value>) {
    let output = run(args);
    let stdout = String::from_utf8(output.stdout).expect("text");
    let lines = stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    (output.status.code(), lines.collect())
}

#[test]
fn a_visitor_sees_the_topics_of_a_driver_and_their_rates() {
    let driver = Driver::start();
    let (code, lines) = driver.ask(&["topic", "list", "--seconds", "2"]);
    assert_eq!(code, Some(0));
    let list = lines.last().expect("a report");
    assert!(
        list["seed"].is_null() && list["cores"].as_u64() > Some(0),
        "{list}"
    );
    let topics = list["topics"].as_array().expect("an array");
    let named = |name: &str| {
        let topic = topics.iter().find(|topic| topic["name"] == name);
        topic.unwrap_or_else(|| panic!("no {name}: {list}"))
    };
    assert_eq!(named("status")["type"], "prehend_msgs/msg/RobotStatus");
    assert_eq!(named("status")["senders"][0]["node"], "driver");
    assert_eq!(named("points")["senders"][0]["node"], "driver");
    assert_eq!(named("command")["receivers"][0], "driver");
    // There, but not listened to: its senders would wait.
    assert_eq!(named("request")["receivers"][0], "driver");
    assert!(named("request")["messages"].is_null());
    assert!(
        !topics.iter().any(|topic| topic["name"] == "chunk"),
        "nobody's"
    );

    let (code, lines) = driver.ask(&["topic", "hz", "status", "--seconds", "2"]);
    assert_eq!(code, Some(0));
    let hz = lines.last().expect("a report");
    // Two hundred a second are sent; a busy machine skips ticks, and its queues drop what nobody fetches in time.
    let rate = hz["rate_hz"].as_f64().expect("a rate");
    assert!(rate > 0.0 && rate <= 220.0, "{hz}");
    let sender = &hz["senders"][0];
    let period = |name: &str| sender["period_ms"][name].as_f64().expect("a period");
    assert!(
        period("min") <= period("mean") && period("mean") <= period("max"),
        "{hz}"
    );
    assert_eq!(sender["node"], "driver");
    let lost = sender["lost"].as_f64().expect("a count");
    assert!(rate * 2.0 + lost < 450.0, "more than were sent: {hz}");

    let (code, lines) = driver.ask(&["topic", "graph", "--seconds", "1"]);
    assert_eq!(code, Some(0));
    let edges = lines.last().expect("a report")["edges"].clone();
    let edges = edges.as_array().expect("an array");
    let status = edges
        .iter()
        .find(|edge| edge["topic"] == "status")
        .expect("sent");
    assert_eq!(
        (&status["from"], &status["to"]),
        (&"driver".into(), &Value::Null)
    );
}

#[test]
fn messages_are_echoed_as_lines_and_silence_is_a_failure_with_a_remedy() {
    let driver = Driver::start();
    let (code, lines) = driver.ask(&["topic", "echo", "status", "-n", "3"]);
    assert_eq!((code, lines.len()), (Some(0), 4));
    for (line, next) in lines.iter().zip(&lines[1..3]) {
        let number = |line: &Value| line["sequence"].as_i64().expect("a number");
        assert_eq!(number(line) + 1, number(next), "one after the other");
        assert_eq!(
            line["message"]["q"].as_array().map(Vec::len),
            Some(7),
            "{line}"
        );
        assert_eq!(line["message"]["stop_reason"], 6, "no session: {line}");
    }
    assert_eq!(lines[3]["messages"], 3);
    let (_, lines) = driver.ask(&["topic", "echo", "points", "-n", "1"]);
    assert!(lines[0]["message"]["points"][0][3].is_u64(), "{}", lines[0]);

    let connect = ["--seconds", "0.3", "--connect", &driver.endpoint];
    let echo = |topic| [&["topic", "echo", topic][..], &connect].concat();
    check_refused(
        &echo("chunk"),
        4,
        &["nothing was sent on `chunk`", "--seconds"],
    );
    check_refused(&echo("request"), 3, &["hold them up"]);
    let list = [&["topic", "list", "--robot", "ur5"][..], &connect].concat();
    check_refused(&list, 4, &["no topic of robot `ur5`", "--robot"]);
}

#[test]
fn nobody_to_attach_to_is_said_with_what_to_do() {
    let endpoint = free_loopback_endpoint().expect("a free port");
    for command in [&["topic", "list"][..], &["stop"]] {
        let args = [command, &["--connect", &endpoint]].concat();
        check_refused(&args, 4, &[&endpoint, "running?"]);
        let args = [command, &["--launch", "launch/demo.toml"]].concat();
        check_refused(
            &args,
            3,
            &["whose port each run chooses anew", "launch.toml"],
        );
        let args = [command, &["--connect", "tcp/10.0.0.2:7450"]].concat();
        check_refused(&args, 3, &["beyond this machine"]);
    }
    check_refused(&["topic", "hz", "stauts"], 2, &["status, joint_states"]);
}

#[test]
fn anybody_stops_an_arm_that_moves() {
    let run = WatchedRun::start(&["run"], &[("episodes = 10", "episodes = 1000")]);
    run.wait_until_moving();
    let launch = run.frozen();
    let launch = launch.to_str().expect("a plain path");
    let (code, lines) = answer(&["topic", "graph", "--launch", launch, "--json"]);
    assert_eq!(code, Some(0));
    let graph = lines.last().expect("a report");
    let alive = |topic: &str, from: &str| {
        let edges = graph["edges"].as_array().expect("an array");
        let edge = edges
            .iter()
            .find(|edge| edge["topic"] == topic && edge["from"] == from);
        edge.unwrap_or_else(|| panic!("no {topic}: {graph}"))["alive"].clone()
    };
    assert_eq!(alive("points", "driver"), true);
    assert_eq!(alive("command", "control"), true, "{graph}");
    assert_eq!(alive("statistics", "control"), Value::Null, "{graph}");
    assert_eq!(alive("request", "operator"), Value::Null, "{graph}");

    let echo = ["topic", "echo", "statistics", "-n", "1", "--launch", launch];
    let (code, lines) = answer(&[&echo[..], &["--json"]].concat());
    assert_eq!(code, Some(0));
    let told = &lines[0]["message"];
    assert!(told["ticks"].as_u64() > Some(0), "{told}");
    assert!(
        told["period"]["bins"].is_array() && told["arm_error"] == "",
        "{told}"
    );

    run.wait_until_moving();
    let (code, lines) = answer(&["stop", "--launch", launch, "--json"]);
    let stopped = lines.last().expect("a report");
    assert_eq!(
        (code, &stopped["confirmed"]),
        (Some(0), &true.into()),
        "{stopped}"
    );
    assert_eq!(stopped["reason"], "requested");
    assert!(
        stopped["confirmed_ms"]
            .as_f64()
            .is_some_and(|ms| ms < 2000.0),
        "{stopped}"
    );
    assert!(
        stopped["at_rest_ms"].as_f64() >= stopped["confirmed_ms"].as_f64(),
        "{stopped}"
    );
    send("-INT", run.child.id());
    let ended = run.finish();
    // Whoever stops an arm breaks no promise of those who move it.
    ended.check_wire();
    assert_eq!(ended.report["nodes"]["driver"]["out_of_order"], 0);
    assert_eq!(
        ended.report["nodes"]["driver"]["requested_stops"]
            .as_u64()
            .map(|n| n > 0),
        Some(true)
    );
}

#[test]
fn a_driver_without_a_run_is_stopped_too() {
    let driver = Driver::start();
    let (code, lines) = driver.ask(&["stop"]);
    assert_eq!(code, Some(0));
    assert_eq!(lines[0]["confirmed"], true);
    let (_, lines) = driver.ask(&["topic", "echo", "status", "-n", "1"]);
    assert_eq!(
        lines[0]["message"]["stop_reason"], 3,
        "requested: {}",
        lines[0]
    );
    let output = run(&["stop", "--connect", &driver.endpoint]);
    let (code, stderr) = code_and_stderr(&output);
    assert_eq!(code, Some(0), "{stderr}");
    let stdout = String::from_utf8(output.stdout).expect("text");
    assert!(stdout.contains("stopped (requested)"), "{stdout}");
}

#[test]
fn what_the_link_costs_is_measured_in_rows() {
    let (code, lines) = answer(&["latency", "--n", "500", "--rate", "2000", "--json"]);
    assert_eq!(code, Some(0));
    let rows = lines[0]["rows"].as_array().expect("an array");
    let value = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name);
        row.unwrap_or_else(|| panic!("no {name}: {rows:?}"))["value"].as_f64()
    };
    let (there, back) = (value("link/one_way/p50"), value("link/round_trip/p50"));
    assert!(there > Some(0.0) && there < back, "{rows:?}");
    assert!(value("link/send_call/p99") <= value("link/send_call/max"));
    assert_eq!(value("link/send_call/p99.99"), None, "too few messages");
    assert_eq!(rows[0]["n"], 500);
    check_refused(&["latency", "--rate", "0"], 2, &["1 to 20000 Hz"]);
}
