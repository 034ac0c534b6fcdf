//! Turns received commands into what the arm is told, tick by tick, and into a stop when they cease.
//!
//! The driver-side half of safety, for any arm: it runs where the motors are, so it works when the
//! sender, the link or the whole other process is gone. Pure: time and messages come in as arguments.
//!
//! A command carries the arm on for a moment; after that the arm brakes as if no other command ever came.
//! The next one takes over from there, and the gap to the commanded path is closed inside the limits. So
//! lost commands neither freeze the arm nor repeat a position nor end in a lurch, and when the time to
//! live is over the stop is already under way. A stop latches: only a new epoch ends it.
//!
//! When the arm may move is decided by [`SafetyState`], as on the controller's side: a new session is
//! being armed until its first command has shown that it begins where the arm stands. A shell starts without
//! a session, and what broke must be acknowledged before there is another.
//!
//! Whatever a sender asks for, the arm is told only what [`Follower`] allows: inside every limit, and
//! always able to stop inside them.

use std::time::Duration;

use prehend_control::{
    ArmError, ControlError, Follower, GripperLimiter, JointBounds, Mode, SafetyEvent, SafetyState,
    StopReason as Reason,
};
use prehend_link::messages::{ArmRefusal, CommandMode, JointCommand as Message, StopReason};
use prehend_link::{Accepted, CommandGate, Received};
use prehend_types::{
    GripperCommand, JointAccelerations, JointCommand, JointPositions, JointVelocities, Plant,
    RobotState, Stamp,
};

use crate::{Recorder, WireReport};

/// How long a command carries the arm on: a hiccup of a desktop's scheduler, as many ticks of 1 ms as
/// Franka's own controller bridges.
const CARRY: Duration = Duration::from_millis(20);
/// Velocities above this share of a joint's limit are not carried on.
const VELOCITY_SLACK: f64 = 1.1;
/// The gripper may turn so much more often than a controller lets it, whose commands come unevenly.
const GRIPPER_SLACK: f64 = 1.25;

/// Settings of a [`Shell`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShellConfig {
    /// Time between two ticks, s.
    pub dt_s: f64,
    /// Nominal time between two commands, s, by which the recorder takes differences.
    pub command_dt_s: f64,
    /// Longest time to live that a command is granted.
    pub max_valid_for: Duration,
    /// A command further than this from where the arm is told to be is not followed, rad.
    pub max_jump_rad: f64,
    /// How often the gripper may turn, see [`GripperLimiter`], 1/s.
    pub max_gripper_turns_per_s: f64,
}

/// Decides, tick by tick, what the arm is told.
#[derive(Debug, Clone)]
pub struct Shell {
    config: ShellConfig,
    bounds: Vec<JointBounds>,
    gate: CommandGate,
    recorder: Recorder,
    safety: SafetyState,
    /// Whether whoever asked for the running session has seen to what broke before.
    acknowledged: bool,
    /// Why the newest command that was refused at arming was.
    arm_error: Option<ArmError>,
    /// While the session is being armed: the joint that is too far from where it is told to be.
    refusal: Option<ArmRefusal>,
    /// Accepted and not yet used.
    fresh: Option<Accepted>,
    /// Accepted last, used or not, and the one before it.
    newest: Option<Accepted>,
    before: Option<Accepted>,
    /// What the arm is told, and how it goes on from there.
    follower: Follower,
    gripper: GripperLimiter,
}

impl Shell {
    /// A shell for the arm of `robot` that stands still at `state`, in no session: it follows nobody until
    /// [`Self::arm`]. `epoch` is what its status shows until then.
    ///
    /// # Errors
    /// [`ControlError`] if limits and state do not belong together or are not finite.
    pub fn new(
        config: ShellConfig,
        robot: &str,
        bounds: &[JointBounds],
        state: &RobotState,
        epoch: u64,
    ) -> Result<Self, ControlError> {
        Ok(Self {
            config,
            bounds: bounds.to_vec(),
            gate: CommandGate::new(robot, state.q.len(), epoch, config.max_valid_for),
            recorder: Recorder::new(bounds, config.command_dt_s, config.dt_s),
            safety: SafetyState::new(),
            acknowledged: false,
            arm_error: None,
            refusal: None,
            fresh: None,
            newest: None,
            before: None,
            follower: standing(bounds, config.dt_s, &state.q)?,
            gripper: GripperLimiter::new(
                GRIPPER_SLACK * config.max_gripper_turns_per_s,
                state.gripper.commanded,
            ),
        })
    }

    /// Starts a new session with the arm standing still at `state`, for an operator who asked for it.
    /// Leaves any stop but a fault; counts go on.
    ///
    /// # Errors
    /// [`ControlError`] if the state is not this arm's, or not finite, or the epoch was used before, or
    /// something broke; the old session then goes on.
    pub fn arm(&mut self, epoch: u64, state: &RobotState) -> Result<(), ControlError> {
        self.begin(epoch, state, None)
    }

    /// As [`Self::arm`], for an operator who has seen to what broke before: leaves a fault too.
    ///
    /// # Errors
    /// As [`Self::arm`].
    pub fn arm_acknowledging(
        &mut self,
        epoch: u64,
        state: &RobotState,
    ) -> Result<(), ControlError> {
        self.begin(epoch, state, Some(SafetyEvent::Reset))
    }

    fn begin(
        &mut self,
        epoch: u64,
        state: &RobotState,
        acknowledge: Option<SafetyEvent>,
    ) -> Result<(), ControlError> {
        let follower = standing(&self.bounds, self.config.dt_s, &state.q)?;
        let ends_the_old = [SafetyEvent::Stop(Reason::Requested), SafetyEvent::AtRest];
        let begins = (ends_the_old.into_iter())
            .chain(acknowledge)
            .chain([SafetyEvent::Arm { epoch }]);
        let armed = begins.fold(self.safety, |safety, event| safety.step(event).0);
        match (armed.mode(), armed.stop_reason()) {
            (Mode::Arming, _) => {}
            (Mode::Fault, Some(reason)) => return Err(ControlError::Fault { reason }),
            _ => {
                return Err(ControlError::OldEpoch {
                    epoch,
                    spent: armed.spent(),
                });
            }
        }
        self.safety = armed;
        self.acknowledged = acknowledge.is_some();
        self.arm_error = None;
        self.refusal = None;
        self.follower = follower;
        self.gripper.place(state.gripper.commanded);
        self.gate.arm(epoch);
        self.fresh = None;
        self.newest = None;
        self.before = None;
        Ok(())
    }

    /// Takes in a command.
    pub fn receive(&mut self, received: &Received<Message>) {
        self.recorder.received(&received.message, received.at);
        let Ok(accepted) = self.gate.admit(received) else {
            return;
        };
        if self.is_latched() {
            self.recorder.report.ignored_while_stopped += 1;
            return;
        }
        if accepted.mode == CommandMode::Stop {
            self.stop(StopReason::Requested);
            return;
        }
        if self.refusal.is_some() {
            self.recorder.report.refused_at_arming += 1;
            return;
        }
        if self.jumps(&accepted.command) {
            self.recorder.report.jumps_refused += 1;
            if self.safety.mode() == Mode::Arming {
                self.arm_error = self.too_far(&accepted.command.q_d).or(self.arm_error);
            }
            return;
        }
        self.before = self.newest.replace(accepted);
        self.fresh = Some(accepted);
    }

    /// Compares where the arm was measured with where it is told to be. Until its first command has passed a
    /// session in which the two differ by more than a command may takes none, and says so.
    pub fn observe(&mut self, state: &RobotState) {
        self.refusal = None;
        if self.safety.mode() != Mode::Arming {
            return;
        }
        if let Some(error) = self.too_far(&state.q)
            && let ArmError::Distance {
                joint_idx,
                distance,
                limit,
            } = error
        {
            self.arm_error = Some(error);
            self.refusal = Some(ArmRefusal {
                joint_idx: joint_idx as u32,
                distance_rad: distance,
                limit_rad: limit,
            });
        }
    }

    /// Goes on from where the arm's own controller is: it bridged setpoints that were lost on their way to
    /// it, and the next one has to continue what it made up. `dq` and `ddq` are differences over one tick.
    ///
    /// # Errors
    /// [`ControlError`] if that is no motion of this arm; the shell then goes on from what it told last.
    pub fn resume_from(
        &mut self,
        q: &JointPositions,
        dq: &JointVelocities,
        ddq: &JointAccelerations,
    ) -> Result<(), ControlError> {
        self.follower = Follower::new(&self.bounds, self.config.dt_s, q, dq, ddq)?;
        self.recorder.resumed();
        Ok(())
    }

    /// Brings the arm to rest and keeps it there until [`Self::arm`]. The first reason stays, unless a
    /// fault follows.
    pub fn stop(&mut self, reason: StopReason) {
        let reason = match reason {
            // A stop without a reason is a wish.
            StopReason::None
            | StopReason::NotArmed
            | StopReason::NoSession
            | StopReason::Requested => Reason::Requested,
            StopReason::Expired => Reason::Expired,
            StopReason::Fault => Reason::DriverFault,
            StopReason::Shutdown => Reason::Shutdown,
        };
        if !self.is_latched() {
            match reason {
                Reason::Expired => self.recorder.report.expiry_stops += 1,
                Reason::Requested => self.recorder.report.requested_stops += 1,
                _ => {}
            }
        }
        self.change(SafetyEvent::Stop(reason));
        self.fresh = None;
    }

    fn change(&mut self, event: SafetyEvent) {
        (self.safety, _) = self.safety.step(event);
    }

    /// What the arm is told at `now`, and the command's expiry if it follows one.
    pub fn next(&mut self, now: Stamp) -> (JointCommand, Option<Stamp>) {
        let mut expires = None;
        if let Some(accepted) = self.fresh.take() {
            if now < accepted.expires {
                self.change(SafetyEvent::ArmingPassed);
                expires = Some(accepted.expires);
            } else {
                self.recorder.report.expired_unused += 1;
            }
        }
        if self.newest.is_some_and(|newest| now >= newest.expires) {
            self.stop(StopReason::Expired);
        }
        match self.newest {
            Some(newest)
                if self.safety.mode().is_running()
                    && (expires.is_some() || now.saturating_since(newest.sent) <= CARRY) =>
            {
                self.follow(&newest, now);
            }
            _ => self.follower.stop(),
        }
        if self.follower.is_at_rest() {
            self.change(SafetyEvent::AtRest);
        }
        let told = JointCommand {
            q_d: *self.follower.q(),
            dq_d: *self.follower.dq(),
            gripper: GripperCommand {
                opening: self.gripper.opening(),
            },
        };
        self.recorder.told(self.gate.epoch(), &told);
        (told, expires)
    }

    /// Notes that the arm is told at `at` to follow a command.
    pub fn executed(&mut self, expires: Stamp, at: Stamp) {
        self.recorder.executed(expires, at);
    }

    /// Whether a command is too far from where the arm is, or too fast to be carried on.
    fn jumps(&self, command: &JointCommand) -> bool {
        let is_wild = |joint_idx: usize| {
            let distance = (command.q_d[joint_idx] - self.follower.q()[joint_idx]).abs();
            distance > self.config.max_jump_rad
                || command.dq_d[joint_idx].abs()
                    > VELOCITY_SLACK * self.bounds[joint_idx].max_velocity
        };
        (0..command.q_d.len()).any(is_wild)
    }

    /// The joint that is told to be furthest from these positions, as a refusal to arm.
    fn too_far(&self, q: &JointPositions) -> Option<ArmError> {
        let apart = (q.iter().zip(self.follower.q().iter())).map(|(q, q_d)| (q - q_d).abs());
        let furthest = apart.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        let limit = self.config.max_jump_rad;
        furthest
            .filter(|(_, distance)| *distance > limit)
            .map(|(joint_idx, distance)| ArmError::Distance {
                joint_idx,
                distance,
                limit,
            })
    }

    /// One tick towards where the command is at `now`: it is a little old when a tick comes to use it, so
    /// its own motion carries it on. Without this the sender's and the driver's rates would beat against
    /// each other in the arm's speed.
    fn follow(&mut self, accepted: &Accepted, now: Stamp) {
        let ahead = now
            .seconds_since(accepted.stamp)
            .clamp(0.0, CARRY.as_secs_f64());
        let (mut q_d, mut dq_d) = (accepted.command.q_d, accepted.command.dq_d);
        for joint_idx in 0..q_d.len() {
            let ddq = self.acceleration(joint_idx);
            q_d[joint_idx] += (dq_d[joint_idx] + 0.5 * ddq * ahead) * ahead;
            dq_d[joint_idx] += ddq * ahead;
        }
        if !self.follower.follow(&q_d, &dq_d) {
            self.recorder.report.held_back += 1;
        }
        let turns_too_soon = self.gripper.follow(accepted.command.gripper.opening, now);
        self.recorder.report.gripper_held_back += u64::from(turns_too_soon);
    }

    /// Acceleration of one joint, from the velocities of the last two commands; zero if it is not known.
    fn acceleration(&self, joint_idx: usize) -> f64 {
        let Some((newest, before)) = self.newest.zip(self.before) else {
            return 0.0;
        };
        let dt = newest.stamp.seconds_since(before.stamp);
        if !(dt > 0.0 && dt <= 2.0 * self.config.dt_s.max(self.config.command_dt_s)) {
            return 0.0;
        }
        let most = self.bounds[joint_idx].max_acceleration;
        let ddq = (newest.command.dq_d[joint_idx] - before.command.dq_d[joint_idx]) / dt;
        ddq.clamp(-most, most)
    }

    /// Whether the arm is told to stand still.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.fresh.is_none() && self.follower.is_at_rest()
    }

    /// Whether the arm is stopped until [`Self::arm`], or was never armed.
    #[must_use]
    pub fn is_latched(&self) -> bool {
        self.safety.mode().is_stop() || self.safety.mode() == Mode::Disarmed
    }

    /// What broke and is not acknowledged yet.
    #[must_use]
    pub fn fault(&self) -> Option<Reason> {
        self.safety.stop_reason().filter(|reason| reason.is_fault())
    }

    /// Whether whoever asked for the running session has seen to what broke before.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged
    }

    /// Why commands are not followed.
    #[must_use]
    pub fn stop_reason(&self) -> StopReason {
        match self.safety.stop_reason() {
            None if self.safety.mode().is_running() => StopReason::None,
            None if self.safety.mode() == Mode::Disarmed => StopReason::NoSession,
            None => StopReason::NotArmed,
            Some(Reason::Expired) => StopReason::Expired,
            Some(Reason::Shutdown) => StopReason::Shutdown,
            Some(reason) if reason.is_fault() => StopReason::Fault,
            Some(_) => StopReason::Requested,
        }
    }

    /// Why the newest command that would have armed the session did not: the joint that it would have
    /// begun too far from, and how far.
    #[must_use]
    pub fn arm_error(&self) -> Option<ArmError> {
        self.arm_error
    }

    /// Why the session cannot be armed now, if it cannot: for the status.
    #[must_use]
    pub fn refusal(&self) -> Option<ArmRefusal> {
        self.refusal
    }

    /// The session whose commands are followed.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.gate.epoch()
    }

    /// Positions that the arm was told last.
    #[must_use]
    pub fn q_d(&self) -> &JointPositions {
        self.follower.q()
    }

    /// The newest command that may move or moved the arm in this epoch: its number and its age.
    #[must_use]
    pub fn newest(&self, now: Stamp) -> Option<(u64, Duration)> {
        let newest = self.newest?;
        Some((newest.seq, now.saturating_since(newest.sent)))
    }

    /// The account so far; the link's and the loop's own numbers are for the caller to fill in.
    #[must_use]
    pub fn report(&self) -> WireReport {
        WireReport {
            gate: self.gate.counts(),
            ..self.recorder.report()
        }
    }
}

/// An arm that stands still.
fn standing(
    bounds: &[JointBounds],
    dt_s: f64,
    q: &JointPositions,
) -> Result<Follower, ControlError> {
    let n_joints = q.len();
    let count = |_| ControlError::JointCount { n_joints };
    let dq = JointVelocities::zeros(n_joints).map_err(count)?;
    let ddq = JointAccelerations::zeros(n_joints).map_err(count)?;
    Follower::new(bounds, dt_s, q, &dq, &ddq)
}

/// One tick of any arm: decides, tells the arm, and reads it.
///
/// # Errors
/// What the arm says. The shell is then stopped as at fault, and goes on deciding.
pub fn tick<P: Plant>(shell: &mut Shell, plant: &mut P) -> Result<RobotState, P::Error> {
    let (command, expires) = shell.next(Stamp::now());
    if let Some(expires) = expires {
        // Measured again and not taken from the decision, so that the count of expired commands
        // that moved the arm can be other than zero.
        shell.executed(expires, Stamp::now());
    }
    let state = plant.write(&command).and_then(|()| plant.read());
    match &state {
        Ok(state) => shell.observe(state),
        Err(_) => shell.stop(StopReason::Fault),
    }
    state
}
