//! Turns a launch file into a measured run of all nodes in one process, over the same link.

use prehend_control::rt::{FloorReport, LoopReport, TimerFloor};
use prehend_drivers::{Observer, WireReport};
use prehend_link::Link;

use crate::control_node::{ControlNode, ControlReport};
use crate::demo_report::DemoReport;
use crate::driver_node::DriverNode;
use crate::launch::LaunchFile;
use crate::live::Live;
use crate::operator::{Operator, OperatorProgress, OperatorReport};
use crate::policy_node::{NamedPolicy, PolicyNode, PolicyReport, PolicySet};
use crate::{NodeKind, Outcome, RuntimeError, Stop};

/// What a demo runs.
pub struct DemoConfig {
    /// The launch file, with the episodes and the first seed that are wanted.
    pub launch: LaunchFile,
    /// A policy to run instead of the bundle that the launch file names.
    pub policy: Option<NamedPolicy>,
    /// Sees the simulated world whenever the camera does, on the driver's thread.
    pub observer: Option<Observer>,
    /// Whether a bare timer loop runs beside the control loop, as the yardstick for it, from the first
    /// episode to the last.
    pub floor: bool,
}

impl DemoConfig {
    /// A demo of a launch file with its timer floor.
    #[must_use]
    pub fn new(launch: LaunchFile) -> Self {
        Self {
            launch,
            policy: None,
            observer: None,
            floor: true,
        }
    }
}

/// A look at a running demo.
#[derive(Debug, Clone)]
pub struct DemoProgress {
    /// Episodes, successes, command age.
    pub operator: OperatorProgress,
    /// Timing and limits of the control loop; `None` until it runs.
    pub control: Option<ControlReport>,
    /// Latency of the policy.
    pub policy: PolicyReport,
}

impl DemoProgress {
    /// Timing of the control loop; `None` until it runs.
    #[must_use]
    pub fn control_loop(&self) -> Option<&LoopReport> {
        self.control.as_ref().map(|control| &control.control_loop)
    }
}

/// What the nodes of a demo reported; without a report of its own for a node that gave up.
#[derive(Debug)]
pub(crate) struct NodeReports {
    pub operator: OperatorReport,
    pub driver: Option<WireReport>,
    pub policy: PolicyReport,
    pub control: Option<ControlReport>,
    pub floor: Option<FloorReport>,
}

/// Runs all nodes in this process, each on a session of its own over loopback, until every episode
/// is done or `stop` is set. `progress` is called a few times per second, on this thread.
///
/// A node that gives up ends the demo; what was finished until then is in the report all the same.
///
/// # Errors
/// [`RuntimeError`]: a file was refused, or a node could not be started.
pub fn demo(
    config: DemoConfig,
    stop: &Stop,
    progress: &mut dyn FnMut(&DemoProgress),
) -> Result<Outcome<DemoReport>, RuntimeError> {
    let mut launch = config.launch;
    launch.choose_ports()?;
    let robot = launch.load_robot()?;
    let scene = launch.load_scene()?;
    let (policies, policy_recording) = match config.policy {
        // Somebody's own: there is no bundle to run it from again, and none to swap it for.
        Some(policy) => (PolicySet::from(policy), None),
        None => {
            let policies = launch.load_policies(&robot)?;
            let engine = &policies.policy.provider;
            let recording = launch.recording(NodeKind::Policy, &robot, engine)?;
            (policies, recording)
        }
    };
    let control_recording = launch.recording(NodeKind::Control, &robot, "")?;
    // In this order: whoever is connected to must listen already.
    let driver_link = Link::open(&launch.link_config(NodeKind::Driver))?;
    let policy_link = Link::open(&launch.link_config(NodeKind::Policy))?;
    let control_link = Link::open(&launch.link_config(NodeKind::Control))?;
    let operator_link = Link::open(&launch.link_config(NodeKind::Operator))?;

    let (live_policy, live_control) = (Live::default(), Live::default());
    let operator = Operator::new(&launch.operator, &operator_link)?;
    let policy = PolicyNode::spawn_live(
        policies,
        &robot,
        launch.policy.lead(),
        &policy_link,
        live_policy.clone(),
        policy_recording.as_ref(),
    )?;
    let settings = launch.control_settings();
    let control = ControlNode::spawn_live(
        &settings,
        &robot,
        &control_link,
        live_control.clone(),
        control_recording.as_ref(),
    )?;
    let driver = DriverNode::spawn(
        &launch.driver.sim,
        &robot,
        &scene,
        &driver_link,
        config.observer,
    )?;

    let mut floor = None;
    let end = Stop::default();
    let mut look = |operator: &OperatorProgress| {
        if operator.episode > 0 && floor.is_none() && config.floor {
            // A yardstick that cannot be had is left out of the report.
            let rate_hz = settings.controller.rate_hz;
            floor = TimerFloor::start(rate_hz, &settings.realtime).ok();
        }
        // A node that gave up says why when it is joined.
        let all_run = policy.is_running() && control.is_running() && driver.is_running();
        if stop.is_set() || !all_run {
            end.set();
        }
        progress(&DemoProgress {
            operator: operator.clone(),
            control: live_control.get(),
            policy: live_policy.get(),
        });
    };
    let outcome = operator.run(&end, &mut look);
    let floor = floor.and_then(|floor| floor.finish().ok());
    // Control first, to which a policy that goes is a reason to stop; the driver last, so that it is stopped
    // and not lost.
    let (control, policy, driver) = (control.join(), policy.join(), driver.join());
    let mut errors = Vec::new();
    let policy = keep(policy, &mut errors).unwrap_or_else(|| live_policy.get());
    let control = keep(control, &mut errors).or_else(|| live_control.get());
    let driver = keep(driver, &mut errors).or_else(|| outcome.report.wire.clone());
    errors.extend(outcome.error);
    let mut errors = errors.into_iter();
    // The first node that gave up explains the others.
    let error = errors.next();
    for error in errors {
        tracing::error!(%error, "demo: this went wrong too");
    }
    let reports = NodeReports {
        policy,
        control,
        driver,
        operator: outcome.report,
        floor,
    };
    Ok(Outcome {
        report: DemoReport::new(&scene.name, reports, error.as_ref()),
        error,
    })
}

fn keep<R>(result: Result<R, RuntimeError>, errors: &mut Vec<RuntimeError>) -> Option<R> {
    result.map_err(|error| errors.push(error)).ok()
}
