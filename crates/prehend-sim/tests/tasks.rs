//! Each task from drawing a scene to success, seen from outside.

/// The expert stacks; what the judge calls success is checked from the poses, without the judge.
#[test]
fn the_expert_stacks() {
    use std::sync::Arc;

    use prehend_robot::{Robot, Shape};
    use prehend_sim::{FamilySet, Pilot, RolloutConfig, SceneConfig, World, rollout};
    use prehend_types::config::locate;

    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let path = locate("scenes/stack.toml").expect("scenes/stack.toml");
    let config = SceneConfig::load(&path).expect("valid scene");
    let (robot, config) = (Arc::new(robot), Arc::new(config));
    for seed in 31_000..31_005 {
        let mut world = World::new(&robot, &config, seed, FamilySet::Train).expect("a scene");
        let half = |world: &World, index: usize| match world.scene().bodies[index].parts[0].shape {
            Shape::Cuboid { half_extents } => half_extents.z,
            _ => panic!("seed {seed}: body {index} is no cube"),
        };
        let mut looker = World::new(&robot, &config, seed, FamilySet::Train).expect("a scene");
        let mut rewards = Vec::new();
        let pilot = Pilot::Expert;
        let result = rollout(&mut world, pilot, &RolloutConfig::default(), &mut |step| {
            looker.restore(&step.world).expect("its own state");
            rewards.push(looker.progress());
        });
        let result = result.expect("a rollout");
        assert!(result.success, "seed {seed}: {:?}", result.failure);

        let facts = world.facts();
        assert_eq!(facts.touches(0), [false; 2], "seed {seed}: released");
        let [moved, base] = [0, 1].map(|index: usize| facts.bodies[index].base_from_body);
        let off = moved.translation.vector - base.translation.vector;
        let height = half(&world, 0) + half(&world, 1);
        assert!((off.z - height).abs() < 0.002, "seed {seed}: {off:?}");
        assert!(off.xy().norm() < half(&world, 1), "seed {seed}: {off:?}");

        assert!(
            rewards.iter().all(|r| (0.0..1.0).contains(r)),
            "seed {seed}"
        );
        assert!(rewards[0] < 0.3, "seed {seed}: starts at {}", rewards[0]);
        let last = *rewards.last().expect("steps");
        assert!(last > 0.9, "seed {seed}: {last} before the end");
        assert!(
            (world.progress() - 1.0).abs() < 1e-12,
            "seed {seed}: at the end"
        );
    }
}

#[test]
fn stack_files_are_checked() {
    use prehend_sim::SceneConfig;
    use prehend_types::config::locate;

    let path = locate("scenes/stack.toml").expect("scenes/stack.toml");
    let good = std::fs::read_to_string(path).expect("readable");
    let folder = tempfile::tempdir().expect("a folder");
    let start = good.find("[stack]").expect("a section");
    let end = good.find("# Two depth cameras").expect("what follows");
    let without = format!("{}{}", &good[..start], &good[end..]);
    // Corner to corner, cubes of 60 mm need 85 mm.
    let tight = good
        .replace("0.052]", "0.060]")
        .replace("apart_m = 0.14", "apart_m = 0.082");
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let cases = [
        (good.clone(), None),
        (with("[stack]", "[stick]"), Some("stick")),
        (without, Some("`stack`")),
        (
            with("[0.036, 0.052]", "[0.052, 0.036]"),
            Some("stack.size_m"),
        ),
        (
            with("[0.036, 0.052]", "[0.036, 0.085]"),
            Some("stack.size_m"),
        ),
        (with("[0.04, 0.20]", "[nan, 0.20]"), Some("stack.mass_kg")),
        (with("[0.5, 0.9]", "[-0.5, 0.9]"), Some("stack.friction")),
        (with("[0, 3]", "[3, 0]"), Some("stack.distractors")),
        (
            with("apart_m = 0.14", "apart_m = inf"),
            Some("stack.apart_m"),
        ),
        (tight, Some("corner to corner")),
    ];
    for (text, expected) in cases {
        let path = folder.path().join("scene.toml");
        std::fs::write(&path, &text).expect("written");
        match (SceneConfig::load(&path), expected) {
            (Ok(_), None) => {}
            (Err(error), Some(expected)) => {
                let message = error.to_string();
                assert!(message.contains(expected), "{message}");
            }
            (loaded, expected) => panic!("{:?} instead of {expected:?}", loaded.err()),
        }
    }
}

/// Every scene file that ships, whatever its task: the same bits again, also through bytes half way.
#[test]
fn every_scene_repeats_and_continues_from_bytes() {
    use std::sync::Arc;

    use prehend_robot::Robot;
    use prehend_sim::{FamilySet, Pilot, RolloutConfig, SceneConfig, TaskKind, World, rollout};
    use prehend_types::config::locate;
    use prehend_types::{GripperCommand, JointCommand};

    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let robot = Arc::new(robot);
    let folder = locate("scenes").expect("scenes");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("scenes")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let name = file.display();
        let config = Arc::new(SceneConfig::load(&file).expect("valid scene"));
        let start = || World::new(&robot, &config, 77, FamilySet::Train).expect("a scene");
        let run = || {
            let (mut world, mut hashes) = (start(), Vec::new());
            let pilot = Pilot::Expert;
            let result = rollout(&mut world, pilot, &RolloutConfig::default(), &mut |step| {
                hashes.push(step.hash);
            });
            (result.expect("a rollout").success, hashes)
        };
        // Nobody wrote down the grasps of a pile: nobody acts there.
        if start().episode().has_expert() {
            let (success, hashes) = run();
            assert!(success, "{name}");
            assert_eq!(run(), (success, hashes), "{name}");
        } else {
            assert_eq!(config.task.kind, TaskKind::Clear, "{name}");
            assert_eq!(start().hash(), start().hash(), "{name}");
        }

        // Down among the bodies, so that there are contacts to be kept.
        let mut world = start();
        let home = world.robot_state();
        let command = |tick: usize| {
            let mut q_d = home.q;
            q_d[1] += 0.0025 * tick as f64;
            q_d[3] -= 0.0005 * tick as f64;
            JointCommand {
                q_d,
                dq_d: home.dq,
                gripper: GripperCommand { opening: 0.3 },
            }
        };
        let mut loaded = None;
        for tick in 0..320 {
            if tick == 220 {
                let bytes = world.save().expect("bytes");
                loaded = Some(World::load(&robot, &config, &bytes).expect("a world"));
            }
            for world in std::iter::once(&mut world).chain(&mut loaded) {
                world.write(&command(tick));
                world.step();
            }
            if let Some(loaded) = &loaded {
                assert_eq!(loaded.hash(), world.hash(), "{name}: tick {tick}");
            }
        }
    }
}

/// Who goes as far as an expert does and then stays there earns less than the expert, although the sum of
/// what it has reached at every step would be more.
#[test]
fn staying_near_earns_less_than_success() {
    use std::sync::Arc;

    use prehend_robot::Robot;
    use prehend_sim::{
        Autoreset, Batch, BatchCell, BatchConfig, EndedEpisode, FamilySet, Pilot, RolloutConfig,
        SceneConfig, World, rollout,
    };
    use prehend_types::Action;
    use prehend_types::config::locate;

    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let robot = Arc::new(robot);
    for name in [
        "lift", "tabletop", "stack", "drawer", "peg", "grid", "push_t",
    ] {
        let path = locate(format!("scenes/{name}.toml")).expect("a scene file");
        let cell = BatchCell {
            robot: Arc::clone(&robot),
            scene: Arc::new(SceneConfig::load(&path).expect("valid scene")),
            families: FamilySet::Train,
        };
        let run = |seed| {
            let world = World::new(&robot, &cell.scene, seed, FamilySet::Train);
            let (mut world, mut actions) = (world.expect("a scene"), Vec::new());
            let config = RolloutConfig::default();
            let result = rollout(&mut world, Pilot::Expert, &config, &mut |step| {
                actions.push(step.action);
            });
            result
                .expect("a rollout")
                .success
                .then_some((seed, actions))
        };
        let (seed, actions) = (500..520).find_map(run).expect("a success");
        // How an episode of these actions, the last one's opening held after them, ends; and the sum of
        // progress over its steps.
        let play = |actions: &[Action]| -> (EndedEpisode, f64) {
            let config = BatchConfig {
                observe: false,
                autoreset: Autoreset::Disabled,
                ..BatchConfig::default()
            };
            let mut batch = Batch::new(std::slice::from_ref(&cell), config).expect("a batch");
            batch.reset(&[(0, seed)]).expect("a start");
            let stay = Action::hold(actions.last().expect("one").gripper);
            let mut sum = 0.0;
            for step in 0.. {
                let action = actions.get(step).unwrap_or(&stay);
                let outcome = batch.step(&[*action]).expect("a step").remove(0);
                sum += batch.world(0).expect("slot 0").progress();
                if let Some(ended) = outcome.ended {
                    return (ended, sum);
                }
            }
            unreachable!("every episode ends")
        };
        let (expert, its_sum) = play(&actions);
        assert!(expert.success, "{name}");
        let mut most = 0.0_f64;
        for share in [0.3, 0.5, 0.7] {
            let n = (share * actions.len() as f64) as usize;
            let (near, sum) = play(&actions[..n]);
            assert!(!near.success, "{name}: done after {n} actions");
            most = most.max(sum);
            let (earned, expected) = (near.total_reward, expert.total_reward);
            assert!(
                earned < expected,
                "{name}: {earned} for staying, {expected} for doing it"
            );
        }
        assert!(most > its_sum, "{name}: {most} and {its_sum} say nothing");
    }
}
