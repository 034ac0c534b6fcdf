//! The sections of a launch file: one per process, and what all share.

use std::path::PathBuf;
use std::time::Duration;

use prehend_control::ControlConfig;
use prehend_control::rt::RealtimeConfig;
use prehend_drivers::{DriverConfig, SimDriver};
use prehend_policy::pick_place::Cell;
use prehend_policy::{EngineChoice, Provider, RuntimeOptions};
use serde::{Deserialize, Serialize};

use super::{COMMAND_RATE, Fault, LaunchFile, need};
use crate::NodeKind;

/// What all processes share of the link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkSection {
    /// Second part of every key on the wire, `prehend/<robot>/<topic>`. Default `fr3`.
    pub robot: String,
    /// How long a process waits for those it connects to, ms. Default 30,000: a policy that is
    /// loading its bundle does not listen late, but a fresh machine may still be fetching it.
    pub connect_timeout_millis: u32,
    /// Encrypts the link, and lets every process do only what its certificate's role may. None by default.
    pub tls: Option<TlsSection>,
}

/// Certificates of an encrypted link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// Folder as `prehend certs new` fills it, found as `config::locate` does. A process needs only `ca.pem`
    /// and the two files of its role there: `driver`, `policy`, `controller`, `operator`, or `viewer` for
    /// one that looks.
    pub folder: PathBuf,
}

impl Default for LinkSection {
    fn default() -> Self {
        Self {
            robot: "fr3".to_owned(),
            connect_timeout_millis: 30_000,
            tls: None,
        }
    }
}

/// How one process stands in the data flow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wires {
    /// Endpoint to listen on, for example `tcp/127.0.0.1:7450`. Port 0 lets the system choose, which
    /// works when all nodes are started together. None by default.
    #[serde(default)]
    pub listen: Option<String>,
    /// Endpoint that the session for commands alone listens on; the node that receives `command` has one.
    /// None by default.
    #[serde(default)]
    pub listen_commands: Option<String>,
    /// Endpoint that the session for statistics alone listens on; the node that sends `statistics` has one.
    /// None by default.
    #[serde(default)]
    pub listen_statistics: Option<String>,
    /// Processes to connect to, by name. None by default.
    #[serde(default)]
    pub connect: Vec<NodeKind>,
    /// Topics that it publishes, all of them.
    pub sends: Vec<String>,
    /// Topics that it subscribes to, all of them.
    pub receives: Vec<String>,
}

/// The process that owns the arm and the cameras.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriverSection {
    /// Its place in the data flow.
    pub wires: Wires,
    /// The simulated arm. Its `command_rate_hz` may be left out: it is the control loop's rate.
    #[serde(default)]
    pub sim: DriverConfig,
}

/// The process that turns clouds into action chunks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySection {
    /// Its place in the data flow.
    pub wires: Wires,
    /// Folder of the bundle, found as `config::locate` does.
    pub model: PathBuf,
    /// What the pick-and-place network has to know of the cell; it is what decides if this is there.
    #[serde(default)]
    pub cell: Option<Cell>,
    /// Who tells a flow policy which points are target and receptacle; without it the cloud has to.
    #[serde(default)]
    pub grounding: Option<GroundingSection>,
    /// A slower policy that improves on the answers of a flow policy where there is time.
    #[serde(default)]
    pub refine: Option<RefineSection>,
    /// Which engine runs it: `auto` (default), `onnx_runtime` or `embedded`.
    #[serde(default)]
    pub engine: EngineChoice,
    /// What ONNX Runtime computes on: `cpu` (default), `cuda` or `tensorrt`.
    #[serde(default)]
    pub provider: Provider,
    /// A particular ONNX Runtime library instead of the one that is found.
    #[serde(default)]
    pub library: Option<PathBuf>,
    /// Whether ONNX Runtime may be fetched when this machine has none. Default true.
    #[serde(default = "yes")]
    pub allow_install: bool,
    /// Inferences before the policy counts as loaded. Default 50.
    #[serde(default = "default_warm_up_runs")]
    pub warm_up_runs: usize,
    /// A cloud that was taken this long before the executed part of a chunk ends is already used for
    /// the next one, ms, and as much earlier as a look takes, which is measured. Half the time between two
    /// clouds lets none of the right ones slip. Default 25.
    #[serde(default = "default_lead_millis")]
    pub lead_millis: u64,
}

/// The pick-and-place network that supplies roles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroundingSection {
    /// Folder of the network, found as `config::locate` does.
    pub network: PathBuf,
    /// What it has to know of the cell.
    pub cell: Cell,
}

/// The policy whose answers take the place of the quick ones when they come in time: the same with more flow
/// steps, say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefineSection {
    /// Folder of its bundle, found as `config::locate` does; its actions are as long as those of `policy.model`.
    pub model: PathBuf,
    /// Age of a cloud up to which it may answer, ms. Default 40: less than an action lasts.
    #[serde(default = "default_refine_millis")]
    pub within_millis: u64,
}

/// The process that turns action chunks into joint commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlSection {
    /// Its place in the data flow.
    pub wires: Wires,
    /// Time to live of a command, ms. The driver stops the arm when it has passed. Default 50.
    #[serde(default = "default_valid_for_millis")]
    pub valid_for_millis: u64,
    /// Rate, gains and limits.
    #[serde(default)]
    pub controller: ControlConfig,
    /// What the control thread asks the system for.
    #[serde(default)]
    pub realtime: RealtimeConfig,
}

/// The process that asks for episodes and counts how they end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorSection {
    /// Its place in the data flow.
    pub wires: Wires,
    /// Seed of the first scene; each next episode has the next seed. Default 900,000.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Episodes. Default 10.
    #[serde(default = "default_episodes")]
    pub episodes: u64,
    /// How long to wait for the first chunk and the first followed command, s. Default 120, because a
    /// policy may have to fetch its engine first.
    #[serde(default = "default_ready_timeout_s")]
    pub ready_timeout_s: f64,
    /// An episode without any end after this time counts as failed, s. The driver's own time limit
    /// is in the scene file and is shorter. Default 120.
    #[serde(default = "default_episode_timeout_s")]
    pub episode_timeout_s: f64,
    /// Which sessions are asked for by somebody who has seen to what broke before: `never` (default), the
    /// `first`, or `always`, which is for simulated arms.
    #[serde(default)]
    pub acknowledge: Acknowledge,
}

/// When an operator acknowledges a fault with the session it asks for. Without, nothing is armed after one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acknowledge {
    /// Not at all: the run ends at a fault.
    #[default]
    Never,
    /// With the first session: what happened before this run.
    First,
    /// With every session: a simulated arm is put home with each, and breaks nothing.
    Always,
}

const fn yes() -> bool {
    true
}
const fn default_warm_up_runs() -> usize {
    50
}
const fn default_lead_millis() -> u64 {
    25
}
const fn default_refine_millis() -> u64 {
    40
}
const fn default_valid_for_millis() -> u64 {
    50
}
const fn default_seed() -> u64 {
    900_000
}
const fn default_episodes() -> u64 {
    10
}
const fn default_ready_timeout_s() -> f64 {
    120.0
}
const fn default_episode_timeout_s() -> f64 {
    120.0
}

impl OperatorSection {
    /// Whoever starts the run has seen to what broke before.
    pub fn acknowledge(&mut self) {
        if self.acknowledge == Acknowledge::Never {
            self.acknowledge = Acknowledge::First;
        }
    }
}

impl PolicySection {
    /// How to open the inference runtime.
    #[must_use]
    pub fn runtime_options(&self) -> RuntimeOptions {
        RuntimeOptions {
            engine: self.engine,
            provider: self.provider,
            library: self.library.clone(),
            allow_install: self.allow_install,
            warm_up_runs: self.warm_up_runs,
        }
    }

    /// [`Self::lead_millis`] as a duration.
    #[must_use]
    pub fn lead(&self) -> Duration {
        Duration::from_millis(self.lead_millis)
    }
}

impl ControlSection {
    /// [`Self::valid_for_millis`] as a duration.
    #[must_use]
    pub fn valid_for(&self) -> Duration {
        Duration::from_millis(self.valid_for_millis)
    }
}

impl LaunchFile {
    /// Everything that can be judged without the data flow.
    pub(super) fn check_sections(&self) -> Result<(), Fault> {
        let controller = &self.control.controller;
        controller.check().map_err(|error| match error {
            prehend_control::ControlError::Config {
                field,
                value,
                low,
                high,
            } => Fault {
                field: format!("control.controller.{field}"),
                message: format!("is {value}, must be from {low} to {high}"),
            },
            other => Fault {
                field: "control.controller".to_owned(),
                message: other.to_string(),
            },
        })?;
        self.driver.sim.check().map_err(|error| match error {
            prehend_drivers::DriverError::Config {
                field,
                value,
                low,
                high,
            } => Fault {
                field: format!("driver.sim.{field}"),
                message: format!("is {value}, must be from {low} to {high}"),
            },
            other => Fault {
                field: "driver.sim".to_owned(),
                message: other.to_string(),
            },
        })?;
        let (sim_rate, rate) = (self.driver.sim.command_rate_hz, controller.rate_hz);
        need(
            sim_rate == rate,
            COMMAND_RATE,
            format!("is {sim_rate}, must be what control.controller.rate_hz is, {rate}"),
        )?;
        let (told, expected) = (SimDriver::STATUS_RATE_HZ, controller.state_rate_hz);
        need(
            (expected - told).abs() < 1e-6,
            "control.controller.state_rate_hz",
            format!("is {expected}, must be what the driver tells, {told}"),
        )?;
        let (own, granted) = (
            self.control.valid_for_millis,
            self.driver.sim.max_valid_for_millis,
        );
        need(
            (5..=granted).contains(&own) && own as f64 >= 2e3 / rate,
            "control.valid_for_millis",
            format!(
                "is {own}, must be at least 5 and two periods of the control loop, and at most \
                 driver.sim.max_valid_for_millis, {granted}"
            ),
        )?;
        let realtime = &self.control.realtime;
        need(
            realtime.fifo_priority <= 99,
            "control.realtime.fifo_priority",
            format!(
                "is {}, must be 1 to 99, or 0 for the normal scheduler",
                realtime.fifo_priority
            ),
        )?;
        need(
            self.policy.provider.is_built(),
            "policy.provider",
            format!(
                "is {0:?}, which this program was built without; use \"cpu\", or build with \
                 `--features {0}`",
                self.policy.provider.name()
            ),
        )?;
        let grounding = self.policy.grounding.as_ref();
        need(
            grounding.is_none() || self.policy.cell.is_none(),
            "policy.grounding",
            "stands beside `policy.cell`: the network there decides alone, take one of the two out",
        )?;
        let refine = self.policy.refine.as_ref();
        need(
            refine.is_none() || (self.policy.cell.is_none() && grounding.is_none()),
            "policy.refine",
            "stands beside `policy.cell` or `policy.grounding`, and improves on flow policies that are told the \
             roles alone: take one of the two out",
        )?;
        let within = refine.map_or(1, |refine| refine.within_millis);
        need(
            (1..=1000).contains(&within),
            "policy.refine.within_millis",
            format!("is {within}, must be from 1 to 1000"),
        )?;
        let cells = [
            ("policy.cell", self.policy.cell.as_ref()),
            ("policy.grounding.cell", grounding.map(|own| &own.cell)),
        ];
        for (field, cell) in cells {
            if let Some(fault) = cell.and_then(Cell::fault) {
                need(false, field, fault.to_owned())?;
            }
        }
        need(
            self.policy.warm_up_runs <= 10_000,
            "policy.warm_up_runs",
            format!("is {}, must be at most 10000", self.policy.warm_up_runs),
        )?;
        need(
            self.policy.lead_millis <= 1000,
            "policy.lead_millis",
            format!("is {}, must be at most 1000", self.policy.lead_millis),
        )?;
        self.check_operator()
    }

    fn check_operator(&self) -> Result<(), Fault> {
        let operator = &self.operator;
        need(
            operator.episodes >= 1,
            "operator.episodes",
            "is 0, must be at least 1",
        )?;
        need(
            operator
                .seed
                .checked_add(operator.episodes)
                .is_some_and(|end| end <= i64::MAX as u64),
            "operator.seed",
            format!(
                "with {} episodes goes beyond the last seed, {}",
                operator.episodes,
                i64::MAX
            ),
        )?;
        for (field, value) in [
            ("operator.ready_timeout_s", operator.ready_timeout_s),
            ("operator.episode_timeout_s", operator.episode_timeout_s),
        ] {
            need(
                (1.0..=3600.0).contains(&value),
                field,
                format!("is {value}, must be from 1 to 3600"),
            )?;
        }
        Ok(())
    }
}
