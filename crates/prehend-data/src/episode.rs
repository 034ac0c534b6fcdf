//! What is remembered of an episode.

use prehend_types::{Action, Decision, MAX_CHUNK};
use serde::{Deserialize, Serialize};

/// Most steps of one episode; 20 Hz for more than an hour.
pub(crate) const MAX_STEPS: usize = 100_000;
/// Most numbers in one world state.
pub(crate) const MAX_WORLD: usize = 65_536;
/// Most bytes of one text.
pub(crate) const MAX_TEXT: usize = 4_096;

/// One recorded episode. Clouds are not stored: they are rebuilt from the world states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpisodeRecord {
    /// What fixes everything random about the episode.
    pub seed: u64,
    /// Name of the scene it happened in.
    pub scene: String,
    /// Hash of the scene's file, so that states are never replayed in another scene.
    pub scene_hash: u64,
    /// Fingerprint of the robot's description.
    pub robot: String,
    /// Which model of the arm it ran with.
    pub arm: String,
    /// What was to be done, in words.
    pub instruction: String,
    /// Family of the object to pick.
    pub target_family: String,
    /// Whether that family is kept out of training.
    pub held_out: bool,
    /// Whether the task was done.
    pub success: bool,
    /// Class of the failure, if it failed.
    pub failure: Option<String>,
    /// Everything that was drawn for the episode, by name and with the unit at the end, in the
    /// simulator's order.
    pub draws: Vec<(String, f64)>,
    /// One row per control step, first to last.
    pub steps: Vec<StepRecord>,
}

/// One control step: the state that was seen, and what was done in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The world's state before the action, as the simulator wrote it.
    pub world: Vec<f32>,
    /// What was done.
    pub action: Action,
    /// Whether the expert decided it; disturbances and other policies' actions are not imitated.
    pub is_expert: bool,
    /// What was decided here beyond the action; `None` while an earlier decision is carried out. The
    /// first step always holds one.
    pub decision: Option<Decision>,
    /// Hash of the world after the action; equal on every replay.
    pub hash: u64,
}

impl EpisodeRecord {
    /// The first field whose value makes no sense, with what is wrong.
    pub(crate) fn find_fault(&self) -> Option<(String, String)> {
        let texts = [
            ("scene", Some(&self.scene)),
            ("robot", Some(&self.robot)),
            ("arm", Some(&self.arm)),
            ("instruction", Some(&self.instruction)),
            ("target_family", Some(&self.target_family)),
            ("failure", self.failure.as_ref()),
        ];
        for (field, text) in texts {
            let length = text.map_or(0, String::len);
            if length > MAX_TEXT {
                let message = format!("{length} bytes, at most {MAX_TEXT} make sense");
                return Some((field.to_owned(), message));
            }
        }
        for (name, value) in &self.draws {
            if name.len() > MAX_TEXT || !value.is_finite() {
                let name: String = name.chars().take(80).collect();
                let message = format!("{name:?} = {value}: a name too long, or no finite number");
                return Some(("draws".to_owned(), message));
            }
        }
        if self.success && self.failure.is_some() {
            let message = "a success has no class of failure".to_owned();
            return Some(("failure".to_owned(), message));
        }
        if self.steps.len() > MAX_STEPS {
            let message = format!("{} steps, at most {MAX_STEPS} make sense", self.steps.len());
            return Some(("steps".to_owned(), message));
        }
        let n_world = self.steps.first().map_or(0, |step| step.world.len());
        self.steps.iter().enumerate().find_map(|(index, step)| {
            let (field, message) = step.find_fault(n_world)?;
            Some((format!("steps[{index}].{field}"), message))
        })
    }
}

impl StepRecord {
    fn find_fault(&self, n_world: usize) -> Option<(&'static str, String)> {
        let length = self.world.len();
        if length != n_world {
            return Some((
                "world",
                format!("{length} numbers, the first step has {n_world}"),
            ));
        }
        if length > MAX_WORLD {
            return Some((
                "world",
                format!("{length} numbers, at most {MAX_WORLD} make sense"),
            ));
        }
        if let Some(index) = self.world.iter().position(|value| !value.is_finite()) {
            return Some(("world", format!("number {index} is not finite")));
        }
        if !self.action.is_finite() {
            return Some(("action", "not finite".to_owned()));
        }
        let n_actions = self.decision.as_ref().map_or(1, |decision| {
            usize::from(decision.n_actions).max(decision.others.len() + 1)
        });
        if n_actions > MAX_CHUNK {
            let message = format!("{n_actions} actions, a chunk has at most {MAX_CHUNK}");
            return Some(("decision", message));
        }
        let mut others = self.decision.iter().flat_map(|decision| &decision.others);
        if !others.all(Action::is_finite) {
            return Some(("decision", "not finite".to_owned()));
        }
        None
    }
}
