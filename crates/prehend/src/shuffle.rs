//! Turns a policy into one that is shown the wrong scene: what it then still does, it does blindly.

use prehend_sim::FamilySet;
use prehend_types::{ActionChunk, Observation, PointCloud, Policy, PolicyError};

use crate::workcell::Workcell;

/// How far away the seed of the scene is that is shown instead; no evaluation has that many episodes.
const SEED_OFFSET: u64 = 1_000_003;

/// A policy that gets every cloud from the start of another episode, and the robot's true state.
pub struct ShuffledCloud {
    inner: Box<dyn Policy>,
    cell: Workcell,
    families: FamilySet,
    shown: Result<PointCloud, String>,
}

impl ShuffledCloud {
    /// Wraps a policy.
    #[must_use]
    pub fn new(inner: Box<dyn Policy>, cell: Workcell, families: FamilySet) -> Self {
        Self {
            inner,
            cell,
            families,
            shown: Err("not reset".to_owned()),
        }
    }
}

impl Policy for ShuffledCloud {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn reset(&mut self, seed: u64) {
        self.inner.reset(seed);
        self.shown = self
            .cell
            .world(seed.wrapping_add(SEED_OFFSET), self.families)
            .map(|world| world.observe().cloud)
            .map_err(|failure| format!("no other scene: {:#}", failure.error));
    }

    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
        let shown = self.shown.as_ref();
        let mut cloud = shown
            .map_err(|reason| PolicyError::BadObservation {
                reason: reason.clone(),
            })?
            .clone();
        cloud.stamp = observation.cloud.stamp;
        self.inner.act(&Observation {
            cloud,
            ..observation.clone()
        })
    }
}
