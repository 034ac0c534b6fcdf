//! Turns seeds into stored demonstrations of the expert.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use prehend_data::{SeedRange, StoreManifest, StoreWriter};
use prehend_sim::{Disturbance, RolloutConfig, SimError};
use serde::Serialize;

use crate::args::{Threads, seed_range};
use crate::exit::{Failure, Verdict};
use crate::policies::{Decider, EngineArgs, PolicyName, PolicySource};
use crate::progress::Progress;
use crate::recorder::Recorder;
use crate::session::Session;
use crate::workcell::{Families, Place, Workcell, no_start};
use crate::workers::for_each_seed;

const EXAMPLES: &str = "Examples:
  prehend collect --out datasets/pick_place --episodes 3000
  prehend collect --out datasets/pick_place --episodes 5000    (2000 more; stored seeds are skipped)
  prehend collect --out /tmp/few --episodes 20 --undisturbed --json

Ctrl-C finishes the episodes in work, keeps all, and exits with 1; the same command goes on from
there. The files are the same whatever the number of threads.";

/// Key of the store's settings that says which simulator made its episodes.
pub const SIMULATOR: &str = "simulator";

/// Arguments of `prehend collect`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Collect {
    /// Folder of the episodes; made, or added to.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Number of episodes, one per seed.
    #[arg(long, short = 'n', visible_alias = "n", default_value_t = 1_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    episodes: u64,
    /// Seed of the first episode; the others follow.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Families the target is drawn from.
    #[arg(long, value_enum, default_value_t = Families::Train)]
    families: Families,
    /// Leave out the disturbances that show the expert recovering.
    #[arg(long)]
    undisturbed: bool,
    /// Let this policy have the arm for short whiles, so that the expert shows how to go on from
    /// where the policy gets to (DAgger); instead of disturbances.
    #[arg(long, value_name = "POLICY", conflicts_with = "undisturbed")]
    mixed: Option<PolicyName>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    threads: Threads,
}

#[derive(Debug, Serialize)]
struct Body {
    /// Episodes collected by this run.
    episodes: u64,
    /// How many of them did the task.
    successes: u64,
    episodes_per_hour: Option<f64>,
    out: PathBuf,
    /// Episodes that were stored before.
    skipped: u64,
    /// Seeds that were passed over because the scene has no usable start for them.
    unusable: u64,
}

impl Collect {
    /// Collects what is not stored yet.
    ///
    /// # Errors
    /// An input was refused, a world could not be simulated, or an episode not be stored.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let range = seed_range(self.seed, self.episodes)?;
        let cell = self.place.open()?;
        let name = self.mixed.as_ref().unwrap_or(&PolicyName::Expert);
        let source = PolicySource::open(name, &self.engine, &cell)?;
        let recorder = Recorder {
            cell: &cell,
            families: self.families.into(),
            config: RolloutConfig {
                disturbance: (!self.undisturbed).then(Disturbance::default),
                ..RolloutConfig::default()
            },
        };
        self.check_expert(&cell)?;
        let writer = StoreWriter::open(&self.out, self.manifest(&recorder, &source))?;
        let seeds: Vec<u64> = range.filter(|seed| !writer.contains(*seed)).collect();
        let progress = Progress::new("collect", seeds.len() as u64);
        let successes = AtomicU64::new(0);
        let stored = AtomicU64::new(0);
        let unusable = AtomicU64::new(0);
        let work = |decider: &mut Decider, seed: u64| {
            let episode = recorder.record(decider, seed)?;
            if let Some(episode) = &episode {
                writer.write(episode)?;
                stored.fetch_add(1, Ordering::Relaxed);
            } else {
                unusable.fetch_add(1, Ordering::Relaxed);
            }
            let won = u64::from(episode.is_some_and(|episode| episode.success));
            let won = successes.fetch_add(won, Ordering::Relaxed) + won;
            progress.step(format!("{won} succeeded"));
            Ok(())
        };
        let threads = self.threads.count();
        let result = for_each_seed(threads, &seeds, &session.interrupt, || source.make(), work);
        progress.finish();
        let episodes = stored.into_inner();
        let skipped = self.episodes - seeds.len() as u64;
        result.map_err(|failure| {
            let kept = episodes + skipped;
            failure.context(format!(
                "{kept} of {} episodes are kept in {:?}",
                self.episodes, self.out
            ))
        })?;
        let body = Body {
            episodes,
            successes: successes.into_inner(),
            episodes_per_hour: (episodes > 0)
                .then(|| episodes as f64 / session.elapsed_s() * 3_600.0),
            out: self.out.clone(),
            skipped,
            unusable: unusable.into_inner(),
        };
        if body.unusable == self.episodes {
            return Err(no_start(self.seed, self.episodes));
        }
        session.report(Some(self.seed), &body, &body)?;
        Ok(session.unless_stopped(Verdict::Passed))
    }

    /// An expert that nobody wrote is missed before there is a store.
    fn check_expert(&self, cell: &Workcell) -> Result<(), Failure> {
        let start = cell.start(self.seed, self.families.into())?;
        if self.mixed.is_some() || start.is_none_or(|world| world.episode().has_expert()) {
            return Ok(());
        }
        let scene = cell.scene.name.clone();
        Err(SimError::NoExpert { scene }.into())
    }

    /// What must be equal for two collections to belong into one store.
    fn manifest(&self, recorder: &Recorder<'_>, source: &PolicySource) -> StoreManifest {
        let mut config = toml::Table::new();
        let mut set = |key: &str, value: toml::Value| config.insert(key.to_owned(), value);
        set("families", self.families.name().into());
        set("pilot", source.name().into());
        set("arm", recorder.cell.arm.name().into());
        let drives = recorder.cell.robot.actuators();
        let scene = &recorder.cell.scene.name;
        set(SIMULATOR, prehend_sim::revision(scene).into());
        set("drives", drives.content_hash().unwrap_or("assumed").into());
        if let Some(graph) = source.graph_sha256() {
            set("pilot_sha256", graph.into());
        }
        if let Some(settings) = source.settings() {
            set("pilot_settings", settings.into());
        }
        let bounds = |actions: [usize; 2]| actions.map(|n| n as i64).to_vec();
        if self.mixed.is_some() {
            let handover = recorder.config.handover;
            set("handover_chance", handover.chance.into());
            set("handover_actions", bounds(handover.actions).into());
        } else if let Some(push) = recorder.config.disturbance {
            set("disturbance_chance", push.chance.into());
            set("disturbance_actions", bounds(push.actions).into());
            set(
                "disturbance_max_speed_m_per_s",
                push.max_speed_m_per_s.into(),
            );
            set(
                "disturbance_max_turn_rad_per_s",
                push.max_turn_rad_per_s.into(),
            );
            set(
                "disturbance_max_tilt_rad_per_s",
                push.max_tilt_rad_per_s.into(),
            );
        }
        StoreManifest {
            scene: scene.clone(),
            scene_hash: recorder.cell.scene_hash,
            robot: recorder.cell.robot.content_hash().to_owned(),
            seeds: SeedRange {
                first: self.seed,
                count: self.episodes,
            },
            config,
        }
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = prehend_types::stats::SuccessRate::new(self.successes, self.episodes);
        write!(f, "collected {rate} into {:?}", self.out)?;
        if self.skipped > 0 {
            write!(f, ", {} were there", self.skipped)?;
        }
        if self.unusable > 0 {
            write!(f, ", {} seeds have no usable start", self.unusable)?;
        }
        if let Some(rate) = self.episodes_per_hour {
            write!(f, ", {rate:.0} episodes per hour")?;
        }
        Ok(())
    }
}
