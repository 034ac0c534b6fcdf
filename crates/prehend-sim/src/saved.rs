//! A world as bytes, exact to the last bit of contact impulses.
//!
//! Layout, little-endian: magic (8 bytes), version (u32), CRC-32 (u32) of the rest, then the parts in
//! postcard's format. Meant for one build of this program: another version of the engine refuses it or
//! reads nonsense, which the checksum cannot tell; episodes are kept as seeds and actions instead.

mod check;

use std::sync::Arc;

use crc::{CRC_32_ISO_HDLC, Crc};
use prehend_robot::Robot;
use prehend_types::JointCommand;
use serde::{Deserialize, Serialize};

use crate::command_line::Order;
use crate::objects::FamilySet;
use crate::state::WorldState;
use crate::tasks::{Memory, TaskStatus, redraw};
use crate::view::check_fits;
use crate::{PhysicsSettings, SceneConfig, SimError, World};

const MAGIC: &[u8; 8] = b"prhn-wld";
const VERSION: u32 = 5;
const HEADER_BYTES: usize = 16;
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// What bytes hold beside the engine's own state.
#[derive(Serialize, Deserialize)]
struct Parts {
    seed: u64,
    families: FamilySet,
    settings: PhysicsSettings,
    state: WorldState,
    arm: Vec<f64>,
    order: Order,
    partners: Vec<JointCommand>,
    delayed: Vec<Order>,
    memory: Memory,
    status: TaskStatus,
    engine: Vec<u8>,
}

impl World {
    /// Everything that decides how the world goes on.
    ///
    /// # Errors
    /// [`SimError::State`] if the engine's state cannot be written.
    pub fn save(&self) -> Result<Vec<u8>, SimError> {
        encode(&Parts {
            seed: self.scene().seed,
            families: self.families,
            settings: self.settings,
            state: self.state.clone(),
            arm: self.arm.to_numbers(),
            order: self.order,
            partners: self.followers.iter().map(|own| own.command).collect(),
            delayed: self.line.to_vec(),
            memory: self.memory,
            status: self.status,
            engine: self.physics.to_bytes()?,
        })
    }

    /// The world that [`Self::save`] wrote; it goes on exactly as that one did.
    ///
    /// # Errors
    /// [`SimError::State`] for bytes that are damaged, of another version, or of another robot or
    /// scene file, or that hold a number which no world has.
    pub fn load(
        robot: &Arc<Robot>,
        config: &Arc<SceneConfig>,
        bytes: &[u8],
    ) -> Result<Self, SimError> {
        let parts = parse(bytes)?;
        check::check(&parts)?;
        let episode = redraw(config, parts.families, parts.seed, parts.state.attempt)?;
        check_fits(&parts.state, episode.scene(), robot)?;
        let mut orders = parts.delayed.iter().chain([&parts.order]);
        let n = robot.n_joints();
        let misfits = |order: &Order| {
            order.joints.q_d.len() != n || order.torques.is_some_and(|torques| torques.len() != n)
        };
        let mut partners = parts.partners.iter();
        if orders.any(misfits) || partners.any(|command| command.q_d.len() != n) {
            return Err(refuse(&"its command is for another robot"));
        }
        let mut world = Self::build(robot, config, episode, parts.families, &parts.settings)?;
        world.physics.set_bytes(&parts.engine)?;
        world.arm.set_numbers(&parts.arm)?;
        world.robot_state = parts.state.robot_state();
        let arm = &parts.state.arm;
        robot.link_poses(&arm.q, arm.gripper.width, &mut world.link_poses);
        world.state = parts.state;
        world.order = parts.order;
        if parts.partners.len() != world.followers.len() {
            return Err(refuse(&"its commands are for another number of arms"));
        }
        for (follower, command) in world.followers.iter_mut().zip(parts.partners) {
            follower.command = command;
        }
        if !world.line.set(&parts.delayed) {
            return Err(refuse(&"its delayed commands are for another delay"));
        }
        world.memory = parts.memory;
        world.status = parts.status;
        Ok(world)
    }
}

fn encode(parts: &Parts) -> Result<Vec<u8>, SimError> {
    let body = postcard::to_stdvec(parts).map_err(|error| refuse(&error))?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&CRC.checksum(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Parts, SimError> {
    let (header, body) = bytes
        .split_at_checked(HEADER_BYTES)
        .ok_or_else(|| refuse(&"it ends inside the header"))?;
    let (magic, numbers) = header.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(refuse(&"it is no saved world"));
    }
    let number = |at: usize| {
        let bytes = numbers.get(at..at + 4).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    };
    if number(0) != VERSION {
        let found = number(0);
        return Err(refuse(&format!(
            "version {found}, this program reads version {VERSION}"
        )));
    }
    if number(4) != CRC.checksum(body) {
        return Err(refuse(&"its checksum does not fit: it is damaged"));
    }
    postcard::from_bytes(body).map_err(|error| refuse(&error))
}

fn refuse(error: &dyn std::fmt::Display) -> SimError {
    SimError::State {
        reason: format!("saved world: {error}"),
    }
}

#[cfg(test)]
mod tests;
