//! Has it worked? The benchmark's own words: over the receptacle, not too high, and touching it.

use super::{GridEpisode, OBJECT, RECEPTACLE};
use crate::tasks::{Facts, Failure, Memory, TaskStatus};

/// What the memory's numbers mean.
const SUCCESS: usize = 0;
const LIFTED: usize = 1;

/// The object's middle may be this far beyond the receptacle's larger half, m.
const BESIDE: f64 = 0.01;
/// The middles may be this much farther apart in height than when one stands on the other, m.
const ABOVE: f64 = 0.05;
/// It touches from this force on, N.
const TOUCH: f64 = 0.03;
/// Lifted when its middle is this much higher than half its height, m.
const LIFT: f64 = 0.03;

/// Judges one physics step. Success comes at once: at rest or not, in the hand or not.
pub(super) fn step(episode: &GridEpisode, facts: &Facts<'_>, memory: &mut Memory) -> TaskStatus {
    let [object, receptacle, ..] = facts.bodies else {
        return TaskStatus::default();
    };
    let [middle, below] = episode.middles([&object.base_from_body, &receptacle.base_from_body]);
    if middle.z > 0.5 * episode.size[2] + LIFT {
        memory[LIFTED] = 1.0;
    }
    if is_over(episode, &(middle - below)) && facts.contact_force(OBJECT, RECEPTACLE) > TOUCH {
        memory[SUCCESS] = 1.0;
    }
    let success = memory[SUCCESS] > 0.0;
    let failure = if success {
        None
    } else if !middle.coords.iter().all(|v| v.is_finite()) {
        Some(Failure::Diverged)
    } else if middle.z < -0.02 {
        Some(Failure::OffTable)
    } else if !facts.is_late() {
        None
    } else if memory[LIFTED] == 0.0 {
        Some(Failure::NeverLifted)
    } else if facts.touches(OBJECT).contains(&true) {
        Some(Failure::NotReleased)
    } else {
        Some(Failure::Dropped)
    };
    TaskStatus { success, failure }
}

/// Whether the object's middle is where it counts, seen from the receptacle's.
pub(super) fn is_over(episode: &GridEpisode, off: &nalgebra::Vector3<f64>) -> bool {
    let [x, y, z] = episode.plate_size;
    off.xy().norm() <= 0.5 * x.max(y) + BESIDE
        && off.z > 0.0
        && off.z <= 0.5 * (episode.size[2] + z) + ABOVE
}
