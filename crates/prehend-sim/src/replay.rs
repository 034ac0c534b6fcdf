//! An episode again, from its seed and its actions alone.

use prehend_control::ControlConfig;
use prehend_types::{Action, Decision};

use crate::arm_loop::{ACTION_DT, ArmLoop};
use crate::{SimError, TaskStatus, World};

/// One recorded action of 50 ms.
#[derive(Debug, Clone, Copy)]
pub struct ReplayStep<'a> {
    /// The world before the action, as it was recorded.
    pub world: &'a [f32],
    /// What was done.
    pub action: &'a Action,
    /// What was decided here beyond the action.
    pub decision: Option<&'a Decision>,
    /// Hash of the world after the action, as it was recorded.
    pub hash: u64,
}

/// Where a replay first differs from the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Index of the action.
    pub step: usize,
    /// What differs.
    pub field: &'static str,
}

/// How a replay went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// The first difference; nothing was carried out after it.
    pub difference: Option<Difference>,
    /// How the episode stood where the replay got to.
    pub status: TaskStatus,
}

/// Carries recorded actions out in a fresh world of the same seed, and compares every state, bit for
/// bit, up to the first difference. Afterwards the world is where the replay got to.
///
/// # Errors
/// [`SimError::Control`] if the first step holds no decision, or a decision makes no sense.
pub fn replay<'a>(
    world: &mut World,
    control: &ControlConfig,
    steps: impl IntoIterator<Item = ReplayStep<'a>>,
) -> Result<Replayed, SimError> {
    let mut arm = ArmLoop::new(world, control)?;
    let difference = first_difference(world, &mut arm, steps)?;
    let status = arm.status(world);
    Ok(Replayed { difference, status })
}

fn first_difference<'a>(
    world: &mut World,
    arm: &mut ArmLoop,
    steps: impl IntoIterator<Item = ReplayStep<'a>>,
) -> Result<Option<Difference>, SimError> {
    for (index, step) in steps.into_iter().enumerate() {
        let differs = |field| Ok(Some(Difference { step: index, field }));
        let bits = |state: &[f32]| state.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        if bits(&world.state_vector()) != bits(step.world) {
            return differs("world");
        }
        match step.decision {
            Some(decision) => {
                let chunk = decision.chunk(*step.action, world.now(), ACTION_DT)?;
                arm.accept(&chunk, world)?;
            }
            None if index == 0 => {
                return Err(SimError::control(&"the first action was never decided on"));
            }
            None => {}
        }
        arm.advance(world);
        if world.hash() != step.hash {
            return differs("hash");
        }
    }
    Ok(None)
}
