//! Turns a network into numbers, beside what it has to beat.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use prehend_policy::pick_place::{SceneBundle, SceneNetwork};
use prehend_types::config::locate;
use serde::Serialize;

use super::objects::{FolderArgs, Told};
use super::{EXAMPLES, GripperArgs, Objects};
use crate::args::{Threads, seed_range};
use crate::exit::{Failure, Verdict};
use crate::policies::EngineArgs;
use crate::progress::Progress;
use crate::session::Session;
use crate::table_eval::{Evaluator, SceneResult, Summary};
use crate::workers::for_each_seed;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Evaluate {
    /// Folder of a pick-and-place network.
    #[arg(value_name = "NETWORK")]
    network: PathBuf,
    /// Number of scenes, one per seed.
    #[arg(long, short = 'n', default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    scenes: u64,
    /// Seed of the first scene. Training never uses seeds from 700000 on.
    #[arg(long, default_value_t = 900_000)]
    seed: u64,
    /// Which objects.
    #[arg(long, value_enum, default_value_t = Objects::Test)]
    split: Objects,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    gripper: GripperArgs,
    /// Leave out the rounds of clearing a table.
    #[arg(long)]
    no_clearing: bool,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    threads: Threads,
}

#[derive(Debug, Serialize)]
struct Evaluation {
    network: String,
    graph_sha256: String,
    /// Whether a scorer ranks the grasps.
    is_scored: bool,
    engine: String,
    #[serde(flatten)]
    told: Told,
    /// Scenes whose objects never came to rest.
    unsettled: u64,
    #[serde(flatten)]
    summary: Summary,
}

impl Evaluate {
    /// Evaluates.
    ///
    /// # Errors
    /// An input was refused, or the network failed.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let (jaw, file) = self.gripper.open_with_file()?;
        let seeds: Vec<u64> = seed_range(self.seed, self.scenes)?.collect();
        let bundle = SceneBundle::load(&locate(&self.network)?)?;
        bundle.manifest.check_jaw(&jaw, &file)?;
        let chosen = self.folder.open(self.split, &jaw)?;
        let runtime = self.engine.open()?;
        let open = || -> Result<Evaluator<'_>, Failure> {
            Ok(Evaluator {
                network: SceneNetwork::from_bundle(&bundle, &runtime)?,
                jaw: &jaw,
                objects: chosen.source.clone(),
                clears: !self.no_clearing,
            })
        };
        let engine = open()?.network.provider().to_owned();
        let progress = Progress::new("scenes", seeds.len() as u64);
        let work = |evaluator: &mut Evaluator<'_>, seed: u64| {
            let result = evaluator.scene(seed)?;
            progress.step(String::new());
            Ok(result)
        };
        let threads = self.threads.count();
        // Of an evaluation that is stopped, fewer than there are seeds.
        let begun = for_each_seed(threads, &seeds, &session.interrupt, open, work);
        progress.finish();
        let begun = begun?;
        let unsettled = begun.iter().filter(|result| result.is_none()).count() as u64;
        let results: Vec<SceneResult> = begun.into_iter().flatten().collect();
        let body = Evaluation {
            network: bundle.manifest.name.clone(),
            graph_sha256: bundle.graph_sha256(),
            is_scored: bundle.manifest.scorer.is_some(),
            engine,
            told: chosen.told,
            unsettled,
            summary: Summary::new(&results),
        };
        session.report(Some(self.seed), &body, &body)?;
        Ok(session.unless_stopped(Verdict::Passed))
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary {
            scenes,
            top_grasp,
            top_grasp_by_visibility,
            ranked_grasp_curve,
            grasp_curve,
            top_place,
            place_curve,
            pick_then_place,
            paired,
            pick_then_place_ends,
            refused,
            cleared,
            calibration_error,
            latency_ms: _,
            latency_empty_ms,
            latency_held_ms,
        } = &self.summary;
        self.told.fmt(f)?;
        write!(
            f,
            "{} through {}, {scenes} scenes",
            self.network, self.engine
        )?;
        for (proposer, rate) in top_grasp {
            write!(f, "\n  first grasp, {:24} {rate}", format!("{proposer:?}"))?;
        }
        for (stratum, rates) in top_grasp_by_visibility {
            for (proposer, rate) in rates {
                let who = format!("{stratum:?}, {proposer:?}");
                write!(f, "\n  first grasp, visible {who:28} {rate}")?;
            }
        }
        for (proposer, rate) in pick_then_place {
            write!(
                f,
                "\n  pick, then place, {:19} {rate}",
                format!("{proposer:?}")
            )?;
        }
        for (name, pair) in paired {
            let (own, other) = (pair.network_only, pair.centroid_only);
            write!(
                f,
                "\n  {name}: {own} scenes by the network alone, {other} by the rule alone"
            )?;
        }
        for (proposer, ends) in pick_then_place_ends {
            for (end, n) in ends {
                let what = format!("{proposer:?} {end:?}");
                write!(f, "\n  pick, then place, ended: {what:30} {n}")?;
            }
        }
        for (name, n) in refused {
            write!(f, "\n  {name:40} {n}")?;
        }
        for (proposer, rate) in cleared {
            write!(f, "\n  cleared, {:28} {rate}", format!("{proposer:?}"))?;
        }
        for (name, rate) in top_place {
            write!(f, "\n  first place, {name:24} {rate}")?;
        }
        for (name, curve) in [
            ("grasps", ranked_grasp_curve),
            ("grasps, the network alone", grasp_curve),
            ("places", place_curve),
        ] {
            write!(
                f,
                "\n  {name}: area {:.3}, coverage to {:.3}, precision {} at 10 %, {} at 40 %",
                curve.auc,
                curve.max_coverage,
                crate::live::number(curve.precision_at_10, 3),
                crate::live::number(curve.precision_at_40, 3)
            )?;
        }
        write!(f, "\n  calibration error {calibration_error:.3}")?;
        for (name, ms) in [("empty", latency_empty_ms), ("full", latency_held_ms)] {
            let (p50, p99, n) = (ms.p50, ms.p99, ms.n);
            write!(
                f,
                "\n  a look with the hand {name}: {p50:.1} ms, p99 {p99:.1} ms of {n}"
            )?;
        }
        Ok(())
    }
}
