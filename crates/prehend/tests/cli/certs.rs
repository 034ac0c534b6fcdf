//! Certificates made by the program, and an encrypted driver that lets in only whom they name.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use prehend_link::free_loopback_endpoint;
use serde_json::Value;

use crate::common::{check_refused, prehend, report};
use crate::live::{launch_with, send};

const ROLES: [&str; 5] = ["controller", "driver", "operator", "policy", "viewer"];

#[track_caller]
fn json_of(args: &[&str]) -> Value {
    report(&[args, &["--json"]].concat(), 0)
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("readable").flatten();
    let read = entries.map(|entry| {
        let name = entry.file_name().into_string().expect("plain");
        (name, std::fs::read(entry.path()).expect("readable"))
    });
    read.collect()
}

#[test]
fn certificates_are_private_named_and_not_overwritten() {
    let parent = tempfile::tempdir().expect("temporary folder");
    let folder = parent.path().join("cell/certs");
    let out = folder.to_str().expect("a plain path");
    let made = json_of(&["certs", "new", "--out", out, "--host", "10.0.0.5"]);
    assert_eq!(made["files"].as_array().expect("files").len(), 12);
    let first = contents(&folder);
    assert_eq!(first.len(), 12, "{:?}", first.keys());
    for name in first.keys() {
        let mode = std::fs::metadata(folder.join(name)).expect("there");
        assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let shown = json_of(&["certs", "show", out]);
    let rows = shown["certificates"].as_array().expect("rows");
    let roles: Vec<_> = rows.iter().filter_map(|row| row["role"].as_str()).collect();
    assert_eq!(roles, ROLES);
    assert!(rows[0]["is_authority"] == true && rows[0]["role"].is_null());
    assert!(rows.iter().all(|row| row["fault"].is_null()));
    assert_eq!(rows[5]["subject"], "CN=viewer");

    check_refused(&["certs", "new", "--out", out], 3, &["ca.pem", "--force"]);
    assert_eq!(contents(&folder), first, "nothing was touched");
    let one = ["certs", "new", "--out", out, "--node", "viewer", "--force"];
    check_refused(&one, 3, &["node", "controller.pem", "authority"]);
    assert_eq!(contents(&folder), first, "the set stays whole");
    json_of(&["certs", "new", "--out", out, "--force"]);
    let second = contents(&folder);
    assert!(first.iter().all(|(name, old)| second[name] != *old));
}

#[test]
fn what_makes_no_certificate_is_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let out = folder.path().to_str().expect("a plain path");
    let new = |more: &[&'static str]| [&["certs", "new", "--out", out], more].concat();
    check_refused(&new(&["--node", "boss"]), 2, &["boss", "controller"]);
    check_refused(&new(&["--days", "0"]), 3, &["days", "1 to 3650"]);
    for host in ["0.0.0.0", "*", "a b", "cell/../x", ""] {
        check_refused(&[&new(&["--host"])[..], &[host]].concat(), 3, &["host"]);
    }
    check_refused(&["certs", "show", out], 3, &["prehend certs new"]);
    std::fs::write(folder.path().join("x.pem"), "no certificate").expect("writable");
    check_refused(&["certs", "show", out], 3, &["x.pem", "PEM"]);
}

#[test]
fn an_encrypted_driver_answers_to_a_viewers_certificate() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let certs = folder.path().join("certs");
    let out = certs.to_str().expect("a plain path");
    json_of(&["certs", "new", "--out", out]);
    let [endpoint, commands, policy, statistics] = [(); 4].map(|()| {
        let endpoint = free_loopback_endpoint().expect("a free port");
        endpoint.replacen("tcp/", "tls/", 1)
    });
    let section = format!("[link]\ntls = {{ folder = {out:?} }}");
    let changes = [
        ("[link]", section.as_str()),
        ("tcp/127.0.0.1:7450", &endpoint),
        ("tcp/127.0.0.1:7460", &commands),
        ("tcp/127.0.0.1:7451", &policy),
        ("tcp/127.0.0.1:7452", &statistics),
    ];
    let (_launch, file) = launch_with("fr3_sim.toml", &changes);
    let file = file.to_str().expect("a plain path");
    let mut driver = prehend(&["run", file, "--only", "driver", "--json"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    let look = ["topic", "info", "status", "--seconds", "1"];
    let mut seen = false;
    for _ in 0..100 {
        let args = [&look[..], &["--launch", file]].concat();
        seen = prehend(&args).output().expect("runs").status.success();
        if seen {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(seen, "the driver never spoke");
    let at = [&look[..], &["--connect", &endpoint, "--certs", out]].concat();
    assert!(json_of(&at)["messages"].as_u64() > Some(0));
    let at = [&look[..], &["--connect", &endpoint]].concat();
    check_refused(&at, 3, &["without certificates"]);
    let plain = endpoint.replacen("tls/", "tcp/", 1);
    check_refused(&[&look[..], &["--connect", &plain]].concat(), 4, &[&plain]);
    let other = folder.path().join("other");
    let other = other.to_str().expect("a plain path");
    json_of(&["certs", "new", "--out", other]);
    let at = [&look[..], &["--connect", &endpoint, "--certs", other]].concat();
    check_refused(&at, 4, &[&endpoint]);
    send("-TERM", driver.id());
    driver.wait().expect("ends");
}
