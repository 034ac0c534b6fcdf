//! Many worlds at once, stepped by a pool of threads.
//!
//! Every slot has a robot, a scene file and an episode of its own. What happens in an episode depends
//! on its id and its actions alone: not on threads, batch size, slot, neighbours, or on what the slot
//! did before. One thread carries all physics steps of a slot's action out before it turns to the next
//! slot, so that a world stays in the cache.

mod slot;
mod starts;

use std::sync::Arc;

use prehend_control::{ControlConfig, is_plausible};
use prehend_robot::Robot;
use prehend_types::{Action, MAX_CHUNK, Observation};
use rayon::prelude::*;

use crate::objects::FamilySet;
use crate::tasks::Failure;
use crate::{ControlMode, PhysicsSettings, SceneConfig, SimError};

pub use slot::Saved;
use slot::{Order, Slot};
use starts::Starts;

/// What one slot simulates.
#[derive(Debug, Clone)]
pub struct BatchCell {
    /// The robot.
    pub robot: Arc<Robot>,
    /// The scene file.
    pub scene: Arc<SceneConfig>,
    /// What targets are drawn from.
    pub families: FamilySet,
}

/// What a batch does with a slot whose episode has ended; names and meanings are Gymnasium's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Autoreset {
    /// The next step starts the next episode: it ignores its action and returns the first observation
    /// with a reward of zero.
    #[default]
    NextStep,
    /// The same step starts the next episode and returns its first observation; what the old one
    /// ended with is in [`StepOutcome::ended`].
    SameStep,
    /// Nothing happens until [`Batch::reset`]; stepping a slot that has ended is an error.
    Disabled,
}

/// How a batch is run.
#[derive(Debug, Clone, Copy)]
pub struct BatchConfig {
    /// Threads to work on.
    pub threads: usize,
    /// What happens at the end of an episode.
    pub autoreset: Autoreset,
    /// Whether observations are made: at the end of a step, of a chunk, and of an episode.
    pub observe: bool,
    /// Id of slot 0's first episode; slot i starts with `first_id + i`, and every slot goes on in
    /// strides of the number of slots.
    pub first_id: u64,
    /// Settled start states that are kept for episodes that come again.
    pub n_kept_starts: usize,
    /// Settings of the controllers.
    pub control: ControlConfig,
    /// What the numbers of [`Batch::act`] mean.
    pub mode: ControlMode,
    /// How the worlds are simulated, their arms among it.
    pub settings: PhysicsSettings,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            threads: 1,
            autoreset: Autoreset::default(),
            observe: true,
            first_id: 0,
            n_kept_starts: 64,
            control: ControlConfig::default(),
            mode: ControlMode::default(),
            settings: PhysicsSettings::default(),
        }
    }
}

/// What one step did to one slot.
#[derive(Debug, Clone)]
pub struct StepOutcome {
    /// The episode that [`Self::observation`] belongs to.
    pub episode_id: u64,
    /// Dense reward: by how much the task has come nearer ([`crate::World::progress`]), -1 to 1. Over an
    /// episode it sums up to 1 less the start's progress with success, and to less without, however long
    /// it lasted. A sparse one is [`Self::success`].
    pub reward: f64,
    /// The episode has reached an end of its own.
    pub terminated: bool,
    /// The episode's time is up.
    pub truncated: bool,
    /// The task is done.
    pub success: bool,
    /// Why it failed, once it has.
    pub failure: Option<Failure>,
    /// Actions carried out by this step: fewer than asked for if the episode ended, none if the step
    /// only started a new one.
    pub n_actions: usize,
    /// Hash of the world that [`Self::observation`] shows.
    pub hash: u64,
    /// What the cameras see, if the batch observes.
    pub observation: Option<Observation>,
    /// The episode that ended with this step.
    pub ended: Option<EndedEpisode>,
}

/// A finished episode.
#[derive(Debug, Clone)]
pub struct EndedEpisode {
    /// Its id.
    pub id: u64,
    /// Whether the task was done.
    pub success: bool,
    /// Why not.
    pub failure: Option<Failure>,
    /// Sum of its rewards: progress at its end less that at its start.
    pub total_reward: f64,
    /// Actions carried out.
    pub n_actions: usize,
    /// Hash of its last state.
    pub hash: u64,
    /// What the cameras saw last, if the batch observes.
    pub observation: Option<Observation>,
}

/// How a batch's finished episodes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Finished episodes.
    pub episodes: u64,
    /// Those in which the task was done.
    pub successes: u64,
    /// Those that ended because something in them was not finite any more.
    pub diverged: u64,
    /// Ids that were passed over because no start state was found for them.
    pub unusable: u64,
}

/// A batch of worlds.
pub struct Batch {
    slots: Vec<Slot>,
    starts: Starts,
    config: BatchConfig,
    pool: rayon::ThreadPool,
    tally: Tally,
}

impl Batch {
    /// A batch with one slot for each cell, all at the start of their first episodes.
    ///
    /// # Errors
    /// [`SimError::Batch`] without cells or threads, otherwise whatever keeps a first episode from
    /// starting.
    pub fn new(cells: &[BatchCell], config: BatchConfig) -> Result<Self, SimError> {
        let refuse = |reason: &str| SimError::Batch {
            reason: reason.to_owned(),
        };
        if cells.is_empty() || config.threads == 0 {
            return Err(refuse("it needs at least one cell and one thread"));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(config.threads);
        let pool = pool.build().map_err(|error| refuse(&error.to_string()))?;
        let stride = cells.len() as u64;
        let slots = cells.iter().zip(config.first_id..);
        let mut batch = Self {
            slots: slots
                .map(|(cell, id)| Slot::new(cell.clone(), id, stride))
                .collect(),
            starts: Starts::new(config.n_kept_starts, config.settings),
            config,
            pool,
            tally: Tally::default(),
        };
        let all: Vec<(usize, u64)> = batch.slots.iter().map(Slot::next_id).enumerate().collect();
        batch.reset(&all)?;
        Ok(batch)
    }

    /// Number of slots.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Never true; a batch has at least one slot.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How the episodes that have ended went.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally {
            unusable: self.slots.iter().map(Slot::n_unusable).sum(),
            ..self.tally
        }
    }

    /// Starts episodes: (slot, episode id), each slot at most once. Returns the outcomes in the order
    /// asked for. Every id is one start state, whatever the slot did before.
    ///
    /// # Errors
    /// [`SimError::Batch`] for a slot that does not exist or comes twice (nothing is reset then);
    /// [`SimError::NoScene`] for an id without a start state (others are reset).
    pub fn reset(&mut self, episodes: &[(usize, u64)]) -> Result<Vec<StepOutcome>, SimError> {
        let mut wanted = vec![None; self.slots.len()];
        for (slot_idx, id) in episodes {
            let entry = wanted.get_mut(*slot_idx);
            let is_first = entry.is_some_and(|entry| entry.replace(*id).is_none());
            if !is_first {
                return Err(SimError::Batch {
                    reason: format!("slot {slot_idx} does not exist, or comes twice"),
                });
            }
        }
        let (config, starts) = (&self.config, &self.starts);
        let work = self
            .slots
            .par_iter_mut()
            .zip(wanted)
            .map(|(slot, id)| id.map(|id| slot.reset(id, config, starts)).transpose());
        let outcomes: Vec<_> = self.pool.install(|| work.collect());
        let mut outcomes = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
        let ordered = episodes
            .iter()
            .map(|(slot_idx, _)| outcomes[*slot_idx].take());
        Ok(ordered.flatten().collect())
    }

    /// One action of 50 ms in every slot.
    ///
    /// # Errors
    /// As [`Self::chunk_step`].
    pub fn step(&mut self, actions: &[Action]) -> Result<Vec<StepOutcome>, SimError> {
        let chunks: Vec<&[Action]> = actions.iter().map(std::slice::from_ref).collect();
        self.chunk_step(&chunks, 1)
    }

    /// The first `n_action_steps` actions of a chunk in every slot, without a look in between.
    ///
    /// # Errors
    /// [`SimError::Batch`] if the chunks are not one for each slot, hold no actions, too many, or such as
    /// the controller refuses ([`prehend_control::is_plausible`]), or a slot has ended and autoreset is
    /// disabled; nothing has moved then. Whatever keeps a new episode from starting.
    pub fn chunk_step(
        &mut self,
        chunks: &[&[Action]],
        n_action_steps: usize,
    ) -> Result<Vec<StepOutcome>, SimError> {
        self.check(chunks, n_action_steps)?;
        let orders: Vec<Order<'_>> = chunks
            .iter()
            .map(|chunk| Order::Chunk(chunk, n_action_steps))
            .collect();
        self.carry_out(&orders)
    }

    /// One action of 50 ms in every slot, as the numbers of [`BatchConfig::mode`].
    ///
    /// # Errors
    /// [`SimError::Batch`] if the actions are not one for each slot, have another length than
    /// [`ControlMode::action_len`] says or hold what [`ControlMode::may_mean`] denies, or a slot has ended and
    /// autoreset is disabled; nothing has moved then. Whatever keeps a new episode from starting.
    pub fn act(&mut self, actions: &[&[f64]]) -> Result<Vec<StepOutcome>, SimError> {
        let refuse = |reason: String| Err(SimError::Batch { reason });
        if actions.len() != self.slots.len() {
            let (got, n_slots) = (actions.len(), self.slots.len());
            return refuse(format!("{got} actions for {n_slots} slots"));
        }
        let mode = self.config.mode;
        for (slot_idx, (slot, action)) in self.slots.iter().zip(actions).enumerate() {
            let expected = mode.action_len(slot.n_joints());
            if action.len() != expected || !mode.may_mean(action) {
                let (got, name) = (action.len(), mode.name());
                return refuse(format!(
                    "slot {slot_idx}: an action of {got} numbers, or some not finite or too large to be \
                     meant; `{name}` takes {expected}"
                ));
            }
        }
        self.check_running()?;
        let orders: Vec<Order<'_>> = actions
            .iter()
            .map(|action| Order::Numbers(action))
            .collect();
        self.carry_out(&orders)
    }

    fn carry_out(&mut self, orders: &[Order<'_>]) -> Result<Vec<StepOutcome>, SimError> {
        let (config, starts) = (&self.config, &self.starts);
        let work = self
            .slots
            .par_iter_mut()
            .zip(orders)
            .map(|(slot, order)| slot.step(*order, config, starts));
        let outcomes: Vec<_> = self.pool.install(|| work.collect());
        let outcomes = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
        for ended in outcomes.iter().filter_map(|outcome| outcome.ended.as_ref()) {
            self.tally.episodes += 1;
            self.tally.successes += u64::from(ended.success);
            self.tally.diverged += u64::from(ended.failure == Some(Failure::Diverged));
        }
        Ok(outcomes)
    }

    fn check(&self, chunks: &[&[Action]], n_action_steps: usize) -> Result<(), SimError> {
        let refuse = |reason: String| Err(SimError::Batch { reason });
        if chunks.len() != self.slots.len() {
            let (got, n_slots) = (chunks.len(), self.slots.len());
            return refuse(format!("{got} chunks for {n_slots} slots"));
        }
        for (slot_idx, chunk) in chunks.iter().enumerate() {
            if n_action_steps == 0 || chunk.len() < n_action_steps || chunk.len() > MAX_CHUNK {
                let length = chunk.len();
                return refuse(format!(
                    "slot {slot_idx}: {n_action_steps} actions of a chunk of {length}; a chunk has up \
                     to {MAX_CHUNK}, and one step carries out at least one"
                ));
            }
            if let Some(index) = chunk.iter().position(|action| !is_plausible(action)) {
                return refuse(format!(
                    "slot {slot_idx}: action {index} is not finite, or too large to be meant: {:?}",
                    chunk[index]
                ));
            }
        }
        if self.config.mode.is_torque() {
            let mode = self.config.mode.name();
            return refuse(format!(
                "chunks are tool motions; a batch of `{mode}` takes `act`"
            ));
        }
        self.check_running()
    }

    fn check_running(&self) -> Result<(), SimError> {
        let ended = self.slots.iter().position(Slot::has_ended);
        match ended.filter(|_| self.config.autoreset == Autoreset::Disabled) {
            Some(slot_idx) => Err(SimError::Batch {
                reason: format!(
                    "slot {slot_idx}: its episode has ended, and autoreset is disabled; reset it first"
                ),
            }),
            None => Ok(()),
        }
    }

    /// Everything about one slot's episode, to go on from there later or elsewhere.
    ///
    /// # Errors
    /// [`SimError::Batch`] for a slot that does not exist.
    pub fn save(&self, slot_idx: usize) -> Result<Saved, SimError> {
        let slot = self.slots.get(slot_idx);
        slot.and_then(Slot::save).ok_or_else(|| SimError::Batch {
            reason: format!("there is no slot {slot_idx}"),
        })
    }

    /// Puts a saved episode into a slot, where it goes on exactly as it would have.
    ///
    /// # Errors
    /// [`SimError::Batch`] for a slot that does not exist.
    pub fn restore(&mut self, slot_idx: usize, saved: &Saved) -> Result<(), SimError> {
        let slot = self.slots.get_mut(slot_idx);
        let slot = slot.ok_or_else(|| SimError::Batch {
            reason: format!("there is no slot {slot_idx}"),
        })?;
        slot.restore(saved);
        Ok(())
    }

    /// The world of a slot, to look into.
    #[must_use]
    pub fn world(&self, slot_idx: usize) -> Option<&crate::World> {
        self.slots.get(slot_idx).and_then(Slot::world)
    }
}

#[cfg(test)]
mod tests {
    use prehend_types::config::locate;

    use super::*;
    use crate::World;

    fn scene(file: &str) -> SceneConfig {
        let path = locate(file).expect("the scene file");
        SceneConfig::load(&path).expect("a valid scene")
    }

    fn cell(scene: SceneConfig) -> BatchCell {
        let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
        BatchCell {
            robot: Arc::new(robot),
            scene: Arc::new(scene),
            families: FamilySet::Train,
        }
    }

    fn check_that_only_slot_0_fails(spoil: impl Fn(&mut World)) {
        let cells = vec![cell(scene("scenes/tabletop.toml")); 2];
        let make = || Batch::new(&cells, BatchConfig::default()).expect("a batch");
        let (mut batch, mut undisturbed) = (make(), make());
        spoil(batch.slots[0].world_mut());
        let hold = [Action::hold(1.0); 2];
        let outcomes = batch.step(&hold).expect("goes on");
        let expected = undisturbed.step(&hold).expect("goes on");
        let ended = outcomes[0].ended.as_ref().expect("has ended");
        assert_eq!(ended.failure, Some(Failure::Diverged));
        assert!(outcomes[0].terminated && !outcomes[0].success);
        assert!(outcomes[0].reward.is_finite() && outcomes[0].observation.is_none());
        assert_eq!(outcomes[1].hash, expected[1].hash);
        assert!(outcomes[1].ended.is_none() && outcomes[1].observation.is_some());
        let tally = batch.tally();
        assert_eq!((tally.episodes, tally.diverged, tally.successes), (1, 1, 0));
        // The next episode of that slot is a sound one.
        let outcomes = batch.step(&hold).expect("goes on");
        assert!(outcomes[0].failure.is_none() && outcomes[0].episode_id == 2);
    }

    #[test]
    fn a_world_that_diverges_ends_its_episode_is_counted_and_harms_no_other() {
        check_that_only_slot_0_fails(World::diverge);
    }

    #[test]
    fn a_world_that_panics_ends_its_episode_is_counted_and_harms_no_other() {
        check_that_only_slot_0_fails(World::blind);
        check_that_only_slot_0_fails(World::lame);
    }

    #[test]
    fn a_start_that_panics_is_an_error_that_names_the_seed() {
        let mut scene = scene("scenes/tabletop.toml");
        // No scene file may say this: nothing can be drawn from it.
        scene.table.x_m.reverse();
        let config = BatchConfig {
            first_id: 7,
            ..BatchConfig::default()
        };
        let error = Batch::new(&[cell(scene)], config).err().expect("no batch");
        assert!(matches!(error, SimError::GaveUp { seed: 7 }), "{error}");
    }
}
