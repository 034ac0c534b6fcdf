//! Settled start states, kept for episodes that come again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::BatchCell;
use crate::objects::FamilySet;
use crate::{PhysicsSettings, SimError, World};

/// What defines a start state. Robot and scene are compared by address: a batch holds them as long as
/// it holds its starts.
#[derive(PartialEq, Clone, Copy)]
struct Key {
    robot: usize,
    scene: usize,
    families: FamilySet,
    id: u64,
}

/// The start states used last. Settling a scene takes milliseconds, copying a settled one microseconds;
/// what comes out is the same.
pub(super) struct Starts {
    kept: Mutex<VecDeque<(Key, Arc<World>)>>,
    most: usize,
    settings: PhysicsSettings,
}

impl Starts {
    pub fn new(most: usize, settings: PhysicsSettings) -> Self {
        Self {
            kept: Mutex::new(VecDeque::new()),
            most,
            settings,
        }
    }

    /// The world of an episode at its start.
    pub fn world(&self, cell: &BatchCell, id: u64) -> Result<World, SimError> {
        let key = Key {
            robot: Arc::as_ptr(&cell.robot) as usize,
            scene: Arc::as_ptr(&cell.scene) as usize,
            families: cell.families,
            id,
        };
        if let Some(world) = self.find(&key) {
            return Ok((*world).clone());
        }
        let world =
            World::with_settings(&cell.robot, &cell.scene, id, cell.families, &self.settings)?;
        if self.most > 0 {
            let copy = Arc::new(world.clone());
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= self.most {
                kept.pop_front();
            }
            kept.push_back((key, copy));
        }
        Ok(world)
    }

    fn find(&self, key: &Key) -> Option<Arc<World>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(own, _)| own == key);
        found.map(|(_, world)| Arc::clone(world))
    }
}
