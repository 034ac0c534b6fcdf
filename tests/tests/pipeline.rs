//! From simulated demonstrations to a bundle, end to end and at full network size: what is exported
//! computes what was trained.

use std::path::Path;
use std::sync::Arc;

use indicatif::ProgressBar;
use prehend_data::{
    EpisodeRecord, EpisodeStore, SeedRange, StepRecord, StoreManifest, StoreWriter, fingerprint,
};
use prehend_policy::{
    EngineChoice, NoiseKind, OnnxPolicy, Origin, PolicyInputs, RobotId, RuntimeOptions, is_offline,
    observation_to_inputs,
};
use prehend_robot::Robot;
use prehend_sim::{
    Disturbance, FamilySet, Pilot, RolloutConfig, SceneConfig, View, World, rollout,
};
use prehend_train::{
    Checkpoint, DistillConfig, ExportRequest, FlowConfig, Hooks, Parent, Starter, StepChoice,
    WindowOptions, WindowSet, distill, export, load_windows, parity, train_flow,
};
use prehend_types::config::locate;

const EPISODES: u64 = 10;
const N_POINTS: usize = 512;

struct Cell {
    robot: Arc<Robot>,
    scene: Arc<SceneConfig>,
    scene_hash: u64,
}

fn cell() -> Cell {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let scene = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
    let scene = SceneConfig::load(&scene).expect("valid scene");
    Cell {
        scene_hash: fingerprint(&scene).expect("plain values"),
        robot: Arc::new(robot),
        scene: Arc::new(scene),
    }
}

fn demonstrate(cell: &Cell, seed: u64) -> EpisodeRecord {
    let mut world = World::new(&cell.robot, &cell.scene, seed, FamilySet::Train).expect("a scene");
    let target = world.episode().variant();
    let config = RolloutConfig {
        disturbance: Some(Disturbance::default()),
        ..RolloutConfig::default()
    };
    let mut steps = Vec::new();
    let result = rollout(&mut world, Pilot::Expert, &config, &mut |step| {
        steps.push(StepRecord {
            world: step.world.clone(),
            action: step.action,
            is_expert: step.is_expert,
            decision: step.decision.clone(),
            hash: step.hash,
        });
    })
    .expect("a whole episode");
    EpisodeRecord {
        seed,
        scene: cell.scene.name.clone(),
        scene_hash: cell.scene_hash,
        robot: cell.robot.content_hash().to_owned(),
        arm: world.arm_mode().name().to_owned(),
        instruction: world.episode().instruction(),
        target_family: target.name.to_owned(),
        held_out: target.is_held_out,
        success: result.success,
        failure: result.failure.map(|failure| failure.name().to_owned()),
        draws: world.draws(),
        steps,
    }
}

/// Stores demonstrations, and gives a thousand observations of them.
fn collect(cell: &Cell, folder: &Path) -> Vec<PolicyInputs> {
    let manifest = StoreManifest {
        scene: cell.scene.name.clone(),
        scene_hash: cell.scene_hash,
        robot: cell.robot.content_hash().to_owned(),
        seeds: SeedRange {
            first: 0,
            count: EPISODES,
        },
        config: toml::Table::new(),
    };
    let writer = StoreWriter::open(folder, manifest).expect("a new store");
    let mut observations = Vec::new();
    for seed in 0..EPISODES {
        let episode = demonstrate(cell, seed);
        let first = &episode.steps[0].world;
        let view =
            View::new(&cell.robot, &cell.scene, seed, FamilySet::Train, first).expect("its view");
        observations.extend(episode.steps.iter().map(|step| {
            let seen = view.observe(&step.world).expect("its state");
            observation_to_inputs(&seen, N_POINTS).expect("a usable cloud")
        }));
        writer.write(&episode).expect("stored");
    }
    assert!(observations.len() >= 1000, "{}", observations.len());
    observations.truncate(1000);
    observations
}

fn hooks() -> Hooks<'static> {
    Hooks {
        should_stop: &|| false,
        rollouts: None,
        resume: false,
        progress: false,
        starter: Starter::default(),
    }
}

fn windows(cell: &Cell, store: &Path, flow: &FlowConfig) -> WindowSet {
    let options = WindowOptions {
        n_points: flow.network.n_points,
        chunk: flow.network.chunk,
        validation_share: flow.data.validation_share,
        choice: StepChoice::Expert,
        stride: 2,
        families: FamilySet::Train,
    };
    load_windows(
        &[store.to_owned()],
        &cell.robot,
        &cell.scene,
        cell.scene_hash,
        &options,
        &ProgressBar::hidden(),
    )
    .expect("windows")
}

fn settings() -> FlowConfig {
    let path = locate("models/train_flow.toml").expect("settings");
    let mut flow = FlowConfig::load(&path).expect("valid settings");
    flow.data.validation_share = 0.2;
    flow
}

#[test]
fn kept_windows_are_used_only_where_they_fit() {
    let cell = cell();
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("demos");
    collect(&cell, &store);
    let rebuilt = windows(&cell, &store, &settings());
    let kept = store.join("cache/expert.windows");
    let written = || {
        std::fs::metadata(&kept)
            .expect("kept")
            .modified()
            .expect("a time")
    };
    let first = written();
    assert_eq!(windows(&cell, &store, &settings()), rebuilt);
    assert_eq!(written(), first, "rebuilt without need");

    // Other options, a damaged file, and a file of other episodes: rebuilt.
    let mut other = settings();
    other.network.n_points = 256;
    assert_ne!(windows(&cell, &store, &other), rebuilt);
    assert_eq!(windows(&cell, &store, &settings()), rebuilt);
    let mut bytes = std::fs::read(&kept).expect("kept");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&kept, bytes).expect("writable");
    assert_eq!(windows(&cell, &store, &settings()), rebuilt);
    let first_episode = EpisodeStore::open(&store).expect("a store").episode_path(0);
    std::fs::remove_file(first_episode).expect("removes");
    let fewer = windows(&cell, &store, &settings());
    assert!(
        fewer.training.len() + fewer.validation.len()
            < rebuilt.training.len() + rebuilt.validation.len()
    );
}

#[test]
fn engines_equal_burn_on_a_thousand_real_observations() {
    let cell = cell();
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("demos");
    let observations = collect(&cell, &store);

    let mut flow = settings();
    flow.optimiser.steps = 20;
    flow.optimiser.warm_up_steps = 2;
    flow.optimiser.batch = 32;
    let windows = windows(&cell, &store, &flow);
    let teacher_run = folder.path().join("teacher");
    let report = train_flow(&flow, None, &windows, &teacher_run, hooks()).expect("trains");
    let parent = Parent::load(&report.checkpoint).expect("a teacher");

    let mut settings = DistillConfig::load(&locate("models/distill.toml").expect("settings"))
        .expect("valid settings");
    settings.optimiser.steps = 5;
    settings.optimiser.warm_up_steps = 1;
    settings.optimiser.batch = 32;
    let student_run = folder.path().join("student");
    let report = distill(&settings, &parent, &windows, &student_run, hooks()).expect("distils");
    let student = Checkpoint::load(&report.checkpoint).expect("a checkpoint");

    let engine = if is_offline() {
        EngineChoice::Auto
    } else {
        EngineChoice::OnnxRuntime
    };
    let runtime = RuntimeOptions {
        engine,
        allow_install: !is_offline(),
        ..RuntimeOptions::default()
    };
    for (name, checkpoint) in [("teacher", &parent.checkpoint), ("student", &student)] {
        let bundle = folder.path().join("bundles").join(name);
        std::fs::create_dir_all(folder.path().join("bundles")).expect("a folder");
        let request = ExportRequest {
            name,
            robot: RobotId {
                name: cell.robot.name().to_owned(),
                fingerprint: cell.robot.content_hash().to_owned(),
            },
            origin: Origin::default(),
            noise: NoiseKind::Normal,
            n_action_steps: 4,
            observations: &observations[..4],
            card: "# A policy for a test\n",
        };
        let first = export(checkpoint, &request, &bundle).expect("exports");
        let again = export(checkpoint, &request, &bundle).expect("exports again");
        assert!(first.graph() == again.graph(), "{name}: other bytes");
        let mut policy = OnnxPolicy::load(&bundle, &runtime).expect("a whole bundle");
        let difference = parity(checkpoint, &mut policy, &observations).expect("infers");
        assert!(difference <= 1e-5, "{name}: {difference}");
    }
}
