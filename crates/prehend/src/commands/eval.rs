//! Turns a policy into a success rate with its interval, beside baselines.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use prehend_data::{DataError, write_atomic};
use prehend_sim::{Delay, Seams};
use prehend_types::Tally;
use prehend_types::stats::SuccessRate;
use serde::Serialize;

use crate::args::{Threads, seed_range};
use crate::exit::{Class, Failure, Verdict};
use crate::policies::{EngineArgs, PolicyName, PolicySource};
use crate::session::Session;
use crate::trials::{Plan, Trial, Trials, failures, families, groups, rate, seams, tally};
use crate::workcell::{Families, Place};

const EXAMPLES: &str = "Examples:
  prehend eval models/fr3_pick_place
  prehend eval models/fr3_pick_place --episodes 500 --seed 900000 --require seen=0.85 --json
  prehend eval models/fr3_pick_place --shuffle-cloud --baselines expert,depth_heuristic
  prehend eval models/fr3_pick_place --delay 4
  prehend eval models/fr3_pick_place --delay 0-6
  prehend eval expert --families train --episodes 100

The same seeds give the same scenes, whatever the policy and the number of threads. Intervals are
Wilson's, 95 %.";

/// Arguments of `prehend eval`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Eval {
    /// A bundle's folder, `expert` or `depth_heuristic`.
    #[arg(value_name = "POLICY")]
    policy: PolicyName,
    /// Number of episodes.
    #[arg(long, short = 'n', visible_alias = "n", default_value_t = 500)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    episodes: u64,
    /// Seed of the first episode; the others follow. Training never uses seeds from 900000 on.
    #[arg(long, default_value_t = 900_000)]
    seed: u64,
    /// Families the target is drawn from.
    #[arg(long, value_enum, default_value_t = Families::All)]
    families: Families,
    /// Policies to run on the same scenes, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "POLICY")]
    baselines: Vec<PolicyName>,
    /// Show the policy the cloud of another episode: a policy that really looks must then fail.
    #[arg(long)]
    shuffle_cloud: bool,
    /// Let every answer come this many actions of 50 ms late, or LEAST-MOST, drawn anew for each. The
    /// policy is told what the arm does meanwhile, if its graph has an input for that. Baselines are as
    /// late, but for the expert, which answers at once.
    #[arg(long, value_name = "ACTIONS", default_value = "0", value_parser = delay)]
    delay: Delay,
    /// Also write one line of JSON for each episode of the policy to this file.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Exit with 1 unless the success rate reaches this, for example 0.85 or seen=0.85.
    #[arg(long, value_name = "[GROUP=]RATE")]
    require: Vec<Requirement>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    threads: Threads,
}

fn delay(text: &str) -> Result<Delay, String> {
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    match (least.parse(), most.parse()) {
        (Ok(least), Ok(most)) if least <= most && most <= MAX_DELAY => Ok(Delay { least, most }),
        _ => Err(format!(
            "give a number up to {MAX_DELAY}, or two of them as in 0-6"
        )),
    }
}

/// Longest delay that can be asked for: a second.
const MAX_DELAY: u8 = 20;

/// A success rate to reach, of all episodes or of one group.
#[derive(Debug, Clone, PartialEq)]
struct Requirement {
    group: Option<String>,
    rate: f64,
}

impl FromStr for Requirement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (group, rate) = match text.split_once('=') {
            Some((group, rate)) => (Some(group.to_owned()), rate),
            None => (None, text),
        };
        if !matches!(group.as_deref(), None | Some("seen" | "held_out")) {
            return Err("the groups are `seen` and `held_out`".to_owned());
        }
        match rate.parse() {
            Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(Self { group, rate }),
            _ => Err(format!("{rate:?} is no rate between 0 and 1")),
        }
    }
}

#[derive(Debug, Serialize)]
struct Body {
    policy: String,
    scene: String,
    scene_hash: String,
    graph_sha256: Option<String>,
    shuffle_cloud: bool,
    /// Actions of 50 ms that answers came late: fewest and most.
    delay: [u8; 2],
    #[serde(flatten)]
    all: SuccessRate,
    groups: BTreeMap<&'static str, SuccessRate>,
    families: BTreeMap<&'static str, SuccessRate>,
    failures: BTreeMap<String, u64>,
    /// Seeds that were passed over because the scene has no usable start for them; not among `n`.
    unusable: u64,
    /// What the policy counted: looks, grasps, and why proposals were refused.
    tally: Tally,
    seams: SeamReport,
    baselines: BTreeMap<String, SuccessRate>,
}

/// How far apart consecutive plans were where one took over from the other; the controller fades it out.
#[derive(Debug, Serialize)]
struct SeamReport {
    n: u64,
    mean_mm: Option<f64>,
    widest_mm: f64,
}

impl From<Seams> for SeamReport {
    fn from(seams: Seams) -> Self {
        Self {
            n: seams.n,
            mean_mm: (seams.n > 0).then(|| 1e3 * seams.sum_m / seams.n as f64),
            widest_mm: 1e3 * seams.widest_m,
        }
    }
}

impl Eval {
    /// Runs the policy and the baselines.
    ///
    /// # Errors
    /// An input was refused, or a world could not be simulated.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        if self.shuffle_cloud && self.policy == PolicyName::Expert {
            return Err(Failure::usage(
                "--shuffle-cloud: the expert looks at no cloud",
            ));
        }
        if self.delay.most > 0 && self.policy == PolicyName::Expert {
            return Err(Failure::usage("--delay: the expert answers at once"));
        }
        let seeds: Vec<u64> = seed_range(self.seed, self.episodes)?.collect();
        let cell = self.place.open()?;
        let open = |name| PolicySource::open(name, &self.engine, &cell);
        // All of them before the first episode: a misspelt baseline must not be found out at the end.
        let source = open(&self.policy)?;
        let baselines = self
            .baselines
            .iter()
            .map(open)
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(folder) = self.log.as_ref().and_then(|path| path.parent()) {
            // A folder that cannot be written to must not be found out at the end.
            let folder = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            };
            tempfile::tempfile_in(folder).map_err(|error| DataError::write(folder, error))?;
        }
        let mut plan = Plan {
            cell: &cell,
            families: self.families.into(),
            seeds: &seeds,
            threads: self.threads.count(),
            shuffle_cloud: self.shuffle_cloud,
            delay: self.delay,
        };
        let Trials {
            run: trials,
            n_unusable,
        } = plan.run(&source, session)?;
        if let Some(path) = &self.log {
            write_log(path, &trials)?;
        }
        plan.shuffle_cloud = false;
        let mut body = Body {
            policy: source.name().to_owned(),
            scene: cell.scene.name.clone(),
            scene_hash: cell.scene_hash_text(),
            graph_sha256: source.graph_sha256().map(str::to_owned),
            shuffle_cloud: self.shuffle_cloud,
            delay: [self.delay.least, self.delay.most],
            all: rate(&trials),
            groups: groups(&trials),
            families: families(&trials),
            failures: failures(&trials),
            unusable: n_unusable,
            tally: tally(&trials),
            seams: seams(&trials).into(),
            baselines: BTreeMap::new(),
        };
        for baseline in &baselines {
            if session.interrupt.is_set() {
                break;
            }
            let rate = rate(&plan.run(baseline, session)?.run);
            body.baselines.insert(baseline.name().to_owned(), rate);
        }
        session.report(Some(self.seed), &body, &body)?;
        let shortfalls: Vec<String> = self
            .require
            .iter()
            .filter_map(|requirement| body.shortfall(requirement))
            .collect();
        let shortfall = (!shortfalls.is_empty()).then(|| shortfalls.join("; "));
        Ok(session.unless_stopped(Verdict::from_shortfall(shortfall)))
    }
}

/// One line for each episode, whole or not at all.
fn write_log(path: &Path, trials: &[Trial]) -> Result<(), Failure> {
    let lines: Result<Vec<String>, _> = trials.iter().map(serde_json::to_string).collect();
    let mut text = lines
        .map_err(|error| Failure::new(Class::Runtime, error))?
        .join("\n");
    text.push('\n');
    Ok(write_atomic(path, text.as_bytes())?)
}

impl Body {
    fn shortfall(&self, requirement: &Requirement) -> Option<String> {
        let name = requirement.group.as_deref().unwrap_or("all");
        let rate = self.groups.get(name).unwrap_or(&self.all);
        let reached = rate
            .success_rate
            .is_some_and(|reached| reached >= requirement.rate);
        (!reached).then(|| format!("{name}: {rate}, required {:.1} %", 100.0 * requirement.rate))
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if self.shuffle_cloud {
            ", shown clouds of other episodes"
        } else {
            ""
        };
        write!(f, "{} in {}{shown}", self.policy, self.scene)?;
        write!(f, "\n  {:18} {}", "all", self.all)?;
        for (name, rate) in &self.groups {
            write!(f, "\n  {name:18} {rate}")?;
        }
        for (name, rate) in &self.families {
            write!(f, "\n    {name:16} {rate}")?;
        }
        for (class, count) in &self.failures {
            write!(f, "\n  failed: {class:10} {count}")?;
        }
        if self.unusable > 0 {
            write!(
                f,
                "\n  passed over: {} seeds without a usable start",
                self.unusable
            )?;
        }
        for (name, n) in &self.tally {
            write!(f, "\n  counted: {name:24} {n}")?;
        }
        if let Some(mean) = self.seams.mean_mm {
            let SeamReport { n, widest_mm, .. } = self.seams;
            write!(
                f,
                "\n  seams of plans: {mean:.2} mm on average, {widest_mm:.1} mm at most, n = {n}"
            )?;
        }
        for (name, rate) in &self.baselines {
            write!(f, "\n{name:20} {rate}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_name_a_group_or_none() {
        let check = |text: &str, group: Option<&str>, rate: f64| {
            let expected = Requirement {
                group: group.map(str::to_owned),
                rate,
            };
            assert_eq!(text.parse(), Ok(expected));
        };
        check("0.85", None, 0.85);
        check("seen=0.5", Some("seen"), 0.5);
        for bad in ["85", "unseen=0.5", "seen=", "seen=NaN"] {
            assert!(bad.parse::<Requirement>().is_err(), "{bad}");
        }
    }
}
