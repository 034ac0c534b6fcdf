//! Judges what comes in from outside: states, chunks. Pure, allocates nothing.

use std::time::Duration;

use prehend_types::{Action, ActionChunk, JointPlan, JointPositions, JointStep, RobotState, Stamp};

use crate::{ArmError, ChunkError, ControlConfig, JointBounds, LimitReason};

/// The longest translation of one action, m, and its largest rotation, rad.
const MAX_ACTION: (f64, f64) = (1.0, 3.2);

/// The largest number that a joint plan may hold, rad, m or rad/s.
const MAX_JOINT: f64 = 100.0;

/// Whether an action could be meant: a chunk with one that could not is refused.
#[must_use]
pub fn is_plausible(action: &Action) -> bool {
    // False for NaN too.
    action.is_finite()
        && action.translation.norm() <= MAX_ACTION.0
        && action.rotation.norm() <= MAX_ACTION.1
}

/// The same for a step of a joint plan.
#[must_use]
pub fn is_plausible_step(values: &[f64]) -> bool {
    values.iter().all(|value| value.abs() <= MAX_JOINT)
}

/// What is wrong with a state, if anything.
pub(crate) fn state(
    state: &RobotState,
    n_joints: usize,
    now: Stamp,
    max_age_s: f64,
) -> Option<LimitReason> {
    if state.q.len() != n_joints
        || state.dq.len() != n_joints
        || !state.q.is_finite()
        || !state.dq.is_finite()
    {
        Some(LimitReason::NonFinite)
    } else if now.seconds_since(state.stamp).abs() > max_age_s {
        Some(LimitReason::StaleState)
    } else {
        None
    }
}

/// Whether a state is new enough to arm by.
pub(crate) fn freshness(state: &RobotState, now: Stamp, max_age_s: f64) -> Result<(), ArmError> {
    let age_s = now.seconds_since(state.stamp);
    if age_s.abs() > max_age_s {
        return Err(ArmError::StaleState { age_s });
    }
    Ok(())
}

/// What an arm may be taken over in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArmingTerms {
    /// How far a joint may be beyond a position limit, rad.
    pub outside: f64,
    /// How fast it may be, rad/s.
    pub max_speed: f64,
}

impl From<&ControlConfig> for ArmingTerms {
    fn from(config: &ControlConfig) -> Self {
        Self {
            outside: config.max_arm_outside_rad,
            max_speed: config.max_arm_speed_rad_per_s,
        }
    }
}

/// Whether an arm may be taken over in this state: the right number of joints, every one finite, still,
/// and inside its limits or hardly outside.
pub(crate) fn arming(
    state: &RobotState,
    bounds: &[JointBounds],
    terms: &ArmingTerms,
) -> Result<(), ArmError> {
    for got in [state.q.len(), state.dq.len()] {
        if got != bounds.len() {
            return Err(ArmError::JointCount {
                got,
                expected: bounds.len(),
            });
        }
    }
    let ArmingTerms { outside, max_speed } = *terms;
    for (joint_idx, bounds) in bounds.iter().enumerate() {
        let (q, dq) = (state.q[joint_idx], state.dq[joint_idx]);
        if !q.is_finite() || !dq.is_finite() {
            return Err(ArmError::NonFinite { joint_idx });
        }
        if q < bounds.lower - outside || q > bounds.upper + outside {
            return Err(ArmError::OutsideLimits {
                joint_idx,
                q,
                lower: bounds.lower,
                upper: bounds.upper,
            });
        }
        if dq.abs() > max_speed {
            return Err(ArmError::Moving {
                joint_idx,
                dq,
                limit: max_speed,
            });
        }
    }
    Ok(())
}

/// Whether an arm is where it is commanded to be, judged by the joint that is furthest from it. Both
/// have the same number of joints and are finite.
pub(crate) fn distance(
    state: &RobotState,
    q_d: &JointPositions,
    config: &ControlConfig,
) -> Result<(), ArmError> {
    let apart = q_d
        .iter()
        .zip(state.q.iter())
        .map(|(q_d, q)| (q_d - q).abs());
    let furthest = apart.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    match furthest {
        Some((joint_idx, distance)) if distance > config.max_arm_distance_rad => {
            Err(ArmError::Distance {
                joint_idx,
                distance,
                limit: config.max_arm_distance_rad,
            })
        }
        _ => Ok(()),
    }
}

/// Checks a chunk; returns how many of its actions are past at `now`.
pub(crate) fn chunk(
    chunk: &ActionChunk,
    now: Stamp,
    config: &ControlConfig,
) -> Result<usize, ChunkError> {
    let actions = chunk.actions();
    if actions.is_empty() {
        return Err(ChunkError::Empty);
    }
    let dt_s = duration(chunk.dt)?;
    for (index, action) in actions.iter().enumerate() {
        if !action.is_finite() {
            return Err(ChunkError::NonFinite { index });
        }
        if !is_plausible(action) {
            return Err(ChunkError::Implausible {
                index,
                translation_m: action.translation.norm(),
                rotation_rad: action.rotation.norm(),
            });
        }
    }
    past(chunk.start, dt_s, actions.len(), now, config)
}

/// Checks a joint plan; returns how many of its steps are past at `now`.
pub(crate) fn joint_plan(
    plan: &JointPlan,
    n_joints: usize,
    now: Stamp,
    config: &ControlConfig,
) -> Result<usize, ChunkError> {
    let steps = plan.steps();
    let first = steps.first().ok_or(ChunkError::Empty)?;
    if first.values.len() != n_joints {
        return Err(ChunkError::JointCount {
            got: first.values.len(),
            expected: n_joints,
        });
    }
    let dt_s = duration(plan.dt)?;
    let is_finite = |step: &JointStep| step.values.is_finite() && step.gripper.is_finite();
    if let Some(index) = steps.iter().position(|step| !is_finite(step)) {
        return Err(ChunkError::NonFinite { index });
    }
    let is_odd = |step: &JointStep| !is_plausible_step(&step.values);
    if let Some(index) = steps.iter().position(is_odd) {
        return Err(ChunkError::ImplausibleJoint { index });
    }
    past(plan.start, dt_s, steps.len(), now, config)
}

fn duration(dt: Duration) -> Result<f64, ChunkError> {
    let dt_s = dt.as_secs_f64();
    if (0.001..=1.0).contains(&dt_s) {
        Ok(dt_s)
    } else {
        Err(ChunkError::Duration { dt_s })
    }
}

/// How many of a plan's steps are past.
fn past(
    start: Stamp,
    dt_s: f64,
    n_steps: usize,
    now: Stamp,
    config: &ControlConfig,
) -> Result<usize, ChunkError> {
    let age_s = now.seconds_since(start);
    if age_s < -config.max_chunk_lead_s {
        return Err(ChunkError::FromFuture { lead_s: -age_s });
    }
    if age_s > config.max_chunk_age_s {
        return Err(ChunkError::TooOld { age_s });
    }
    let dropped = (age_s / dt_s).max(0.0) as usize;
    if dropped >= n_steps {
        return Err(ChunkError::Expired { dropped: n_steps });
    }
    Ok(dropped)
}
