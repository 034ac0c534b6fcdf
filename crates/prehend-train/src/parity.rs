//! Does an engine compute what burn computed?

use prehend_policy::{InferenceError, OnnxPolicy, PolicyInputs};

use crate::checkpoint::Checkpoint;
use crate::export::golden_cases;

/// Largest absolute difference between burn and an engine over observations, each with noise of its
/// own; m, rad, opening.
///
/// # Errors
/// [`InferenceError`] if the engine fails.
pub fn parity(
    checkpoint: &Checkpoint,
    policy: &mut OnnxPolicy,
    observations: &[PolicyInputs],
) -> Result<f32, InferenceError> {
    let mut largest = 0.0_f32;
    for case in golden_cases(checkpoint, observations) {
        let inputs = case.inputs();
        let actions = policy.infer(&inputs, &case.noise)?.to_vec();
        largest = largest.max(case.difference(&actions));
    }
    Ok(largest)
}
