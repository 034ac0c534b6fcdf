//! An episode's cameras on stored states, without physics.

use std::sync::Arc;

use prehend_robot::Robot;
use prehend_types::Observation;

use crate::objects::FamilySet;
use crate::render::{Picture, Viewpoint, picture};
use crate::scene::{Cloth, Scene};
use crate::state::{ArmState, ClothState, WorldState};
use crate::tasks::{Episode, redraw};
use crate::{SceneConfig, SimError, camera};

/// The cameras of one episode on stored states, without physics: what training looks through.
pub struct View {
    robot: Arc<Robot>,
    config: Arc<SceneConfig>,
    episode: Arc<dyn Episode>,
}

impl View {
    /// The view of the episode that `state` was taken from.
    ///
    /// # Errors
    /// [`SimError::State`] if seed, families and state do not belong together.
    pub fn new(
        robot: &Arc<Robot>,
        config: &Arc<SceneConfig>,
        seed: u64,
        families: FamilySet,
        state: &[f32],
    ) -> Result<Self, SimError> {
        let state = WorldState::from_vector(state)?;
        let episode = redraw(config, families, seed, state.attempt)?;
        check_fits(&state, episode.scene(), robot)?;
        Ok(Self {
            robot: Arc::clone(robot),
            config: Arc::clone(config),
            episode,
        })
    }

    /// What the cameras saw in a state of this episode, bit for bit.
    ///
    /// # Errors
    /// [`SimError::State`] if the vector is damaged or of another scene.
    pub fn observe(&self, state: &[f32]) -> Result<Observation, SimError> {
        let state = WorldState::from_vector(state)?;
        check_fits(&state, self.episode.scene(), &self.robot)?;
        Ok(camera::observe(
            &self.robot,
            &self.config,
            self.episode.scene(),
            &state,
        ))
    }

    /// A picture of a state, for people.
    ///
    /// # Errors
    /// [`SimError::State`] if the vector is damaged or of another scene.
    pub fn picture(
        &self,
        state: &[f32],
        viewpoint: Viewpoint,
        width: usize,
    ) -> Result<Picture, SimError> {
        let state = WorldState::from_vector(state)?;
        check_fits(&state, self.episode.scene(), &self.robot)?;
        let solids = camera::solids(&self.robot, self.episode.scene(), &state);
        let base_from_tcp = self.robot.forward(&state.arm.q);
        Ok(picture(&solids, viewpoint, &base_from_tcp, width))
    }
}

pub(crate) fn check_fits(state: &WorldState, scene: &Scene, robot: &Robot) -> Result<(), SimError> {
    let n_joints = robot.n_joints();
    let is_ours = |arm: &ArmState| arm.q.len() == n_joints;
    let sheets = |n: &ClothState| (n.positions.len(), n.velocities.len());
    let wanted = scene.cloths.iter().map(Cloth::n_particles);
    if state.bodies.len() == scene.n_moving()
        && is_ours(&state.arm)
        && state.partners.len() == scene.partners.len()
        && state.partners.iter().all(is_ours)
        && state.cloths.iter().map(sheets).eq(wanted.map(|n| (n, n)))
        && state.attempt == scene.attempt
    {
        return Ok(());
    }
    Err(SimError::State {
        reason: format!(
            "{} objects, {} arms of {} joints and {} cloths in the vector of attempt {}; {}, {} of {n_joints} and {} in the scene of attempt {}",
            state.bodies.len(),
            1 + state.partners.len(),
            state.arm.q.len(),
            state.cloths.len(),
            state.attempt,
            scene.n_moving(),
            1 + scene.partners.len(),
            scene.cloths.len(),
            scene.attempt
        ),
    })
}
