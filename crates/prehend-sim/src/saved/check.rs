//! Numbers of a saved world that no world has: a checksum says that they are as written, not that they are
//! sound.

use prehend_types::JointCommand;

use super::{Parts, refuse};
use crate::command_line::Order;
use crate::physics::BodyState;
use crate::state::{ArmState, WorldState};
use crate::{PhysicsSettings, SimError};

/// More solver steps, iterations or sweeps than this would never come to an end.
const MOST_ROUNDS: usize = 10_000;
/// Most draws and steps that are counted.
const MOST_COUNT: u64 = 1 << 40;
/// How far from 1 the length of a unit quaternion may be.
const UNIT: f64 = 0.02;

/// Refuses the first field that is out of its bounds, by name.
pub(super) fn check(parts: &Parts) -> Result<(), SimError> {
    settings(&parts.settings)?;
    state(&parts.state)?;
    order("order", &parts.order)?;
    for (index, delayed) in parts.delayed.iter().enumerate() {
        order(&format!("delayed[{index}]"), delayed)?;
    }
    for (index, partner) in parts.partners.iter().enumerate() {
        command(&format!("partners[{index}]"), partner)?;
    }
    let good_steps = u64::from(parts.memory.good_steps);
    require(good_steps <= parts.state.steps, "memory.good_steps")
}

fn settings(settings: &PhysicsSettings) -> Result<(), SimError> {
    for (field, rounds) in [
        ("steps_per_tick", settings.steps_per_tick as usize),
        ("ticks_per_step", settings.ticks_per_step as usize),
        ("iterations", settings.iterations),
        ("sweeps", settings.sweeps),
        ("hand_iterations", settings.hand_iterations),
        ("hand_sweeps", settings.hand_sweeps),
    ] {
        require(rounds <= MOST_ROUNDS, &format!("settings.{field}"))?;
    }
    for (field, value, most) in [
        ("contact_hz", settings.contact_hz, 1e6),
        ("static_contact_hz", settings.static_contact_hz, 1e6),
        ("damping_ratio", settings.damping_ratio, 1e6),
        ("prediction_m", settings.prediction_m, 1.0),
    ] {
        let is_within = (0.0..=most).contains(&value);
        require(is_within, &format!("settings.{field}"))?;
    }
    Ok(())
}

fn state(state: &WorldState) -> Result<(), SimError> {
    require(state.attempt < MOST_COUNT, "state.attempt")?;
    require(state.steps < MOST_COUNT, "state.steps")?;
    arm("state.arm", &state.arm)?;
    for (index, partner) in state.partners.iter().enumerate() {
        arm(&format!("state.partners[{index}]"), partner)?;
    }
    for (index, body) in state.bodies.iter().enumerate() {
        require(is_sound(body), &format!("state.bodies[{index}]"))?;
    }
    for (index, cloth) in state.cloths.iter().enumerate() {
        let mut numbers = cloth.positions.iter().chain(&cloth.velocities).flatten();
        let is_sound = numbers.all(|v| v.is_finite());
        require(is_sound, &format!("state.cloths[{index}]"))?;
    }
    Ok(())
}

fn arm(name: &str, arm: &ArmState) -> Result<(), SimError> {
    let gripper = arm.gripper;
    for (field, is_sound) in [
        ("q", arm.q.is_finite()),
        ("dq", arm.dq.is_finite()),
        ("gripper.width", gripper.width.is_finite()),
        ("gripper.commanded", gripper.commanded.is_finite()),
        ("fingers", arm.fingers.iter().all(|v| v.is_finite())),
        ("finger_target", arm.finger_target.is_finite()),
    ] {
        require(is_sound, &format!("{name}.{field}"))?;
    }
    Ok(())
}

fn is_sound(body: &BodyState) -> bool {
    let at = &body.base_from_body.translation.vector;
    let turn = body.base_from_body.rotation.coords.norm();
    let mut numbers = at.iter().chain(&body.linear).chain(&body.angular);
    numbers.all(|v| v.is_finite()) && (turn - 1.0).abs() <= UNIT
}

fn order(name: &str, order: &Order) -> Result<(), SimError> {
    command(name, &order.joints)?;
    let torques = order.torques.as_ref();
    let is_sound = torques.is_none_or(|torques| torques.is_finite());
    require(is_sound, &format!("{name}.torques"))
}

fn command(name: &str, command: &JointCommand) -> Result<(), SimError> {
    for (field, is_sound) in [
        ("q_d", command.q_d.is_finite()),
        ("dq_d", command.dq_d.is_finite()),
        ("gripper", command.gripper.opening.is_finite()),
    ] {
        require(is_sound, &format!("{name}.{field}"))?;
    }
    Ok(())
}

fn require(is_sound: bool, field: &str) -> Result<(), SimError> {
    if is_sound {
        return Ok(());
    }
    let message = format!("{field} is not finite or out of its bounds; save the world anew");
    Err(refuse(&message))
}
