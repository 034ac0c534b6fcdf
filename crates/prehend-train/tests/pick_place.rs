//! Training of the pick-and-place network repeats, resumes and exports.

use std::path::Path;
use std::sync::Arc;

use prehend_policy::Origin;
use prehend_policy::pick_place::SceneNetwork;
use prehend_policy::{EngineChoice, Runtime, RuntimeOptions};
use prehend_robot::{Jaw, Shape};
use prehend_sim::Part;
use prehend_sim::tabletop::{
    CollectedObject, Collection, ObjectSource, Resting, Split, TableObject,
};
use prehend_train::Starter;
use prehend_train::pick_place::{
    PickPlaceCheckpoint, PickPlaceRun, PickPlaceTraining, SceneStore, StoredScene, burn_says,
    export_scene, scene_inputs,
};
use prehend_types::Pose;
use prehend_types::config::locate;

fn jaw() -> Jaw {
    Jaw::load(&locate("robots/grippers/franka_hand.toml").expect("shipped")).expect("sound")
}

fn scenes(folder: &Path) -> Vec<StoredScene> {
    let store = SceneStore::create(folder, Split::Train, &jaw()).expect("a folder");
    for seed in 0..4 {
        assert!(store.generate(seed, Split::Train, &jaw()).expect("stores"));
    }
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
fn a_damaged_scene_or_network_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SceneStore::create(folder.path(), Split::Train, &jaw()).expect("a folder");
    assert!(store.generate(5, Split::Train, &jaw()).expect("stores"));
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
    assert!(refused(&test).contains("Test"));
    let late = SceneStore::create(&folder.path().join("late"), Split::Train, &jaw).expect("made");
    assert!(late.generate(700_001, Split::Train, &jaw).expect("stores"));
    assert!(refused(&late).contains("700000"));
    let other = SceneStore::create(&folder.path().join("late"), Split::Test, &jaw);
    let error = other.expect_err("another kind").to_string();
    assert!(error.contains("another folder"), "{error}");
    let none = SceneStore::open(folder.path()).expect_err("no scenes");
    assert!(none.to_string().contains("scenes generate"));
}

/// A ball that somebody brought; `split` if it is the library's.
fn brought(digest: &str, split: Option<Split>) -> ObjectSource {
    let ball = TableObject {
        parts: vec![Part {
            shape: Shape::Sphere { radius: 0.02 },
            body_from_part: Pose::identity(),
        }],
        mass: 0.1,
        friction: 0.6,
    };
    let resting = Resting {
        base_from_object: Pose::identity(),
        n_drops: 1,
    };
    let ball = CollectedObject::new("ball".to_owned(), &ball, &[resting]).expect("rests");
    let collection = Collection::new(vec![ball], digest.to_owned(), split);
    ObjectSource::Collection(Arc::new(collection.expect("not empty")))
}

#[test]
fn scenes_of_ones_own_objects_may_be_trained_on_and_those_of_kept_ones_may_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let jaw = jaw();
    let create = |name: &str, objects: &ObjectSource| {
        SceneStore::create(&folder.path().join(name), objects, &jaw)
    };
    let own = create("own", &brought("1", None)).expect("made");
    for split in [Split::Train, Split::Validation] {
        assert!(own.load_for(split, &jaw).expect("anybody's").is_empty());
    }
    let kept = create("kept", &brought("2", Some(Split::Test))).expect("made");
    let error = kept.load_for(Split::Train, &jaw).expect_err("kept");
    assert!(error.to_string().contains("not wanted here"), "{error}");
    create("own", &brought("1", None)).expect("the same");
    let error = create("own", &brought("3", None)).expect_err("other objects");
    assert!(error.to_string().contains("another folder"), "{error}");
}

#[test]
fn folders_from_before_there_were_collections_are_still_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SceneStore::create(folder.path(), Split::Test, &jaw()).expect("made");
    let path = folder.path().join("scenes.json");
    let text = std::fs::read_to_string(&path).expect("there");
    let old = text.replacen("\"objects\"", "\"split\"", 1);
    assert_ne!(old, text);
    std::fs::write(&path, old).expect("writes");
    let again = SceneStore::create(folder.path(), Split::Test, &jaw()).expect("the same");
    assert_eq!(again.kind(), store.kind());
}
