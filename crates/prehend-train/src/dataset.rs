//! Turns stored episodes into training windows: the clouds are seen again from the stored states.

use std::path::PathBuf;
use std::sync::Arc;

use indicatif::ProgressBar;
use prehend_data::{EpisodeRecord, EpisodeStore};
use prehend_policy::observation_to_inputs;
use prehend_robot::Robot;
use prehend_sim::{FamilySet, SceneConfig, View};
use prehend_types::{Action, Stream, derive_seed};
use rayon::prelude::*;

use crate::TrainError;
use crate::windows::{Window, WindowSet};

/// Which windows are taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowOptions {
    /// Points of a cloud.
    pub n_points: usize,
    /// Actions of a chunk.
    pub chunk: usize,
    /// Share of episodes kept for validation; which ones depends on their seeds only.
    pub validation_share: f64,
    /// Every how many steps a window may start; 1 takes all.
    pub stride: usize,
    /// Families the episodes were drawn from.
    pub families: FamilySet,
}

/// Rebuilds what the policy would have seen in every usable step of the stores' episodes.
///
/// A step is usable if the episode succeeded and the whole chunk from there on is the expert's own. A
/// chunk that reaches over the episode's end is filled up by standing still.
///
/// # Errors
/// [`TrainError`] if an episode is damaged, or belongs to another scene or robot.
pub fn load_windows(
    stores: &[PathBuf],
    robot: &Arc<Robot>,
    scene: &Arc<SceneConfig>,
    scene_hash: u64,
    options: &WindowOptions,
    progress: &ProgressBar,
) -> Result<WindowSet, TrainError> {
    let mut set = WindowSet {
        origin: String::new(),
        training: Vec::new(),
        validation: Vec::new(),
    };
    let mut origins = Vec::new();
    for path in stores {
        let store = EpisodeStore::open(path)?;
        let other = |what| TrainError::OtherOrigin {
            path: path.clone(),
            what,
        };
        if store.manifest().scene_hash != scene_hash {
            return Err(other("scene"));
        }
        if store.manifest().robot != robot.content_hash() {
            return Err(other("robot"));
        }
        progress.inc_length(store.seeds().len() as u64);
        // Collected in the order of seeds, whichever thread is first.
        let per_episode: Vec<(u64, Vec<Window>)> = store
            .seeds()
            .par_iter()
            .map(|&seed| {
                let windows = episode_windows(&store.read(seed)?, robot, scene, options)?;
                progress.inc(1);
                Ok((seed, windows))
            })
            .collect::<Result<_, TrainError>>()?;
        for (seed, windows) in per_episode {
            if is_validation(seed, options.validation_share) {
                set.validation.extend(windows);
            } else {
                set.training.extend(windows);
            }
        }
        let digest = prehend_data::fingerprint(&(store.manifest(), store.seeds()))?;
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy();
        origins.push(format!(
            "{name} ({} episodes, {digest:016x})",
            store.seeds().len()
        ));
    }
    set.origin = origins.join(", ");
    Ok(set)
}

fn is_validation(seed: u64, share: f64) -> bool {
    let draw = derive_seed(seed, Stream::Training, u64::MAX);
    (draw as f64) < share * u64::MAX as f64
}

fn episode_windows(
    episode: &EpisodeRecord,
    robot: &Arc<Robot>,
    scene: &Arc<SceneConfig>,
    options: &WindowOptions,
) -> Result<Vec<Window>, TrainError> {
    let Some(first) = episode.steps.first().filter(|_| episode.success) else {
        return Ok(Vec::new());
    };
    let seed = episode.seed;
    let cloud = |source| TrainError::Cloud { seed, source };
    let view = View::new(robot, scene, seed, options.families, &first.world).map_err(cloud)?;
    let mut windows = Vec::new();
    for (index, step) in episode
        .steps
        .iter()
        .enumerate()
        .step_by(options.stride.max(1))
    {
        let Some(actions) = chunk_at(episode, index, options.chunk) else {
            continue;
        };
        let observation = view.observe(&step.world).map_err(cloud)?;
        if observation.cloud.is_empty() {
            continue; // The policy would refuse it too, and the arm would wait.
        }
        let inputs = observation_to_inputs(&observation, options.n_points).map_err(|source| {
            TrainError::Observation {
                seed,
                step: index,
                source,
            }
        })?;
        windows.push(Window::new(&inputs, &actions));
    }
    Ok(windows)
}

/// The expert's next actions, or `None` if something else happened among them.
fn chunk_at(episode: &EpisodeRecord, start: usize, chunk: usize) -> Option<Vec<Action>> {
    let own = &episode.steps[start..episode.steps.len().min(start + chunk)];
    if own.iter().any(|step| !step.is_expert) {
        return None;
    }
    let mut actions: Vec<Action> = own.iter().map(|step| step.action).collect();
    let hold = Action::hold(actions.last()?.gripper);
    actions.resize(chunk, hold);
    Some(actions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prehend_data::StepRecord;

    fn episode(is_expert: &[bool]) -> EpisodeRecord {
        let step = |(index, is_expert): (usize, &bool)| StepRecord {
            world: vec![0.0],
            action: Action {
                gripper: index as f64,
                ..Action::hold(0.0)
            },
            is_expert: *is_expert,
            hash: 0,
        };
        EpisodeRecord {
            seed: 1,
            scene: "s".into(),
            scene_hash: 1,
            robot: "r".into(),
            target_family: "box".into(),
            held_out: false,
            success: true,
            failure: None,
            steps: is_expert.iter().enumerate().map(step).collect(),
        }
    }

    #[test]
    fn chunks_with_a_push_are_left_out_and_tails_hold() {
        let episode = episode(&[true, false, true, true, true]);
        assert_eq!(chunk_at(&episode, 0, 3), None);
        assert_eq!(chunk_at(&episode, 1, 3), None);
        let grippers = |start| -> Vec<f64> {
            let actions = chunk_at(&episode, start, 3).expect("expert only");
            actions.iter().map(|a| a.gripper).collect()
        };
        assert_eq!(grippers(2), [2.0, 3.0, 4.0]);
        assert_eq!(grippers(4), [4.0, 4.0, 4.0]);
    }
}
