//! Turns `launch/*.toml` into checked settings of every node.
//!
//! A launch file names every process, what it listens on, whom it calls and every topic it sends and
//! receives, so that the data flow is read rather than inferred. The topics are checked against what
//! the nodes really do: a file that says otherwise is refused.

mod flow;
mod lines;
mod sections;

use std::path::{Path, PathBuf};

use prehend_link::{LinkConfig, free_loopback_endpoint};
use prehend_robot::UserLimits;
use prehend_types::config::{self, ConfigError};
use serde::{Deserialize, Serialize};

pub use flow::Edge;
pub use sections::{
    ControlSection, DriverSection, GroundingSection, LinkSection, OperatorSection, PolicySection,
    Wires,
};

use crate::{NodeKind, RuntimeError};

const MAX_BYTES: u64 = 1 << 20;
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
        let refuse = |source| ConfigError::Read {
            path: path.clone(),
            source,
        };
        let bytes = std::fs::metadata(&path).map_err(refuse)?.len();
        if bytes > MAX_BYTES {
            return Err(ConfigError::TooLarge {
                path,
                bytes,
                limit: MAX_BYTES,
            });
        }
        // Read once, so that lines are looked up in the text that was parsed.
        Self::parse(&std::fs::read_to_string(&path).map_err(refuse)?, &path)
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

    /// Replaces what a node listens on; connections to it follow, because they name the node.
    pub fn set_listen(&mut self, node: NodeKind, endpoint: String) {
        let wires = match node {
            NodeKind::Driver => &mut self.driver.wires,
            NodeKind::Policy => &mut self.policy.wires,
            NodeKind::Control => &mut self.control.wires,
            NodeKind::Operator => &mut self.operator.wires,
        };
        wires.listen = Some(endpoint);
    }

    /// Replaces port 0 by a free port, so that others can be told which it is.
    ///
    /// # Errors
    /// [`RuntimeError::Link`] if the machine has none.
    pub fn choose_ports(&mut self) -> Result<(), RuntimeError> {
        for node in NodeKind::ALL {
            if self
                .wires(node)
                .listen
                .as_deref()
                .is_some_and(has_port_zero)
            {
                self.set_listen(node, free_loopback_endpoint()?);
            }
        }
        Ok(())
    }

    /// The link of one node, with the endpoints of the nodes it connects to.
    #[must_use]
    pub fn link_config(&self, node: NodeKind) -> LinkConfig {
        let wires = self.wires(node);
        let connect = wires
            .connect
            .iter()
            .filter_map(|other| self.wires(*other).listen.clone());
        LinkConfig {
            robot: self.link.robot.clone(),
            node: node.name().to_owned(),
            listen: wires.listen.iter().cloned().collect(),
            connect: connect.collect(),
            connect_timeout_millis: self.link.connect_timeout_millis,
            allow_remote: self.link.allow_remote,
        }
    }
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
