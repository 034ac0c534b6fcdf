//! Turns `launch/*.toml` into checked settings of every node.
//!
//! A launch file names every process, what it listens on, whom it calls and every topic it sends and
//! receives, so that the data flow is read rather than inferred. The topics are checked against what
//! the nodes really do: a file that says otherwise is refused.

mod flow;
mod lines;
mod sections;

use std::path::{Path, PathBuf};

use prehend_link::{LinkConfig, LinkError, Role, TlsConfig, Topic, free_loopback_endpoint};
use prehend_robot::UserLimits;
use prehend_types::config::{self, ConfigError};
use serde::{Deserialize, Serialize};

pub use flow::Edge;
pub use sections::{
    Acknowledge, ControlSection, DriverSection, GroundingSection, LinkSection, OperatorSection,
    PolicySection, RefineSection, TlsSection, Wires,
};

use crate::{NodeKind, RuntimeError};

/// Follows from the control loop's rate, and must not say otherwise where it is written.
const COMMAND_RATE: &str = "driver.sim.command_rate_hz";

/// Everything one launch file says, in the file's own order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchFile {
    /// Folder of the robot, found as [`config::locate`] does.
    pub robot: PathBuf,
    /// Scene file of the simulated driver.
    pub scene: PathBuf,
    /// Folder that control loop and policy are recorded to, so that the run can be replayed. None by
    /// default: nothing is recorded. A run with a folder of its own records there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<PathBuf>,
    /// What all processes share of the link.
    #[serde(default)]
    pub link: LinkSection,
    /// Limits of this cell beside the robot's own.
    #[serde(default)]
    pub limits: UserLimits,
    /// The process that owns the arm and the cameras.
    pub driver: DriverSection,
    /// The process that turns clouds into action chunks.
    pub policy: PolicySection,
    /// The process that turns action chunks into joint commands.
    pub control: ControlSection,
    /// The process that asks for episodes and counts how they end.
    pub operator: OperatorSection,
}

impl LaunchFile {
    /// Reads and checks a launch file. It is looked for as [`config::locate`] does.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file, the line and the field.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let path = config::locate(path)?;
        // Read once, so that lines are looked up in the text that was parsed.
        Self::parse(&config::read(&path)?, &path)
    }

    /// Checks the text of a launch file; `path` is only named in errors.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut file: Self = config::parse(text, path)?;
        if !lines::is_written(text, COMMAND_RATE) {
            file.driver.sim.command_rate_hz = file.control.controller.rate_hz;
        }
        let faults = file.check_sections().and_then(|()| flow::check(&file));
        faults.map_err(|fault| ConfigError::Parse {
            path: path.to_owned(),
            line: lines::line_of(text, &fault.field),
            message: format!("field `{}`: {}", fault.field, fault.message),
            hint: String::new(),
        })?;
        Ok(file)
    }

    /// What a node sends, receives, listens on and connects to.
    #[must_use]
    pub fn wires(&self, node: NodeKind) -> &Wires {
        match node {
            NodeKind::Driver => &self.driver.wires,
            NodeKind::Policy => &self.policy.wires,
            NodeKind::Control => &self.control.wires,
            NodeKind::Operator => &self.operator.wires,
        }
    }

    fn wires_mut(&mut self, node: NodeKind) -> &mut Wires {
        match node {
            NodeKind::Driver => &mut self.driver.wires,
            NodeKind::Policy => &mut self.policy.wires,
            NodeKind::Control => &mut self.control.wires,
            NodeKind::Operator => &mut self.operator.wires,
        }
    }

    /// Every endpoint that a node listens on.
    pub(crate) fn endpoints(&self, node: NodeKind) -> impl Iterator<Item = (Listener, &String)> {
        let wires = self.wires(node);
        let rest = wires.listen.iter().map(|own| (Listener::Rest, own));
        let commands = wires.listen_commands.iter();
        let statistics = wires.listen_statistics.iter();
        rest.chain(commands.map(|own| (Listener::Commands, own)))
            .chain(statistics.map(|own| (Listener::Statistics, own)))
    }

    /// Every endpoint that a node listens on or may listen on, to be replaced; connections to it follow,
    /// because they name the node.
    pub(crate) fn endpoints_mut(&mut self, node: NodeKind) -> [(Listener, &mut Option<String>); 3] {
        let wires = self.wires_mut(node);
        [
            (Listener::Rest, &mut wires.listen),
            (Listener::Commands, &mut wires.listen_commands),
            (Listener::Statistics, &mut wires.listen_statistics),
        ]
    }

    /// Replaces port 0 by a free port, so that others can be told which it is.
    ///
    /// # Errors
    /// [`RuntimeError::Link`] if the machine has none.
    pub fn choose_ports(&mut self) -> Result<(), RuntimeError> {
        for node in NodeKind::ALL {
            for (_, endpoint) in self.endpoints_mut(node) {
                if endpoint.as_deref().is_some_and(has_port_zero) {
                    *endpoint = Some(with_free_port(endpoint.as_deref().unwrap_or_default())?);
                }
            }
        }
        Ok(())
    }

    /// Who a process of this run is on an encrypted link; `None` if it is not encrypted.
    #[must_use]
    pub fn tls_config(&self, role: Role) -> Option<TlsConfig> {
        let folder = &self.link.tls.as_ref()?.folder;
        // One that is not there is named when its files are looked for.
        let folder = config::locate(folder).unwrap_or_else(|_| folder.clone());
        Some(TlsConfig::of_folder(&folder, role))
    }

    /// The link of one node, with the endpoints of the nodes it connects to.
    #[must_use]
    pub fn link_config(&self, node: NodeKind) -> LinkConfig {
        let wires = self.wires(node);
        let called = || {
            wires
                .connect
                .iter()
                .map(|other| (*other, self.wires(*other)))
        };
        // Only who shares the topic meets there.
        let connect_commands = called()
            .filter(|(other, _)| flow::talk(node, *other, Topic::Command))
            .filter_map(|(_, other)| other.listen_commands.clone());
        let connect_statistics = called()
            .filter(|(other, _)| flow::talk(node, *other, Topic::Statistics))
            .filter_map(|(_, other)| other.listen_statistics.clone());
        LinkConfig {
            robot: self.link.robot.clone(),
            node: node.name().to_owned(),
            listen: wires.listen.iter().cloned().collect(),
            connect: called()
                .filter_map(|(_, other)| other.listen.clone())
                .collect(),
            listen_commands: wires.listen_commands.iter().cloned().collect(),
            connect_commands: connect_commands.collect(),
            listen_statistics: wires.listen_statistics.iter().cloned().collect(),
            connect_statistics: connect_statistics.collect(),
            connect_timeout_millis: self.link.connect_timeout_millis,
            tls: self.tls_config(node.role()),
        }
    }
}

/// The endpoint with a port that nobody listened on a moment ago in place of its own.
fn with_free_port(endpoint: &str) -> Result<String, LinkError> {
    let free = free_loopback_endpoint()?;
    let (host, port) = (endpoint.rsplit_once(':'), free.rsplit_once(':'));
    Ok(host.zip(port).map_or_else(
        || endpoint.to_owned(),
        |((host, _), (_, port))| format!("{host}:{port}"),
    ))
}

/// Which of a node's sessions listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    /// The one for what has none of its own.
    Rest,
    /// The one for commands.
    Commands,
    /// The one for statistics.
    Statistics,
}

pub(crate) fn has_port_zero(endpoint: &str) -> bool {
    endpoint
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse() == Ok(0_u16))
}

/// A value that parsed and makes no sense.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Dotted name of the field.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// [`Fault`] unless `holds`.
pub(crate) fn need(holds: bool, field: &str, message: impl Into<String>) -> Result<(), Fault> {
    if holds {
        return Ok(());
    }
    Err(Fault {
        field: field.to_owned(),
        message: message.into(),
    })
}
