//! Turns seeds into records of demonstrations.

use prehend_data::{EpisodeRecord, StepRecord};
use prehend_sim::{FamilySet, Pilot, RolloutConfig, rollout};

use crate::exit::Failure;
use crate::policies::Decider;
use crate::workcell::Workcell;

/// Records episodes, all in the same way.
pub struct Recorder<'a> {
    /// Robot and scene.
    pub cell: &'a Workcell,
    /// What the targets are drawn from.
    pub families: FamilySet,
    /// How episodes are run.
    pub config: RolloutConfig,
}

impl Recorder<'_> {
    /// Runs one episode: the expert's, or one that the expert shares with a policy. `None` if the seed
    /// has no usable start.
    ///
    /// # Errors
    /// The world could not be made, or the policy gave up.
    pub fn record(
        &self,
        decider: &mut Decider,
        seed: u64,
    ) -> Result<Option<EpisodeRecord>, Failure> {
        let in_episode = |failure: Failure| failure.context(format!("episode with seed {seed}"));
        let start = self.cell.start(seed, self.families).map_err(in_episode)?;
        let Some(mut world) = start else {
            return Ok(None);
        };
        let target = world.episode().variant();
        let pilot = match decider {
            Decider::Expert => Pilot::Expert,
            Decider::Policy(policy) => Pilot::Mixed(policy.as_mut()),
        };
        let mut steps = Vec::new();
        let result = rollout(&mut world, pilot, &self.config, &mut |step| {
            steps.push(StepRecord {
                world: step.world.clone(),
                action: step.action,
                is_expert: step.is_expert,
                decision: step.decision.clone(),
                hash: step.hash,
            });
        })
        .map_err(|error| in_episode(error.into()))?;
        Ok(Some(EpisodeRecord {
            seed,
            scene: self.cell.scene.name.clone(),
            scene_hash: self.cell.scene_hash,
            robot: self.cell.robot.content_hash().to_owned(),
            arm: world.arm_mode().name().to_owned(),
            instruction: world.episode().instruction(),
            target_family: target.name.to_owned(),
            held_out: target.is_held_out,
            success: result.success,
            failure: result.failure.map(|class| class.name().to_owned()),
            draws: world.draws(),
            steps,
        }))
    }
}
