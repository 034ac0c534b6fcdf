//! Turns scenes into how often their labels say what physics does.

use std::collections::BTreeMap;
use std::fmt;

use clap::Args;
use prehend_sim::tabletop::{LabelAudit, LabelledScene};
use prehend_types::stats::SuccessRate;
use serde::Serialize;

use super::objects::{FolderArgs, Told};
use super::{EXAMPLES, GripperArgs, Objects};
use crate::args::{Threads, seed_range};
use crate::exit::{Failure, Verdict};
use crate::progress::Progress;
use crate::session::Session;
use crate::workers::for_each_seed;

/// Share of placements that labels and physics must agree on.
const REQUIRED: f64 = 0.98;

/// Arguments of `prehend scenes audit`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Audit {
    /// Number of scenes, one per seed.
    #[arg(long, short = 'n', default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    scenes: u64,
    /// Seed of the first scene.
    #[arg(long, default_value_t = 820_000)]
    seed: u64,
    /// Which objects.
    #[arg(long, value_enum, default_value_t = Objects::Validation)]
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
    #[serde(flatten)]
    told: Told,
    /// Scenes that were audited.
    n: usize,
    /// Seeds whose objects never came to rest.
    unsettled: usize,
    groups: BTreeMap<&'static str, SuccessRate>,
    required_places_agree: f64,
}

impl Audit {
    /// Audits.
    ///
    /// # Errors
    /// An input was refused.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let jaw = self.gripper.open()?;
        let seeds: Vec<u64> = seed_range(self.seed, self.scenes)?.collect();
        let chosen = self.folder.open(self.split, &jaw)?;
        let progress = Progress::new("scenes", seeds.len() as u64);
        let work = |(): &mut (), seed: u64| {
            let scene = LabelledScene::new(seed, &chosen.source, None, &jaw);
            let found = scene.map(|scene| LabelAudit::of(&scene, &jaw));
            progress.step(String::new());
            Ok(found)
        };
        let threads = self.threads.count();
        let result = for_each_seed(threads, &seeds, &session.interrupt, || Ok(()), work);
        progress.finish();
        let audits = result?;
        let mut sum = LabelAudit::default();
        for audit in audits.iter().flatten() {
            sum.add(audit);
        }
        let n = audits.iter().flatten().count();
        let body = Body {
            told: chosen.told,
            n,
            unsettled: audits.len() - n,
            groups: BTreeMap::from([
                ("places_agree", sum.places_agree()),
                ("allowed_places_stand", sum.allowed_places_stand()),
                ("forbidden_places_fail", sum.forbidden_places_fail()),
                ("grasps_hold", sum.grasps_hold()),
            ]),
            required_places_agree: REQUIRED,
        };
        session.report(Some(self.seed), &body, &body)?;
        Ok(session.unless_stopped(Verdict::from_shortfall(shortfall(&sum.places_agree()))))
    }
}

/// What is missing of the agreement that is required; nothing tried is no agreement.
fn shortfall(places: &SuccessRate) -> Option<String> {
    let is_enough = places.success_rate.is_some_and(|rate| rate >= REQUIRED);
    (!is_enough).then(|| {
        format!(
            "labels and physics agree on {places} placements, at least {:.0} % are required",
            100.0 * REQUIRED
        )
    })
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told.fmt(f)?;
        write!(
            f,
            "{} scenes of {}, {} never came to rest",
            self.n, self.told.source, self.unsettled
        )?;
        let says = [
            ("places_agree", "labels of placements agree with physics"),
            ("allowed_places_stand", "  allowed ones stand"),
            ("forbidden_places_fail", "  forbidden ones fail"),
            ("grasps_hold", "labelled grasps hold"),
        ];
        for (name, text) in says {
            if let Some(rate) = self.groups.get(name) {
                write!(f, "\n  {text:40} {rate}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_agreement_than_required_falls_short_and_so_does_none() {
        assert_eq!(shortfall(&SuccessRate::new(98, 100)), None);
        let said = shortfall(&SuccessRate::new(97, 100)).expect("too few");
        assert!(said.contains("97/100") && said.contains("98 %"), "{said}");
        assert!(shortfall(&SuccessRate::new(0, 0)).is_some());
    }
}
