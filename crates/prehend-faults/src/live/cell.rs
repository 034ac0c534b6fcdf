//! A control node between a driver and a policy, on sessions of their own; a proxy before the driver.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nalgebra::Vector3;
use prehend_control::ControlConfig;
use prehend_control::rt::RealtimeConfig;
use prehend_link::messages::ActionChunk;
use prehend_link::{Link, LinkConfig, free_loopback_endpoint};
use prehend_runtime::{ControlNode, ControlReport, ControlSettings, NodeHandle};
use prehend_types::config::locate;
use prehend_types::{Action, ActionChunk as Chunk, Stamp};

use super::driver::{Driver, Seen};
use super::feed::Feed;
use super::proxy::Proxy;
use crate::Lab;

/// Time to live of a command, as launch files have it.
pub(crate) const VALID_FOR: Duration = Duration::from_millis(100);
/// Until everybody has found everybody and the arm moves.
const READY: Duration = Duration::from_secs(20);

/// Until the arm moves in a new session: longer than a link takes to give up connections that stalled.
const AGAIN: Duration = Duration::from_secs(60);

type Failure = Box<dyn std::error::Error>;

/// Where the control node is.
pub(crate) enum Control {
    /// In this process, with its session.
    Here(NodeHandle<ControlReport>, Link),
    /// In one of its own.
    There(Process),
}

/// A process that ends with its owner.
pub(crate) struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where the driver listens for commands, and for the rest.
#[derive(Clone)]
pub(crate) struct Wires {
    commands: String,
    rest: String,
}

impl Wires {
    fn free() -> Result<Self, Failure> {
        Ok(Self {
            commands: free_loopback_endpoint()?,
            rest: free_loopback_endpoint()?,
        })
    }

    /// The settings of somebody who calls the driver.
    fn calling(&self) -> LinkConfig {
        LinkConfig {
            connect_commands: vec![self.commands.clone()],
            ..LinkConfig::for_robot("fr3").connecting(&self.rest)
        }
    }
}

/// Everything that runs. Fields are dropped in this order.
pub(crate) struct Cell {
    pub control: Option<Control>,
    pub policy: Option<Policy>,
    /// The policy's session, or that of whoever looks on if it has a process of its own.
    pub policy_link: Link,
    /// The policy's process, if it has one.
    pub policy_process: Option<Process>,
    pub driver: Driver,
    pub proxy: Proxy,
    pub driver_link: Link,
    wires: Wires,
    /// Where visitors call the control node, if it is in a process of its own.
    pub statistics: String,
    _feed: Option<Feed>,
    _launch: tempfile::TempDir,
}

/// What the nodes of a cell are told of each other.
struct Plan {
    /// Where control and policy find the driver.
    driver: Wires,
    policy: String,
    statistics: String,
}

impl Plan {
    /// Starts one node in a process of its own, through `prepare`.
    fn spawn(
        &self,
        lab: &Lab,
        folder: &Path,
        node: &str,
        prepare: impl FnOnce(&Path) -> Command,
        stderr: Stdio,
    ) -> Result<Process, Failure> {
        let program = lab.program.as_ref().ok_or(NO_PROGRAM)?;
        let text = std::fs::read_to_string(locate("launch/fr3_sim.toml")?)?;
        let text = text
            .replace("tcp/127.0.0.1:7450", &self.driver.rest)
            .replace("tcp/127.0.0.1:7460", &self.driver.commands)
            .replace("tcp/127.0.0.1:7451", &self.policy)
            .replace("tcp/127.0.0.1:7452", &self.statistics);
        let file = folder.join(format!("{node}.toml"));
        std::fs::write(&file, text)?;
        let child = prepare(program)
            // Its own: a group with a stopped process in it is hung up when its shell goes.
            .process_group(0)
            .arg("run")
            .arg(&file)
            .args(["--only", node])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()?;
        Ok(Process(child))
    }
}

impl Cell {
    /// With the control node in this process.
    pub fn here(lab: &Lab) -> Result<Self, Failure> {
        Self::start(lab, false, |plan, _| control_here(lab, plan))
    }

    /// With the control node in a process of its own, started through `prepare`.
    pub fn there(
        lab: &Lab,
        prepare: impl FnOnce(&Path) -> Command,
        stderr: Stdio,
    ) -> Result<Self, Failure> {
        Self::start(lab, false, |plan, folder| {
            let process = plan.spawn(lab, folder, "control", prepare, stderr)?;
            Ok(Control::There(process))
        })
    }

    /// With the control node in this process, and the shipped policy in one of its own.
    pub fn with_policy_process(lab: &Lab) -> Result<Self, Failure> {
        Self::start(lab, true, |plan, _| control_here(lab, plan))
    }

    fn start(
        lab: &Lab,
        has_policy_process: bool,
        control: impl FnOnce(&Plan, &Path) -> Result<Control, Failure>,
    ) -> Result<Self, Failure> {
        let (wires, policy_endpoint) = (Wires::free()?, free_loopback_endpoint()?);
        let driver_link = Link::open(&LinkConfig {
            listen_commands: vec![wires.commands.clone()],
            ..LinkConfig::for_robot("fr3").listening(&wires.rest)
        })?;
        let mut proxy = Proxy::new();
        let through = Wires {
            commands: proxy.stand_before(&wires.commands)?,
            rest: proxy.stand_before(&wires.rest)?,
        };
        let driver = Driver::spawn(&lab.robot("fr3")?, &driver_link)?;
        let folder = tempfile::tempdir()?;
        let mut plan = Plan {
            driver: wires.clone(),
            policy: policy_endpoint.clone(),
            statistics: free_loopback_endpoint()?,
        };
        let own = LinkConfig::for_robot("fr3").connecting(&wires.rest);
        let (policy_link, policy, policy_process, feed) = if has_policy_process {
            let quiet = Stdio::null();
            let process = plan.spawn(
                lab,
                folder.path(),
                "policy",
                |program| Command::new(program),
                quiet,
            )?;
            let feed = Feed::spawn(&driver_link, driver.see().epoch)?;
            (Link::open(&own)?, None, Some(process), Some(feed))
        } else {
            let link = Link::open(&own.listening(&policy_endpoint))?;
            let policy = Policy::spawn(&link)?;
            (link, Some(policy), None, None)
        };
        plan.driver = through;
        let control = control(&plan, folder.path())?;
        let cell = Self {
            control: Some(control),
            policy,
            policy_link,
            policy_process,
            driver,
            proxy,
            driver_link,
            wires,
            statistics: plan.statistics,
            _feed: feed,
            _launch: folder,
        };
        let ready = if has_policy_process { AGAIN } else { READY };
        cell.until("the arm moves", ready, is_moving)?;
        Ok(cell)
    }

    /// The settings of a visitor, who calls the driver itself and not its proxy.
    pub fn visitor(&self) -> LinkConfig {
        self.wires.calling()
    }

    /// Waits until the driver shows what is wanted.
    pub fn until(
        &self,
        what: &str,
        most: Duration,
        wanted: impl Fn(&Seen) -> bool,
    ) -> Result<Seen, Failure> {
        let begun = Instant::now();
        loop {
            let seen = self.driver.see();
            if wanted(&seen) {
                return Ok(seen);
            }
            if begun.elapsed() >= most {
                return Err(
                    format!("never: {what}; the driver says {:?}", seen.stop_reason).into(),
                );
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Starts a new session and waits until the arm moves in it; how long that took, s.
    pub fn rearm(&self) -> Result<f64, Failure> {
        self.until("at rest", Duration::from_secs(5), |seen| seen.is_at_rest)?;
        let before = self.driver.see().epoch;
        let begun = Instant::now();
        self.driver.rearm();
        self.until("moves again", AGAIN, |seen| {
            seen.epoch > before && is_moving(seen)
        })?;
        Ok(begun.elapsed().as_secs_f64())
    }

    /// Ends the control node in this process, and returns its account.
    pub fn finish_control(&mut self) -> Result<ControlReport, Failure> {
        match self.control.take() {
            Some(Control::Here(node, _link)) => Ok(node.join()?),
            _ => Err("there is no control node in this process".into()),
        }
    }

    /// The control node's process.
    pub fn process(&mut self) -> Result<&mut Child, Failure> {
        match &mut self.control {
            Some(Control::There(process)) => Ok(&mut process.0),
            _ => Err("the control node has no process of its own".into()),
        }
    }
}

/// A control node in this process.
fn control_here(lab: &Lab, plan: &Plan) -> Result<Control, Failure> {
    let config = plan.driver.calling().connecting(&plan.policy);
    let link = Link::open(&config)?;
    let settings = ControlSettings {
        controller: ControlConfig::default(),
        realtime: RealtimeConfig {
            lock_memory: false,
            ..RealtimeConfig::default()
        },
        valid_for: VALID_FOR,
    };
    let node = ControlNode::spawn(&settings, &lab.robot("fr3")?, &link)?;
    Ok(Control::Here(node, link))
}

/// Why a row needs the program.
pub(crate) const NO_PROGRAM: &str = "needs the prehend program: run `prehend faults`";

pub(crate) fn is_moving(seen: &Seen) -> bool {
    seen.speed > 0.01 && seen.stop_reason == prehend_link::messages::StopReason::None
}

/// A policy that moves the tool down and up for ever. It learns the session from the driver's statuses.
pub(crate) struct Policy {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Policy {
    fn spawn(link: &Link) -> Result<Self, Failure> {
        let chunks = link.publisher::<ActionChunk>()?;
        let statuses = link.latest::<prehend_link::messages::RobotStatus>()?;
        let ends = Arc::<AtomicBool>::default();
        let own = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            let mut epoch = 0;
            for round in 0u64.. {
                if own.load(Relaxed) {
                    return;
                }
                if let Some(received) = statuses.take() {
                    epoch = received.message.epoch;
                }
                let way = if round / 10 % 2 == 0 { 0.004 } else { -0.004 };
                let action = Action {
                    translation: Vector3::new(0.0, way, way),
                    ..Action::hold(1.0)
                };
                let dt = Duration::from_millis(50);
                if let Ok(chunk) = Chunk::new(Stamp::now(), dt, 4, &[action; 8]) {
                    // A session that is being closed has nobody to tell.
                    let _ = chunks.send(&ActionChunk::new("fr3", epoch, &chunk, Duration::ZERO));
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Ok(Self {
            ends,
            thread: Some(thread),
        })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        self.ends.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // It ends at its next round.
            let _ = thread.join();
        }
    }
}
