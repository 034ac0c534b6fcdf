//! Turns the nodes' reports into what `prehend demo --json` prints.

use std::collections::BTreeMap;
use std::path::PathBuf;

use prehend_control::rt::{FloorReport, LoopReport, Quantiles, Realtime, StageCounts};
use prehend_drivers::{AgeMillis, WireReport};
use prehend_types::stats::SuccessRate;
use serde::Serialize;

use crate::control_node::ControlReport;
use crate::demo::NodeReports;
use crate::operator::EpisodeRecord;
use crate::policy_node::PolicyReport;
use crate::{Millis, RuntimeError};

/// Everything a demo measured. Keys are those of the machine-readable report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DemoReport {
    /// Name of the policy.
    pub policy: String,
    /// Name of the scene.
    pub scene: String,
    /// All episodes together.
    #[serde(flatten)]
    pub rate: SuccessRate,
    /// Episodes with families that training sees (`seen`), and that it does not (`held_out`); those
    /// without a scene are in neither.
    pub groups: BTreeMap<String, SuccessRate>,
    /// How often each class of failure occurred.
    pub failures: BTreeMap<String, u64>,
    /// Always empty: a demo runs one policy.
    pub baselines: BTreeMap<String, SuccessRate>,
    /// The control loop; `null` if it gave up before it measured anything.
    #[serde(rename = "loop")]
    pub control_loop: Option<LoopSummary>,
    /// The policy itself, observation to checked chunk.
    pub policy_ms: Millis,
    /// From a command's tick until it arrived at the driver.
    pub command_age_ms: AgeMillis,
    /// The driver's account of the commands; `null` if the driver gave up.
    pub wire: Option<WireReport>,
    /// How often each limit applied, in ticks; late actions and refused chunks in pieces.
    pub limiter: BTreeMap<String, u64>,
    /// What really computed the policy.
    pub provider: String,
    /// What recordings of the run do not hold, in words; empty if nobody asked for one.
    pub recording_lost: Vec<String>,
    /// What the system granted the control thread; `null` as for `loop`.
    pub realtime: Option<Realtime>,
    /// Folder with the run's files, if the caller made one.
    pub run_dir: Option<PathBuf>,
    /// SHA-256 of `launch.toml` there: every setting of the run, defaults and flags included.
    pub settings_sha256: Option<String>,
    /// Whether the user stopped it before all episodes were done.
    pub interrupted: bool,
    /// What ended it early, if something went wrong.
    pub error: Option<String>,
    /// Every episode, in order.
    pub episodes: Vec<EpisodeRecord>,
    /// Everything the policy node counted.
    pub policy_node: PolicyReport,
    /// Everything the control node counted; `null` as for `loop`.
    pub control_node: Option<ControlReport>,
}

/// Timing of the control loop beside a bare timer loop of the same run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoopSummary {
    /// Ticks per second asked for.
    pub rate_hz: f64,
    /// Ticks that ran.
    pub ticks: u64,
    /// Time between wake-ups.
    pub period_us: Quantiles,
    /// The same of a loop that does nothing but sleep; `null` if it was not measured.
    pub floor_us: Option<Quantiles>,
    /// From the planned moment to waking up.
    pub latency_us: Quantiles,
    /// The same of the bare loop.
    pub floor_latency_us: Option<Quantiles>,
    /// A tick's work.
    pub compute_us: Quantiles,
    /// Planned ticks that never ran.
    pub deadline_misses: u64,
    /// Armed ticks in which a stage of the work was late, by stage.
    pub late: StageCounts,
    /// Age of the states that the arm was judged by.
    pub state_age_us: Quantiles,
}

impl LoopSummary {
    fn new(timing: &LoopReport, floor: Option<&FloorReport>) -> Self {
        Self {
            rate_hz: timing.rate_hz,
            ticks: timing.ticks,
            period_us: timing.period_us,
            floor_us: floor.map(|floor| floor.period_us),
            latency_us: timing.latency_us,
            floor_latency_us: floor.map(|floor| floor.latency_us),
            compute_us: timing.compute_us,
            deadline_misses: timing.deadline_misses,
            late: timing.late,
            state_age_us: timing.state_age_us,
        }
    }
}

impl DemoReport {
    pub(crate) fn new(scene: &str, reports: NodeReports, error: Option<&RuntimeError>) -> Self {
        let NodeReports {
            operator,
            driver,
            policy,
            control,
            floor,
        } = reports;
        let episodes = operator.episodes;
        let recorded = control.as_ref().and_then(|node| node.recording.as_ref());
        let recordings = recorded.into_iter().chain(&policy.recording);
        let recording_lost = recordings
            .filter_map(|recording| recording.lost.clone())
            .collect();
        let timing = control.as_ref().map(|control| &control.control_loop);
        Self {
            policy: policy.policy.clone(),
            scene: scene.to_owned(),
            rate: rate(&episodes, |_| true),
            groups: BTreeMap::from([
                (
                    "seen".to_owned(),
                    rate(&episodes, |episode| episode.held_out == Some(false)),
                ),
                (
                    "held_out".to_owned(),
                    rate(&episodes, |episode| episode.held_out == Some(true)),
                ),
            ]),
            failures: failures(&episodes),
            baselines: BTreeMap::new(),
            control_loop: timing.map(|timing| LoopSummary::new(timing, floor.as_ref())),
            policy_ms: policy.act_ms,
            command_age_ms: driver
                .as_ref()
                .map_or_else(AgeMillis::default, |wire| wire.command_age_ms),
            wire: driver,
            limiter: timing.map_or_else(BTreeMap::new, |timing| {
                let named = timing.limiter.iter().map(|(name, n)| (name.to_owned(), n));
                named.collect()
            }),
            provider: policy.provider.clone(),
            realtime: control.as_ref().map(|control| control.realtime.clone()),
            recording_lost,
            run_dir: None,
            settings_sha256: None,
            interrupted: operator.interrupted && error.is_none(),
            error: error.map(ToString::to_string),
            episodes,
            policy_node: policy,
            control_node: control,
        }
    }
}

fn rate(episodes: &[EpisodeRecord], member: impl Fn(&EpisodeRecord) -> bool) -> SuccessRate {
    let of_group = episodes.iter().filter(|episode| member(episode));
    let (mut successes, mut n) = (0, 0);
    for episode in of_group {
        n += 1;
        successes += u64::from(episode.success);
    }
    SuccessRate::new(successes, n)
}

fn failures(episodes: &[EpisodeRecord]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for class in episodes
        .iter()
        .filter_map(|episode| episode.failure.clone())
    {
        *counts.entry(class).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episode(held_out: impl Into<Option<bool>>, failure: Option<&str>) -> EpisodeRecord {
        EpisodeRecord {
            seed: 0,
            target: Some("box".to_owned()),
            held_out: held_out.into(),
            success: failure.is_none(),
            failure: failure.map(str::to_owned),
            duration_s: 1.0,
            driver_stop: None,
        }
    }

    #[test]
    fn groups_and_failures_are_counted_apart() {
        let episodes = [
            episode(false, None),
            episode(true, Some("dropped")),
            episode(true, None),
            episode(false, Some("dropped")),
            episode(false, None),
            episode(None, Some("no_scene")),
        ];
        let seen = rate(&episodes, |episode| episode.held_out == Some(false));
        assert_eq!((seen.successes, seen.n), (2, 3));
        let held_out = rate(&episodes, |episode| episode.held_out == Some(true));
        assert_eq!((held_out.successes, held_out.n), (1, 2));
        assert_eq!(
            failures(&episodes),
            BTreeMap::from([("dropped".to_owned(), 2), ("no_scene".to_owned(), 1)])
        );
    }
}
