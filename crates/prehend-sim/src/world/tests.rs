//! What a world must not forget, and what it must.

use prehend_control::ControlConfig;
use prehend_types::ActionChunk;
use prehend_types::config::locate;

use super::*;
use crate::arm_loop::{ACTION_DT, ArmLoop, BRIDGE};
use crate::tasks::{Failure, Variant};
use crate::{Expert, Pilot, RolloutConfig, rollout};

fn world(seed: u64, arm: ArmMode) -> World {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let path = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
    let config = SceneConfig::load(&path).expect("valid scene");
    let (robot, config) = (Arc::new(robot), Arc::new(config));
    World::with_arm(&robot, &config, seed, FamilySet::Train, arm).expect("a scene")
}

impl World {
    /// Lets the first body spin beyond what single precision can turn.
    pub(crate) fn diverge(&mut self) {
        let mut state = self.state.clone();
        state.bodies[0].angular.z = 1e30;
        self.restore(&state.to_vector()).expect("finite numbers");
    }

    /// Makes every look at it panic from now on.
    pub(crate) fn blind(&mut self) {
        self.spoil(Spoilt::Look);
    }

    /// Makes every step panic from now on.
    pub(crate) fn lame(&mut self) {
        self.spoil(Spoilt::Step);
    }

    fn spoil(&mut self, what: Spoilt) {
        self.episode = Arc::new(Panicking(Arc::clone(&self.episode), what));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoilt {
    Look,
    Step,
}

/// An episode that cannot be looked at, or not be judged.
#[derive(Debug)]
struct Panicking(Arc<dyn Episode>, Spoilt);

impl Episode for Panicking {
    fn scene(&self) -> &Scene {
        assert!(self.1 != Spoilt::Look, "on purpose");
        self.0.scene()
    }

    fn instruction(&self) -> String {
        self.0.instruction()
    }

    fn variant(&self) -> Variant {
        self.0.variant()
    }

    fn accepts(&self, facts: &Facts<'_>) -> bool {
        self.0.accepts(facts)
    }

    fn judge(&self, facts: &Facts<'_>, memory: &mut Memory) -> TaskStatus {
        assert!(self.1 != Spoilt::Step, "on purpose");
        self.0.judge(facts, memory)
    }

    fn progress(&self, facts: &Facts<'_>, status: &TaskStatus) -> f64 {
        self.0.progress(facts, status)
    }

    fn expert(&self, facts: &Facts<'_>, base_from_tcp_d: &Pose) -> prehend_types::Action {
        self.0.expert(facts, base_from_tcp_d)
    }
}

fn spun(mut world: World) -> World {
    world.diverge();
    world
}

#[test]
fn a_world_that_diverged_never_forgets_it_and_has_no_success() {
    let mut world = spun(world(7, ArmMode::Actuated));
    // As if it had been done: not even that counts any more.
    world.memory.success = true;
    let diverged = TaskStatus::DIVERGED;
    for step in 0..25 {
        world.step();
        assert_eq!(world.task(), diverged, "step {step}");
    }
    assert!(world.state_vector().iter().all(|v| v.is_finite()));
    let bytes = world.save().expect("bytes");
    let mut loaded = World::load(&world.robot, &world.config, &bytes).expect("its own bytes");
    let mut copy = world.clone();
    for world in [&mut loaded, &mut copy] {
        world.step();
        assert_eq!(world.task(), diverged);
    }
}

#[test]
fn an_episode_that_diverged_or_panicked_ends_as_that() {
    for spoil in [World::diverge, World::lame] {
        let mut world = world(7, ArmMode::Actuated);
        spoil(&mut world);
        let config = RolloutConfig::default();
        let result = rollout(&mut world, Pilot::Expert, &config, &mut |_| {});
        let result = result.expect("a rollout");
        assert_eq!(
            (result.n_actions, result.failure),
            (1, Some(Failure::Diverged))
        );
    }
}

#[test]
fn a_world_goes_on_after_a_rest_as_if_there_had_been_none() {
    for mode in [ArmMode::Actuated, ArmMode::Dynamic] {
        let hashes = [false, true].map(|rests| {
            let mut world = world(7, mode);
            let mut arm = ArmLoop::new(&world, &ControlConfig::default()).expect("an arm");
            let mut hash = || {
                let action = Expert.next_action(&world, &arm.base_from_tcp_d());
                let plan = ActionChunk::new(world.now(), ACTION_DT, 1, &[action; BRIDGE]);
                let plan = plan.expect("a chunk");
                arm.accept(&plan, &world).expect("an action");
                arm.advance(&mut world);
                if rests {
                    world.rest();
                }
                world.hash()
            };
            let hashes: Vec<u64> = (0..120).map(|_| hash()).collect();
            assert!(world.task().success, "{mode:?}: {:?}", world.task());
            hashes
        });
        assert_eq!(hashes[0], hashes[1], "{mode:?}");
    }
}

#[test]
fn an_expert_is_not_made_up() {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let path = locate("scenes/clear_table.toml").expect("scenes/clear_table.toml");
    let config = Arc::new(SceneConfig::load(&path).expect("valid scene"));
    let mut world = World::new(&Arc::new(robot), &config, 1, FamilySet::Train).expect("a scene");
    let config = RolloutConfig::default();
    let error = rollout(&mut world, Pilot::Expert, &config, &mut |_| {}).expect_err("no expert");
    assert!(error.to_string().contains("clear_table"), "{error}");
}

#[test]
fn a_look_tells_which_points_are_whose() {
    let world = world(7, ArmMode::Exact);
    let (seen, told) = (world.look(), world.observe().cloud);
    assert_eq!((&seen.points, &seen.roles), (&told.points, &told.roles));
    let mut instances = seen.instances.clone();
    instances.sort_unstable();
    instances.dedup();
    assert!(instances.len() > 1, "{instances:?}");
}
