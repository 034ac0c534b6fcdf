//! What the simulator promises, seen from outside.

use std::path::Path;
use std::sync::Arc;

use prehend_robot::Robot;
use prehend_sim::{
    Delay, DepthHeuristic, Disturbance, Failure, FamilySet, Pilot, ReplayStep, RolloutConfig,
    RolloutStep, SceneConfig, View, World, replay, rollout,
};
use prehend_types::config::locate;
use prehend_types::{Action, ActionChunk, Actions, Observation, Policy, PolicyError, Role, Stamp};

fn cell() -> (Arc<Robot>, Arc<SceneConfig>) {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let scene = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
    (
        Arc::new(robot),
        Arc::new(SceneConfig::load(&scene).expect("valid scene")),
    )
}

fn run(seed: u64, disturbance: Option<Disturbance>) -> (bool, Vec<RolloutStep>) {
    let (robot, scene) = cell();
    let mut world = World::new(&robot, &scene, seed, FamilySet::Train).expect("a scene");
    let config = RolloutConfig {
        disturbance,
        ..RolloutConfig::default()
    };
    let mut steps = Vec::new();
    let result = rollout(&mut world, Pilot::Expert, &config, &mut |step| {
        steps.push(step.clone());
    });
    (result.expect("a rollout").success, steps)
}

fn hashes(steps: &[RolloutStep]) -> Vec<u64> {
    steps.iter().map(|step| step.hash).collect()
}

#[test]
fn the_expert_picks_and_places() {
    let successes = (500..520).filter(|seed| run(*seed, None).0).count();
    assert!(successes >= 18, "{successes} of 20");
}

#[test]
fn an_expert_that_is_pushed_about_still_succeeds() {
    let disturbed: Vec<_> = (540..550)
        .map(|seed| run(seed, Some(Disturbance::default())))
        .collect();
    let successes = disturbed.iter().filter(|(success, _)| *success).count();
    assert!(successes >= 8, "{successes} of 10");
    let pushed = disturbed
        .iter()
        .flat_map(|(_, steps)| steps)
        .filter(|step| !step.is_expert);
    assert!(pushed.count() > 50, "nobody was pushed");
}

#[test]
fn equal_seeds_give_equal_bits_on_any_thread() {
    let alone = hashes(&run(531, Some(Disturbance::default())).1);
    let together: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| hashes(&run(531, Some(Disturbance::default())).1)))
            .collect();
        workers
            .into_iter()
            .map(|w| w.join().expect("no panic"))
            .collect()
    });
    assert!(alone.len() > 20);
    for other in together {
        assert_eq!(alone, other);
    }
    assert_ne!(alone, hashes(&run(532, Some(Disturbance::default())).1));
}

#[test]
fn a_stored_state_is_seen_exactly_as_the_world_was() {
    let (robot, scene) = cell();
    let mut world = World::new(&robot, &scene, 77, FamilySet::HeldOut).expect("a scene");
    let start = world.state_vector();
    let view = View::new(&robot, &scene, 77, FamilySet::HeldOut, &start).expect("its view");
    for _ in 0..3 {
        for _ in 0..20 {
            world.step();
        }
        let seen = view.observe(&world.state_vector()).expect("its state");
        assert_eq!(seen, world.observe());
        assert!(seen.cloud.len() > 50);
    }
}

#[test]
fn a_restored_world_shows_the_same_picture() {
    let (robot, scene) = cell();
    let (_, steps) = run(533, None);
    let mut world = World::new(&robot, &scene, 533, FamilySet::Train).expect("a scene");
    let state = &steps[steps.len() / 2].world;
    world.restore(state).expect("own state");
    assert_eq!(&world.state_vector(), state);
    let view = View::new(&robot, &scene, 533, FamilySet::Train, state).expect("its view");
    let seen = view.observe(state).expect("its state");
    assert_eq!(world.observe().cloud, seen.cloud);
    assert!(seen.cloud.len() > 50);
    assert!(world.restore(&state[..20]).is_err());
}

#[test]
fn worlds_start_settled_with_the_target_in_sight() {
    let (robot, scene) = cell();
    for seed in 600..615 {
        let world = World::new(&robot, &scene, seed, FamilySet::All).expect("a scene");
        let variant = world.episode().variant();
        assert_eq!(variant.is_held_out, seed % 2 == 1);
        let observation = world.observe();
        let cloud = observation.cloud;
        assert!(cloud.len() <= 512);
        assert_eq!(cloud.points.len(), cloud.roles.len());
        let seen = cloud
            .roles
            .iter()
            .filter(|role| **role == Role::Target)
            .count();
        assert!(seen >= 25, "seed {seed}: {seen} points");
        assert!(cloud.points.iter().flatten().all(|v| v.is_finite()));
        assert!(!world.task().success);
    }
}

#[test]
fn an_episode_replays_from_its_seed_and_actions() {
    let (robot, scene) = cell();
    let (success, steps) = run(541, Some(Disturbance::default()));
    assert!(success);
    let fresh = || World::new(&robot, &scene, 541, FamilySet::Train).expect("a scene");
    let again = |steps: &[RolloutStep]| {
        let steps = steps.iter().map(|step| ReplayStep {
            world: &step.world,
            action: &step.action,
            decision: step.decision.as_ref(),
            hash: step.hash,
        });
        let mut world = fresh();
        let replayed = replay(&mut world, &RolloutConfig::default().control, steps);
        let replayed = replayed.expect("a sane record");
        (replayed.difference, replayed.status.success)
    };
    assert_eq!(again(&steps), (None, true));

    let mut other = steps.clone();
    other[30].action.translation.z += 1e-6;
    let (difference, _) = again(&other);
    assert_eq!(difference.map(|d| (d.step, d.field)), Some((30, "hash")));
    let mut other = steps.clone();
    other[12].world[20] = f32::from_bits(other[12].world[20].to_bits() ^ 1);
    let (difference, _) = again(&other);
    assert_eq!(difference.map(|d| (d.step, d.field)), Some((12, "world")));
}

/// Moves nothing: whatever it does, it must not be called a success.
struct Idle;

impl Policy for Idle {
    fn name(&self) -> &str {
        "idle"
    }
    fn reset(&mut self, _seed: u64) {}
    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
        let hold = [Action::hold(1.0); 8];
        let dt = std::time::Duration::from_millis(50);
        Ok(ActionChunk::new(observation.stamp, dt, 8, &hold).expect("eight fit"))
    }
}

#[test]
fn doing_nothing_fails_as_never_lifted() {
    let (robot, scene) = cell();
    let mut world = World::new(&robot, &scene, 801, FamilySet::Train).expect("a scene");
    let result = rollout(
        &mut world,
        Pilot::Policy(&mut Idle),
        &RolloutConfig::default(),
        &mut |_| {},
    )
    .expect("a rollout");
    assert!(!result.success);
    assert_eq!(result.failure.map(|f| f.name()), Some("never_lifted"));
}

#[test]
fn the_heuristic_solves_some_scenes_without_the_simulators_state() {
    let (robot, scene) = cell();
    let successes = (820..830)
        .filter(|seed| {
            let mut world = World::new(&robot, &scene, *seed, FamilySet::Train).expect("a scene");
            let mut policy = DepthHeuristic::default();
            let pilot = Pilot::Policy(&mut policy);
            let result = rollout(&mut world, pilot, &RolloutConfig::default(), &mut |_| {});
            result.expect("a rollout").success
        })
        .count();
    assert!(successes >= 4, "{successes} of 10");
}

#[test]
fn scene_files_are_checked() {
    let path = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
    let good = std::fs::read_to_string(path).expect("readable");
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        let path = folder.path().join("scene.toml");
        std::fs::write(&path, good.replacen(from, to, 1)).expect("written");
        SceneConfig::load(&path).expect_err(to).to_string()
    };
    let cases = [
        ("friction = 0.6", "frction = 0.6", "did you mean `friction`"),
        (
            "distractors = [0, 6]",
            "distractors = [6, 0]",
            "clutter.distractors",
        ),
        (
            "distractors = [0, 6]",
            "distractors = [0, 1000000]",
            "clutter.distractors",
        ),
        ("x_m = [0.36, 0.64]", "x_m = [0.36, 1e9]", "table.x_m"),
        (
            "mass_kg = [0.03, 0.30]",
            "mass_kg = [nan, 0.30]",
            "objects.mass_kg",
        ),
        (
            "[noise]",
            "[cube]\nsize_m = [nan, 0.0]\nmass_kg = [0.1, 0.1]\nfriction = [0.7, 0.7]\nmax_yaw_deg = 0.0\n\n[noise]",
            "`cube`: is not read",
        ),
        ("height_px = 120", "height_px = 2", "cameras[0].height_px"),
        (
            "position_m = [0.95, 0.50, 0.60]",
            "position_m = [0.48, 0.0, 0.02]",
            "cameras[0].position_m",
        ),
        ("fov_deg = 54.0", "fov_deg = 0.0", "cameras[0].fov_deg"),
        ("min_m = [0.20,", "min_m = [nan,", "cloud.crop"),
        (
            "width_px = 160",
            "width_px = 1000000",
            "cameras[0].width_px",
        ),
        ("time_limit_s = 16.0", "", "time_limit_s"),
        ("dropout = 0.01", "dropout = \"much\"", "scene.toml:"),
    ];
    for (from, to, expected) in cases {
        let message = refused(from, to);
        assert!(message.contains(expected), "{message}");
    }
    let missing = SceneConfig::load(Path::new("no/such/scene.toml")).expect_err("missing");
    assert!(
        missing.to_string().contains("no/such/scene.toml"),
        "{missing}"
    );
}

#[test]
fn a_camera_may_look_straight_down() {
    let path = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
    let text = std::fs::read_to_string(path).expect("readable");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scene.toml");
    let above = text.replace(
        "position_m = [0.95, 0.50, 0.60]",
        "position_m = [0.48, 0.0, 0.90]",
    );
    std::fs::write(&path, above).expect("written");
    let mut scene = SceneConfig::load(&path).expect("a valid scene");
    scene.cameras.truncate(1);
    let camera = &mut scene.cameras[0];
    camera.placement_sigma_m = 0.0;
    (camera.extrinsic_sigma_m, camera.extrinsic_sigma_deg) = (0.0, 0.0);
    let world = World::new(&cell().0, &Arc::new(scene), 7, FamilySet::Train).expect("a scene");
    let seen = world.look();
    let target = world.body_pose(0).expect("a target").translation.vector;
    let near = seen
        .points
        .iter()
        .zip(&seen.roles)
        .filter(|(_, role)| **role == Role::Target);
    let (mut n, mut sum) = (0.0, [0.0_f64; 2]);
    for ([x, y, _], _) in near {
        n += 1.0;
        sum = [sum[0] + f64::from(*x), sum[1] + f64::from(*y)];
    }
    assert!(n > 20.0, "{n} points");
    let off = [sum[0] / n - target.x, sum[1] / n - target.y];
    assert!(off[0].abs() < 0.03 && off[1].abs() < 0.03, "{off:?}");
}

#[test]
fn bodies_inside_each_other_or_far_away_stay_finite_or_end_the_episode() {
    // Pushed apart, or quarantined: nothing that is not a number may come out, and what was quarantined
    // ends the episode whatever its numbers are now.
    let (robot, config) = cell();
    let n_joints = robot.n_joints();
    let first = 13 + 2 * n_joints;
    let table = [0.5, 0.0, 0.02];
    for (case, place, spin, diverges) in [
        ("inside each other", table, 0.0, false),
        ("under the table", [0.5, 0.0, -5.0], 0.0, false),
        ("far away", [1e9, -1e9, 1e9], 0.0, false),
        ("at the end of the numbers", [1e37, 1e37, 1e37], 0.0, true),
        ("spinning beyond the numbers", table, 1e30, true),
    ] {
        let mut world = World::new(&robot, &config, 7, FamilySet::Train).expect("a scene");
        let mut state = world.state_vector();
        for body in state[first..].chunks_exact_mut(13) {
            body[..3].copy_from_slice(&place);
            body[7] = 50.0;
            body[10] = spin;
        }
        world.restore(&state).expect("finite numbers of this scene");
        for _ in 0..200 {
            world.step();
        }
        let is_finite = world.state_vector().iter().all(|v| v.is_finite());
        assert!(is_finite, "{case}");
        let has_diverged = world.task().failure == Some(Failure::Diverged);
        assert_eq!(has_diverged, diverges, "{case}");
        assert!(world.robot_state().q.is_finite(), "{case}");
        // Cameras look at whatever is there.
        let cloud = world.observe().cloud;
        assert!(
            cloud.points.iter().flatten().all(|v| v.is_finite()),
            "{case}"
        );
    }
}

/// Turns its gripper a little further with every look, and remembers when it looked and what it was told.
#[derive(Default)]
struct Slow {
    looks: Vec<(Stamp, Actions)>,
}

impl Policy for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn reset(&mut self, _seed: u64) {
        self.looks.clear();
    }

    fn act(&mut self, seen: &Observation) -> Result<ActionChunk, PolicyError> {
        self.looks.push((seen.stamp, seen.committed.clone()));
        let look = self.looks.len() as f64;
        let actions: Vec<Action> = (0..8)
            .map(|i| Action::hold(0.5 + 1e-4 * look + 1e-6 * f64::from(i)))
            .collect();
        let dt = std::time::Duration::from_millis(50);
        ActionChunk::new(seen.stamp, dt, 6, &actions).map_err(|error| PolicyError::Inference {
            reason: error.to_string(),
        })
    }
}

#[test]
fn who_answers_late_is_told_what_is_done_meanwhile_and_asked_earlier() {
    let (robot, scene) = cell();
    let looks = |least, most| {
        let mut world = World::new(&robot, &scene, 500, FamilySet::Train).expect("a scene");
        let config = RolloutConfig {
            delay: Delay { least, most },
            ..RolloutConfig::default()
        };
        let mut slow = Slow::default();
        let mut done = Vec::new();
        let result = rollout(&mut world, Pilot::Policy(&mut slow), &config, &mut |step| {
            done.push(step.action.gripper);
        });
        assert!(!result.expect("a rollout").success);
        (slow.looks, done)
    };
    let at = |looks: &[(Stamp, Actions)], look: usize| {
        let nanos = looks[look].0.as_nanos() - looks[0].0.as_nanos();
        nanos / 50_000_000
    };
    let is_near = |a: f64, b: f64| (a - b).abs() < 1e-9;

    let (looks_now, done) = looks(0, 0);
    assert!(looks_now.iter().all(|(_, committed)| committed.is_empty()));
    assert_eq!([at(&looks_now, 1), at(&looks_now, 2)], [6, 12]);
    assert!(is_near(done[5], 0.500105) && is_near(done[6], 0.5002));

    let (late, done) = looks(2, 2);
    assert!(late[0].1.is_empty(), "nothing is decided yet");
    // Four actions after a look, so that its answer is there two actions later, when six are done.
    assert_eq!([at(&late, 1), at(&late, 2)], [4, 8]);
    for look in [1, 2] {
        let (_, committed) = &late[look];
        assert_eq!(committed.len(), 2);
        for (i, action) in committed.iter().enumerate() {
            assert!(
                is_near(action.gripper, done[4 * look + i]),
                "that is what is done"
            );
        }
    }
    // It stands at first; from then on the third action of each answer is the first that counts.
    assert!(is_near(done[1], 1.0) && is_near(done[2], 0.500102) && is_near(done[6], 0.500202));

    let (drawn, _) = looks(0, 6);
    assert!(drawn.iter().any(|(_, committed)| committed.len() > 2));
    assert_eq!(drawn, looks(0, 6).0, "the same seed draws the same delays");
}
