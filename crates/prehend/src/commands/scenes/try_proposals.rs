//! Turns a network's proposals into grasps, or placements, that were tried: what its scorers learn from.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use prehend_policy::pick_place::{Judged, SceneBundle, SceneNetwork};
use prehend_train::pick_place::{Tried, Trier};
use prehend_types::config::locate;
use serde::Serialize;

use super::objects::{FolderArgs, Told};
use super::{EXAMPLES, GripperArgs, Objects};
use crate::args::{Threads, seed_range};
use crate::exit::{Class, Failure, Verdict};
use crate::policies::EngineArgs;
use crate::progress::Progress;
use crate::session::Session;
use crate::workers::for_each_seed;

/// Arguments of `prehend scenes try`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TryProposals {
    /// Folder of a pick-and-place network.
    #[arg(value_name = "NETWORK")]
    network: PathBuf,
    /// What to try.
    #[arg(long, value_enum, default_value_t = What::Grasps)]
    what: What,
    /// File to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Number of scenes, one per seed.
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u64).range(1..))]
    scenes: u64,
    /// Seed of the first scene: not one that the network was trained on, which it knows too well.
    #[arg(long, default_value_t = 100_000)]
    seed: u64,
    /// Which objects.
    #[arg(long, value_enum, default_value_t = Objects::Train)]
    split: Objects,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    gripper: GripperArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    threads: Threads,
}

/// What is tried.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Grasps: do they hold, and does what they hold hang as it lay?
    Grasps,
    /// Placements of what was picked up: do they stand?
    Places,
}

#[derive(Debug, Serialize)]
struct Body {
    what: Judged,
    scenes: usize,
    /// Seeds whose objects never came to rest.
    unsettled: usize,
    tried: usize,
    good: usize,
    out: PathBuf,
    #[serde(flatten)]
    told: Told,
}

impl TryProposals {
    /// Tries.
    ///
    /// # Errors
    /// An input was refused, the network failed, or the file could not be written.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let (jaw, file) = self.gripper.open_with_file()?;
        let seeds: Vec<u64> = seed_range(self.seed, self.scenes)?.collect();
        let bundle = SceneBundle::load(&locate(&self.network)?)?;
        bundle.manifest.check_jaw(&jaw, &file)?;
        let chosen = self.folder.open(self.split, &jaw)?;
        let runtime = self.engine.open()?;
        let judged = match self.what {
            What::Grasps => Judged::Grasps,
            What::Places => Judged::Places,
        };
        let open = || -> Result<Trier<'_>, Failure> {
            Ok(Trier {
                judged,
                network: SceneNetwork::from_bundle(&bundle, &runtime)?,
                jaw: &jaw,
                objects: chosen.source.clone(),
            })
        };
        let progress = Progress::new("scenes", seeds.len() as u64);
        let work = |trier: &mut Trier<'_>, seed: u64| {
            let tried = trier.try_scene(seed);
            progress.step(String::new());
            tried.map_err(|error| Failure::new(Class::Runtime, error))
        };
        let threads = self.threads.count();
        let tried = for_each_seed(threads, &seeds, &session.interrupt, open, work);
        progress.finish();
        let tried = tried?;
        let unsettled = tried.iter().filter(|scene| scene.is_none()).count();
        let scenes = tried.into_iter().flatten().collect();
        let tried = Tried::new(judged, &chosen.source, &jaw, bundle.graph_sha256(), scenes);
        tried.save(&self.out)?;
        let body = Body {
            what: judged,
            scenes: tried.scenes.len(),
            unsettled,
            tried: tried.len(),
            good: tried.n_good(),
            out: self.out.clone(),
            told: chosen.told,
        };
        session.report(Some(self.seed), &body, &body)?;
        Ok(session.unless_stopped(Verdict::Passed))
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told.fmt(f)?;
        write!(
            f,
            "{} {}s in {} scenes ({} never came to rest), {} good, in {:?}",
            self.tried,
            self.what.one(),
            self.scenes,
            self.unsettled,
            self.good,
            self.out
        )
    }
}
