//! Bundles of pick-and-place networks that are replaced, damaged or made up.

use std::fs;
use std::path::{Path, PathBuf};

use prehend_policy::BundleError;
use prehend_policy::pick_place::{GoldenScene, SceneBundle};
use prehend_types::config::locate;

fn shipped() -> PathBuf {
    locate("models/pick-place").expect("shipped")
}

/// The shipped bundle in a folder of its own.
fn copy(folder: &Path) -> PathBuf {
    let dir = folder.join("network");
    fs::create_dir(&dir).expect("makes");
    for entry in fs::read_dir(shipped()).expect("lists") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, dir.join(path.file_name().expect("a file"))).expect("copies");
    }
    dir
}

fn golden() -> Vec<GoldenScene> {
    let text = fs::read(shipped().join("golden.json")).expect("shipped");
    serde_json::from_slice(&text).expect("golden scenes")
}

#[test]
fn a_bundle_that_is_no_good_does_not_replace_one_that_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = copy(folder.path());
    let manifest = SceneBundle::load(&dir).expect("good").manifest;
    let refused = SceneBundle::write(manifest.clone(), b"no graph", &golden(), "card", &dir);
    assert!(matches!(refused, Err(BundleError::Graph { .. })));
    assert_eq!(
        SceneBundle::load(&dir).expect("still good").manifest,
        manifest
    );
    let graph = fs::read(dir.join("network.onnx")).expect("there");
    let replaced = SceneBundle::write(manifest, &graph, &golden(), "card", &dir);
    let replaced = replaced.expect("good").manifest;
    let names: Vec<&str> = replaced
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(names, ["network.onnx", "golden.json", "README.md"]);
    assert_eq!(replaced.scorer, None, "another network has another scorer");
    assert_eq!(fs::read(dir.join("README.md")).expect("written"), b"card");
    let left = fs::read_dir(folder.path()).expect("lists").count();
    assert_eq!(left, 1, "temporary folders are gone");
}

#[test]
fn a_changed_card_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = copy(folder.path());
    let card = dir.join("README.md");
    let text = fs::read_to_string(&card).expect("there");
    fs::write(&card, text.replacen('0', "9", 1)).expect("writes");
    let refused = SceneBundle::load(&dir).expect_err("changed");
    assert!(
        matches!(refused, BundleError::WrongHash { .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("README.md"), "{refused}");
}

#[test]
fn a_gripper_whose_name_leads_out_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = copy(folder.path());
    let path = dir.join("policy.toml");
    let text = fs::read_to_string(&path).expect("there");
    let led_out = text.replace("\"franka_hand\"", "\"../../../tmp/hand\"");
    assert_ne!(text, led_out);
    fs::write(&path, led_out).expect("writes");
    let refused = SceneBundle::load(&dir)
        .expect_err("no plain name")
        .to_string();
    assert!(refused.contains("`gripper`"), "{refused}");
}
