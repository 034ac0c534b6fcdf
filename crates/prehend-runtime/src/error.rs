//! What can go wrong while a launch file runs.

use std::borrow::Cow;
use std::path::PathBuf;

use prehend_control::ControlError;
use prehend_data::DataError;
use prehend_link::LinkError;
use prehend_policy::BundleError;
use prehend_robot::RobotError;
use prehend_types::config::ConfigError;

use crate::NodeKind;

/// Why nodes could not be started, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The launch file, or a file that it names, was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The robot's folder was refused.
    #[error(transparent)]
    Robot(#[from] RobotError),
    /// The scene file was refused.
    #[error("{reason}")]
    Scene {
        /// What is wrong, naming the file.
        reason: String,
    },
    /// The policy's bundle was refused, or nothing here can run it.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A recording could not be written, or read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A recording is not of what is here.
    #[error("{path:?} cannot be replayed, or made: {reason}")]
    Recording {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The link could not be opened, or broke.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The controller's settings were refused.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The driver could not be started, or gave up.
    #[error("driver: {reason}")]
    Driver {
        /// What it said.
        reason: String,
    },
    /// The real-time loop could not be started, or gave up.
    #[error("control loop: {reason}")]
    Loop {
        /// What it said.
        reason: String,
    },
    /// No node has this name.
    #[error("no node is called {name:?}; there are driver, policy, control and operator")]
    UnknownNode {
        /// What was asked for.
        name: String,
    },
    /// A single node cannot use a port that the system chooses: the others would not find it.
    #[error(
        "{node} listens on {endpoint}, whose port the system chooses: the other processes cannot find \
         it; write a port into the launch file, or run all nodes together"
    )]
    PortNotFixed {
        /// The node with that endpoint.
        node: NodeKind,
        /// The endpoint.
        endpoint: String,
    },
    /// A visitor cannot know a port that each run chooses anew.
    #[error(
        "{node} listens on {endpoint}, whose port each run chooses anew; give the file that the run froze, \
         runs/<run>/launch.toml"
    )]
    PortNotKnown {
        /// The node with that endpoint.
        node: NodeKind,
        /// The endpoint.
        endpoint: String,
    },
    /// The system refused a thread.
    #[error("cannot start thread {name}: {source}")]
    Thread {
        /// Name of the thread.
        name: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A process could not be started.
    #[error("cannot start {node} as {program:?}: {source}")]
    Spawn {
        /// The node.
        node: NodeKind,
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A process ended while the others still needed it.
    #[error("{node} ended too early ({status}); all others were stopped")]
    ChildEnded {
        /// The node.
        node: NodeKind,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// A report cannot be written as JSON: a bug.
    #[error("a report cannot be written: {reason}")]
    Report {
        /// What the writer said.
        reason: String,
    },
    /// A node's thread panicked: a bug.
    #[error("{node} panicked; this is a bug in prehend")]
    Panicked {
        /// The node.
        node: NodeKind,
    },
    /// The user stopped it before the node could do anything.
    #[error("stopped while waiting for the processes that this one connects to")]
    Interrupted,
    /// Something broke, and the operator did not say that it was seen to.
    #[error("not armed: {reason} (`prehend run --acknowledge`)")]
    AtFault {
        /// What the one at fault says.
        reason: String,
    },
    /// The nodes did not come alive together.
    #[error("{what} within {seconds:.0} s; {remedy}")]
    NotReady {
        /// What did not happen.
        what: &'static str,
        /// How long it was waited for.
        seconds: f64,
        /// What to look at.
        remedy: Cow<'static, str>,
    },
}
