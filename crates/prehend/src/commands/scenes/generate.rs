//! Turns seeds into labelled scenes.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use prehend_sim::tabletop::ObjectSource;
use prehend_train::pick_place::SceneStore;
use serde::Serialize;

use super::objects::{FolderArgs, Told};
use super::{EXAMPLES, GripperArgs, Objects};
use crate::args::{Threads, seed_range};
use crate::commands::objects::{check_gripper, library};
use crate::exit::{Failure, Verdict};
use crate::progress::Progress;
use crate::session::Session;
use crate::workers::for_each_seed;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Generate {
    /// Folder of the scenes; made, or added to.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Number of scenes, one per seed.
    #[arg(long, default_value_t = 6000, value_parser = clap::value_parser!(u64).range(1..))]
    scenes: u64,
    /// Seed of the first scene; the others follow.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Which objects.
    #[arg(long, value_enum, default_value_t = Objects::Train)]
    split: Objects,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    gripper: GripperArgs,
    #[command(flatten)]
    threads: Threads,
}

#[derive(Debug, Serialize)]
struct Body {
    /// Scenes stored by this run.
    scenes: u64,
    /// Seeds whose objects never came to rest, in this run or one before.
    unsettled: u64,
    /// Scenes that were stored before.
    skipped: u64,
    scenes_per_s: Option<f64>,
    out: PathBuf,
    #[serde(flatten)]
    told: Told,
}

impl Generate {
    /// Generates what is not stored yet.
    ///
    /// # Errors
    /// An input was refused, or a scene could not be stored.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let (jaw, file) = self.gripper.open_with_file()?;
        let range = seed_range(self.seed, self.scenes)?;
        let chosen = self.folder.open(self.split, &jaw)?;
        // Every object of a folder was held by this very gripper, or is left out.
        if let ObjectSource::Split(split) = chosen.source {
            check_gripper(&jaw, &file.display().to_string(), library(split))?;
        }
        let writer = SceneStore::create(&self.out, &chosen.source, &jaw)?;
        let is_stored = |seed: &u64| writer.store().contains(*seed);
        let (skipped, seeds): (Vec<u64>, Vec<u64>) = range.partition(is_stored);
        let (unsettled, seeds): (Vec<u64>, Vec<u64>) = seeds
            .into_iter()
            .partition(|seed| writer.is_unsettled(*seed));
        let progress = Progress::new("scenes", seeds.len() as u64);
        let (stored, unsettled) = (AtomicU64::new(0), AtomicU64::new(unsettled.len() as u64));
        let work = |(): &mut (), seed: u64| {
            let counter = if writer.generate(seed)? {
                &stored
            } else {
                &unsettled
            };
            counter.fetch_add(1, Ordering::Relaxed);
            progress.step(String::new());
            Ok(())
        };
        let threads = self.threads.count();
        let result = for_each_seed(threads, &seeds, &session.interrupt, || Ok(()), work);
        progress.finish();
        result?;
        let scenes = stored.into_inner();
        let body = Body {
            scenes,
            unsettled: unsettled.into_inner(),
            skipped: skipped.len() as u64,
            scenes_per_s: (scenes > 0).then(|| scenes as f64 / session.elapsed_s()),
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
            "{} scenes in {:?} ({} were there, {} never came to rest), {} per s",
            self.scenes,
            self.out,
            self.skipped,
            self.unsettled,
            crate::live::number(self.scenes_per_s, 1)
        )
    }
}
