//! Plans that lead anywhere, for a controller that should not care.

use std::time::Duration;

use nalgebra::Vector3;
use prehend_control::{ChunkError, Controller};
use prehend_robot::Robot;
use prehend_types::{
    Action, ActionChunk, JointPlan, JointPositions, JointSpace, JointStep, MAX_CHUNK, Stamp,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Length of one step of a plan.
const STEP: Duration = Duration::from_millis(50);
const N_STEPS: usize = if MAX_CHUNK < 8 { MAX_CHUNK } else { 8 };

/// Gives the controller one more plan: a far posture, a zigzag between postures, speeds up to the limits,
/// or a motion of the tool.
pub(super) fn give(rng: &mut ChaCha8Rng, robot: &Robot, controller: &mut Controller, now: Stamp) {
    // Whether a plan is taken is the controller's business.
    _ = match rng.random_range(0..4) {
        0 => {
            let values = posture(rng, robot);
            joints(controller, now, JointSpace::Position, [values; N_STEPS])
        }
        1 => {
            let values = std::array::from_fn(|_| posture(rng, robot));
            joints(controller, now, JointSpace::Position, values)
        }
        2 => {
            let values = std::array::from_fn(|_| speeds(rng, robot));
            joints(controller, now, JointSpace::Velocity, values)
        }
        _ => tool(rng, controller, now),
    };
}

fn posture(rng: &mut ChaCha8Rng, robot: &Robot) -> JointPositions {
    let (mut q, limits) = (*robot.home(), robot.limits());
    for (joint_idx, q) in q.iter_mut().enumerate() {
        *q = rng.random_range(limits.q_min[joint_idx]..limits.q_max[joint_idx]);
    }
    q
}

fn speeds(rng: &mut ChaCha8Rng, robot: &Robot) -> JointPositions {
    let mut dq = *robot.home();
    for (dq, most) in dq.iter_mut().zip(robot.limits().dq_max.iter()) {
        *dq = most * rng.random_range(-1.0..1.0);
    }
    dq
}

fn joints(
    controller: &mut Controller,
    now: Stamp,
    space: JointSpace,
    values: [JointPositions; N_STEPS],
) -> Result<(), ChunkError> {
    let steps = values.map(|values| JointStep {
        values,
        gripper: 1.0,
    });
    match JointPlan::new(now, STEP, space, &steps) {
        Ok(plan) => controller.accept_joints(&plan, now).map(drop),
        // Cannot happen: as many steps as fit, all for the same robot.
        Err(_) => Ok(()),
    }
}

fn tool(rng: &mut ChaCha8Rng, controller: &mut Controller, now: Stamp) -> Result<(), ChunkError> {
    let mut vector = |most: f64| Vector3::from_fn(|_, _| rng.random_range(-most..most));
    let action = Action {
        translation: vector(0.05),
        rotation: vector(0.2),
        gripper: 0.0,
    };
    match ActionChunk::new(now, STEP, N_STEPS, &[action; N_STEPS]) {
        Ok(chunk) => controller.accept(&chunk, now).map(drop),
        // Cannot happen, as above.
        Err(_) => Ok(()),
    }
}
