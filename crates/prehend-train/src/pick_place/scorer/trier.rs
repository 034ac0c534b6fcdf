//! Tries what a network proposes in scenes.

use prehend_policy::InferenceError;
use prehend_policy::pick_place::{Judged, SceneNetwork};
use prehend_robot::Jaw;
use prehend_sim::tabletop::ObjectSource;

use super::tried::TriedScene;

/// Less sure than this no grasp is tried: what the network hardly believes is there to be told apart.
pub(super) const LEAST: f64 = 0.05;
/// Points that two cameras measure, from sparse to dense.
pub(super) const N_MEASURED: std::ops::Range<usize> = 4_000..20_000;

/// Tries grasps, or placements, in scenes.
pub struct Trier<'a> {
    /// Which of them.
    pub judged: Judged,
    /// Proposes.
    pub network: SceneNetwork,
    /// The gripper.
    pub jaw: &'a Jaw,
    /// What scenes are made of.
    pub objects: ObjectSource,
}

impl Trier<'_> {
    /// What was tried in the scene of a seed; `None` if nothing came to rest.
    ///
    /// # Errors
    /// [`InferenceError`] if the network fails.
    pub fn try_scene(&mut self, seed: u64) -> Result<Option<TriedScene>, InferenceError> {
        match self.judged {
            Judged::Grasps => self.try_grasps(seed),
            Judged::Places => self.try_places(seed),
        }
    }
}
