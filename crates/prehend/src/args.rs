//! Turns words into a checked command line.

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::exit::Failure;
use crate::session::{VERSION, cores};

const EXIT_CODES: &str = "Exit codes: 0 done; 1 done, but something required fell short, or stopped by \
Ctrl-C with all finished work kept; 2 usage; 3 an input was refused; 4 the run failed; 5 results could \
not be saved.";

/// A robotics manipulation stack: simulate, see, decide, control, publish, drive.
#[derive(Debug, Parser)]
#[command(name = "prehend", version = VERSION, after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    /// Print one JSON object as the last line of stdout; everything else goes to stderr.
    #[arg(long, global = true)]
    pub json: bool,
    /// Log more to stderr: -v what happens, -vv in detail. PREHEND_LOG overrides it.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole chain at work in a simulated cell, and measure it.
    Demo(commands::demo::Demo),
    /// Run a launch file, one process per node.
    Run(commands::run::Run),
    /// See what running nodes say to each other.
    Topic(commands::topic::TopicCommand),
    /// Stop the arm of a run.
    Stop(commands::stop::StopCommand),
    /// Replace the policy of a run while it runs.
    Swap(commands::swap::SwapCommand),
    /// Make and show the certificates of an encrypted link.
    Certs(commands::certs::Certs),
    /// Measure what a message over the link costs on this machine.
    Latency(commands::latency::Latency),
    /// Inject faults into controller, driver, link and loader, and judge what comes of it.
    Faults(commands::faults::Faults),
    /// Run the expert in many scenes and store what it does.
    Collect(commands::collect::Collect),
    /// Train a policy on stored episodes.
    Train(commands::train::Train),
    /// Distil a policy of several steps into one of a single step.
    Distill(commands::distill::Distill),
    /// Write a checkpoint as a bundle that runs through ONNX Runtime.
    Export(commands::export::Export),
    /// Measure how often a policy succeeds.
    Eval(commands::eval::Eval),
    /// Run stored episodes, or a recorded run, again, and compare every bit.
    Replay(commands::replay::Replay),
    /// Show an episode as a picture or an animation.
    Render(commands::render::Render),
    /// Turn a URDF or MJCF file into a robot.
    Robot(commands::robot::Robot),
    /// Make objects, or import meshes, and try grasps on them by physics.
    Objects(commands::objects::Objects),
    /// Make labelled scenes for the pick-and-place network.
    Scenes(commands::scenes::Scenes),
    /// Measure whether the simulator is true to contact.
    Sim(commands::sim::Sim),
    /// Measure inference, simulation, clouds and training on this machine.
    Bench(commands::bench::Bench),
    /// Check what this machine has, and say how to fix what is missing.
    Doctor(commands::doctor::Doctor),
}

/// How many threads work.
#[derive(Debug, Args)]
pub struct Threads {
    /// Threads to work on; all cores by default. Results do not depend on it.
    #[arg(long, visible_alias = "workers", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl Threads {
    /// The number of threads asked for, else one per core.
    #[must_use]
    pub fn count(&self) -> usize {
        self.threads.map_or_else(cores, usize::from)
    }
}

/// More episodes, or scenes, than anybody waits for: their seeds are kept in memory.
const MOST_EPISODES: u64 = 10_000_000;

/// Seeds `first .. first + count`, if all of them exist (TOML stores whole numbers up to `i64::MAX`).
///
/// # Errors
/// [`crate::exit::Class::Usage`].
pub fn seed_range(first: u64, count: u64) -> Result<std::ops::Range<u64>, Failure> {
    if count > MOST_EPISODES {
        return Err(Failure::usage(format!(
            "{count} episodes are too many, {MOST_EPISODES} at most"
        )));
    }
    match first.checked_add(count) {
        Some(end) if end <= i64::MAX as u64 => Ok(first..end),
        _ => Err(Failure::usage(format!(
            "--seed {first} with {count} episodes goes beyond the last seed, {}",
            i64::MAX
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_subcommand_shows_examples() {
        for command in Cli::command().get_subcommands() {
            let help = command.clone().render_long_help().to_string();
            assert!(
                help.contains("Examples:"),
                "`prehend {} --help` has none",
                command.get_name()
            );
        }
    }

    #[test]
    fn seeds_end_where_files_can_store_them() {
        assert_eq!(seed_range(7, 3).expect("small"), 7..10);
        assert!(seed_range(i64::MAX as u64, 1).is_err());
        assert!(seed_range(u64::MAX, 2).is_err());
        assert!(seed_range(0, MOST_EPISODES + 1).is_err());
    }
}
