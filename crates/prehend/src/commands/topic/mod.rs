//! What running nodes say to each other, seen by a visitor who does not disturb them.

mod echo;
mod graph;
mod hz;
mod info;
mod list;
mod listen;

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use prehend_link::Topic;

use crate::attach::Attach;
use crate::exit::{Class, Failure, Verdict};
use crate::session::Session;

const EXAMPLES: &str = "Examples:
  prehend topic list
  prehend topic info status --launch launch/fr3_sim.toml
  prehend topic hz points --connect tcp/127.0.0.1:7450 --seconds 10
  prehend topic echo status -n 3 | jq .message.q
  prehend topic graph --json

Without --connect and --launch it is the newest run in runs/ that is looked at. A visitor hears only the nodes
that listen, driver and policy, and of the control loop its statistics; what goes to them from others (`command`, `request`) is not relayed.
Ctrl-C ends it early, with what was heard until then. Nothing to see is exit code 4.";

/// Arguments of `prehend topic`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TopicCommand {
    /// What to look at.
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Every topic: its type, who sends it, how often.
    List(list::List),
    /// One topic: type, key, senders, receivers, sizes, how it is carried.
    Info(info::Info),
    /// How regularly a topic is sent: rate, period with its spread, gaps in the running number.
    Hz(hz::Hz),
    /// The messages of a topic, decoded, one JSON object a line.
    Echo(echo::Echo),
    /// Who sends what to whom, and which of it is alive.
    Graph(graph::Graph),
}

/// What all of them are told.
#[derive(Debug, Args)]
struct Look {
    #[command(flatten)]
    attach: Attach,
    /// How long to listen, s.
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = seconds)]
    seconds: f64,
}

impl TopicCommand {
    /// Runs what was asked for.
    ///
    /// # Errors
    /// Nobody could be attached to, or nothing was heard.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        match &self.kind {
            Kind::List(args) => args.run(session),
            Kind::Info(args) => args.run(session),
            Kind::Hz(args) => args.run(session),
            Kind::Echo(args) => args.run(session),
            Kind::Graph(args) => args.run(session),
        }
    }
}

impl Look {
    /// When to stop listening, from now.
    fn deadline(&self) -> Instant {
        Instant::now() + Duration::from_secs_f64(self.seconds)
    }

    /// The failure of having heard nothing.
    fn nothing(&self, what: &str, remedy: &str) -> Failure {
        let seconds = self.seconds;
        Failure::new(
            Class::Runtime,
            anyhow::anyhow!("{what} within {seconds} s; {remedy}"),
        )
    }

    /// The failure of a topic on which nothing was said.
    fn silent(&self, topic: Topic) -> Failure {
        let what = format!("nothing was sent on `{}`", topic.name());
        let remedy = match topic {
            Topic::Command => {
                "the control loop tells visitors its statistics and nothing else, so its commands cannot be heard; \
                 `prehend topic graph` tells whether the driver follows them"
            }
            Topic::Event | Topic::Report => {
                "it is sent when something happens: listen longer with --seconds"
            }
            _ => "`prehend topic graph` tells which nodes are alive; listen longer with --seconds",
        };
        self.nothing(&what, remedy)
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let fine = (0.05..=86_400.0).contains(&seconds);
    fine.then_some(seconds)
        .ok_or_else(|| "must be from 0.05 to 86400".to_owned())
}

fn topic(name: &str) -> Result<Topic, String> {
    Topic::named(name).ok_or_else(|| {
        let names = Topic::ALL.map(Topic::name).join(", ");
        format!("no topic is called that; there are {names}")
    })
}
