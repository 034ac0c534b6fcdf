//! What a world must not forget, and what it must.

use prehend_types::config::locate;

use super::*;
use crate::tasks::Variant;
use crate::{Pilot, RolloutConfig, rollout};

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
        self.episode = Arc::new(Blind(Arc::clone(&self.episode)));
    }
}

/// An episode whose scene cannot be looked at.
#[derive(Debug)]
struct Blind(Arc<dyn Episode>);

impl Episode for Blind {
    fn scene(&self) -> &Scene {
        panic!("cannot be looked at, on purpose");
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
    let diverged = TaskStatus {
        success: false,
        failure: Some(Failure::Diverged),
    };
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
fn an_episode_that_diverged_ends_as_that() {
    let mut world = spun(world(7, ArmMode::Actuated));
    let result = rollout(
        &mut world,
        Pilot::Expert,
        &RolloutConfig::default(),
        &mut |_| {},
    );
    let result = result.expect("a rollout");
    assert_eq!(
        (result.n_actions, result.failure),
        (1, Some(Failure::Diverged))
    );
}
