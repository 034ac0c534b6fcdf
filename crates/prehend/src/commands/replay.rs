//! Turns stored episodes, or a recorded run, into the same again, or into the first step that differs.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use prehend_data::{EpisodeRecord, EpisodeStore};
use prehend_runtime::is_recorded_run;
use prehend_sim::{ArmMode, ReplayStep, RolloutConfig, TaskStatus, replay};
use serde::Serialize;

use crate::args::Threads;
use crate::commands::collect::SIMULATOR;
use crate::commands::replay_run;
use crate::exit::{Class, Failure, Verdict};
use crate::progress::Progress;
use crate::session::Session;
use crate::workcell::{Place, Workcell, families_of};
use crate::workers::for_each_seed;

const EXAMPLES: &str = "Examples:
  prehend replay datasets/pick_place
  prehend replay datasets/pick_place --seed 42 --json
  prehend replay runs/20261201T120000Z-demo    (a run that was recorded with --record)

Of episodes every state, hash, draw and label is compared, of a run every command and every chunk, bit for
bit.
Exits with 1 if anything differs, and with 5 if a recording ends before its run did.";

/// How an episode ends whose world gave up.
const GAVE_UP: &str = prehend_sim::Failure::Diverged.name();

/// Arguments of `prehend replay`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Replay {
    /// Folder of the episodes, or of a recorded run.
    #[arg(value_name = "STORE")]
    store: PathBuf,
    /// Only the episode with this seed.
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    threads: Threads,
}

#[derive(Debug, Serialize)]
struct Body {
    /// Episodes that were replayed.
    episodes: u64,
    /// Those in which every bit was the same.
    identical: u64,
    /// The difference in the episode with the smallest seed.
    first_difference: Option<Difference>,
}

#[derive(Debug, Clone, Serialize)]
struct Difference {
    /// Seed of the episode.
    episode: u64,
    /// Index of the action, counted from 0.
    step: usize,
    /// What differs.
    field: &'static str,
}

impl Replay {
    /// Replays the episodes.
    ///
    /// # Errors
    /// The store cannot be read, or was collected elsewhere.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        if is_recorded_run(&self.store) {
            if self.seed.is_some() {
                return Err(Failure::usage(
                    "--seed chooses an episode of a store; a run is replayed whole",
                ));
            }
            return replay_run::run(&self.store, session);
        }
        let cell = self.place.open()?;
        let store = EpisodeStore::open(&self.store)?;
        let seeds = match self.seed {
            Some(seed) => vec![seed],
            None => store.seeds().to_vec(),
        };
        if seeds.is_empty() {
            return Err(Failure::bad_input(format!(
                "{:?} holds no episodes",
                self.store
            )));
        }
        let progress = Progress::new("replay", seeds.len() as u64);
        let work = |(): &mut (), seed: u64| {
            let episode = store.read(seed)?;
            cell.check_episode(&episode, &self.store)?;
            let difference = again(&cell, &episode)
                .map_err(|failure| failure.context(format!("episode with seed {seed}")))?;
            progress.step(String::new());
            Ok(difference)
        };
        let threads = self.threads.count();
        let results = for_each_seed(threads, &seeds, &session.interrupt, || Ok(()), work)?;
        progress.finish();
        let body = Body {
            episodes: results.len() as u64,
            identical: results.iter().filter(|result| result.is_none()).count() as u64,
            first_difference: results.into_iter().flatten().next(),
        };
        session.report(self.seed, &body, &body)?;
        let shortfall = (body.identical < body.episodes).then(|| {
            let n = body.episodes - body.identical;
            let made_by = store.manifest().config.get(SIMULATOR);
            let own = prehend_sim::revision(&cell.scene.name);
            let why = match made_by.and_then(toml::Value::as_str) {
                Some(made_by) if made_by == own => "",
                Some(_) => ": they were collected with another version of the simulator",
                None => ", collected before stores said with which simulator",
            };
            format!("{n} of {} episodes differ{why}", body.episodes)
        });
        Ok(session.unless_stopped(Verdict::from_shortfall(shortfall)))
    }
}

fn again(cell: &Workcell, episode: &EpisodeRecord) -> Result<Option<Difference>, Failure> {
    let arm = ArmMode::from_name(&episode.arm).ok_or_else(|| {
        let arm = &episode.arm;
        Failure::bad_input(format!(
            "it ran with the arm {arm:?}, which this program does not have"
        ))
    })?;
    let cell = Workcell {
        arm,
        ..cell.clone()
    };
    let mut world = cell.world(episode.seed, families_of(episode))?;
    let differs = |step, field| {
        Ok(Some(Difference {
            episode: episode.seed,
            step,
            field,
        }))
    };
    if world.draws() != episode.draws {
        return differs(0, "draws");
    }
    let target = world.episode().variant();
    if world.episode().instruction() != episode.instruction {
        return differs(0, "instruction");
    }
    if target.name != episode.target_family {
        return differs(0, "target_family");
    }
    if target.is_held_out != episode.held_out {
        return differs(0, "held_out");
    }
    let steps = episode.steps.iter().map(|step| ReplayStep {
        world: &step.world,
        action: &step.action,
        decision: step.decision.as_ref(),
        hash: step.hash,
    });
    // What was recorded is refused here, not what the program does.
    let replayed = replay(&mut world, &RolloutConfig::default().control, steps)
        .map_err(|error| Failure::new(Class::BadInput, error))?;
    if let Some(difference) = replayed.difference {
        return differs(difference.step, difference.field);
    }
    let TaskStatus { success, failure } = replayed.status;
    if success != episode.success {
        return differs(episode.steps.len(), "success");
    }
    let failure = failure.map(prehend_sim::Failure::name);
    // A step in which the world gave up is not among those recorded.
    let gave_up = failure.is_none() && episode.failure.as_deref() == Some(GAVE_UP);
    if failure != episode.failure.as_deref() && !gave_up {
        return differs(episode.steps.len(), "failure");
    }
    Ok(None)
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} episodes identical",
            self.identical, self.episodes
        )?;
        if let Some(Difference {
            episode,
            step,
            field,
        }) = &self.first_difference
        {
            write!(f, "; seed {episode} differs at step {step} in `{field}`")?;
        }
        Ok(())
    }
}
