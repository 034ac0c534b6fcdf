//! A simulated cell in real time behind the messages of the link.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use prehend_control::{ControlError, joint_bounds};
use prehend_link::Link;
use prehend_link::messages::{
    ArmId, EpisodeEvent, EventKind, InquiryKind, RequestKind, RobotStatus, StopReason,
};
use prehend_robot::Robot;
use prehend_sim::{SceneConfig, World};
use prehend_types::{RobotState, Stamp};

use crate::inbox::Inbox;
use crate::outbox::Outbox;
use crate::sim_cell::SimCell;
use crate::{DriverConfig, DriverError, Pace, Shell, WireReport, arm_id, tick};

/// Ticks between two sessions that are asked for, 0.2 s: however many are, the arm's own loop goes on, and a
/// stop has its time to come.
const SESSION_TICKS: u64 = 40;
/// Physics steps between two snapshots for [`DriverHandle::report`].
const SNAPSHOT_STEPS: u64 = 40;
/// An arm whose joints are slower than this stands still, rad/s.
const STANDING: f64 = 0.01;
/// Longest time that the arm gets to come to rest at the end.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// Called with the world after each cloud, on the driver's thread: quick things only.
pub type Observer = Box<dyn FnMut(&World) + Send>;

/// A driver that owns a simulated arm and speaks the messages that a real arm's driver would.
///
/// Every 5 ms of wall time it takes the newest command, steps the physics and publishes a
/// `RobotStatus`; clouds and `JointState` come at their own rates. It starts with a scene and without a session:
/// nothing moves until an operator asks for an episode. A cloud's stamp is the stamp of
/// the status that was published just before it, so that a policy can pair the two. A late step is
/// skipped: simulated time then falls behind the wall's rather than running in bursts.
#[derive(Debug)]
pub struct SimDriver;

impl SimDriver {
    /// Statuses per second.
    pub const STATUS_RATE_HZ: f64 = 1.0 / World::DT;

    /// Builds the first scene, declares the topics and starts the driver's thread.
    ///
    /// # Errors
    /// [`DriverError`] if settings, robot, scene or link cannot be used.
    pub fn spawn(
        config: &DriverConfig,
        robot: &Arc<Robot>,
        scene: &Arc<SceneConfig>,
        link: &Link,
    ) -> Result<DriverHandle, DriverError> {
        Self::spawn_observed(config, robot, scene, link, Box::new(|_| {}))
    }

    /// As [`Self::spawn`], with somebody who looks at the world whenever the camera does: for
    /// pictures and logs of the simulator's own truth.
    ///
    /// # Errors
    /// As [`Self::spawn`].
    pub fn spawn_observed(
        config: &DriverConfig,
        robot: &Arc<Robot>,
        scene: &Arc<SceneConfig>,
        link: &Link,
        observer: Observer,
    ) -> Result<DriverHandle, DriverError> {
        config.check()?;
        let shared = Arc::new(Shared::default());
        let mut driver = Driver::new(config, robot, scene, link, observer, Arc::clone(&shared))?;
        let thread = std::thread::Builder::new()
            .name("prehend-driver".to_owned())
            .spawn(move || driver.run())
            .map_err(|source| DriverError::Thread { source })?;
        Ok(DriverHandle {
            shared,
            thread: Some(thread),
        })
    }
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    report: Mutex<WireReport>,
}

/// A running driver. Dropping it stops the arm and ends the thread.
#[derive(Debug)]
pub struct DriverHandle {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<WireReport>>,
}

impl DriverHandle {
    /// Stops the arm softly, publishes the last report and ends the thread.
    ///
    /// # Errors
    /// [`DriverError::Panicked`] if the thread did.
    pub fn stop(mut self) -> Result<WireReport, DriverError> {
        self.join()
    }

    /// The account so far, at most a fraction of a second old.
    #[must_use]
    pub fn report(&self) -> WireReport {
        let report = self.shared.report.lock();
        report.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the thread runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    fn join(&mut self) -> Result<WireReport, DriverError> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else {
            return Ok(self.report());
        };
        thread.join().map_err(|panic| DriverError::Panicked {
            message: panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_else(|| "no message".to_owned()),
        })
    }
}

impl Drop for DriverHandle {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            tracing::error!(%error, "driver");
        }
    }
}

struct Driver {
    id: ArmId,
    cell: SimCell,
    shell: Shell,
    outbox: Outbox,
    inbox: Inbox,
    observer: Observer,
    shared: Arc<Shared>,
    pace: Pace,
    camera_steps: u64,
    joint_state_steps: u64,
    steps: u64,
    statuses: u64,
    episode: u64,
    /// Tick before which no further session is begun.
    next_session: u64,
    /// The newest event, for those who come late.
    last_event: Option<EpisodeEvent>,
    is_over: bool,
    /// A new session in the same scene is asked for, once the arm stands; whether it acknowledges a fault.
    wants_rearm: Option<bool>,
    /// Session of which it was said that it begins too far from the arm.
    told_too_far: Option<u64>,
}

impl Driver {
    fn new(
        config: &DriverConfig,
        robot: &Arc<Robot>,
        scene: &Arc<SceneConfig>,
        link: &Link,
        observer: Observer,
        shared: Arc<Shared>,
    ) -> Result<Self, DriverError> {
        let cell = SimCell::new(
            Arc::clone(robot),
            Arc::clone(scene),
            config.families,
            config.seed,
        )?;
        let bounds = joint_bounds(robot)?;
        let bounds = &bounds[..robot.n_joints().min(bounds.len())];
        // The clock never repeats while the machine runs: no epoch of an earlier driver comes back. This one is
        // nobody's: the arm stands until an operator asks for the first session.
        let epoch = Stamp::now().as_nanos();
        let shell = Shell::new(
            config.shell(robot),
            link.robot(),
            bounds,
            &cell.state(),
            epoch,
        )?;
        let inbox = Inbox::new(link)?;
        inbox.listen_for_stops_of(epoch);
        Ok(Self {
            cell,
            shell,
            outbox: Outbox::new(link, robot)?,
            id: arm_id(link.robot(), robot),
            inbox,
            observer,
            shared,
            pace: Pace::new(Duration::from_secs_f64(World::DT), Stamp::now()),
            camera_steps: DriverConfig::steps_per(config.camera_rate_hz),
            joint_state_steps: DriverConfig::steps_per(config.joint_state_rate_hz),
            steps: 0,
            statuses: 0,
            episode: 0,
            next_session: 0,
            last_event: None,
            is_over: true,
            wants_rearm: None,
            told_too_far: None,
        })
    }

    fn run(&mut self) -> WireReport {
        self.pace.restart(Stamp::now());
        while !self.shared.stop.load(Ordering::Relaxed) {
            self.serve_requests();
            self.step();
        }
        // The last session stays the last: no stop is left any more.
        self.wants_rearm = None;
        self.shell.stop(StopReason::Shutdown);
        let deadline = Stamp::now().after(SHUTDOWN);
        while !self.stands_still() && Stamp::now() < deadline {
            self.step();
        }
        self.step();
        let report = self.report();
        self.outbox.report(&report);
        report
    }

    /// Whether the arm is told to stand still, and does: drives lag behind what they are told.
    fn stands_still(&self) -> bool {
        let measured = self.cell.world().robot_state().dq;
        self.shell.is_at_rest() && measured.iter().all(|dq| dq.abs() < STANDING)
    }

    /// Waits for the next grid point, then commands in, physics on, states out.
    fn step(&mut self) {
        let wait = self.pace.sleep_for(Stamp::now());
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
        self.pace.advance(Stamp::now());
        for received in self.inbox.commands() {
            self.shell.receive(&received);
        }
        self.tell_arm_error();
        self.hear_stop();
        let Ok(state) = tick(&mut self.shell, &mut self.cell);
        self.publish_status(&state);
        if self.steps.is_multiple_of(self.camera_steps) {
            let mut cloud = self.cell.world().observe().cloud;
            cloud.stamp = state.stamp;
            self.outbox.cloud(&cloud);
            (self.observer)(self.cell.world());
        }
        if self.steps.is_multiple_of(self.joint_state_steps) {
            self.outbox.joint_state(&state);
        }
        if self.steps.is_multiple_of(SNAPSHOT_STEPS) {
            let report = self.report();
            *self
                .shared
                .report
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = report;
        }
        self.steps += 1;
        self.judge();
        if self.wants_rearm.is_some() && self.stands_still() {
            let acknowledges = self.wants_rearm.take() == Some(true);
            self.rearm(&state, acknowledges);
            // The same episode goes on under another number.
            if !self.is_over {
                self.say(EventKind::Started, String::new());
            }
        }
    }

    /// Once per session.
    fn tell_arm_error(&mut self) {
        let epoch = Some(self.shell.epoch());
        if let Some(error) = self.shell.arm_error()
            && self.told_too_far != epoch
        {
            self.told_too_far = epoch;
            tracing::warn!(%error, "driver: a session is not armed");
        }
    }

    fn publish_status(&mut self, state: &RobotState) {
        let mut status = RobotStatus::new(
            &self.id,
            self.shell.epoch(),
            self.statuses,
            state,
            self.shell.newest(state.stamp),
            self.shell.stop_reason(),
        );
        status.acknowledged = self.shell.is_acknowledged();
        status.refusal.extend(self.shell.refusal());
        self.statuses += 1;
        self.outbox.status(&status);
    }

    /// Says once how the episode ended.
    fn judge(&mut self) {
        if self.is_over {
            return;
        }
        let status = self.cell.world().task();
        if status.success {
            self.say(EventKind::Succeeded, String::new());
        } else if let Some(failure) = status.failure {
            self.say(EventKind::Failed, failure.name().to_owned());
        }
        self.is_over = status.success || status.failure.is_some();
    }

    fn say(&mut self, kind: EventKind, detail: String) {
        let event = event(&self.cell, self.shell.epoch(), self.episode, kind, detail);
        self.outbox.event(self.last_event.insert(event));
    }

    /// Who asked for a new session before a stop did not know of it: the stop has the last word.
    fn hear_stop(&mut self) {
        if self.inbox.takes_stop(self.shell.epoch()) {
            self.shell.stop(StopReason::Requested);
            self.wants_rearm = None;
            drop(self.inbox.request());
        }
    }

    fn serve_requests(&mut self) {
        self.hear_stop();
        if self.statuses >= self.next_session
            && let Some(request) = self.inbox.request()
        {
            self.next_session = self.statuses + SESSION_TICKS;
            match (request.kind, self.shell.fault()) {
                (_, Some(reason)) if !request.acknowledge => {
                    let error = ControlError::Fault { reason };
                    self.refuse(EventKind::AtFault, request.seed, error.to_string());
                }
                (RequestKind::Reset, _) => self.reset(request.seed, request.acknowledge),
                // Asked for while nothing is latched, it would undo a stop that is still to come.
                (RequestKind::Rearm, _) => {
                    self.wants_rearm = self.shell.is_latched().then_some(request.acknowledge);
                }
            }
        }
        if self.inbox.inquires(InquiryKind::Report) {
            let report = self.report();
            self.outbox.report(&report);
        }
        if self.inbox.inquires(InquiryKind::Repeat)
            && let Some(event) = &self.last_event
        {
            self.outbox.event(event);
        }
    }

    /// A new scene with the arm at home, at rest: the simulated arm is put there, not moved.
    fn reset(&mut self, seed: u64, acknowledges: bool) {
        if !self.is_over {
            let reason = self.shell.stop_reason();
            self.say(EventKind::Aborted, format!("reset; stop reason {reason:?}"));
            self.is_over = true;
        }
        if let Err(error) = self.cell.rebuild(seed) {
            // An event is one line.
            let detail = error.to_string().replace(char::is_control, " ");
            return self.refuse(EventKind::Refused, seed, detail);
        }
        self.wants_rearm = None;
        self.rearm(&self.cell.state(), acknowledges);
        self.episode += 1;
        self.is_over = false;
        self.steps = self.steps.next_multiple_of(self.camera_steps);
        self.say(EventKind::Started, String::new());
        self.pace.restart(Stamp::now());
    }

    fn refuse(&mut self, kind: EventKind, seed: u64, detail: String) {
        let mut refused = event(&self.cell, self.shell.epoch(), self.episode, kind, detail);
        refused.seed = seed;
        self.outbox.event(self.last_event.insert(refused));
    }

    fn rearm(&mut self, state: &RobotState, acknowledges: bool) {
        let epoch = self.shell.epoch() + 1;
        let armed = match acknowledges {
            true => self.shell.arm_acknowledging(epoch, state),
            false => self.shell.arm(epoch, state),
        };
        if let Err(error) = armed {
            tracing::error!(%error, "driver: not armed");
        }
        // Before a status tells of the session: who reads it may stop it.
        self.inbox.listen_for_stops_of(self.shell.epoch());
    }

    fn report(&self) -> WireReport {
        WireReport {
            link: self.inbox.counts(),
            steps: self.statuses,
            overruns: self.pace.overruns(),
            ..self.shell.report()
        }
    }
}

fn event(
    cell: &SimCell,
    epoch: u64,
    episode: u64,
    kind: EventKind,
    detail: String,
) -> EpisodeEvent {
    let scene = cell.world().scene();
    let variant = cell.world().episode().variant();
    EpisodeEvent {
        epoch,
        episode,
        seed: scene.seed,
        stamp_nanos: Stamp::now().as_nanos(),
        kind,
        target: variant.name.to_owned(),
        held_out: variant.is_held_out,
        detail,
    }
}
