//! Turns stores of episodes into what training takes, and checkpoints into success rates.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use clap::Args;
use indicatif::ProgressBar;
use prehend_data::{EpisodeStore, FolderLock};
use prehend_sim::{Delay, FamilySet};
use prehend_train::{
    BurnPolicy, CHECKPOINT_FILE, Hooks, MetricLine, Starter, StepChoice, TrainError, TrainReport,
    WindowOptions, WindowSet, load_windows,
};
use prehend_types::config::locate;
use prehend_types::stats::SuccessRate;
use serde::Serialize;

use crate::args::{Threads, seed_range};
use crate::exit::{Failure, Verdict};
use crate::policies::Decider;
use crate::session::{Session, VERSION};
use crate::trials::{Plan, rate};
use crate::workcell::{Families, Place, Workcell};

/// Seeds from here on are not learned from: exports, validation and evaluation use them.
const FIRST_RESERVED_SEED: u64 = 700_000;
/// First seed of validation rollouts: beyond those collected, below those evaluated.
const VALIDATION_SEED: u64 = 800_000;

/// What all training commands share.
#[derive(Debug, Args)]
pub struct TrainingArgs {
    /// Folders of collected episodes, separated by commas.
    #[arg(long, required = true, value_delimiter = ',', value_name = "FOLDER")]
    data: Vec<PathBuf>,
    /// Run folder: checkpoint, log, curves.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Go on from the checkpoint in --out.
    #[arg(long)]
    resume: bool,
    /// Episodes of each validation by rollouts; 0 leaves them out.
    #[arg(long, default_value_t = 40)]
    rollouts: u64,
    /// Take every n-th step of an episode as the start of a training window.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    stride: u16,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    threads: Threads,
}

/// What a training run needs besides its settings.
pub struct Ground {
    cell: Workcell,
    /// What is learned from.
    windows: WindowSet,
    seeds: Vec<u64>,
    threads: usize,
}

impl TrainingArgs {
    /// Reads the episodes and rebuilds their clouds.
    ///
    /// # Errors
    /// An input was refused.
    pub fn open(
        &self,
        n_points: usize,
        chunk: usize,
        validation_share: f64,
        choice: StepChoice,
    ) -> Result<Ground, Failure> {
        self.check_out()?;
        if let Err(error) = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads.count())
            .build_global()
        {
            tracing::debug!("the threads were chosen before: {error}");
        }
        let cell = self.place.open()?;
        let stores = self
            .data
            .iter()
            .map(|folder| Ok(locate(folder)?))
            .collect::<Result<Vec<_>, Failure>>()?;
        let options = WindowOptions {
            n_points,
            chunk,
            validation_share,
            choice,
            stride: usize::from(self.stride),
            families: families(&stores)?,
        };
        let bar = ProgressBar::new(0).with_message("rebuilding clouds");
        let windows = load_windows(
            &stores,
            &cell.robot,
            &cell.scene,
            cell.scene_hash,
            &options,
            &bar,
        );
        bar.finish_and_clear();
        let seeds = seed_range(VALIDATION_SEED, self.rollouts)?.collect();
        Ok(Ground {
            cell,
            windows: windows?,
            seeds,
            threads: self.threads.count(),
        })
    }
}

impl TrainingArgs {
    /// Refuses a run folder that training would refuse minutes later, when the clouds are rebuilt.
    fn check_out(&self) -> Result<(), Failure> {
        let checkpoint = self.out.join(CHECKPOINT_FILE);
        match (self.resume, checkpoint.exists()) {
            (false, true) => Err(Failure::bad_input(format!(
                "{checkpoint:?} is there already: give --resume, or another --out"
            ))),
            (true, false) => Err(Failure::bad_input(format!(
                "--resume: there is no {checkpoint:?}; leave --resume out, or give another --out"
            ))),
            _ if self.out.exists() => {
                // Another process that trains there; the lock itself is taken when training begins.
                drop(FolderLock::acquire(&self.out)?);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Ground {
    /// Trains by `run`, which gets the windows, the run folder and the hooks; then reports.
    ///
    /// # Errors
    /// Training failed, or the report could not be printed.
    pub fn train(
        &self,
        args: &TrainingArgs,
        seed: u64,
        session: &Session,
        run: impl FnOnce(&WindowSet, &Path, Hooks<'_>) -> Result<TrainReport, TrainError>,
    ) -> Result<Verdict, Failure> {
        let mut rollouts = |policy: &BurnPolicy| self.success(policy, session);
        let hooks = Hooks {
            should_stop: &|| session.interrupt.is_set(),
            rollouts: if self.seeds.is_empty() {
                None
            } else {
                Some(&mut rollouts)
            },
            resume: args.resume,
            progress: true,
            starter: starter(session),
        };
        report(seed, run(&self.windows, &args.out, hooks)?, session)
    }

    /// How often a policy in training succeeds, on scenes that no episode was collected in.
    fn success(&self, policy: &BurnPolicy, session: &Session) -> Result<SuccessRate, TrainError> {
        let plan = Plan {
            delay: Delay::default(),
            cell: &self.cell,
            families: FamilySet::Train,
            seeds: &self.seeds,
            threads: self.threads,
            shuffle_cloud: false,
        };
        // Cloned by each thread; the lock only lets them take turns at that.
        let policy = Mutex::new(policy.clone());
        let make = || {
            let policy = policy
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            Ok(Decider::Policy(Box::new(policy.clone())))
        };
        let trials = plan
            .run_with("validation", make, session)
            .map_err(|failure| TrainError::Validation {
                reason: format!("{:#}", failure.error),
            })?;
        Ok(rate(&trials.run))
    }
}

/// The families that all stores were collected with: those for training. Held-out families, and seeds
/// that policies are judged on, are refused.
fn families(stores: &[PathBuf]) -> Result<FamilySet, Failure> {
    for folder in stores {
        let store = EpisodeStore::open(folder)?;
        let name = store
            .manifest()
            .config
            .get("families")
            .and_then(toml::Value::as_str);
        let Some(families) = name.and_then(Families::from_name) else {
            return Err(Failure::bad_input(format!(
                "{:?}: field `config.families` must be `train`, `held_out` or `all`",
                folder.join("store.toml")
            )));
        };
        if families != Families::Train {
            return Err(Failure::bad_input(format!(
                "{folder:?} was collected with families `{}`: those held out of training would not be \
                 any more; collect with `--families train`",
                families.name()
            )));
        }
        if let Some(seed) = store.seeds().last().filter(|s| **s >= FIRST_RESERVED_SEED) {
            return Err(Failure::bad_input(format!(
                "{folder:?} holds an episode with seed {seed}: seeds from {FIRST_RESERVED_SEED} on are \
                 kept for judging policies; collect with smaller ones"
            )));
        }
    }
    Ok(FamilySet::Train)
}

/// Who starts a run, for its provenance.
pub fn starter(session: &Session) -> Starter {
    Starter {
        command: session.command().to_owned(),
        version: VERSION.to_owned(),
        started_wall: session.started_wall(),
    }
}

/// The report of a training command.
#[derive(Debug, Serialize)]
struct TrainingBody {
    steps: u64,
    samples_per_s: Option<f64>,
    #[serde(rename = "final")]
    last: MetricLine,
    checkpoint: PathBuf,
    is_finished: bool,
}

fn report(seed: u64, report: TrainReport, session: &Session) -> Result<Verdict, Failure> {
    let body = TrainingBody {
        steps: report.step,
        samples_per_s: report.samples_per_s,
        last: report.last,
        checkpoint: report.checkpoint,
        is_finished: report.is_finished,
    };
    session.report(Some(seed), &body, &body)?;
    let shortfall = (!body.is_finished).then(|| {
        format!(
            "stopped at step {}; `--resume` goes on from there",
            body.steps
        )
    });
    Ok(session.unless_stopped(Verdict::from_shortfall(shortfall)))
}

impl fmt::Display for TrainingBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: Option<f64>| crate::live::number(value, 4);
        write!(f, "{} steps, checkpoint {:?}", self.steps, self.checkpoint)?;
        write!(
            f,
            "\n  samples per s    {}",
            crate::live::number(self.samples_per_s, 0)
        )?;
        write!(f, "\n  loss             {}", number(self.last.loss))?;
        write!(
            f,
            "\n  validation loss  {}",
            number(self.last.validation_loss)
        )?;
        write!(f, "\n  success rate     {}", number(self.last.success_rate))
    }
}
