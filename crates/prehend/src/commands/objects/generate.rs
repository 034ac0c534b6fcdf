//! Makes the numbered library's objects.

use std::path::PathBuf;

use clap::{Args, ValueEnum as _};
use prehend_sim::tabletop::{Split, TableObject};
use prehend_types::Pose;
use serde::Serialize;

use super::EXAMPLES;
use super::record::Origin;
use super::store::{Settings, Source, Store};
use super::summary::Summary;
use super::verify::{Candidate, check_gripper, verify};
use crate::args::Threads;
use crate::commands::scenes::{GripperArgs, Objects as Chosen};
use crate::exit::{Failure, Verdict};
use crate::session::Session;

/// What `generate` and `import` have in common.
#[derive(Debug, Args)]
pub struct Common {
    /// Folder of the objects; made, or added to.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Most grasps to try per object.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub trials: u32,
    /// Seed of how objects are dropped and where they are grasped.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: u64,
    #[command(flatten)]
    pub gripper: GripperArgs,
    #[command(flatten)]
    pub threads: Threads,
}

/// Arguments of `prehend objects generate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Generate {
    /// Which objects.
    #[arg(long, value_enum)]
    split: Chosen,
    /// Only the first so many of them; the others can be added later.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Serialize)]
struct Body {
    split: String,
    #[serde(flatten)]
    summary: Summary,
}

impl Generate {
    /// Makes and tries what is not stored yet.
    ///
    /// # Errors
    /// An input was refused, or an object could not be stored.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let common = &self.common;
        let jaw = common.gripper.open()?;
        let split = Split::from(self.split);
        let n = self.limit.map_or(split.len(), |limit| limit as usize);
        let candidates: Vec<Candidate> = library(split).take(n).collect();
        let file = common.gripper.file().display().to_string();
        check_gripper(&jaw, &file, &candidates)?;
        let settings = Settings::new(Source::Library(split), common.trials, common.seed, jaw);
        let store = Store::open(&common.out, &settings)?;
        let threads = common.threads.count();
        let outcome = verify(&candidates, &store, &settings, threads, session)?;
        let name = self.split.to_possible_value();
        let body = Body {
            split: name.map_or_else(String::new, |name| name.get_name().to_owned()),
            summary: Summary::new(&common.out, &settings.gripper, &outcome),
        };
        session.report(Some(common.seed), &body.summary, &body)?;
        Ok(session.unless_stopped(Verdict::Passed))
    }
}

/// The numbered objects of a split.
pub fn library(split: Split) -> impl Iterator<Item = Candidate> {
    (0..split.len()).map(move |index| candidate(split, index))
}

fn candidate(split: Split, index: usize) -> Candidate {
    let instance = split.instance(index);
    let family = instance.family.name().to_owned();
    Candidate {
        name: instance.name(),
        group: family.clone(),
        origin: Origin::Library {
            family,
            number: instance.number,
        },
        key: u64::from(instance.number),
        object: TableObject::from(instance.model()),
        object_from_body: Pose::identity(),
    }
}
