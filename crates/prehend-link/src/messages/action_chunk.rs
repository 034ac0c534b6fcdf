//! `prehend_msgs/msg/ActionChunk`: a policy's plan on its way to the control loop.

use std::time::Duration;

use nalgebra::Vector3;
use prehend_types::{self as types, Action, MAX_CHUNK, Stamp};
use serde::{Deserialize, Serialize};

use super::is_name;
use crate::{DecodeError, Message, Topic};

/// One step of a policy, as in `msg/Action.msg`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WireAction {
    /// Translation in the tool frame at the step's start, m.
    pub translation: [f64; 3],
    /// Rotation vector in the tool frame at the step's start, rad.
    pub rotation: [f64; 3],
    /// 0 closed, 1 fully open.
    pub gripper: f64,
}

/// A short plan, as in `msg/ActionChunk.msg`. Finite and of at most [`MAX_CHUNK`] actions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionChunk {
    /// Whose arm it is for, as [`LinkConfig::robot`](crate::LinkConfig::robot) names it.
    pub robot: String,
    /// Session of the driver whose observation was used.
    pub epoch: u64,
    /// Stamp of that observation, monotonic ns.
    pub start_nanos: u64,
    /// Length of one action, ns.
    pub dt_nanos: u64,
    /// Actions meant to be executed before the next chunk.
    pub n_action_steps: u32,
    /// Time the policy took for this chunk, ns.
    pub act_nanos: u64,
    /// First to last.
    pub actions: Vec<WireAction>,
}

impl ActionChunk {
    /// A chunk ready to be sent, and how long it took to compute.
    #[must_use]
    pub fn new(robot: &str, epoch: u64, chunk: &types::ActionChunk, act_time: Duration) -> Self {
        let wire = |action: &Action| WireAction {
            translation: action.translation.into(),
            rotation: action.rotation.into(),
            gripper: action.gripper,
        };
        Self {
            robot: robot.to_owned(),
            epoch,
            start_nanos: chunk.start.as_nanos(),
            dt_nanos: chunk.dt.as_nanos() as u64,
            n_action_steps: chunk.n_action_steps as u32,
            act_nanos: act_time.as_nanos() as u64,
            actions: chunk.actions().iter().map(wire).collect(),
        }
    }

    /// The chunk in the types that control uses.
    ///
    /// # Errors
    /// [`types::ChunkTooLong`]; never for a chunk that was received.
    pub fn to_chunk(&self) -> Result<types::ActionChunk, types::ChunkTooLong> {
        let action = |wire: &WireAction| Action {
            translation: Vector3::from(wire.translation),
            rotation: Vector3::from(wire.rotation),
            gripper: wire.gripper,
        };
        let actions: Vec<Action> = self.actions.iter().map(action).collect();
        types::ActionChunk::new(
            Stamp::from_nanos(self.start_nanos),
            Duration::from_nanos(self.dt_nanos),
            self.n_action_steps as usize,
            &actions,
        )
    }
}

impl Message for ActionChunk {
    const TOPIC: Topic = Topic::Chunk;
    const TYPE_NAME: &'static str = "prehend_msgs/msg/ActionChunk";
    const VERSION: u8 = 2;
    const MAX_BYTES: usize = 2048;

    fn robot(&self) -> Option<&str> {
        Some(&self.robot)
    }

    /// NaN and infinity pass: the controller refuses and counts them, and stops after a few.
    fn check(&self) -> Result<(), DecodeError> {
        is_name::<Self>("robot", &self.robot)?;
        let invalid = |field, message: String| Err(DecodeError::invalid::<Self>(field, message));
        if self.actions.is_empty() || self.actions.len() > MAX_CHUNK {
            return invalid(
                "actions",
                format!("{}, not 1 to {MAX_CHUNK}", self.actions.len()),
            );
        }
        if self.dt_nanos == 0 || self.dt_nanos > 10_000_000_000 {
            return invalid(
                "dt_nanos",
                format!("{}, not above 0 and within 10 s", self.dt_nanos),
            );
        }
        if self.n_action_steps == 0 || self.n_action_steps as usize > self.actions.len() {
            let message = format!("{} of {} actions", self.n_action_steps, self.actions.len());
            return invalid("n_action_steps", message);
        }
        Ok(())
    }
}
