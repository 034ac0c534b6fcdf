//! Turns stored episodes into training windows: the clouds are seen again from the stored states.

use std::path::PathBuf;
use std::sync::Arc;

use indicatif::ProgressBar;
use prehend_data::{EpisodeRecord, EpisodeStore, StepRecord};
use prehend_policy::observation_to_inputs;
use prehend_robot::Robot;
use prehend_sim::{FamilySet, SceneConfig, View, World};
use prehend_types::{Action, Stream, derive_seed};
use rayon::prelude::*;
use serde::Serialize;

use crate::TrainError;
use crate::window_cache::WindowCache;
use crate::windows::{Window, WindowSet};

/// Episodes of a store whose start is checked against today's simulator.
const N_STARTS: usize = 16;

/// Which steps of an episode are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum StepChoice {
    /// Those of successful episodes whose whole chunk from there on is the expert's own: to imitate it.
    Expert,
    /// All of them, also where a policy had the arm: to be labelled by a teacher. What is kept for
    /// validation is the expert's own here too.
    Seen,
}

impl StepChoice {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Expert => "expert",
            Self::Seen => "seen",
        }
    }
}

/// Which windows are taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowOptions {
    /// Points of a cloud.
    pub n_points: usize,
    /// Actions of a chunk.
    pub chunk: usize,
    /// Share of episodes kept for validation; which ones depends on their seeds only.
    pub validation_share: f64,
    /// Which steps are taken.
    pub choice: StepChoice,
    /// Every how many steps a window may start; 1 takes all.
    pub stride: usize,
    /// Families the episodes were drawn from.
    pub families: FamilySet,
}

/// Rebuilds what the policy would have seen in every usable step of the stores' episodes.
///
/// Which steps are usable, [`StepChoice`] says. A chunk that reaches over the episode's end is filled up
/// by standing still. The windows are kept in the stores' folders, for the next run.
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
        check_start(&store, robot, scene, options)?;
        let rebuild = |seed| episode_windows(&store.read(seed)?, robot, scene, options);
        let digest = store.digest()?;
        let cache = WindowCache::new(&store, digest, options)?;
        let episodes = match cache.load(rebuild)? {
            Some(episodes) => episodes,
            None => {
                progress.inc_length(store.seeds().len() as u64);
                // Collected in the order of seeds, whichever thread is first.
                let episodes = store
                    .seeds()
                    .par_iter()
                    .map(|&seed| {
                        let windows = rebuild(seed)?;
                        progress.inc(1);
                        Ok((seed, windows))
                    })
                    .collect::<Result<_, TrainError>>()?;
                cache.save(episodes)
            }
        };
        for (seed, windows) in episodes {
            if is_validation(seed, options.validation_share) {
                set.validation.extend(windows);
            } else {
                set.training.extend(windows);
            }
        }
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy();
        origins.push(format!(
            "{name} ({} episodes, {digest:016x})",
            store.seeds().len()
        ));
    }
    set.origin = format!(
        "{}; {} steps, every {}",
        origins.join(", "),
        options.choice.name(),
        options.stride
    );
    Ok(set)
}

/// Draws and settles the scenes of a few episodes again: where they start elsewhere, the code is not
/// the one that collected them, and the rebuilt clouds would show other objects.
fn check_start(
    store: &EpisodeStore,
    robot: &Arc<Robot>,
    scene: &Arc<SceneConfig>,
    options: &WindowOptions,
) -> Result<(), TrainError> {
    let seeds = store.seeds();
    for &seed in seeds.iter().step_by(seeds.len().div_ceil(N_STARTS).max(1)) {
        let episode = store.read(seed)?;
        let cloud = |source| TrainError::Cloud { seed, source };
        let world = World::new(robot, scene, seed, options.families).map_err(cloud)?;
        let start = episode.steps.first().map(|step| &step.world);
        if start.is_some_and(|start| *start != world.state_vector()) {
            return Err(TrainError::OtherOrigin {
                path: store.folder().to_owned(),
                what: "version of the simulator",
            });
        }
    }
    Ok(())
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
    let seed = episode.seed;
    let is_validation = is_validation(seed, options.validation_share);
    let takes_all = options.choice == StepChoice::Seen && !is_validation;
    let is_usable = |_: &&StepRecord| takes_all || episode.success;
    let Some(first) = episode.steps.first().filter(is_usable) else {
        return Ok(Vec::new());
    };
    let cloud = |source| TrainError::Cloud { seed, source };
    let view = View::new(robot, scene, seed, options.families, &first.world).map_err(cloud)?;
    let mut windows = Vec::new();
    for (index, step) in episode
        .steps
        .iter()
        .enumerate()
        .step_by(options.stride.max(1))
    {
        let (actions, is_expert) = chunk_at(episode, index, options.chunk);
        if !takes_all && !is_expert {
            continue;
        }
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

/// The next actions, and whether all of them are the expert's.
fn chunk_at(episode: &EpisodeRecord, start: usize, chunk: usize) -> (Vec<Action>, bool) {
    let own = &episode.steps[start..episode.steps.len().min(start + chunk)];
    let mut actions: Vec<Action> = own.iter().map(|step| step.action).collect();
    let hold = Action::hold(actions.last().map_or(1.0, |last| last.gripper));
    actions.resize(chunk, hold);
    (actions, own.iter().all(|step| step.is_expert))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episode(is_expert: &[bool]) -> EpisodeRecord {
        let step = |(index, is_expert): (usize, &bool)| StepRecord {
            world: vec![0.0],
            action: Action {
                gripper: index as f64,
                ..Action::hold(0.0)
            },
            is_expert: *is_expert,
            decision: None,
            hash: 0,
        };
        EpisodeRecord {
            seed: 1,
            scene: "s".into(),
            scene_hash: 1,
            robot: "r".into(),
            arm: "exact".to_owned(),
            instruction: "put the cube into the bin".to_owned(),
            target_family: "box".into(),
            held_out: false,
            success: true,
            failure: None,
            draws: Vec::new(),
            steps: is_expert.iter().enumerate().map(step).collect(),
        }
    }

    #[test]
    fn chunks_with_a_push_are_told_apart_and_tails_hold() {
        let episode = episode(&[true, false, true, true, true]);
        let grippers = |start| {
            let (actions, is_expert) = chunk_at(&episode, start, 3);
            let grippers: Vec<f64> = actions.iter().map(|a| a.gripper).collect();
            (grippers, is_expert)
        };
        assert_eq!(grippers(0), (vec![0.0, 1.0, 2.0], false));
        assert_eq!(grippers(1), (vec![1.0, 2.0, 3.0], false));
        assert_eq!(grippers(2), (vec![2.0, 3.0, 4.0], true));
        assert_eq!(grippers(4), (vec![4.0, 4.0, 4.0], true));
    }
}
