//! Turns a launch file into a demonstration in one process, measured, with a folder that remembers it.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use prehend_data::RunDir;
use prehend_runtime::{DemoConfig, DemoReport, LaunchFile, LoopSummary, Outcome, Stop, demo};

use crate::args::seed_range;
use crate::closing::{conclude, print_and_save, recorded};
use crate::effective::{freeze, record_into};
use crate::exit::{Failure, Verdict, explain};
use crate::film::Recording;
use crate::live::{LiveDisplay, number};
use crate::logging;
use crate::session::Session;
use crate::wire;
use crate::workcell::Workcell;

const EXAMPLES: &str = "Examples:
  prehend demo
  prehend demo --episodes 50 --seed 900000 --json
  prehend demo --model models/fr3_pick_place_teacher
  prehend demo --policy pick-place
  prehend demo --episodes 3 --record

Driver, policy and control loop run in this process, each with a zenoh session of its own, in real time.
Even seeds show families of objects that training has seen, odd ones families that it has not.
Ctrl-C brings the arm to rest, reports the finished episodes and exits with 1.";

/// Arguments of `prehend demo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Demo {
    /// Which kind of policy works: each has a launch file of its own.
    #[arg(long, value_enum, default_value_t = Kind::Flow)]
    policy: Kind,
    /// Another launch file.
    #[arg(long, conflicts_with = "policy", value_name = "FILE")]
    launch: Option<PathBuf>,
    /// Number of episodes, instead of the launch file's.
    #[arg(long, short = 'n', visible_alias = "n")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    episodes: Option<u64>,
    /// Seed of the first episode, instead of the launch file's.
    #[arg(long)]
    seed: Option<u64>,
    /// Folder of a bundle, instead of the launch file's.
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Folder that run folders are made in.
    #[arg(long, default_value = "runs", value_name = "FOLDER")]
    runs: PathBuf,
    /// Record control loop and policy into the run folder, for `prehend replay`.
    #[arg(long)]
    record: bool,
}

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The flow policy's one-step student puts one marked object into a bin.
    Flow,
    /// The pick-and-place network clears a table of unmarked objects into a tray.
    PickPlace,
}

impl Kind {
    fn launch(self) -> &'static str {
        match self {
            Self::Flow => "launch/demo.toml",
            Self::PickPlace => "launch/clear_table.toml",
        }
    }
}

impl Demo {
    /// Runs it.
    ///
    /// # Errors
    /// An input was refused; or a node gave up or the run's files could not be saved, after everything
    /// that was finished has been reported.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let mut launch = self.load()?;
        let seed = launch.operator.seed;
        seed_range(seed, launch.operator.episodes)?;
        let cell = Workcell::open(&launch.robot, &launch.scene)?;
        let frame_s = 1.0 / launch.driver.sim.camera_rate_hz;
        let run_dir = RunDir::create(&self.runs, "demo")?;
        logging::also_to(run_dir.log_file()?);
        record_into(&mut launch, self.record, &run_dir);
        let effective = freeze(&launch, &run_dir)?;

        let recording = Recording::default();
        let config = DemoConfig {
            observer: Some(recording.observer()),
            ..DemoConfig::new(launch)
        };
        let mut display = LiveDisplay::new();
        let stop = Stop::from_flag(session.interrupt.flag());
        let result = demo(config, &stop, &mut |progress| display.show_demo(progress));
        display.finish();
        let Outcome { mut report, error } = result?;

        report.run_dir = Some(run_dir.path().to_owned());
        report.settings_sha256 = Some(effective.sha256);
        let table = Table(&report);
        let kept = print_and_save(session, Some(seed), &table, &report, Some(&run_dir));
        let kept = kept.and(recorded(&report.recording_lost));
        let path = run_dir.path().join("episode.gif");
        if let Err(failure) = draw(&recording, &report, &cell, frame_s, &path) {
            let error = explain(&failure.error);
            tracing::warn!(%error, "the animation cannot be written");
        }
        conclude(kept, error, verdict(&report))
    }

    fn load(&self) -> Result<LaunchFile, Failure> {
        let file = self.launch.clone();
        let file = file.unwrap_or_else(|| self.policy.launch().into());
        let mut launch = LaunchFile::load(&file)?;
        launch.operator.episodes = self.episodes.unwrap_or(launch.operator.episodes);
        launch.operator.seed = self.seed.unwrap_or(launch.operator.seed);
        if let Some(model) = &self.model {
            launch.policy.model.clone_from(model);
            // It was chosen for the launch file's own.
            launch.policy.refine = None;
        }
        // Before the file is frozen, so that visitors find the ports in it.
        launch.choose_ports()?;
        Ok(launch)
    }
}

/// Shows the first success if there is one: a failure is worth looking at only if all failed.
fn draw(
    recording: &Recording,
    report: &DemoReport,
    cell: &Workcell,
    frame_s: f64,
    path: &Path,
) -> Result<(), Failure> {
    let shown = report.episodes.iter().find(|episode| episode.success);
    if let Some(episode) = shown.or(report.episodes.first()) {
        recording.draw(cell, episode.seed, frame_s, path)?;
    }
    Ok(())
}

/// What must never happen on the wire, and whether the run is whole.
fn verdict(report: &DemoReport) -> Verdict {
    let mut faults = report.wire.as_ref().map(wire::faults).unwrap_or_default();
    if report.interrupted {
        faults
            .push("stopped before all episodes were done; those finished are reported".to_owned());
    }
    Verdict::from_shortfall((!faults.is_empty()).then(|| faults.join("; ")))
}

struct Table<'a>(&'a DemoReport);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        writeln!(
            f,
            "{} in {}, through {}",
            report.policy, report.scene, report.provider
        )?;
        writeln!(f, "  success        {}", report.rate)?;
        for (name, rate) in &report.groups {
            writeln!(f, "    {name:12} {rate}")?;
        }
        for (class, count) in &report.failures {
            writeln!(f, "    failed: {class} {count}")?;
        }
        if let Some(timing) = &report.control_loop {
            write_loop(f, timing)?;
        }
        let policy = &report.policy_ms;
        let [p50, p99] = [policy.p50, policy.p99].map(|value| number(value, 2));
        writeln!(
            f,
            "  policy         p50 {p50}, p99 {p99} ms, n {}",
            policy.n
        )?;
        if let Some(refined) = &report.policy_node.refined {
            let [p50, p99] = [refined.total_ms.p50, refined.total_ms.p99].map(|v| number(v, 2));
            writeln!(
                f,
                "  refined        {} answers by {}, {} too late; from the cloud on p50 {p50}, p99 {p99} ms",
                refined.sent, refined.policy, refined.late
            )?;
        }
        let age = &report.command_age_ms;
        let [p50, p99, max] = [age.p50, age.p99, age.max].map(|value| number(value, 2));
        writeln!(f, "  command age    p50 {p50}, p99 {p99}, worst {max} ms")?;
        match &report.wire {
            Some(wire) => writeln!(
                f,
                "  wire           {} commands, {} beyond a limit, {} not finite, {} expired but executed; \
                 {} setpoints told beyond a limit",
                wire.commands,
                wire.limit_violations,
                wire.non_finite,
                wire.expired_executed,
                wire.told_violations
            )?,
            None => writeln!(f, "  wire           unknown: the driver left no report")?,
        }
        for (reason, count) in report.limiter.iter().filter(|(_, count)| **count > 0) {
            writeln!(f, "  limiter        {reason} {count}")?;
        }
        match &report.realtime {
            Some(realtime) => {
                write!(f, "  real time      {}", realtime.scheduler)?;
                for note in &realtime.notes {
                    write!(f, "; {note}")?;
                }
            }
            None => write!(
                f,
                "  real time      unknown: the control loop left no report"
            )?,
        }
        if let Some(folder) = &report.run_dir {
            write!(f, "\n  run folder     {}", folder.display())?;
        }
        if let Some(sha256) = &report.settings_sha256 {
            write!(f, "\n  settings       launch.toml there, SHA-256 {sha256}")?;
        }
        Ok(())
    }
}

fn write_loop(f: &mut fmt::Formatter<'_>, timing: &LoopSummary) -> fmt::Result {
    let mut quantiles = |what: &str, q: &prehend_control::rt::Quantiles| {
        let [p50, p99, p999, max] = [q.p50, q.p99, q.p999, q.max].map(|value| number(value, 0));
        writeln!(
            f,
            "  {what:14} p50 {p50}, p99 {p99}, p99.9 {p999}, worst {max} us"
        )
    };
    quantiles("loop period", &timing.period_us)?;
    if let Some(floor) = &timing.floor_us {
        quantiles("bare timer", floor)?;
    }
    quantiles("loop work", &timing.compute_us)?;
    let (ticks, rate_hz) = (timing.ticks, timing.rate_hz);
    let missed = timing.deadline_misses;
    writeln!(
        f,
        "  loop           {ticks} ticks at {rate_hz} Hz, {missed} missed"
    )
}
