//! Judges what comes in from outside: states, chunks. Pure, allocates nothing.

use prehend_types::{ActionChunk, RobotState, Stamp};

use crate::{ArmError, ChunkError, ControlConfig, JointBounds, LimitReason};

/// The longest translation of one action, m, and its largest rotation, rad.
const MAX_ACTION: (f64, f64) = (1.0, 3.2);

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

/// Whether an arm may be taken over in this state.
pub(crate) fn arming(
    state: &RobotState,
    bounds: &[JointBounds],
    max_speed: f64,
) -> Result<(), ArmError> {
    for got in [state.q.len(), state.dq.len()] {
        if got != bounds.len() {
            return Err(ArmError::JointCount {
                got,
                expected: bounds.len(),
            });
        }
    }
    for (joint_idx, bounds) in bounds.iter().enumerate() {
        let (q, dq) = (state.q[joint_idx], state.dq[joint_idx]);
        if !q.is_finite() || !dq.is_finite() {
            return Err(ArmError::NonFinite { joint_idx });
        }
        if q < bounds.lower || q > bounds.upper {
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
    let dt_s = chunk.dt.as_secs_f64();
    if !(0.001..=1.0).contains(&dt_s) {
        return Err(ChunkError::Duration { dt_s });
    }
    for (index, action) in actions.iter().enumerate() {
        if !action.is_finite() {
            return Err(ChunkError::NonFinite { index });
        }
        let (translation_m, rotation_rad) = (action.translation.norm(), action.rotation.norm());
        if translation_m > MAX_ACTION.0 || rotation_rad > MAX_ACTION.1 {
            return Err(ChunkError::Implausible {
                index,
                translation_m,
                rotation_rad,
            });
        }
    }
    let age_s = now.seconds_since(chunk.start);
    if age_s < -config.max_chunk_lead_s {
        return Err(ChunkError::FromFuture { lead_s: -age_s });
    }
    if age_s > config.max_chunk_age_s {
        return Err(ChunkError::TooOld { age_s });
    }
    let dropped = (age_s / dt_s).max(0.0) as usize;
    if dropped >= actions.len() {
        return Err(ChunkError::Expired {
            dropped: actions.len(),
        });
    }
    Ok(dropped)
}
