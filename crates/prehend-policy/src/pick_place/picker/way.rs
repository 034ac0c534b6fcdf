//! From one waypoint to the next, in chunks of small steps.

use std::collections::VecDeque;
use std::time::Duration;

use prehend_types::{Action, ActionChunk, Observation, PolicyError, Pose};

/// Actions of a chunk, how many of them are meant to be executed, and how long one takes.
const N_ACTIONS: usize = 8;
const N_STEPS: usize = 2;
const DT: Duration = Duration::from_millis(50);

/// A pose on the way, how wide the gripper is meanwhile (0 to 1), how fast to go there (m/s), and how near
/// is there (m and rad).
#[derive(Debug, Clone, Copy)]
pub(super) struct Waypoint {
    pub pose: Pose,
    pub opening: f64,
    pub speed: f64,
    pub near: [f64; 2],
}

impl Waypoint {
    /// Through the air.
    pub fn transit(pose: Pose, opening: f64) -> Self {
        Self {
            pose,
            opening,
            speed: 0.35,
            near: [0.015, 0.06],
        }
    }

    /// Near things.
    pub fn careful(pose: Pose, opening: f64) -> Self {
        Self {
            pose,
            opening,
            speed: 0.12,
            near: [0.004, 0.03],
        }
    }

    fn is_reached(&self, tool: &Pose) -> bool {
        let off = self.pose.translation.vector - tool.translation.vector;
        off.norm() < self.near[0] && self.pose.rotation.angle_to(&tool.rotation) < self.near[1]
    }
}

/// The next steps along a way; passed waypoints are taken off it. `None` at its end.
pub(super) fn along(
    way: &mut VecDeque<Waypoint>,
    now: &Observation,
) -> Result<Option<ActionChunk>, PolicyError> {
    while way
        .front()
        .is_some_and(|next| next.is_reached(&now.base_from_tcp))
    {
        way.pop_front();
    }
    if way.is_empty() {
        return Ok(None);
    }
    let mut tool = now.base_from_tcp;
    let mut index = 0;
    let actions = [(); N_ACTIONS].map(|()| {
        if index + 1 < way.len() && way[index].is_reached(&tool) {
            index += 1;
        }
        let next = &way[index];
        let action = Action::towards(&tool, &next.pose, next.opening, next.speed, DT);
        tool *= action.delta();
        action
    });
    chunk(now, &actions).map(Some)
}

/// Stands still.
pub(super) fn hold(now: &Observation, opening: f64) -> Result<ActionChunk, PolicyError> {
    chunk(now, &[Action::hold(opening); N_ACTIONS])
}

fn chunk(now: &Observation, actions: &[Action]) -> Result<ActionChunk, PolicyError> {
    ActionChunk::new(now.stamp, DT, N_STEPS, actions).map_err(|error| PolicyError::BadObservation {
        reason: error.to_string(),
    })
}
