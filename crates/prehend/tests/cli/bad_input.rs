//! Files that must be refused: exit code 3, and an error that says where and what to do.

use std::path::{Path, PathBuf};

use crate::common::{check_refused, root, run};

/// A copy of a folder's files in a temporary folder.
fn copy(folder: &str) -> (tempfile::TempDir, PathBuf) {
    let temporary = tempfile::tempdir().expect("temporary folder");
    let target = temporary.path().join("copy");
    std::fs::create_dir(&target).expect("makes a folder");
    for entry in std::fs::read_dir(root().join(folder)).expect("lists") {
        let entry = entry.expect("lists");
        if entry.path().is_file() {
            std::fs::copy(entry.path(), target.join(entry.file_name())).expect("copies");
        }
    }
    (temporary, target)
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).expect("reads");
    assert!(text.contains(from), "{file:?} has no {from:?}");
    std::fs::write(file, text.replacen(from, to, 1)).expect("writes");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[test]
fn a_missing_scene_is_named() {
    let args = ["eval", "expert", "--scene", "scenes/nowhere.toml"];
    check_refused(&args, 3, &["scenes/nowhere.toml", "PREHEND_HOME"]);
}

#[test]
fn a_misspelt_key_of_a_scene_is_named_with_its_line() {
    let (_temporary, folder) = copy("scenes");
    let scene = folder.join("tabletop.toml");
    edit(&scene, "time_limit_s", "time_limt_s");
    let text_of = std::fs::read_to_string(&scene).expect("reads");
    let line = 1 + text_of
        .lines()
        .position(|l| l.contains("time_limt_s"))
        .expect("just written");
    let place = format!("tabletop.toml:{line}");
    let args = ["eval", "expert", "--scene", text(&scene)];
    check_refused(&args, 3, &[&place, "did you mean `time_limit_s`?"]);
}

#[test]
fn an_impossible_value_of_a_scene_is_named() {
    let (_temporary, folder) = copy("scenes");
    let scene = folder.join("tabletop.toml");
    edit(&scene, "fov_deg = 54.0", "fov_deg = nan");
    let args = ["eval", "expert", "--scene", text(&scene)];
    check_refused(&args, 3, &["tabletop.toml", "fov_deg"]);
}

#[test]
fn a_nan_in_a_urdf_is_named() {
    let (_temporary, robot) = copy("robots/fr3");
    edit(
        &robot.join("robot.urdf"),
        "mass value=\"",
        "mass value=\"nan",
    );
    let args = ["eval", "expert", "--robot", text(&robot)];
    check_refused(&args, 3, &["robot.urdf"]);
}

#[test]
fn a_missing_urdf_is_named() {
    let (_temporary, robot) = copy("robots/fr3");
    std::fs::remove_file(robot.join("robot.urdf")).expect("removes");
    check_refused(
        &["eval", "expert", "--robot", text(&robot)],
        3,
        &["robot.urdf"],
    );
}

#[test]
fn a_misspelt_policy_is_refused_before_anything_runs() {
    check_refused(&["eval", "exprt"], 3, &["exprt", "neither `expert`"]);
    check_refused(&["eval", "expert", "--baselines", "exprt"], 3, &["exprt"]);
}

#[test]
fn a_folder_without_a_manifest_is_no_bundle() {
    let empty = tempfile::tempdir().expect("temporary folder");
    check_refused(&["eval", text(empty.path())], 3, &["policy.toml"]);
}

/// The shipped bundle with one file changed.
fn broken_bundle(change: impl Fn(&mut Vec<u8>)) -> (tempfile::TempDir, PathBuf) {
    let (temporary, bundle) = copy("models/fr3_pick_place");
    let graph = bundle.join("policy.onnx");
    let mut bytes = std::fs::read(&graph).expect("reads");
    change(&mut bytes);
    std::fs::write(&graph, bytes).expect("writes");
    (temporary, bundle)
}

#[test]
fn a_run_folder_is_checked_before_any_episode_is_read() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let out = text(folder.path());
    let train = ["train", "flow", "--data", "no/such/store", "--out", out];
    let resume = [&train[..], &["--resume"]].concat();
    check_refused(&resume, 3, &["there is no", "latest.checkpoint"]);
    {
        let _lock = prehend_data::FolderLock::acquire(folder.path()).expect("free");
        check_refused(&train, 3, &["another process", "choose another folder"]);
    }
    check_refused(&train, 3, &["no/such/store"]);
    std::fs::write(folder.path().join("latest.checkpoint"), b"x").expect("writes");
    check_refused(&train, 3, &["is there already", "--resume"]);
}

#[test]
fn episodes_that_policies_are_judged_on_are_not_learned_from() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let collect = |name: &str, more: &[&str]| {
        let store = folder.path().join(name);
        let args = ["collect", "--episodes", "1", "--out", text(&store)];
        let output = run(&[&args[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        store
    };
    let out = folder.path().join("run");
    let refused = |store: &Path, word: &str| {
        let args = ["train", "flow", "--data", text(store), "--out", text(&out)];
        check_refused(&args, 3, &[word]);
    };
    let seed = collect("seed", &["--seed", "900000"]);
    refused(&seed, "kept for judging policies");
    let families = collect("families", &["--families", "held_out"]);
    refused(&families, "held out of training");
}

#[test]
fn a_truncated_graph_is_named() {
    let (_temporary, bundle) = broken_bundle(|bytes| bytes.truncate(bytes.len() / 2));
    check_refused(&["eval", text(&bundle)], 3, &["policy.onnx", "truncated"]);
}

#[test]
fn a_changed_graph_is_named() {
    let (_temporary, bundle) = broken_bundle(|bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    check_refused(&["eval", text(&bundle)], 3, &["policy.onnx", "SHA-256"]);
}

#[test]
fn a_bundle_for_another_robot_is_refused() {
    let (_temporary, robot) = copy("robots/fr3");
    let file = robot.join("robot.toml");
    let changed = std::fs::read_to_string(&file).expect("reads") + "\n# another robot\n";
    std::fs::write(&file, changed).expect("writes");
    let args = ["eval", "models/fr3_pick_place", "--robot", text(&robot)];
    check_refused(&args, 3, &["is for robot"]);
}

#[test]
fn a_run_refuses_what_its_launch_file_names_before_it_starts_anything() {
    let (_launch, folder) = copy("launch");
    let (_scenes, scenes) = copy("scenes");
    let file = folder.join("fr3_sim.toml");
    let whole = std::fs::read_to_string(&file).expect("reads");
    let runs = folder.join("runs");
    let scene = scenes.join("tabletop.toml");
    edit(&scene, "time_limit_s", "time_limt_s");
    for (from, to, word) in [
        ("scenes/tabletop.toml", text(&scene), "time_limt_s"),
        ("robots/fr3", "robots/nowhere", "robots/nowhere"),
        ("models/fr3_pick_place", "scenes", "policy.toml"),
    ] {
        std::fs::write(&file, &whole).expect("writes");
        edit(&file, from, to);
        let args = ["run", text(&file), "--runs", text(&runs)];
        check_refused(&args, 3, &[word]);
        assert!(!runs.exists(), "nothing was started");
        let stderr = crate::common::code_and_stderr(&run(&args)).1;
        assert_eq!(stderr.matches("error:").count(), 1, "said once: {stderr}");
        if word == "time_limt_s" {
            check_refused(&["run", text(&file), "--only", "driver"], 3, &[word]);
        }
    }
}
