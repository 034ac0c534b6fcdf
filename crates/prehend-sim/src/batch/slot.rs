//! One place of a batch: a cell and the episode that runs in it.

use prehend_types::{Action, ActionChunk, Observation};

use super::starts::Starts;
use super::{Autoreset, BatchCell, BatchConfig, EndedEpisode, StepOutcome};
use crate::arm_loop::{ACTION_DT, ArmLoop, BRIDGE};
use crate::guard::guard;
use crate::tasks::{Failure, TaskStatus};
use crate::{SimError, World};

/// What a step asks of a slot; checked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order<'a> {
    /// So many actions of a chunk.
    Chunk(&'a [Action], usize),
    /// One action, as the numbers of the batch's mode.
    Numbers(&'a [f64]),
}

/// An episode in progress.
#[derive(Clone)]
struct Running {
    id: u64,
    world: World,
    arm: ArmLoop,
    status: TaskStatus,
    /// How far the task has come, 0 to 1.
    progress: f64,
    total_reward: f64,
    n_actions: usize,
}

/// A slot's episode as it was, and which one comes after it; opaque. It goes on exactly as the original.
#[derive(Clone)]
pub struct Saved {
    running: Running,
    next_id: u64,
}

/// Ids that a slot passes over in a row before it gives up.
const MOST_UNUSABLE: u32 = 100;

/// One place of a batch.
pub(super) struct Slot {
    cell: BatchCell,
    next_id: u64,
    stride: u64,
    /// Ids that no start state was found for.
    n_unusable: u64,
    running: Option<Running>,
}

impl Slot {
    pub fn new(cell: BatchCell, first_id: u64, stride: u64) -> Self {
        Self {
            cell,
            next_id: first_id,
            stride,
            n_unusable: 0,
            running: None,
        }
    }

    /// The id of the episode that comes next.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// How many ids were passed over because they have no start state.
    pub fn n_unusable(&self) -> u64 {
        self.n_unusable
    }

    pub fn world(&self) -> Option<&World> {
        self.running.as_ref().map(|running| &running.world)
    }

    pub fn n_joints(&self) -> usize {
        self.cell.robot.n_joints()
    }

    pub fn has_ended(&self) -> bool {
        self.running.as_ref().is_none_or(Running::has_ended)
    }

    /// The world of the episode, to be spoilt.
    #[cfg(test)]
    pub fn world_mut(&mut self) -> &mut World {
        let world = self.running.as_mut().map(|running| &mut running.world);
        world.expect("an episode")
    }

    pub fn save(&self) -> Option<Saved> {
        self.running.clone().map(|running| Saved {
            running,
            next_id: self.next_id,
        })
    }

    pub fn restore(&mut self, saved: &Saved) {
        self.running = Some(saved.running.clone());
        self.next_id = saved.next_id;
    }

    /// Starts an episode and shows it.
    pub fn reset(
        &mut self,
        id: u64,
        config: &BatchConfig,
        starts: &Starts,
    ) -> Result<StepOutcome, SimError> {
        let world = starts.world(&self.cell, id)?;
        let mut running = Running {
            id,
            arm: ArmLoop::in_mode(&world, &config.control, config.mode)?,
            status: TaskStatus::default(),
            progress: world.progress(),
            total_reward: 0.0,
            n_actions: 0,
            world,
        };
        self.next_id = id.wrapping_add(self.stride);
        let observation = running.look(config.observe);
        if running.has_ended() {
            return Err(SimError::GaveUp { seed: id });
        }
        let outcome = running.outcome(0.0, 0, observation);
        running.world.rest();
        self.running = Some(running);
        Ok(outcome)
    }

    /// Starts the next episode that can be: one id without a start state must not stop all other slots.
    fn reset_next(
        &mut self,
        config: &BatchConfig,
        starts: &Starts,
    ) -> Result<StepOutcome, SimError> {
        for _ in 1..MOST_UNUSABLE {
            match self.reset(self.next_id, config, starts) {
                Err(SimError::NoScene { .. } | SimError::GaveUp { .. }) => {
                    self.n_unusable += 1;
                    self.next_id = self.next_id.wrapping_add(self.stride);
                }
                outcome => return outcome,
            }
        }
        self.reset(self.next_id, config, starts)
    }

    /// Carries an order out.
    pub fn step(
        &mut self,
        order: Order<'_>,
        config: &BatchConfig,
        starts: &Starts,
    ) -> Result<StepOutcome, SimError> {
        let Some(running) = self.running.as_mut().filter(|running| !running.has_ended()) else {
            return self.reset_next(config, starts);
        };
        let outcome = running.carry_out(order, config.observe)?;
        if !running.has_ended() {
            return Ok(outcome);
        }
        let ended = EndedEpisode {
            id: running.id,
            success: running.status.success,
            failure: running.status.failure,
            total_reward: running.total_reward,
            n_actions: running.n_actions,
            hash: outcome.hash,
            observation: outcome.observation.clone(),
        };
        let shown = match config.autoreset {
            Autoreset::SameStep => self.reset_next(config, starts)?,
            Autoreset::NextStep | Autoreset::Disabled => outcome.clone(),
        };
        Ok(StepOutcome {
            episode_id: shown.episode_id,
            hash: shown.hash,
            observation: shown.observation,
            ended: Some(ended),
            ..outcome
        })
    }
}

impl Running {
    fn has_ended(&self) -> bool {
        self.status.success || self.status.failure.is_some()
    }

    fn carry_out(&mut self, order: Order<'_>, observe: bool) -> Result<StepOutcome, SimError> {
        let now = self.world.now();
        let n = match order {
            Order::Chunk(chunk, n) => {
                let plan = match chunk {
                    [action] => ActionChunk::new(now, ACTION_DT, 1, &[*action; BRIDGE])?,
                    chunk => ActionChunk::new(now, ACTION_DT, n, chunk)?,
                };
                self.arm.accept(&plan, &self.world)?;
                n
            }
            Order::Numbers(action) => {
                self.arm.accept_numbers(action, &self.world)?;
                1
            }
        };
        let mut done = 0;
        while done < n && !self.has_ended() {
            let status = guard(|| {
                self.arm.advance(&mut self.world);
                self.arm.status(&self.world)
            });
            done += 1;
            self.status = status.unwrap_or(TaskStatus::DIVERGED);
        }
        let observation = self.look(observe);
        // What is not finite has come nowhere.
        let progress = match self.status.failure {
            Some(Failure::Diverged) => 0.0,
            _ => self.world.progress(),
        };
        let reward = progress - self.progress;
        self.progress = progress;
        self.total_reward += reward;
        self.n_actions += done;
        self.world.rest();
        Ok(self.outcome(reward, done, observation))
    }

    /// A world that is not finite has nothing to show; one whose picture cannot be made is such a world.
    fn look(&mut self, observe: bool) -> Option<Observation> {
        if !observe || self.status.failure == Some(Failure::Diverged) {
            return None;
        }
        let seen = guard(|| self.world.observe());
        if seen.is_none() {
            self.status = TaskStatus::DIVERGED;
        }
        seen
    }

    fn outcome(
        &self,
        reward: f64,
        n_actions: usize,
        observation: Option<Observation>,
    ) -> StepOutcome {
        let TaskStatus { success, failure } = self.status;
        let truncated = !success && failure.is_some_and(Failure::is_timeout);
        StepOutcome {
            episode_id: self.id,
            reward,
            terminated: self.has_ended() && !truncated,
            truncated,
            success,
            failure,
            n_actions,
            hash: self.world.hash(),
            observation,
            ended: None,
        }
    }
}
