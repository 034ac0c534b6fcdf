//! Turns a policy into one that is shown the wrong scene: what it then still does, it does blindly.

use prehend_sim::FamilySet;
use prehend_types::{ActionChunk, Observation, PointCloud, Policy, PolicyError};

use crate::exit::Failure;
use crate::workcell::Workcell;

/// How far away the seed of the scene is that is shown instead: even, so that it draws its target from
/// the same families; no evaluation has that many episodes.
const SEED_OFFSET: u64 = 1_000_000;
/// Seeds that are tried for a scene to show; now and then one has none.
const TRIES: u64 = 8;

/// A policy that gets every cloud from the start of another episode, and the robot's true state.
pub struct ShuffledCloud<'a> {
    inner: &'a mut dyn Policy,
    shown: PointCloud,
}

impl<'a> ShuffledCloud<'a> {
    /// Wraps a policy for the episode with this seed.
    ///
    /// # Errors
    /// No other scene could be drawn.
    pub fn new(
        inner: &'a mut dyn Policy,
        cell: &Workcell,
        families: FamilySet,
        seed: u64,
    ) -> Result<Self, Failure> {
        let others = (0..TRIES).map(|k| seed.wrapping_add(SEED_OFFSET + 2 * k));
        let mut worlds = others.filter_map(|other| cell.world(other, families).ok());
        let world = worlds.next().ok_or_else(|| {
            Failure::bad_input(format!("no other scene to show instead of seed {seed}"))
        })?;
        Ok(Self {
            inner,
            shown: world.observe().cloud,
        })
    }
}

impl Policy for ShuffledCloud<'_> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn reset(&mut self, seed: u64) {
        self.inner.reset(seed);
    }

    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
        let mut cloud = self.shown.clone();
        cloud.stamp = observation.cloud.stamp;
        self.inner.act(&Observation {
            cloud,
            ..observation.clone()
        })
    }
}
