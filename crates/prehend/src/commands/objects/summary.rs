//! Turns records into a table of how often grasps held.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use prehend_robot::Jaw;
use prehend_sim::tabletop::{GraspOutcome, widest_grasp};
use prehend_types::stats::SuccessRate;
use serde::Serialize;

use super::record::Record;
use super::verify::{Outcome, Verified};

/// How often grasps held, in all and in each group.
#[derive(Debug, Serialize)]
pub struct Summary {
    gripper: String,
    out: PathBuf,
    /// Objects that this run made.
    made: u64,
    /// Objects that were stored before.
    skipped: u64,
    #[serde(flatten)]
    all: Row,
    /// Trials by what became of them.
    outcomes: BTreeMap<&'static str, u64>,
    groups: BTreeMap<String, Row>,
    /// Objects of which no grasp held.
    unverified: Vec<Unverified>,
    trials_per_s: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Row {
    /// Objects.
    objects: u64,
    /// Those with a grasp that held.
    verified_objects: u64,
    /// Trials, and how many of them held.
    #[serde(flatten)]
    rate: SuccessRate,
}

/// An object of which no grasp held.
#[derive(Debug, Serialize)]
pub struct Unverified {
    name: String,
    why: String,
}

impl Unverified {
    /// Why no grasp held of an object, with a gripper that grasps things this wide at the most, m; `None` if
    /// one did.
    pub fn of(record: &Record, widest: f64) -> Option<Self> {
        Some(Self {
            name: record.name.clone(),
            why: record.why_none(widest)?,
        })
    }
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "without a verified grasp: {}: {}", self.name, self.why)
    }
}

impl Row {
    fn new<'a>(of: impl Iterator<Item = &'a Verified> + Clone) -> Self {
        let held = |one: &&Verified| one.record.count(GraspOutcome::Held);
        let n: usize = of.clone().map(|one| one.record.trials.len()).sum();
        Self {
            objects: of.clone().count() as u64,
            verified_objects: of.clone().filter(|one| held(one) > 0).count() as u64,
            rate: SuccessRate::new(of.map(|one| held(&one)).sum(), n as u64),
        }
    }
}

impl Summary {
    pub fn new(out: &Path, jaw: &Jaw, outcome: &Outcome) -> Self {
        let all = &outcome.verified;
        let mut groups: BTreeMap<String, Vec<&Verified>> = BTreeMap::new();
        for one in all {
            groups.entry(one.group.clone()).or_default().push(one);
        }
        let rows = groups.into_iter().map(|(group, of)| {
            let row = Row::new(of.iter().copied());
            (group, row)
        });
        let ended = |outcome| all.iter().map(|one| one.record.count(outcome)).sum();
        let widest = widest_grasp(jaw);
        let unverified = all
            .iter()
            .filter_map(|one| Unverified::of(&one.record, widest));
        let skipped = all.iter().filter(|one| one.was_stored).count();
        Self {
            gripper: jaw.name.clone(),
            out: out.to_owned(),
            made: (all.len() - skipped) as u64,
            skipped: skipped as u64,
            all: Row::new(all.iter()),
            outcomes: BTreeMap::from([
                ("held", ended(GraspOutcome::Held)),
                ("missed", ended(GraspOutcome::Missed)),
                ("dropped", ended(GraspOutcome::Dropped)),
                ("collided", ended(GraspOutcome::Collided)),
            ]),
            groups: rows.collect(),
            unverified: unverified.collect(),
            trials_per_s: outcome.trials_per_s,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.groups.keys().map(|name| name.chars().count()).max();
        let width = longest.unwrap_or(0).max("all".len());
        writeln!(f, "{:width$}  objects  with a grasp  trials held", "")?;
        let all = ("all".to_owned(), &self.all);
        let rows = self.groups.iter().map(|(name, row)| (name.clone(), row));
        for (name, row) in rows.chain([all]) {
            writeln!(
                f,
                "{name:width$}  {:7}  {:12}  {}",
                row.objects, row.verified_objects, row.rate
            )?;
        }
        for unverified in &self.unverified {
            writeln!(f, "{unverified}")?;
        }
        write!(
            f,
            "{} objects made in {:?}, {} were there; {} trials per s",
            self.made,
            self.out,
            self.skipped,
            crate::live::number(self.trials_per_s, 0)
        )
    }
}
