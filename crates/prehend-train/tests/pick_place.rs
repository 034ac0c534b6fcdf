//! Training of the pick-and-place network repeats, resumes and exports.

use std::path::Path;

use prehend_policy::Origin;
use prehend_policy::pick_place::SceneNetwork;
use prehend_policy::{EngineChoice, Runtime, RuntimeOptions};
use prehend_robot::Jaw;
use prehend_sim::tabletop::Split;
use prehend_train::Starter;
use prehend_train::pick_place::{
    PickPlaceCheckpoint, PickPlaceRun, PickPlaceTraining, SceneStore, StoredScene, burn_says,
    export_scene, scene_inputs,
};
use prehend_types::config::locate;

fn jaw() -> Jaw {
    Jaw::load(&locate("robots/grippers/franka_hand.toml").expect("shipped")).expect("sound")
}

fn scenes(folder: &Path) -> Vec<StoredScene> {
    let writer = SceneStore::create(folder, Split::Train, &jaw()).expect("a folder");
    for seed in 0..4 {
        assert!(writer.generate(seed).expect("stores"));
    }
    let store = writer.store();
    store.load_for(Split::Train, &jaw()).expect("reads back")
}

fn settings() -> PickPlaceTraining {
    let path = locate("models/train_pick_place.toml").expect("shipped");
    let mut settings = PickPlaceTraining::load(&path).expect("sound");
    settings.steps = 4;
    settings.batch = 2;
    settings.warm_up_steps = 1;
    settings.log_every_steps = 1;
    settings.validate_every_steps = 4;
    settings.checkpoint_every_steps = 1;
    settings
}

fn run(scenes: &[StoredScene], folder: &Path, resume: bool, stop_at: u64) -> PickPlaceCheckpoint {
    let steps = std::cell::Cell::new(0);
    let should_stop = || {
        steps.set(steps.get() + 1);
        steps.get() >= stop_at
    };
    let starter = Starter::default();
    let run = PickPlaceRun {
        config: &settings(),
        jaw: &jaw(),
        training: scenes,
        validation: scenes,
        folder,
        resume,
        starter: &starter,
    };
    let report = run.train(&should_stop);
    PickPlaceCheckpoint::load(&report.expect("trains").checkpoint).expect("loads")
}

#[test]
fn a_resumed_run_ends_where_an_uninterrupted_one_does_and_exports() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenes = scenes(&folder.path().join("scenes"));
    let whole = run(&scenes, &folder.path().join("whole"), false, u64::MAX);
    let parts = folder.path().join("parts");
    assert_eq!(run(&scenes, &parts, false, 2).step, 2);
    let resumed = run(&scenes, &parts, true, u64::MAX);
    assert_eq!((resumed.step, whole.step), (4, 4));
    let inputs = scene_inputs(&whole, &scenes);
    let said: Vec<_> = inputs
        .iter()
        .map(|inputs| burn_says(&whole, inputs))
        .collect();
    assert_eq!(burn_says(&resumed, &inputs[0]), said[0]);

    let dir = folder.path().join("network");
    let bundle = export_scene(&whole, "network", Origin::default(), &inputs, "card", &dir);
    let bundle = bundle.expect("exports");
    let options = RuntimeOptions {
        engine: EngineChoice::Embedded,
        ..RuntimeOptions::default()
    };
    let runtime = Runtime::open(&options).expect("always there");
    let mut network = SceneNetwork::from_bundle(&bundle, &runtime).expect("reproduces its golden");
    for (inputs, said) in inputs.iter().zip(&said) {
        let difference = network.infer(inputs).expect("infers").difference(said);
        assert!(difference < 1e-4, "{difference}");
    }
}

#[test]
fn scenes_for_a_gripper_that_was_changed_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = SceneStore::create(folder.path(), Split::Train, &jaw()).expect("new");
    let store = writer.store().clone();
    drop(writer);
    let mut other = jaw();
    other.pad.size_m[0] += 0.001;
    let read = store.load_for(Split::Train, &other).map(drop);
    let added = SceneStore::create(folder.path(), Split::Train, &other).map(drop);
    for refused in [read, added] {
        let said = refused.expect_err("another gripper").to_string();
        for word in ["scenes.json", "franka_hand", "generate the scenes anew"] {
            assert!(said.contains(word), "{said}");
        }
    }
    // Folders of versions before this one say nothing of the gripper but its name.
    let old = r#"{"version":3,"split":"train","gripper":"franka_hand"}"#;
    std::fs::write(folder.path().join("scenes.json"), old).expect("writes");
    let said = SceneStore::open(folder.path())
        .expect_err("old")
        .to_string();
    assert!(
        said.contains("version 3") && said.contains("anew"),
        "{said}"
    );
}

#[test]
fn one_process_adds_to_a_folder_and_finds_what_a_killed_one_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let create = || SceneStore::create(folder.path(), Split::Train, &jaw());
    let first = create().expect("new");
    let said = create().expect_err("in use").to_string();
    assert!(said.contains("another folder"), "{said}");
    drop(first);
    let left = folder.path().join(".unfinished-x");
    std::fs::write(&left, b"half").expect("writes");
    let again = create().expect("free again");
    assert!(!left.exists());
    assert!(!again.is_unsettled(7));
    std::fs::write(folder.path().join("scene_00000007.unsettled"), b"").expect("writes");
    assert!(again.is_unsettled(7) && !again.store().contains(7));
    assert!(again.store().load().expect("no scene").is_empty());
}

#[test]
fn a_damaged_scene_or_network_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = SceneStore::create(folder.path(), Split::Train, &jaw()).expect("a folder");
    assert!(writer.generate(5).expect("stores"));
    let store = writer.store();
    assert!(store.contains(5) && !store.contains(6));
    let path = folder.path().join("scene_00000005.bin");
    let mut bytes = std::fs::read(&path).expect("there");
    bytes[1000] ^= 1;
    std::fs::write(&path, bytes).expect("writes");
    let error = store.load().expect_err("damaged").to_string();
    assert!(error.contains("scene_00000005.bin"), "{error}");
    let error = PickPlaceCheckpoint::load(&path)
        .expect_err("no checkpoint")
        .to_string();
    assert!(error.contains("scene_00000005.bin"), "{error}");
}

#[test]
fn scenes_that_are_kept_for_tests_are_not_trained_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let jaw = jaw();
    let refused = |store: &SceneStore| {
        let error = store.load_for(Split::Train, &jaw).expect_err("kept");
        error.to_string()
    };
    let test = SceneStore::create(&folder.path().join("test"), Split::Test, &jaw).expect("made");
    assert!(refused(test.store()).contains("Test"));
    let late = SceneStore::create(&folder.path().join("late"), Split::Train, &jaw).expect("made");
    assert!(late.generate(700_001).expect("stores"));
    assert!(refused(late.store()).contains("700000"));
    drop(late);
    let other = SceneStore::create(&folder.path().join("late"), Split::Test, &jaw);
    let error = other.expect_err("another kind").to_string();
    assert!(error.contains("another folder"), "{error}");
    let none = SceneStore::open(folder.path()).expect_err("no scenes");
    assert!(none.to_string().contains("scenes generate"));
}
