//! A whole stack on simulated time: a controller under adversarial plans, the driver's shell, and a
//! vendor's rules behind it.

use std::sync::Arc;
use std::time::Duration;

use prehend_control::{
    ControlConfig, Controller, Mode, StopReason as Reason, gripper_turns, joint_bounds,
};
use prehend_link::Received;
use prehend_link::messages::{CommandMode, JointCommand as Message, StopReason};
use prehend_robot::Robot;
use prehend_types::{GripperState, JointCommand, JointPositions, RobotState, Stamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Abort, Decision, Ignored, Kind, Rules, Setpoint, plans};
use crate::{DriverError, Shell, ShellConfig};

/// Whose arm it is.
const ROBOT: &str = "rig";
/// Time between two ticks of a rig.
const TICK: Duration = Duration::from_millis(1);
/// A servo's count, rad: a driver goes on from its own setpoint if the vendor's is no further away.
const COUNT: f64 = std::f64::consts::TAU / 4096.0;
/// Time between two states that a controller that was stopped is looked at before it is armed, ticks.
const SETTLE_TICKS: u64 = 20;

/// Settings of a [`Rig`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RigConfig {
    /// Time to live of the controller's commands.
    pub valid_for: Duration,
    /// Time between two setpoints of the driver, whole milliseconds; the vendor's own if none.
    pub point_period: Option<Duration>,
    /// Chance that a new plan comes with a tick of the controller.
    pub plan_chance: f64,
    /// Whether somebody recovers the arm and arms it anew whenever it stopped.
    pub has_operator: bool,
}

impl Default for RigConfig {
    fn default() -> Self {
        Self {
            valid_for: Duration::from_millis(100),
            point_period: None,
            plan_chance: 0.01,
            has_operator: true,
        }
    }
}

/// What goes wrong in a tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Nothing.
    None,
    /// What the controller sends does not reach the driver.
    CommandLost,
    /// What the driver sends does not reach the vendor's controller.
    PointLost,
    /// The driver's setpoint is off by so much on joint 0, rad.
    Step(f64),
}

/// What a rig has seen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Findings {
    /// Milliseconds.
    pub ticks: u64,
    /// Setpoints that the driver sent, whether or not they arrived.
    pub points: u64,
    /// ... that the arm went to.
    pub followed: u64,
    /// Cycles that the vendor bridged.
    pub extrapolated: u64,
    /// Setpoints that came too fast to be taken.
    pub lost: u64,
    /// Setpoints at an impossible speed.
    pub too_fast: u64,
    /// Setpoints too far away.
    pub distant: u64,
    /// Setpoints that came after an abort.
    pub after_abort: u64,
    /// Motions that the vendor ended.
    pub aborts: u64,
    /// The first of them, and when, in ticks.
    pub first_abort: Option<(u64, Abort)>,
    /// States that could not be read.
    pub unread: u64,
    /// Times that the driver stopped the arm for good, whatever for.
    pub latched: u64,
    /// The first of them, when, in ticks, and why: in the driver's words, and in the controller's if it had
    /// stopped by then.
    pub first_latch: Option<(u64, StopReason, Option<Reason>)>,
    /// Times that the arm was armed anew.
    pub rearmed: u64,
    /// Fastest motion of a joint that a setpoint asked for, rad/s.
    pub fastest_point: f64,
    /// Setpoints of the shell that broke a limit of the robot's description.
    pub told_violations: u64,
    /// Way of all joints, rad.
    pub way: f64,
}

impl Findings {
    /// Adds another rig's.
    pub fn add(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.ticks, other.ticks),
            (&mut self.points, other.points),
            (&mut self.followed, other.followed),
            (&mut self.extrapolated, other.extrapolated),
            (&mut self.lost, other.lost),
            (&mut self.too_fast, other.too_fast),
            (&mut self.distant, other.distant),
            (&mut self.after_abort, other.after_abort),
            (&mut self.aborts, other.aborts),
            (&mut self.unread, other.unread),
            (&mut self.latched, other.latched),
            (&mut self.rearmed, other.rearmed),
            (&mut self.told_violations, other.told_violations),
        ] {
            *own += other;
        }
        self.first_abort = self.first_abort.or(other.first_abort);
        self.first_latch = self.first_latch.or(other.first_latch);
        self.fastest_point = self.fastest_point.max(other.fastest_point);
        self.way += other.way;
    }

    /// Setpoints that had no effect on an arm whose motion had not ended.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lost + self.too_fast + self.distant
    }

    /// Times that anything interfered with what the arm was to do: the vendor, by ending the motion or by
    /// dropping a setpoint; the driver, by stopping for good; the judge of what the driver tells. What a
    /// vendor bridges is none of these.
    #[must_use]
    pub fn interference(&self) -> u64 {
        self.aborts + self.dropped() + self.latched + self.told_violations
    }

    fn note(&mut self, decision: Decision) {
        match decision {
            Decision::Follow => self.followed += 1,
            Decision::Extrapolate => self.extrapolated += 1,
            Decision::Hold => {}
            Decision::Ignore(Ignored::Lost) => self.lost += 1,
            Decision::Ignore(Ignored::TooFast) => self.too_fast += 1,
            Decision::Ignore(Ignored::Distant) => self.distant += 1,
            Decision::Ignore(Ignored::Stopped) => self.after_abort += 1,
            Decision::Abort(_) => {}
        }
    }
}

/// A controller, a driver and a vendor, tick by tick.
#[derive(Debug)]
pub struct Rig {
    robot: Arc<Robot>,
    config: RigConfig,
    rng: ChaCha8Rng,
    controller: Controller,
    shell: Shell,
    rules: Box<dyn Rules>,
    state: RobotState,
    now: Stamp,
    epoch: u64,
    seq: u64,
    /// On its way to the vendor.
    point: Option<Setpoint>,
    /// Whether the abort that is in force was counted and told.
    is_abort_told: bool,
    /// Whether the stop of the driver that is in force was counted.
    is_latch_noted: bool,
    /// Ticks that everything has stood since it stopped.
    settled: u64,
    found: Findings,
}

impl Rig {
    /// A kind of vendor with its robot at home, armed.
    ///
    /// # Errors
    /// As [`Self::with_rules`].
    pub fn new(
        kind: Kind,
        robot: &Arc<Robot>,
        config: RigConfig,
        seed: u64,
    ) -> Result<Self, DriverError> {
        Self::with_rules(kind.rules(robot.home(), seed)?, robot, config, seed)
    }

    /// A vendor's rules with their arm at the robot's home; both are armed.
    ///
    /// # Errors
    /// [`DriverError`] if the vendor's arm is not the robot, or the robot cannot be controlled.
    pub fn with_rules(
        rules: Box<dyn Rules>,
        robot: &Arc<Robot>,
        config: RigConfig,
        seed: u64,
    ) -> Result<Self, DriverError> {
        rules.identity().check(robot)?;
        let now = Stamp::from_nanos(100_000_000_000);
        let state = RobotState {
            stamp: now,
            q: rules.motion().q,
            dq: rules.motion().dq,
            gripper: GripperState {
                width: 0.05,
                commanded: 1.0,
                is_grasping: false,
            },
        };
        let bounds = joint_bounds(robot)?;
        let period = config.point_period.unwrap_or(rules.period());
        let control = ControlConfig {
            state_rate_hz: 1.0 / rules.period().as_secs_f64(),
            ..ControlConfig::default()
        };
        let shell_config = ShellConfig {
            dt_s: period.as_secs_f64(),
            command_dt_s: control.dt_s(),
            max_valid_for: Duration::from_millis(200),
            max_jump_rad: 0.1,
            max_gripper_turns_per_s: gripper_turns(robot),
        };
        let epoch = 1;
        let bounds = &bounds[..robot.n_joints()];
        let mut shell = Shell::new(shell_config, ROBOT, bounds, &state, 0)?;
        shell.arm(epoch, &state)?;
        let mut rig = Self {
            controller: Controller::new(Arc::clone(robot), control)?,
            shell,
            robot: Arc::clone(robot),
            config: RigConfig {
                point_period: Some(period),
                ..config
            },
            rng: ChaCha8Rng::seed_from_u64(seed),
            rules,
            state,
            now,
            epoch,
            seq: 0,
            point: None,
            is_abort_told: false,
            is_latch_noted: false,
            settled: 0,
            found: Findings::default(),
        };
        // Positions of a servo's bus are rounded, and may be beyond a limit by half a count; then the arm
        // is not armed here but by the operator.
        _ = rig.controller.arm(&rig.state);
        Ok(rig)
    }

    /// One millisecond.
    pub fn tick(&mut self, fault: Fault) {
        self.now = self.now.after(TICK);
        self.found.ticks += 1;
        if self.is_due(Duration::from_secs_f64(self.controller.config().dt_s())) {
            self.control(fault);
        }
        if self.is_due(self.config.point_period.unwrap_or(TICK)) {
            self.drive(fault);
        }
        if self.is_due(self.rules.tick()) {
            let point = self.point.take();
            let decision = self.rules.step(self.now, point.as_ref());
            self.found.note(decision);
        }
        self.read();
        self.note_latch();
        if self.config.has_operator {
            self.operate();
        }
    }

    /// So many milliseconds without faults.
    pub fn run(&mut self, ticks: u64) {
        for _ in 0..ticks {
            self.tick(Fault::None);
        }
    }

    /// So many setpoints in a row are lost on their way to the vendor.
    pub fn lose_points(&mut self, points: u32) {
        let period = self.config.point_period.unwrap_or(TICK).as_millis() as u64;
        for _ in 0..u64::from(points) * period {
            self.tick(Fault::PointLost);
        }
    }

    fn is_due(&self, period: Duration) -> bool {
        (self.found.ticks).is_multiple_of((period.as_millis() as u64).max(1))
    }

    /// The controller's side of the wire.
    fn control(&mut self, fault: Fault) {
        if self.rng.random_bool(self.config.plan_chance) {
            plans::give(&mut self.rng, &self.robot, &mut self.controller, self.now);
        }
        let command = self.controller.tick(&self.state, self.now).command;
        let sends = self.controller.mode().is_running() && fault != Fault::CommandLost;
        if sends {
            let received = self.message(&command);
            self.shell.receive(&received);
        }
    }

    fn message(&mut self, command: &JointCommand) -> Received<Message> {
        self.seq += 1;
        let nanos = self.now.as_nanos();
        Received {
            message: Message {
                robot: ROBOT.to_owned(),
                epoch: self.epoch,
                seq: self.seq,
                stamp_nanos: nanos,
                sent_nanos: nanos,
                valid_for_nanos: self.config.valid_for.as_nanos() as u64,
                q_d: command.q_d.to_vec(),
                dq_d: command.dq_d.to_vec(),
                gripper_opening: command.gripper.opening,
                mode: CommandMode::Track,
            },
            at: self.now,
            sender: None,
        }
    }

    /// The driver's side: one setpoint.
    fn drive(&mut self, fault: Fault) {
        let motion = *self.rules.motion();
        let apart = |q: &JointPositions| {
            let pairs = q.iter().zip(motion.q.iter());
            pairs.fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()))
        };
        let was_bridged = self.rules.aborted().is_none() && self.bridged(apart(self.shell.q_d()));
        if was_bridged
            && self
                .shell
                .resume_from(&motion.q, &motion.dq, &motion.ddq)
                .is_err()
        {
            self.shell.stop(StopReason::Fault);
        }
        let (told, _) = self.shell.next(self.now);
        if self.shell.is_latched() {
            self.controller.stop(Reason::Peer);
        }
        let mut q = told.q_d;
        if let Fault::Step(rad) = fault {
            q[0] += rad;
        }
        let period = self.config.point_period.unwrap_or(TICK).as_secs_f64();
        self.found.points += 1;
        self.found.fastest_point = self.found.fastest_point.max(apart(&q) / period);
        self.point = (fault != Fault::PointLost).then_some(Setpoint { q, valid_for: None });
    }

    /// Whether the vendor's controller is not where it was told to be. A servo's bus rounds.
    fn bridged(&self, apart: f64) -> bool {
        apart > if self.rules.rounds() { COUNT } else { 0.0 }
    }

    fn read(&mut self) {
        let motion = self.rules.motion();
        let dt = TICK.as_secs_f64();
        self.found.way += motion.dq.iter().map(|dq| dq.abs() * dt).sum::<f64>();
        // The vendor's controller says where the arm is as often as it is told where to go.
        if self.is_due(self.rules.period()) {
            if self.rules.is_readable() {
                self.state.stamp = self.now;
                (self.state.q, self.state.dq) = (motion.q, motion.dq);
            } else {
                self.found.unread += 1;
            }
        }
        let aborted = self.rules.aborted();
        if let Some(abort) = aborted
            && !self.is_abort_told
        {
            self.found.aborts += 1;
            self.found
                .first_abort
                .get_or_insert((self.found.ticks, abort));
            self.shell.stop(StopReason::Fault);
            self.controller.stop(Reason::DriverFault);
        }
        self.is_abort_told = aborted.is_some();
    }

    fn note_latch(&mut self) {
        let is_latched = self.shell.is_latched();
        if is_latched && !self.is_latch_noted {
            self.found.latched += 1;
            let (driver, controller) = (self.shell.stop_reason(), self.controller.stop_reason());
            let first = (self.found.ticks, driver, controller);
            self.found.first_latch.get_or_insert(first);
        }
        self.is_latch_noted = is_latched;
    }

    /// Recovers and arms everything, once it stands.
    fn operate(&mut self) {
        let is_stopped = self.rules.aborted().is_some()
            || self.shell.is_latched()
            || !self.controller.mode().is_running();
        let stands = self.rules.motion().is_at_rest() && self.controller.is_at_rest();
        self.settled = if is_stopped && stands {
            self.settled + 1
        } else {
            0
        };
        if self.settled >= SETTLE_TICKS && self.rearm() {
            self.settled = 0;
            self.found.rearmed += 1;
        }
    }

    /// What an operator does: at the vendor's panel, for the driver and for the controller.
    pub fn rearm(&mut self) -> bool {
        self.epoch += 1;
        self.rules.recover()
            && (self.shell.arm_acknowledging(self.epoch, &self.state)).is_ok()
            && self.rearm_controller()
    }

    /// What an operator does for the controller alone.
    pub fn rearm_controller(&mut self) -> bool {
        if self.controller.mode() != Mode::Disarmed {
            self.controller.reset();
        }
        self.controller.arm(&self.state).is_ok()
    }

    /// The vendor's side.
    pub fn rules_mut(&mut self) -> &mut dyn Rules {
        self.rules.as_mut()
    }

    /// The driver's side.
    #[must_use]
    pub fn shell(&self) -> &Shell {
        &self.shell
    }

    /// The controller.
    #[must_use]
    pub fn controller(&self) -> &Controller {
        &self.controller
    }

    /// What was seen so far.
    #[must_use]
    pub fn findings(&self) -> Findings {
        Findings {
            told_violations: self.shell.report().told_violations,
            ..self.found
        }
    }
}
