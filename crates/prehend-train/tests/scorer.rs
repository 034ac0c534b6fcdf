//! The scorer learns from tried grasps, repeats itself, and gets into a bundle.

use std::path::Path;

use prehend_cloud::{CLOSE_UP_POINTS, CloseUp};
use prehend_policy::pick_place::{Judged, SceneBundle, SceneNetwork};
use prehend_policy::{EngineChoice, Origin, Runtime, RuntimeOptions};
use prehend_robot::Jaw;
use prehend_sim::tabletop::{ObjectSource, Split};
use prehend_train::Starter;
use prehend_train::pick_place::{
    ScorerCheckpoint, ScorerReport, ScorerRun, ScorerTraining, Trial, Tried, TriedScene, Trier,
    add_scorer, scorer_says,
};
use prehend_types::config::locate;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn jaw() -> Jaw {
    Jaw::load(&locate("robots/grippers/franka_hand.toml").expect("shipped")).expect("sound")
}

fn settings() -> ScorerTraining {
    let path = locate("models/train_scorer.toml").expect("shipped");
    let mut settings = ScorerTraining::load(&path).expect("sound");
    (settings.passes, settings.batch) = (6, 16);
    settings
}

/// Something between the fingers holds if it is on the tool's axis.
fn trial(rng: &mut ChaCha8Rng) -> Trial {
    let is_good = rng.random_bool(0.5);
    let off = if is_good { 0.0 } else { 0.5 };
    let row = |i: usize, rng: &mut ChaCha8Rng| {
        let mut draw = || rng.random_range(-0.2..0.2_f32);
        let (x, y, z) = (draw(), draw(), draw());
        let x = if i < CLOSE_UP_POINTS {
            x + off
        } else {
            4.0 * x
        };
        [x, y, z, 1.0 + z, y.abs() - 0.3]
    };
    Trial {
        close_up: (0..2 * CLOSE_UP_POINTS).map(|i| row(i, rng)).collect(),
        is_good,
    }
}

fn tried(judged: Judged, split: Split, first_seed: u64) -> Tried {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let scenes = (first_seed..first_seed + 40).map(|seed| TriedScene {
        seed,
        trials: (0..12).map(|_| trial(&mut rng)).collect(),
    });
    let objects = ObjectSource::Split(split);
    let (network, scenes) = ("0123".to_owned(), scenes.collect());
    Tried::new(judged, &objects, &jaw(), network, scenes)
}

fn train(tried: &Tried, folder: &Path) -> ScorerReport {
    let run = ScorerRun {
        config: &settings(),
        jaw: &jaw(),
        tried,
        folder,
        starter: &Starter::default(),
    };
    run.train(&|| false).expect("trains")
}

#[test]
fn a_scorer_of_grasps_learns_repeats_itself_and_runs_in_a_bundle() {
    learns(Judged::Grasps, "golden_scores.json");
}

#[test]
fn a_scorer_of_placements_does_too_beside_the_other_one() {
    learns(Judged::Places, "golden_place_scores.json");
}

fn learns(judged: Judged, scores: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let tried = tried(judged, Split::Train, 100);
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let report = train(&tried, &first);
    let auc = report.last.validation_auc.expect("good and bad ones");
    assert!(auc > 0.95, "{auc}");
    let checkpoint = ScorerCheckpoint::load(&report.checkpoint).expect("sound");
    let again = train(&tried, &second);
    let again = ScorerCheckpoint::load(&again.checkpoint).expect("sound");
    let close_ups: Vec<CloseUp> = tried.scenes[0]
        .trials
        .iter()
        .map(|trial| trial.close_up.clone())
        .collect();
    assert_eq!(
        scorer_says(&checkpoint, &close_ups),
        scorer_says(&again, &close_ups)
    );

    let shipped = SceneBundle::load(&locate("models/pick-place").expect("shipped")).expect("good");
    let dir = folder.path().join("network");
    let origin = Origin::default();
    let bundle = add_scorer(&checkpoint, &close_ups, origin, &shipped, &dir).expect("writes");
    assert!(bundle.manifest.scorer.is_some());
    assert!(bundle.manifest.scorer_of(judged).is_some());
    let options = RuntimeOptions {
        engine: EngineChoice::Embedded,
        ..RuntimeOptions::default()
    };
    let runtime = Runtime::open(&options).expect("always there");
    let mut network = SceneNetwork::from_bundle(&bundle, &runtime).expect("as golden");
    let said = network
        .score(judged, &close_ups)
        .expect("runs")
        .expect("has a scorer");
    assert_eq!(said.len(), close_ups.len());
    for (engine, burn) in said.iter().zip(scorer_says(&checkpoint, &close_ups)) {
        assert!((engine - burn).abs() < 1e-4, "{engine} {burn}");
    }

    // A scorer that says something else than its golden scores is none.
    let path = dir.join(scores);
    let text = std::fs::read_to_string(&path).expect("there");
    std::fs::write(&path, text.replacen("0.", "0.1", 1)).expect("writes");
    let refused = SceneBundle::load(&dir).expect_err("changed").to_string();
    assert!(refused.contains(scores), "{refused}");
}

#[test]
fn trials_that_are_kept_for_reports_or_were_damaged_are_not_learned_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tried.bin");
    let tried = |split, seed| tried(Judged::Grasps, split, seed);
    let load = |tried: &Tried| {
        tried.save(&path).expect("writes");
        Tried::load_for_training(&path, &jaw()).map_err(|error| error.to_string())
    };
    assert_eq!(
        load(&tried(Split::Train, 100)),
        Ok(tried(Split::Train, 100))
    );
    let refused = load(&tried(Split::TestFamilies, 100)).expect_err("test objects");
    assert!(refused.contains("never trained on"), "{refused}");
    let refused = load(&tried(Split::Train, 900_000)).expect_err("test seeds");
    assert!(refused.contains("700000"), "{refused}");
    let mut damaged = tried(Split::Train, 100);
    damaged.scenes[0].trials[0].close_up.pop();
    let refused = load(&damaged).expect_err("too short");
    assert!(refused.contains("close-up"), "{refused}");
    std::fs::write(&path, b"none").expect("writes");
    let refused = Tried::load(&path).expect_err("no such file").to_string();
    assert!(refused.contains("tried.bin"), "{refused}");
}

#[test]
fn trials_of_a_scene_repeat_and_are_good_and_bad() {
    for judged in [Judged::Grasps, Judged::Places] {
        repeat(judged);
    }
}

fn repeat(judged: Judged) {
    let jaw = jaw();
    let options = RuntimeOptions {
        engine: EngineChoice::Embedded,
        ..RuntimeOptions::default()
    };
    let network = SceneNetwork::load(&locate("models/pick-place").expect("shipped"), &options);
    let mut trier = Trier {
        judged,
        network: network.expect("shipped"),
        jaw: &jaw,
        objects: ObjectSource::Split(Split::Train),
    };
    let scenes = |trier: &mut Trier<'_>| -> Vec<TriedScene> {
        let seeds = 100_000..100_003;
        let tried = seeds.filter_map(|seed| trier.try_scene(seed).expect("runs"));
        tried.collect()
    };
    let first = scenes(&mut trier);
    assert_eq!(first, scenes(&mut trier));
    let trials: Vec<&Trial> = first.iter().flat_map(|scene| &scene.trials).collect();
    let n_good = trials.iter().filter(|trial| trial.is_good).count();
    assert!(
        n_good > 0 && n_good < trials.len(),
        "{judged:?} {n_good} of {}",
        trials.len()
    );
}
