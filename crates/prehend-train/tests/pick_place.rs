//! Training of the pick-and-place network repeats, resumes and exports.

use std::path::Path;
use std::sync::Arc;

use prehend_policy::Origin;
use prehend_policy::pick_place::SceneNetwork;
use prehend_policy::{EngineChoice, Runtime, RuntimeOptions};
use prehend_robot::{Jaw, Shape};
use prehend_sim::tabletop::{
    CollectedObject, Collection, LabelledScene, ObjectSource, Resting, Split, TableObject,
};
use prehend_train::pick_place::{
    PickPlaceCheckpoint, PickPlaceLine, PickPlaceReport, PickPlaceRun, PickPlaceTraining,
    SceneStore, StoredScene, burn_says, export_scene, scene_inputs,
};
use prehend_train::{METRICS_FILE, PLOT_FILE, Starter, TrainError};
use prehend_types::Pose;
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

/// What may differ between the parts of a run.
struct Part<'a> {
    settings: PickPlaceTraining,
    jaw: Jaw,
    scenes: &'a [StoredScene],
    resume: bool,
    stop_at: u64,
}

impl<'a> Part<'a> {
    fn new(scenes: &'a [StoredScene], resume: bool, stop_at: u64) -> Self {
        Self {
            settings: settings(),
            jaw: jaw(),
            scenes,
            resume,
            stop_at,
        }
    }
}

fn attempt(part: &Part<'_>, folder: &Path) -> Result<PickPlaceReport, TrainError> {
    let steps = std::cell::Cell::new(0);
    let should_stop = || {
        steps.set(steps.get() + 1);
        steps.get() >= part.stop_at
    };
    let starter = Starter::default();
    let run = PickPlaceRun {
        config: &part.settings,
        jaw: &part.jaw,
        training: part.scenes,
        validation: part.scenes,
        folder,
        resume: part.resume,
        starter: &starter,
    };
    run.train(&should_stop)
}

fn run(scenes: &[StoredScene], folder: &Path, resume: bool, stop_at: u64) -> PickPlaceCheckpoint {
    let report = attempt(&Part::new(scenes, resume, stop_at), folder);
    PickPlaceCheckpoint::load(&report.expect("trains").checkpoint).expect("loads")
}

fn log(folder: &Path) -> Vec<PickPlaceLine> {
    let text = std::fs::read_to_string(folder.join(METRICS_FILE)).expect("a log");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line"))
        .collect()
}

#[test]
fn a_resumed_run_ends_where_an_uninterrupted_one_does_and_exports() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenes = scenes(&folder.path().join("scenes"));
    let whole = run(&scenes, &folder.path().join("whole"), false, u64::MAX);
    let parts = folder.path().join("parts");
    assert_eq!(run(&scenes, &parts, false, 2).step, 2);
    // What a killed run logged after its last checkpoint is done again.
    let path = parts.join(METRICS_FILE);
    let mut text = std::fs::read_to_string(&path).expect("a log");
    let lost = PickPlaceLine {
        step: 3,
        loss: Some(12_345.0),
        ..PickPlaceLine::default()
    };
    text += &serde_json::to_string(&lost).expect("a line");
    std::fs::write(&path, text + "\n{\"step\":").expect("writes");
    let resumed = run(&scenes, &parts, true, u64::MAX);
    assert_eq!((resumed.step, whole.step), (4, 4));
    let steps: Vec<u64> = log(&parts).iter().map(|line| line.step).collect();
    assert_eq!(steps, [0, 1, 2, 3, 4]);
    let page = std::fs::read_to_string(parts.join(PLOT_FILE)).expect("curves");
    assert!(page.contains("validation loss") && page.contains("<polyline"));
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
fn a_run_goes_on_only_as_it_was_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenes = scenes(&folder.path().join("scenes"));
    let runs = folder.path().join("runs");
    let refused = |part: &Part<'_>, folder: &Path| {
        let error = attempt(part, folder).expect_err("must be refused");
        error.to_string()
    };
    let said = refused(&Part::new(&scenes, true, 1), &runs.join("mistyped"));
    assert!(said.contains("nothing to resume"), "{said}");
    assert!(
        !runs.exists(),
        "no folder is made for a run that is not begun"
    );

    let own = runs.join("own");
    assert_eq!(run(&scenes, &own, false, 1).step, 1);
    let said = refused(&Part::new(&scenes[..3], true, 1), &own);
    assert!(
        said.contains("seeds 0 to 3") && said.contains("seeds 0 to 2"),
        "{said}"
    );
    let mut other = Part::new(&scenes, true, 1);
    other.jaw.pad.size_m[0] += 0.001;
    let said = refused(&other, &own);
    assert!(said.contains("another gripper"), "{said}");
    let data = PickPlaceCheckpoint::load(&own.join("latest.checkpoint"))
        .expect("whole")
        .data;
    assert!(data.starts_with("4 scenes, seeds 0 to 3, digest"), "{data}");
}

#[test]
fn validation_does_not_wait_for_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenes = scenes(&folder.path().join("scenes"));
    let mut part = Part::new(&scenes, false, u64::MAX);
    part.settings.log_every_steps = 3;
    part.settings.validate_every_steps = 2;
    let own = folder.path().join("run");
    attempt(&part, &own).expect("trains");
    let lines = log(&own);
    let steps = |is_so: fn(&&PickPlaceLine) -> bool| -> Vec<u64> {
        lines.iter().filter(is_so).map(|line| line.step).collect()
    };
    assert_eq!(steps(|line| line.validation.is_some()), [0, 2, 4]);
    assert_eq!(steps(|line| line.loss.is_some()), [3, 4]);
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
    // The same scene twice would count twice.
    let copy = folder.path().join("scene_00000006.bin");
    std::fs::copy(&path, &copy).expect("copies");
    let error = store.load().expect_err("another's name").to_string();
    assert!(
        error.contains("scene_00000006.bin") && error.contains("seed 5"),
        "{error}"
    );
    std::fs::remove_file(&copy).expect("there");
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

/// A ball that somebody brought; `split` if it is the library's.
fn brought(digest: &str, split: Option<Split>) -> ObjectSource {
    let ball = TableObject {
        parts: vec![prehend_sim::Part {
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
        let scenes = own.store().load_for(split, &jaw);
        assert!(scenes.expect("anybody's").is_empty());
    }
    let mut changed = jaw.clone();
    changed.pad.size_m[0] += 0.001;
    let error = own.store().load_for(Split::Train, &changed);
    let error = error.expect_err("another gripper").to_string();
    assert!(error.contains("its file was changed"), "{error}");
    drop(own);
    let kept = create("kept", &brought("2", Some(Split::Test))).expect("made");
    let error = kept.store().load_for(Split::Train, &jaw);
    let error = error.expect_err("kept").to_string();
    assert!(
        error.contains("Test objects of the library") && error.contains("the Train objects"),
        "{error}"
    );
    drop(create("own", &brought("1", None)).expect("the same"));
    let error = create("own", &brought("3", None)).expect_err("other objects");
    assert!(error.to_string().contains("another folder"), "{error}");
}

#[test]
fn a_writer_draws_from_the_objects_that_it_was_created_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = brought("1", None);
    let writer = SceneStore::create(folder.path(), &source, &jaw()).expect("made");
    assert!(writer.generate(3).expect("stores"));
    let scenes = writer.store().load().expect("reads back");
    let wanted = LabelledScene::new(3, &source, None, &jaw()).expect("comes to rest");
    assert_eq!(scenes[0].picking, wanted.picking);
    assert_eq!(scenes[0].kind.objects, source.describe());
}

#[test]
fn folders_from_before_there_were_collections_are_still_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = SceneStore::create(folder.path(), Split::Test, &jaw()).expect("made");
    let store = writer.store().clone();
    drop(writer);
    let path = folder.path().join("scenes.json");
    let text = std::fs::read_to_string(&path).expect("there");
    let old = text.replacen("\"objects\"", "\"split\"", 1);
    assert_ne!(old, text);
    std::fs::write(&path, old).expect("writes");
    let again = SceneStore::create(folder.path(), Split::Test, &jaw()).expect("the same");
    assert_eq!(again.store().kind(), store.kind());
}
