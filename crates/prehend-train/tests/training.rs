//! The whole way from windows to a bundle, on a task with a known answer: go to the target.

use std::path::Path;

use burn::tensor::Device;
use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_nets::{FlowPolicyConfig, flatten};
use prehend_policy::{
    EngineChoice, NoiseKind, OnnxPolicy, Origin, PolicyInputs, RobotId, RuntimeOptions,
};
use prehend_train::{
    CHECKPOINT_FILE, Checkpoint, DataConfig, DistillConfig, ExportRequest, FlowConfig,
    FlowSettings, Hooks, LogConfig, MetricLine, OptimiserConfig, Parent, Provenance, Starter,
    StudentSettings, TrainError, TrainReport, Window, WindowSet, distill, export, train_flow,
};
use prehend_types::{Action, Pose};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const N_POINTS: usize = 48;

/// A target and a receptacle as blobs, and a tool that points down with any heading.
fn observation(rng: &mut ChaCha8Rng) -> (PolicyInputs, Action) {
    let mut place =
        |z: f64| Vector3::new(rng.random_range(0.3..0.7), rng.random_range(-0.3..0.3), z);
    let (target, receptacle, tool) = (place(0.03), place(0.01), place(0.2));
    let down = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI);
    let heading = rng.random_range(-3.0..3.0);
    let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), heading);
    let base_from_tcp = Pose::from_parts(Translation3::from(tool), turn * down);
    let mut inputs = PolicyInputs::zeros(N_POINTS);
    for row in 0..N_POINTS - 8 {
        let role = row % 2;
        let centre = if role == 0 { target } else { receptacle };
        for axis in 0..3 {
            let scatter = rng.random_range(-0.02..0.02);
            inputs.points[3 * row + axis] = (centre[axis] + scatter) as f32;
        }
        inputs.roles[3 * row + role] = 1.0;
    }
    let r = base_from_tcp.rotation.to_rotation_matrix();
    let values = [
        tool.x,
        tool.y,
        tool.z,
        r[(0, 0)],
        r[(1, 0)],
        r[(2, 0)],
        r[(0, 1)],
        r[(1, 1)],
        r[(2, 1)],
        0.08,
        1.0,
        0.0,
    ];
    inputs.proprio = values.map(|v| v as f32);
    let to_target = base_from_tcp.inverse_transform_vector(&(target - tool));
    let action = Action {
        translation: 0.05 * to_target,
        ..Action::hold(1.0)
    };
    (inputs, action)
}

fn windows() -> WindowSet {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut take = |n: usize| -> Vec<Window> {
        (0..n)
            .map(|_| {
                let (inputs, action) = observation(&mut rng);
                Window::new(&inputs, &[action; 2])
            })
            .collect()
    };
    WindowSet {
        origin: "synthetic".into(),
        training: take(512),
        validation: take(64),
    }
}

fn flow_config(steps: u64) -> FlowConfig {
    FlowConfig {
        network: FlowPolicyConfig {
            n_points: N_POINTS,
            chunk: 2,
            point_widths: [16, 16, 32],
            condition_width: 64,
            head_width: 64,
            head_blocks: 1,
            max_committed: 0,
        },
        flow: FlowSettings {
            euler_steps: 4,
            sigma_beta: 1.5,
        },
        optimiser: OptimiserConfig {
            seed: 5,
            steps,
            batch: 64,
            noise_draws: 2,
            learning_rate: 3e-3,
            warm_up_steps: 10,
            weight_decay: 1e-4,
            clip_norm: 1.0,
            ema_decay: 0.98,
            max_minutes: None,
        },
        data: DataConfig {
            points_per_role: [16, 16, 4],
            validation_share: 0.1,
        },
        log: LogConfig {
            every_steps: 5,
            validate_every_steps: 20,
            rollout_every_steps: 1000,
            checkpoint_every_steps: 1000,
        },
    }
}

fn hooks(should_stop: &dyn Fn() -> bool, resume: bool) -> Hooks<'_> {
    Hooks {
        should_stop,
        rollouts: None,
        resume,
        progress: false,
        starter: Starter::default(),
    }
}

fn train(steps: u64, windows: &WindowSet, run: &Path) -> TrainReport {
    train_flow(
        &flow_config(steps),
        None,
        windows,
        run,
        hooks(&|| false, false),
    )
    .expect("trains")
}

fn losses(run: &Path) -> Vec<(u64, Option<f64>, Option<f64>)> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).expect("log is written");
    let parse = |line: &str| serde_json::from_str::<MetricLine>(line).expect("own line");
    text.lines()
        .map(parse)
        .map(|l| (l.step, l.loss, l.validation_loss))
        .collect()
}

#[test]
fn an_interrupted_run_goes_on_as_if_nothing_had_happened() {
    let windows = windows();
    let folder = tempfile::tempdir().expect("temporary folder");
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    train(40, &windows, &whole);

    let config = flow_config(40);
    let calls = std::cell::Cell::new(0);
    let stop_after_20 = || {
        calls.set(calls.get() + 1);
        calls.get() == 20
    };
    let first = train_flow(
        &config,
        None,
        &windows,
        &parts,
        hooks(&stop_after_20, false),
    )
    .expect("runs");
    assert_eq!((first.step, first.is_finished), (20, false));
    let again = train_flow(&config, None, &windows, &parts, hooks(&|| false, false));
    assert!(
        matches!(again, Err(TrainError::Checkpoint { .. })),
        "never overwritten silently"
    );
    let mut other = config.clone();
    other.optimiser.learning_rate = 1e-4;
    let again = train_flow(&other, None, &windows, &parts, hooks(&|| false, true));
    assert!(again.is_err_and(|e| e.to_string().contains("other settings")));

    let second =
        train_flow(&config, None, &windows, &parts, hooks(&|| false, true)).expect("resumes");
    assert!(second.is_finished);
    assert_eq!(losses(&whole), losses(&parts), "bit for bit");
    let averages = |run: &Path| {
        let checkpoint = Checkpoint::load(&run.join(CHECKPOINT_FILE)).expect("own checkpoint");
        flatten(&checkpoint.policy_net(&Device::flex()))
    };
    assert_eq!(averages(&whole), averages(&parts));
    let page = std::fs::read_to_string(parts.join("training.html")).expect("page is written");
    assert!(page.contains("<polyline"));
}

#[test]
fn a_run_remembers_its_ancestors_and_refuses_others() {
    let windows = windows();
    let folder = tempfile::tempdir().expect("temporary folder");
    let [first, other, second] = ["first", "other", "second"].map(|name| folder.path().join(name));
    let parent = Parent::load(&train(2, &windows, &first).checkpoint).expect("a teacher");
    let stranger = Parent::load(&train(3, &windows, &other).checkpoint).expect("a teacher");
    let config = flow_config(4);
    let go_on = |parent: &Parent, should_stop: &dyn Fn() -> bool, resume: bool| {
        let hooks = hooks(should_stop, resume);
        train_flow(&config, Some(parent), &windows, &second, hooks)
    };
    let report = go_on(&parent, &|| true, false).expect("starts");
    let provenance = Provenance::beside(&report.checkpoint)
        .expect("whole")
        .expect("kept");
    assert_eq!(provenance.ancestors.len(), 1);
    assert_eq!(provenance.ancestors[0].steps, 2);
    let error = go_on(&stranger, &|| false, true).expect_err("another teacher");
    assert!(error.to_string().contains("another teacher"), "{error}");
    assert!(
        go_on(&parent, &|| false, true)
            .expect("its own")
            .is_finished
    );

    let settings = DistillConfig {
        student: StudentSettings { shrunk_noise: 0.5 },
        optimiser: config.optimiser,
        data: config.data,
        log: config.log,
    };
    let run = folder.path().join("student");
    let student = distill(&settings, &parent, &windows, &run, hooks(&|| false, false));
    let error = Parent::load(&student.expect("distils").checkpoint).expect_err("a student");
    assert!(error.to_string().contains("give its teacher"), "{error}");
}

#[test]
fn a_damaged_checkpoint_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let report = train(2, &windows(), folder.path());
    let mut bytes = std::fs::read(&report.checkpoint).expect("checkpoint");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&report.checkpoint, &bytes).expect("writable");
    let error = Checkpoint::load(&report.checkpoint).expect_err("a flipped bit");
    assert!(error.to_string().contains("latest.checkpoint"), "{error}");
}

/// Everybody goes either left or right, for no reason that can be seen, and goes on as they began.
fn two_ways() -> WindowSet {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut take = |n: usize| -> Vec<Window> {
        let mut draw = || {
            let (inputs, _) = observation(&mut rng);
            let side = if rng.random_bool(0.5) { SIDE } else { -SIDE };
            let action = Action {
                translation: Vector3::new(side, 0.0, 0.0),
                ..Action::hold(1.0)
            };
            Window::new(&inputs, &[action; 2])
        };
        (0..n).map(|_| draw()).collect()
    };
    WindowSet {
        origin: "two ways".into(),
        training: take(512),
        validation: take(64),
    }
}

/// How far they go in a step, m.
const SIDE: f64 = 0.01;

#[test]
fn what_is_decided_is_kept_and_gone_on_from() {
    let windows = two_ways();
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut config = flow_config(300);
    config.network.max_committed = 1;
    let run = folder.path().join("teacher");
    let report = train_flow(&config, None, &windows, &run, hooks(&|| false, false));
    let teacher = Parent::load(&report.expect("trains").checkpoint).expect("own checkpoint");
    let settings = DistillConfig {
        student: StudentSettings { shrunk_noise: 0.5 },
        optimiser: flow_config(100).optimiser,
        data: config.data,
        log: config.log,
    };
    let run = folder.path().join("student");
    let report = distill(&settings, &teacher, &windows, &run, hooks(&|| false, false));
    let student = Checkpoint::load(&report.expect("distils").checkpoint).expect("own checkpoint");

    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let observations: Vec<PolicyInputs> = (0..8).map(|_| observation(&mut rng).0).collect();
    for (checkpoint, name) in [(&teacher.checkpoint, "four_steps"), (&student, "one_step")] {
        let request = ExportRequest {
            name,
            robot: RobotId {
                name: "none".into(),
                fingerprint: "none".into(),
            },
            origin: Origin::default(),
            noise: NoiseKind::Zero,
            n_action_steps: 2,
            observations: &observations,
            card: "# A policy for a test\n",
        };
        let dir = folder.path().join(name);
        let bundle = export(checkpoint, &request, &dir).expect("exports");
        let space = bundle.manifest().action.clone();
        assert_eq!(space.max_committed, 1);
        let options = RuntimeOptions {
            engine: EngineChoice::Embedded,
            ..RuntimeOptions::default()
        };
        let mut policy = OnnxPolicy::load(&dir, &options).expect("agrees with burn");
        for inputs in &observations {
            for side in [SIDE, -SIDE] {
                let begun = Action {
                    translation: Vector3::new(side, 0.0, 0.0),
                    ..Action::hold(1.0)
                };
                let mut inputs = inputs.clone();
                // The second is more than the network takes.
                inputs.commit(&[begun, Action::hold(0.0)], &space);
                let actions = policy.infer(&inputs, &[0.0; 14]).expect("runs");
                assert!((f64::from(actions[0]) - side).abs() < 1e-6, "kept");
                let went_on = f64::from(actions[7]);
                assert!(
                    (went_on - side).abs() < 0.4 * SIDE,
                    "{name}: {side}, {went_on}"
                );
            }
        }
    }
}

#[test]
fn teacher_learns_student_follows_and_bundles_equal_burn() {
    let windows = windows();
    let folder = tempfile::tempdir().expect("temporary folder");
    let report = train(400, &windows, &folder.path().join("teacher"));
    // The expert's steps are 10 mm long on average.
    let error_m = report.last.validation_translation_m.expect("validated");
    assert!(error_m < 0.003, "teacher is {error_m} m off");
    let teacher = Parent::load(&report.checkpoint).expect("own checkpoint");

    let config = flow_config(150);
    let settings = DistillConfig {
        student: StudentSettings { shrunk_noise: 0.5 },
        optimiser: config.optimiser,
        data: config.data,
        log: config.log,
    };
    let run = folder.path().join("student");
    let report =
        distill(&settings, &teacher, &windows, &run, hooks(&|| false, false)).expect("distils");
    let student_error_m = report.last.validation_translation_m.expect("validated");
    assert!(
        student_error_m < 0.004,
        "student is {student_error_m} m off"
    );
    let student = Checkpoint::load(&report.checkpoint).expect("own checkpoint");

    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut observations: Vec<PolicyInputs> = (0..20).map(|_| observation(&mut rng).0).collect();
    // No receptacle in sight, and nothing at all.
    observations[1]
        .roles
        .chunks_exact_mut(3)
        .for_each(|row| row[1] = 0.0);
    observations[2].roles.fill(0.0);
    for (checkpoint, n_steps) in [(&teacher.checkpoint, 4), (&student, 1)] {
        let request = ExportRequest {
            name: "go_to_target",
            robot: RobotId {
                name: "none".into(),
                fingerprint: "none".into(),
            },
            origin: Origin::default(),
            noise: NoiseKind::Normal,
            n_action_steps: 4,
            observations: &observations,
            card: "# A policy for a test\n",
        };
        let dir = folder.path().join(format!("bundle_{n_steps}"));
        let bundle = export(checkpoint, &request, &dir).expect("exports");
        assert_eq!(bundle.manifest().sampling.n_flow_steps, n_steps);
        assert_eq!(bundle.golden().cases.len(), observations.len());
        // Loading compares every golden case within the bundle's tolerance of 1e-5.
        let options = RuntimeOptions {
            engine: EngineChoice::Embedded,
            ..RuntimeOptions::default()
        };
        OnnxPolicy::load(&dir, &options).expect("the embedded engine agrees with burn");
    }
}
