//! Command lines that make no sense, help, and the shape of reports.

use crate::common::{check_refused, run};

#[test]
fn nonsense_is_a_usage_error() {
    check_refused(&["colect"], 2, &["collect"]);
    check_refused(&["collect"], 2, &["--out"]);
    check_refused(&["eval", "expert", "--episodes", "0"], 2, &["--episodes"]);
    check_refused(
        &["eval", "expert", "--require", "seen=2"],
        2,
        &["between 0 and 1"],
    );
    check_refused(&["eval", "expert", "--threads", "0"], 2, &["--threads"]);
    let beyond = ["collect", "--out", "x", "--seed", "9223372036854775807"];
    check_refused(&beyond, 2, &["beyond the last seed"]);
}

#[test]
fn help_lists_the_exit_codes() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).expect("text");
    assert!(help.contains("Exit codes: 0 done"), "{help}");
}

#[test]
fn doctor_reports_one_object_as_the_last_line() {
    let output = run(&["doctor", "--json", "--port", "0"]);
    let stdout = String::from_utf8(output.stdout).expect("text");
    let last = stdout.lines().last().expect("a line");
    let object: serde_json::Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(object["command"], "prehend doctor --json --port 0");
    assert!(
        object["version"]
            .as_str()
            .is_some_and(|v| v.starts_with(env!("CARGO_PKG_VERSION")))
    );
    assert!(object["seed"].is_null());
    assert!(object["elapsed_s"].as_f64().is_some_and(|s| s > 0.0));
    assert!(object["cores"].as_u64().is_some_and(|n| n > 0));
    assert!(
        object["started_wall"]
            .as_str()
            .is_some_and(|t| t.ends_with('Z'))
    );
    let checks = object["checks"].as_array().expect("an array");
    for check in checks {
        for key in ["name", "ok", "found", "remedy"] {
            assert!(!check[key].is_null(), "{check}");
        }
        assert_eq!(check["remedy"] == "", check["ok"] == true, "{check}");
    }
}

#[test]
fn doctor_sees_an_occupied_port() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let output = run(&["doctor", "--json", "--port", &port]);
    let stdout = String::from_utf8(output.stdout).expect("text");
    let object: serde_json::Value =
        serde_json::from_str(stdout.lines().last().expect("a line")).expect("JSON");
    let checks = object["checks"].as_array().expect("an array");
    let check = checks
        .iter()
        .find(|check| check["name"] == "port")
        .expect("it is checked");
    assert_eq!(check["ok"], false);
}

#[test]
fn doctor_looks_at_every_port_and_the_policy_of_a_launch_file() {
    let output = run(&["doctor", "--json"]);
    let stdout = String::from_utf8(output.stdout).expect("text");
    let object: serde_json::Value =
        serde_json::from_str(stdout.lines().last().expect("a line")).expect("JSON");
    let found = |name: &str| -> Vec<String> {
        let checks = object["checks"].as_array().expect("an array");
        let named = checks.iter().filter(|check| check["name"] == name);
        named.map(|check| check["found"].to_string()).collect()
    };
    let ports = found("port");
    for port in [
        "127.0.0.1:7450",
        "127.0.0.1:7451",
        "127.0.0.1:7452",
        "127.0.0.1:7460",
    ] {
        assert!(ports.iter().any(|found| found.contains(port)), "{ports:?}");
    }
    let policies = found("policy");
    assert!(
        policies[0].contains("fr3_pick_place through "),
        "{policies:?}"
    );
}
