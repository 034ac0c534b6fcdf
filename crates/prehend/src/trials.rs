//! Turns a policy and seeds into successes, failures and their statistics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use prehend_sim::{Delay, FamilySet, Pilot, RolloutConfig, Seams, SimError, rollout};
use prehend_types::Tally;
use prehend_types::stats::SuccessRate;
use serde::Serialize;

use crate::exit::Failure;
use crate::policies::{Decider, PolicySource};
use crate::progress::Progress;
use crate::session::Session;
use crate::shuffle::ShuffledCloud;
use crate::workcell::{Workcell, no_start};
use crate::workers::for_each_seed;

/// How one episode went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// Seed of the scene.
    pub seed: u64,
    /// The target's family.
    pub family: &'static str,
    /// Whether that family is held out of training.
    pub held_out: bool,
    /// Whether the task was done.
    pub success: bool,
    /// Class of the failure, if it failed.
    pub failure: Option<String>,
    /// Simulated time it took, s; `None` if the policy gave up.
    pub duration_s: Option<f64>,
    /// What the policy counted.
    #[serde(skip_serializing_if = "Tally::is_empty")]
    pub tally: Tally,
    /// How well its plans fitted together.
    #[serde(skip)]
    pub seams: Seams,
}

/// How episodes went, in the order of their seeds.
pub struct Trials {
    /// Those that were run.
    pub run: Vec<Trial>,
    /// Seeds that were passed over because the scene has no usable start for them.
    pub n_unusable: u64,
}

/// What is tried.
pub struct Plan<'a> {
    /// Robot and scene.
    pub cell: &'a Workcell,
    /// What the targets are drawn from.
    pub families: FamilySet,
    /// One episode each.
    pub seeds: &'a [u64],
    /// Threads to work on.
    pub threads: usize,
    /// Whether the policy is shown the cloud of another episode.
    pub shuffle_cloud: bool,
    /// How long the policy takes to answer.
    pub delay: Delay,
}

impl Plan<'_> {
    /// Runs one policy on every seed that has a usable start, in the order of the seeds.
    ///
    /// # Errors
    /// A world could not be made, no seed has a start, or the policy cannot be loaded. A policy that fails
    /// within an episode is a failed episode.
    pub fn run(&self, source: &PolicySource, session: &Session) -> Result<Trials, Failure> {
        self.run_with(source.name(), || source.make(), session)
    }

    /// As [`Self::run`], with deciders of the caller's own making, one for each thread.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_with(
        &self,
        name: &str,
        make: impl Fn() -> Result<Decider, Failure> + Sync,
        session: &Session,
    ) -> Result<Trials, Failure> {
        let progress = Progress::new(name, self.seeds.len() as u64);
        let successes = AtomicU64::new(0);
        let work = |decider: &mut Decider, seed: u64| {
            let trial = self.try_seed(decider, seed)?;
            let won = u64::from(trial.as_ref().is_some_and(|trial| trial.success));
            let won = successes.fetch_add(won, Ordering::Relaxed) + won;
            progress.step(format!("{won} succeeded"));
            Ok(trial)
        };
        let trials = for_each_seed(self.threads, self.seeds, &session.interrupt, make, work);
        progress.finish();
        let trials = trials?;
        let n_begun = trials.len();
        let run: Vec<Trial> = trials.into_iter().flatten().collect();
        if let (true, Some(first)) = (run.is_empty() && n_begun > 0, self.seeds.first()) {
            return Err(no_start(*first, n_begun as u64));
        }
        Ok(Trials {
            n_unusable: (n_begun - run.len()) as u64,
            run,
        })
    }

    /// One episode; `None` if the seed has no usable start.
    fn try_seed(&self, decider: &mut Decider, seed: u64) -> Result<Option<Trial>, Failure> {
        let Some(mut world) = self.cell.start(seed, self.families)? else {
            return Ok(None);
        };
        let variant = world.episode().variant();
        let config = RolloutConfig {
            delay: self.delay,
            ..RolloutConfig::default()
        };
        let result = match &mut *decider {
            Decider::Policy(policy) if self.shuffle_cloud => {
                let inner = policy.as_mut();
                let mut blind = ShuffledCloud::new(inner, self.cell, self.families, seed)?;
                rollout(&mut world, Pilot::Policy(&mut blind), &config, &mut |_| {})
            }
            decider => rollout(&mut world, decider.pilot(), &config, &mut |_| {}),
        };
        let (success, failure, duration_s, seams) = match result {
            Ok(result) => (
                result.success,
                result.failure.map(|class| class.name().to_owned()),
                Some(result.duration_s),
                result.seams,
            ),
            // A robot would stand still now: the episode failed, the evaluation did not.
            Err(SimError::Policy(error)) => {
                tracing::warn!("episode with seed {seed}: {error}");
                let failure = Some("policy_error".to_owned());
                (false, failure, None, Seams::default())
            }
            Err(error) => {
                return Err(Failure::from(error).context(format!("episode with seed {seed}")));
            }
        };
        Ok(Some(Trial {
            seed,
            family: variant.name,
            held_out: variant.is_held_out,
            success,
            failure,
            duration_s,
            tally: decider.tally(),
            seams,
        }))
    }
}

/// What the policy counted in all trials.
#[must_use]
pub fn tally(trials: &[Trial]) -> Tally {
    let mut sum = Tally::new();
    for (name, n) in trials.iter().flat_map(|trial| &trial.tally) {
        *sum.entry(name).or_default() += n;
    }
    sum
}

/// The seams between the plans of all trials.
#[must_use]
pub fn seams(trials: &[Trial]) -> Seams {
    let mut all = Seams::default();
    for trial in trials {
        all.merge(trial.seams);
    }
    all
}

/// The success rate of some trials.
#[must_use]
pub fn rate<'a>(trials: impl IntoIterator<Item = &'a Trial>) -> SuccessRate {
    let (mut n, mut successes) = (0, 0);
    for trial in trials {
        n += 1;
        successes += u64::from(trial.success);
    }
    SuccessRate::new(successes, n)
}

/// The success rates of the families that training sees and of those it does not.
#[must_use]
pub fn groups(trials: &[Trial]) -> BTreeMap<&'static str, SuccessRate> {
    let group = |held_out: bool| rate(trials.iter().filter(|trial| trial.held_out == held_out));
    BTreeMap::from([("seen", group(false)), ("held_out", group(true))])
}

/// The success rate of each family.
#[must_use]
pub fn families(trials: &[Trial]) -> BTreeMap<&'static str, SuccessRate> {
    let names: BTreeSet<&'static str> = trials.iter().map(|trial| trial.family).collect();
    names
        .into_iter()
        .map(|name| {
            (
                name,
                rate(trials.iter().filter(|trial| trial.family == name)),
            )
        })
        .collect()
}

/// How often each class of failure occurred.
#[must_use]
pub fn failures(trials: &[Trial]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for class in trials.iter().filter_map(|trial| trial.failure.as_ref()) {
        *counts.entry(class.clone()).or_default() += 1;
    }
    counts
}
