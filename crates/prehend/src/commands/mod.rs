//! The subcommands, one file each.

pub mod bench;
pub mod bench_limiter;
pub mod bench_sim;
pub mod bench_vendors;
pub mod certs;
pub mod collect;
pub mod demo;
pub mod distill;
pub mod doctor;
pub mod eval;
pub mod export;
pub mod faults;
pub mod latency;
pub mod objects;
pub mod render;
pub mod replay;
mod replay_run;
pub mod robot;
pub mod run;
pub mod scenes;
pub mod sim;
pub mod stop;
pub mod swap;
pub mod topic;
pub mod train;
mod train_scorer;

use crate::args::Command;
use crate::exit::{Failure, Verdict};
use crate::session::Session;

/// Runs one of them.
///
/// # Errors
/// Whatever ended it, with its class.
pub fn run(command: &Command, session: &Session) -> Result<Verdict, Failure> {
    match command {
        Command::Collect(args) => args.run(session),
        Command::Eval(args) => args.run(session),
        Command::Replay(args) => args.run(session),
        Command::Render(args) => args.run(session),
        Command::Robot(args) => args.run(session),
        Command::Objects(args) => args.run(session),
        Command::Scenes(args) => args.run(session),
        Command::Sim(args) => args.run(session),
        Command::Bench(args) => args.run(session),
        Command::Demo(args) => args.run(session),
        Command::Run(args) => args.run(session),
        Command::Topic(args) => args.run(session),
        Command::Stop(args) => args.run(session),
        Command::Swap(args) => args.run(session),
        Command::Certs(args) => args.run(session),
        Command::Latency(args) => args.run(session),
        Command::Faults(args) => args.run(session),
        Command::Train(args) => args.run(session),
        Command::Distill(args) => args.run(session),
        Command::Export(args) => args.run(session),
        Command::Doctor(args) => args.run(session),
    }
}
