//! Has it worked? The benchmark's own words: over the receptacle, not too high, and touching it.

use super::{GridEpisode, OBJECT, RECEPTACLE};
use crate::tasks::{Facts, Failure, Memory, TaskStatus};

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
    memory.lifted |= middle.z > 0.5 * episode.size[2] + LIFT;
    let is_there =
        is_over(episode, &(middle - below)) && facts.contact_force(OBJECT, RECEPTACLE) > TOUCH;
    let success = memory.lasted(is_there, 0.0);
    let failure = if success {
        None
    } else if !middle.coords.iter().all(|v| v.is_finite()) {
        Some(Failure::Diverged)
    } else if middle.z < -0.02 {
        Some(Failure::OffTable)
    } else if !facts.is_late() {
        None
    } else if !memory.lifted {
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
