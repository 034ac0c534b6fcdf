//! `prehend scenes`, seen from outside.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::{check_refused, prehend, run};

/// The Franka hand with another opening, as a file.
fn hand(folder: &Path, max_width_m: &str) -> String {
    let shipped = prehend_types::config::locate("robots/grippers/franka_hand.toml");
    let text = std::fs::read_to_string(shipped.expect("shipped")).expect("reads");
    let changed = text.replace(
        "max_width_m = 0.08",
        &format!("max_width_m = {max_width_m}"),
    );
    assert_ne!(text, changed);
    let path = folder.join("hand.toml");
    std::fs::write(&path, changed).expect("writes");
    path.to_str().expect("plain").to_owned()
}

#[test]
fn scenes_are_the_same_bytes_for_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = |threads: &str| {
        let out = folder.path().join(threads);
        let text = out.to_str().expect("plain");
        let args = [
            "scenes",
            "generate",
            "--out",
            text,
            "--scenes",
            "4",
            "--threads",
            threads,
            "--json",
        ];
        let first = run(&args);
        assert!(first.status.success(), "{first:?}");
        // A second time nothing is left to do.
        let again = run(&args);
        assert!(
            String::from_utf8_lossy(&again.stdout).contains("\"skipped\":4"),
            "{again:?}"
        );
        (0..4)
            .map(|seed| std::fs::read(out.join(format!("scene_{seed:08}.bin"))).expect("stored"))
            .collect::<Vec<_>>()
    };
    assert!(files("1") == files("2"));
}

#[test]
fn a_scene_is_drawn_with_its_labels() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("scene.png");
    let path = out.to_str().expect("plain");
    let output = run(&["scenes", "inspect", "--seed", "7", "--out", path, "--json"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: serde_json::Value = serde_json::from_str(text.trim()).expect("JSON");
    assert!(report["graspable_points"].as_u64() > Some(0), "{text}");
    assert!(
        std::fs::read(&out)
            .expect("written")
            .starts_with(b"\x89PNG")
    );
    let output = run(&["scenes", "inspect", "--out", "nowhere/at/all.png"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
}

#[test]
fn another_gripper_and_a_changed_network_are_refused() {
    let other = [
        "scenes",
        "evaluate",
        "models/pick-place",
        "--gripper",
        "robots/grippers/so101_jaw.toml",
    ];
    let output = run(&other);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("so101_jaw"),
        "{output:?}"
    );

    let folder = tempfile::tempdir().expect("a folder");
    let shipped = prehend_types::config::locate("models/pick-place").expect("shipped");
    for entry in std::fs::read_dir(shipped).expect("lists") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a file");
        std::fs::copy(&path, folder.path().join(name)).expect("copies");
    }
    let graph = folder.path().join("network.onnx");
    let mut bytes = std::fs::read(&graph).expect("there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&graph, bytes).expect("writes");
    let output = run(&["scenes", "evaluate", folder.path().to_str().expect("plain")]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("SHA-256"),
        "{output:?}"
    );
}

#[test]
fn an_audit_counts_what_labels_and_physics_agree_on() {
    let args = ["scenes", "audit", "--scenes", "2", "--json"];
    let output = run(&args);
    // Two scenes may fall short of what is required of many.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: serde_json::Value = serde_json::from_str(text.trim()).expect("JSON");
    assert_eq!(report["seed"], 820_000);
    assert_eq!(report["split"], "validation");
    assert!(report["objects_folder"].is_null(), "{text}");
    let group = |name: &str| report["groups"][name].clone();
    for name in ["places_agree", "grasps_hold"] {
        let (n, successes) = (&group(name)["n"], &group(name)["successes"]);
        assert!(n.as_u64() > Some(5), "{text}");
        assert!(successes.as_u64() <= n.as_u64(), "{text}");
        assert!(group(name)["wilson_low"].is_number(), "{text}");
    }
    let n = |name: &str| group(name)["n"].as_u64().expect("counted");
    assert_eq!(
        n("places_agree"),
        n("allowed_places_stand") + n("forbidden_places_fail")
    );
}

#[test]
fn grippers_that_open_too_wide_or_too_little_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let wide = hand(folder.path(), "0.1");
    let train = [
        "train",
        "pick-place",
        "--data",
        "nowhere",
        "--validation",
        "nowhere",
        "--out",
        "nowhere",
        "--gripper",
        &wide,
    ];
    let words = ["hand.toml", "max_width_m", "0.080 m"];
    check_refused(&train, 3, &words);
    let evaluate = [
        "scenes",
        "evaluate",
        "models/pick-place",
        "--gripper",
        &wide,
    ];
    check_refused(&evaluate, 3, &words);
    let out = folder.path().join("said.png");
    let inspect = [
        "scenes",
        "inspect",
        "--network",
        "models/pick-place",
        "--out",
        out.to_str().expect("plain"),
        "--gripper",
        &wide,
    ];
    check_refused(&inspect, 3, &words);

    let narrow = hand(folder.path(), "0.007");
    let out = folder.path().join("scenes");
    let generate = [
        "scenes",
        "generate",
        "--out",
        out.to_str().expect("plain"),
        "--gripper",
        &narrow,
    ];
    check_refused(&generate, 3, &["hand.toml", "max_width_m", "or more"]);
    assert!(!out.exists());
}

#[test]
fn a_seed_that_never_came_to_rest_is_not_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("plain");
    let generate = |n: &str| {
        let output = run(&["scenes", "generate", "--out", out, "--scenes", n, "--json"]);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str::<serde_json::Value>(text.trim()).expect("JSON")
    };
    generate("1");
    let note = folder.path().join("scene_00000001.unsettled");
    std::fs::write(note, b"").expect("writes");
    let report = generate("3");
    let counts = ["scenes", "unsettled", "skipped"].map(|name| report[name].as_u64());
    assert_eq!(counts, [Some(1); 3], "{report}");
    assert!(!folder.path().join("scene_00000001.bin").exists());
}

#[test]
fn scenes_that_were_not_begun_are_not_called_unsettled() {
    let args = [
        "scenes",
        "evaluate",
        "models/pick-place",
        "--scenes",
        "400",
        "--no-clearing",
        "--json",
    ];
    let mut command = prehend(&args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    // Whether it has begun a scene by then or not.
    std::thread::sleep(Duration::from_secs(4));
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(status.expect("kill runs").success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: serde_json::Value = serde_json::from_str(text.trim()).expect("JSON");
    assert!(report["unsettled"].as_u64() < Some(20), "{text}");
}
