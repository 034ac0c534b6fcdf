//! Turns a launch file into processes, or into one node of it in this process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use prehend_drivers::WireReport;
use prehend_link::{Link, LinkConfig};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use serde::Serialize;

use crate::control_node::ControlNode;
use crate::driver_node::DriverNode;
use crate::launch::{LaunchFile, has_port_zero};
use crate::live::Live;
use crate::operator::{Operator, OperatorProgress};
use crate::policy_node::PolicyNode;
use crate::supervisor::{SUPERVISOR_VARIABLE, Supervisor, listen_variable};
use crate::{NodeHandle, NodeKind, Outcome, RuntimeError, Stop};

/// How often a node's process looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);

/// What is run, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunConfig {
    /// The launch file.
    pub file: PathBuf,
    /// Run this node alone, in this process. `None` for all, each in a process of its own.
    pub only: Option<NodeKind>,
    /// How many `-v` the nodes' processes are started with. Default 0.
    pub verbosity: u8,
    /// File that the nodes' processes write their log to as well. None by default.
    pub log: Option<PathBuf>,
    /// Whether whoever starts the run has seen to what broke before: its first session acknowledges it.
    /// Default false.
    pub acknowledges: bool,
}

impl RunConfig {
    /// All nodes of a launch file.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            only: None,
            verbosity: 0,
            log: None,
            acknowledges: false,
        }
    }
}

/// What the nodes of a run reported.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RunReport {
    /// Every node's own report; `null` for a process that ended without one.
    pub nodes: BTreeMap<NodeKind, serde_json::Value>,
    /// Processes that crashed or left no report, in words. Empty if the report is complete.
    pub lost: Vec<String>,
    /// Folder with the run's files, if the caller made one.
    pub run_dir: Option<PathBuf>,
    /// SHA-256 of `launch.toml` there: every setting of the run, defaults and flags included.
    pub settings_sha256: Option<String>,
}

impl RunReport {
    /// Whether no node left a report.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.values().all(serde_json::Value::is_null)
    }

    /// What recordings of the run do not hold, in words.
    #[must_use]
    pub fn recording_lost(&self) -> Vec<String> {
        let lost =
            |report: &serde_json::Value| Some(report["recording"]["lost"].as_str()?.to_owned());
        self.nodes.values().filter_map(lost).collect()
    }

    /// The driver's account of the commands, if it left one.
    #[must_use]
    pub fn wire(&self) -> Option<WireReport> {
        serde_json::from_value(self.nodes.get(&NodeKind::Driver)?.clone()).ok()
    }
}

/// Runs a launch file until its operator is done or `stop` is set.
///
/// Without [`RunConfig::only`], one process per node is started: this program again, as `run <file>
/// --only <node> --json`, whose last line on stdout is the node's [`RunReport`]. None is ever restarted:
/// an arm whose processes die stays stopped. Each reads the files that it needs:
/// [`LaunchFile::check_files`] says before, once, what is wrong with them. A single operator's progress
/// goes to `progress`.
///
/// # Errors
/// [`RuntimeError`]: a file was refused, or a node could not start. What goes wrong later is in the
/// outcome, beside every report that was made.
pub fn run(
    config: &RunConfig,
    stop: &Stop,
    progress: &mut dyn FnMut(&OperatorProgress),
) -> Result<Outcome<RunReport>, RuntimeError> {
    let mut launch = LaunchFile::load(&config.file)?;
    let Some(node) = config.only else {
        launch.choose_ports()?;
        let program = std::env::current_exe().map_err(|source| RuntimeError::Spawn {
            node: NodeKind::Driver,
            program: "this program".into(),
            source,
        })?;
        return Ok(Supervisor::start(&program, config, &launch)?.watch(stop));
    };
    if config.acknowledges {
        launch.operator.acknowledge();
    }
    die_with_supervisor(stop);
    take_endpoints(&mut launch, node)?;
    let Outcome { report, error } = run_node(&launch, node, stop, progress)?;
    Ok(Outcome {
        report: RunReport {
            nodes: BTreeMap::from([(node, report)]),
            ..RunReport::default()
        },
        error,
    })
}

/// A child without its supervisor would go on moving an arm that nobody watches.
fn die_with_supervisor(stop: &Stop) {
    let Ok(supervisor) = std::env::var(SUPERVISOR_VARIABLE) else {
        return;
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        tracing::warn!(%error, "this process will not end with its supervisor");
    }
    // It may have died before the line above.
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get().to_string());
    if parent.as_deref() != Some(&supervisor) {
        stop.set();
    }
}

/// Takes over the ports that a supervisor chose, and refuses to go on if nobody did.
fn take_endpoints(launch: &mut LaunchFile, node: NodeKind) -> Result<(), RuntimeError> {
    for other in NodeKind::ALL {
        for (listener, endpoint) in launch.endpoints_mut(other) {
            if let Ok(chosen) = std::env::var(listen_variable(other, listener)) {
                *endpoint = Some(chosen);
            }
        }
    }
    for other in [node].iter().chain(&launch.wires(node).connect) {
        let open = launch.endpoints(*other).find(|(_, e)| has_port_zero(e));
        if let Some((_, endpoint)) = open {
            return Err(RuntimeError::PortNotFixed {
                node: *other,
                endpoint: endpoint.clone(),
            });
        }
    }
    Ok(())
}

fn run_node(
    launch: &LaunchFile,
    node: NodeKind,
    stop: &Stop,
    progress: &mut dyn FnMut(&OperatorProgress),
) -> Result<Outcome<serde_json::Value>, RuntimeError> {
    // Files first: what is wrong with them should not depend on who else is running.
    let open = || open_unless_stopped(launch.link_config(node), stop);
    match node {
        NodeKind::Driver => {
            let (robot, scene) = (launch.load_robot()?, launch.load_scene()?);
            let link = open()?;
            wait(
                DriverNode::spawn(&launch.driver.sim, &robot, &scene, &link, None)?,
                stop,
            )
        }
        NodeKind::Policy => {
            let robot = launch.load_robot()?;
            let policies = launch.load_policies(&robot)?;
            let engine = &policies.policy.provider;
            let recording = launch.recording(node, &robot, engine)?;
            let link = open()?;
            let (lead, live) = (launch.policy.lead(), Live::default());
            wait(
                PolicyNode::spawn_live(policies, &robot, lead, &link, live, recording.as_ref())?,
                stop,
            )
        }
        NodeKind::Control => {
            let robot = launch.load_robot()?;
            let recording = launch.recording(node, &robot, "")?;
            let link = open()?;
            let (settings, live) = (launch.control_settings(), Live::default());
            wait(
                ControlNode::spawn_live(&settings, &robot, &link, live, recording.as_ref())?,
                stop,
            )
        }
        NodeKind::Operator => {
            let link = open()?;
            let outcome = Operator::new(&launch.operator, &link)?.run(stop, progress);
            Ok(Outcome {
                report: to_value(&outcome.report)?,
                error: outcome.error,
            })
        }
    }
}

/// Opening waits for the processes behind `connect`; the wish to stop must not wait with it.
fn open_unless_stopped(config: LinkConfig, stop: &Stop) -> Result<Link, RuntimeError> {
    let (sender, receiver) = std::sync::mpsc::channel();
    // Left behind when the process stops first: it ends with it.
    std::thread::Builder::new()
        .name("open-link".to_owned())
        .spawn(move || _ = sender.send(Link::open(&config)))
        .map_err(|source| RuntimeError::Thread {
            name: "open-link",
            source,
        })?;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(link) => return Ok(link?),
            Err(_) if stop.is_set() => return Err(RuntimeError::Interrupted),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(RuntimeError::Thread {
                    name: "open-link",
                    source: std::io::Error::other("it panicked"),
                });
            }
        }
    }
}

fn wait<R: Serialize + Send + 'static>(
    handle: NodeHandle<R>,
    stop: &Stop,
) -> Result<Outcome<serde_json::Value>, RuntimeError> {
    while handle.is_running() && !stop.is_set() {
        std::thread::sleep(LOOK);
    }
    Ok(Outcome {
        report: to_value(&handle.join()?)?,
        error: None,
    })
}

fn to_value(report: &impl Serialize) -> Result<serde_json::Value, RuntimeError> {
    serde_json::to_value(report).map_err(|error| RuntimeError::Report {
        reason: error.to_string(),
    })
}
