//! What a batch promises: every episode is the same whoever runs it, wherever, beside whom.

use std::sync::Arc;

use prehend_control::{ControlConfig, Controller};
use prehend_robot::Robot;
use prehend_sim::{
    ArmMode, Autoreset, Batch, BatchCell, BatchConfig, Expert, FamilySet, PhysicsSettings, Pilot,
    RolloutConfig, SceneConfig, World, rollout,
};
use prehend_types::config::locate;
use prehend_types::{Action, ActionChunk, GripperCommand, JointCommand, JointVelocities};

fn cell() -> BatchCell {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let scene = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
    BatchCell {
        robot: Arc::new(robot),
        scene: Arc::new(SceneConfig::load(&scene).expect("valid scene")),
        families: FamilySet::Train,
    }
}

fn config(threads: usize) -> BatchConfig {
    config_with(threads, ArmMode::default())
}

fn config_with(threads: usize, arm: ArmMode) -> BatchConfig {
    BatchConfig {
        threads,
        observe: false,
        autoreset: Autoreset::Disabled,
        settings: PhysicsSettings {
            arm,
            ..PhysicsSettings::default()
        },
        ..BatchConfig::default()
    }
}

/// A fixed walk: its own for every episode.
fn action(id: u64, step: usize) -> Action {
    let phase = id as f64 + 0.37 * step as f64;
    let mut action = Action::hold(if step % 16 < 8 { 1.0 } else { 0.0 });
    action.translation.x = 0.01 * libm::sin(phase);
    action.translation.z = 0.004;
    action.rotation.z = 0.02 * libm::cos(1.7 * phase);
    action
}

/// One episode of the expert by itself: its actions, the hash after each, and from which on it grasps.
struct Alone {
    actions: Vec<Action>,
    hashes: Vec<u64>,
    grasps_from: usize,
}

impl Alone {
    fn run(id: u64, arm: ArmMode) -> Self {
        let BatchCell {
            robot,
            scene,
            families,
        } = cell();
        let world = World::with_arm(&robot, &scene, id, families, arm);
        let mut world = world.expect("a scene");
        let (mut actions, mut hashes) = (Vec::new(), vec![world.hash()]);
        let mut grasping = Vec::new();
        let config = RolloutConfig::default();
        let result = rollout(&mut world, Pilot::Expert, &config, &mut |step| {
            actions.push(step.action);
            hashes.push(step.hash);
            // Sixth in a state vector: whether the gripper holds something.
            grasping.push(step.world[5] != 0.0);
        });
        assert!(result.expect("a rollout").success, "{id} {}", arm.name());
        let grasps_from = grasping.iter().position(|is_grasping| *is_grasping);
        Self {
            actions,
            hashes,
            grasps_from: grasps_from.expect("a grasp"),
        }
    }
}

/// Hashes of the start and of `n` steps of experts' episodes, run in one batch; slot i runs `ids[i]`.
fn hashes(ids: &[u64], episodes: &[&Alone], n: usize, config: BatchConfig) -> Vec<Vec<u64>> {
    let mut batch = Batch::new(&vec![cell(); ids.len()], config).expect("a batch");
    let wanted: Vec<(usize, u64)> = ids.iter().copied().enumerate().collect();
    let starts = batch.reset(&wanted).expect("starts");
    let mut hashes: Vec<Vec<u64>> = starts.iter().map(|start| vec![start.hash]).collect();
    for step in 0..n {
        let actions: Vec<Action> = episodes.iter().map(|own| own.actions[step]).collect();
        let outcomes = batch.step(&actions).expect("a step");
        for (own, outcome) in hashes.iter_mut().zip(&outcomes) {
            own.push(outcome.hash);
        }
    }
    hashes
}

/// With every arm, through reach, grasp and carry, as if it ran by itself.
#[test]
fn an_episode_is_the_same_in_any_slot_beside_anybody_on_any_threads() {
    let ids = [41, 42, 43, 44];
    for arm in ArmMode::ALL {
        let alone = ids.map(|id| Alone::run(id, arm));
        let [a, b, c, d] = &alone;
        let n = alone
            .iter()
            .map(|own| own.actions.len())
            .min()
            .expect("four")
            - 1;
        assert!(alone.iter().all(|own| own.grasps_from + 10 < n));
        let together = hashes(&ids, &[a, b, c, d], n, config_with(2, arm));
        let backwards = hashes(&[44, 43, 42, 41], &[d, c, b, a], n, config_with(1, arm));
        let single = hashes(&[43], &[c], n, config_with(3, arm));
        for (slot, own) in together.iter().enumerate() {
            assert_eq!(own, &backwards[3 - slot], "{}", arm.name());
            assert_eq!(own[..], alone[slot].hashes[..=n], "{}", arm.name());
        }
        assert_eq!(together[2], single[0], "{}", arm.name());
        assert_ne!(together[0], together[1]);
    }
}

#[test]
fn an_episode_that_comes_again_is_the_same() {
    for arm in ArmMode::ALL {
        let mut batch = Batch::new(&[cell()], config_with(1, arm)).expect("a batch");
        let mut runs = Vec::new();
        for id in [7, 8, 7] {
            let start = batch.reset(&[(0, id)]).expect("a start");
            let mut run = vec![start[0].hash];
            for step in 0..20 {
                run.push(batch.step(&[action(id, step)]).expect("a step")[0].hash);
            }
            runs.push(run);
        }
        assert_eq!(runs[0], runs[2], "{}", arm.name());
        assert_ne!(runs[0], runs[1], "{}", arm.name());
    }
}

/// Saved in the middle of a grasp, with every arm; in its own slot and in another.
#[test]
fn a_saved_episode_goes_on_as_it_would_have() {
    for arm in ArmMode::ALL {
        let episode = Alone::run(41, arm);
        let mut batch = Batch::new(&[cell(), cell()], config_with(2, arm)).expect("a batch");
        batch.reset(&[(0, 41), (1, 41)]).expect("starts");
        let (middle, end) = (episode.grasps_from + 5, episode.grasps_from + 25);
        for step in 0..middle {
            let own = episode.actions[step];
            batch.step(&[own, action(12, step)]).expect("a step");
        }
        let saved = batch.save(0).expect("slot 0");
        for slot in [0, 1, 0] {
            for step in middle..end {
                let outcomes = batch.step(&[episode.actions[step]; 2]).expect("a step");
                let hash = outcomes[slot].hash;
                assert_eq!(
                    hash,
                    episode.hashes[step + 1],
                    "{} {slot} {step}",
                    arm.name()
                );
            }
            batch.restore(0, &saved).expect("slot 0");
            batch.restore(1, &saved).expect("slot 1");
        }
    }
}

/// Worlds saved as bytes in the middle of an episode, grasp and all, go on bit for bit with every arm.
#[test]
fn a_world_read_from_bytes_goes_on_bit_for_bit() {
    let BatchCell {
        robot,
        scene,
        families,
    } = cell();
    for arm in ArmMode::ALL {
        let world = World::with_arm(&robot, &scene, 21, families, arm);
        let mut world = world.expect("a scene");
        let mut through_bytes = world.clone();
        let config = ControlConfig {
            rate_hz: 1.0 / World::DT,
            ..ControlConfig::default()
        };
        let mut controller = Controller::new(Arc::clone(&robot), config).expect("valid");
        controller.arm(&world.robot_state()).expect("at rest");
        let (mut n_held, mut action_idx) = (0, 0);
        while !world.task().success && action_idx < 300 {
            let wanted = Expert.next_action(&world, controller.base_from_tcp_d());
            let dt = std::time::Duration::from_millis(50);
            let chunk = ActionChunk::new(world.now(), dt, 1, &[wanted; 4]).expect("four fit");
            controller.accept(&chunk, world.now()).expect("a sane plan");
            let bytes = through_bytes.save().expect("bytes");
            assert!(bytes.len() < 100_000, "{} bytes", bytes.len());
            through_bytes = World::load(&robot, &scene, &bytes).expect("its own bytes");
            for _ in 0..10 {
                let command = controller.tick(&world.robot_state(), world.now()).command;
                for world in [&mut world, &mut through_bytes] {
                    world.write(&command);
                    world.step();
                }
                let hashes = [world.hash(), through_bytes.hash()];
                assert_eq!(hashes[0], hashes[1], "{} action {action_idx}", arm.name());
            }
            n_held += usize::from(world.robot_state().gripper.is_grasping);
            action_idx += 1;
        }
        assert!(
            n_held > 10,
            "{}: held for {n_held} actions only",
            arm.name()
        );
        assert_eq!(through_bytes.task(), world.task());
    }
}

/// A state vector says how a world goes on, whatever the world did before: another grasp, a fall of the
/// arm, a body that was quarantined.
#[test]
fn what_was_before_a_restored_state_is_forgotten() {
    let BatchCell {
        robot,
        scene,
        families,
    } = cell();
    for arm in ArmMode::ALL {
        let new = || World::with_arm(&robot, &scene, 41, families, arm).expect("a scene");
        let mut world = new();
        let mut states = Vec::new();
        let config = RolloutConfig::default();
        rollout(&mut world, Pilot::Expert, &config, &mut |step| {
            states.push(step.world.clone());
        })
        .expect("a rollout");
        let holds = states.iter().position(|state| state[5] != 0.0);
        let state = &states[holds.expect("a grasp") + 5];
        let go_on = |world: &mut World| -> Vec<u64> {
            world.restore(state).expect("its own state");
            let steps = (0..60).map(|_| {
                world.step();
                world.hash()
            });
            steps.collect()
        };
        let expected = go_on(&mut new());
        // Its episode has ended; then in the middle of going on; then after a command that is still on
        // its way, at speed.
        for _ in 0..2 {
            assert_eq!(go_on(&mut world), expected, "{}", arm.name());
        }
        let mut command = JointCommand {
            q_d: world.robot_state().q,
            dq_d: JointVelocities::zeros(robot.n_joints()).expect("seven"),
            gripper: GripperCommand { opening: 1.0 },
        };
        command.q_d[0] += 0.3;
        command.dq_d[0] = 1.0;
        world.write(&command);
        for _ in 0..20 {
            world.step();
        }
        assert_eq!(go_on(&mut world), expected, "{}", arm.name());
        let mut broken = state.clone();
        let last = broken.len() - 1;
        broken[last] = 1e30;
        world.restore(&broken).expect("finite numbers");
        world.step();
        assert_eq!(go_on(&mut world), expected, "{}", arm.name());
    }
}

#[test]
fn damaged_bytes_are_refused() {
    let BatchCell {
        robot,
        scene,
        families,
    } = cell();
    let world = World::new(&robot, &scene, 22, families).expect("a scene");
    let good = world.save().expect("bytes");
    assert!(World::load(&robot, &scene, &good).is_ok());
    let refused = |bytes: &[u8]| {
        let error = World::load(&robot, &scene, bytes).err();
        error.map(|error| error.to_string()).unwrap_or_default()
    };
    for length in [0, 7, 15, 16, good.len() / 2, good.len() - 1] {
        assert!(refused(&good[..length]).contains("saved world"), "{length}");
    }
    for index in (0..good.len()).step_by(997) {
        let mut bad = good.clone();
        bad[index] ^= 0x10;
        assert!(refused(&bad).contains("saved world"), "byte {index}");
    }
}

/// Runs until the first episode of a batch ends by its time limit.
fn until_the_end(autoreset: Autoreset) -> (Batch, prehend_sim::StepOutcome) {
    let mut short = cell();
    let mut scene = (*short.scene).clone();
    scene.task.time_limit_s = 1.0;
    short.scene = Arc::new(scene);
    let config = BatchConfig {
        autoreset,
        observe: true,
        first_id: 60,
        ..BatchConfig::default()
    };
    let mut batch = Batch::new(&[short], config).expect("a batch");
    for _ in 0..19 {
        let outcome = batch.step(&[Action::hold(1.0)]).expect("a step").remove(0);
        assert!(!outcome.terminated && !outcome.truncated && outcome.ended.is_none());
    }
    let outcome = batch.step(&[Action::hold(1.0)]).expect("a step").remove(0);
    (batch, outcome)
}

#[test]
fn the_three_ways_to_reset_mean_what_gymnasium_says() {
    let (mut batch, end) = until_the_end(Autoreset::NextStep);
    assert!(end.truncated && !end.terminated && end.episode_id == 60);
    let ended = end.ended.expect("an end");
    assert_eq!((ended.id, ended.n_actions, ended.success), (60, 20, false));
    assert_eq!(ended.observation, end.observation);
    let first = batch.step(&[Action::hold(0.0)]).expect("a step").remove(0);
    assert_eq!((first.episode_id, first.n_actions), (61, 0));
    assert!(first.reward == 0.0 && !first.truncated && first.ended.is_none());
    assert_eq!(first.observation.map(|o| o.stamp.as_nanos()), Some(0));
    assert_eq!(batch.tally().episodes, 1);

    let (mut batch, end) = until_the_end(Autoreset::SameStep);
    assert!(end.truncated && end.episode_id == 61);
    let ended = end.ended.expect("an end");
    assert_eq!(ended.id, 60);
    assert_ne!(ended.observation, end.observation);
    assert_eq!(end.observation.map(|o| o.stamp.as_nanos()), Some(0));
    let next = batch.step(&[Action::hold(1.0)]).expect("a step").remove(0);
    assert_eq!((next.episode_id, next.n_actions), (61, 1));

    let (mut batch, end) = until_the_end(Autoreset::Disabled);
    assert!(end.truncated && end.episode_id == 60);
    let error = batch.step(&[Action::hold(1.0)]).expect_err("it has ended");
    assert!(error.to_string().contains("reset it first"), "{error}");
    batch.reset(&[(0, 5)]).expect("a start");
    assert!(batch.step(&[Action::hold(1.0)]).is_ok());
}

#[test]
fn a_chunk_is_its_actions_without_looks_in_between() {
    let mut batch = Batch::new(&[cell()], config(1)).expect("a batch");
    let chunk: Vec<Action> = (0..8).map(|step| action(3, step)).collect();
    let outcome = batch.chunk_step(&[&chunk], 6).expect("a step").remove(0);
    assert_eq!(outcome.n_actions, 6);
    assert!(outcome.observation.is_none());
    let world = batch.world(0).expect("slot 0");
    assert_eq!(world.now().as_nanos(), 300_000_000);
}

#[test]
fn nonsense_is_refused_and_moves_nothing() {
    let mut batch = Batch::new(&[cell(), cell()], config(1)).expect("a batch");
    let before = batch.world(0).expect("slot 0").hash();
    let hold = Action::hold(1.0);
    let mut broken = hold;
    broken.translation.x = f64::NAN;
    assert!(batch.step(&[hold]).is_err());
    assert!(batch.step(&[hold, broken]).is_err());
    for (metres, radians) in [(5.0, 0.0), (0.0, 1e3), (1e300, 0.0)] {
        let mut far = hold;
        far.translation.x = metres;
        far.rotation.z = radians;
        assert!(
            batch.step(&[hold, far]).is_err(),
            "{metres} m, {radians} rad"
        );
        let numbers = [metres, 0.0, 0.0, 0.0, 0.0, radians, 1.0];
        assert!(batch.act(&[&[0.0; 7], &numbers]).is_err());
    }
    assert!(batch.chunk_step(&[&[hold][..], &[]], 1).is_err());
    assert!(
        batch
            .chunk_step(&[&[hold; 17][..], &[hold; 17]], 1)
            .is_err()
    );
    assert!(batch.chunk_step(&[&[hold][..], &[hold]], 0).is_err());
    assert!(batch.reset(&[(0, 1), (0, 2)]).is_err());
    assert!(batch.reset(&[(2, 1)]).is_err());
    assert!(batch.save(2).is_err());
    assert_eq!(batch.world(0).expect("slot 0").hash(), before);
    assert!(Batch::new(&[], config(1)).is_err());
    assert!(Batch::new(&[cell()], config(0)).is_err());
}

/// One id without a start state must not stop the batch: it is passed over, counted, and what comes after
/// a saved episode comes after it again.
#[test]
fn an_id_without_a_start_is_passed_over_and_counted() {
    let hard_to_see = |least: usize| {
        let mut cell = cell();
        let mut scene = (*cell.scene).clone();
        scene.task.time_limit_s = 1.0;
        scene.cloud.quotas.target = 2000;
        if let Some(clutter) = &mut scene.clutter {
            clutter.min_target_points = least;
        }
        cell.scene = Arc::new(scene);
        cell
    };
    let is_usable =
        |cell: &BatchCell, id: u64| World::new(&cell.robot, &cell.scene, id, cell.families).is_ok();
    // Somewhere between all and none are some that never are seen well enough.
    let found = (4..20).find_map(|step| {
        let cell = hard_to_see(100 * step);
        let is_bad = |id: &u64| !is_usable(&cell, *id) && is_usable(&cell, id - 1);
        (1..20).find(is_bad).map(|bad| (cell, bad))
    });
    let (cell, bad) = found.expect("an id without a start after one with");
    let after = (bad + 1..bad + 60)
        .find(|id| is_usable(&cell, *id))
        .expect("a start");
    let mut batch = Batch::new(
        std::slice::from_ref(&cell),
        BatchConfig {
            autoreset: Autoreset::SameStep,
            ..config(1)
        },
    )
    .expect("a batch");
    batch.reset(&[(0, bad - 1)]).expect("starts");
    let saved = batch.save(0).expect("slot 0");
    for _ in 0..2 {
        let next = (0..40).find_map(|_| {
            let outcome = batch.step(&[Action::hold(1.0)]).expect("steps").remove(0);
            outcome.ended.map(|_| outcome.episode_id)
        });
        assert_eq!(next, Some(after));
        batch.restore(0, &saved).expect("slot 0");
    }
    assert_eq!(batch.tally().unusable, 2 * (after - bad));
}
