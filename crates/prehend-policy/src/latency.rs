//! Turns a loaded policy into inference times.

use std::time::Instant;

use prehend_types::{Observation, Policy, PolicyError};

use crate::onnx_policy::OnnxPolicy;

/// Runs `n` whole calls of [`Policy::act`], cycling through the observations, and returns their
/// times in ms, sorted: observation to checked chunk, as the live loop has it.
///
/// # Errors
/// The first [`PolicyError`].
pub fn measure_latency(
    policy: &mut OnnxPolicy,
    observations: &[Observation],
    n: usize,
) -> Result<Vec<f64>, PolicyError> {
    let mut times_ms = Vec::with_capacity(n);
    for observation in observations.iter().cycle().take(n) {
        let start = Instant::now();
        policy.act(observation)?;
        times_ms.push(1e3 * start.elapsed().as_secs_f64());
    }
    times_ms.sort_by(f64::total_cmp);
    Ok(times_ms)
}
