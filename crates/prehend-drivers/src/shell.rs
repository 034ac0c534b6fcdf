//! Turns received commands into what the arm is told, tick by tick, and into a stop when they cease.
//!
//! The driver-side half of safety, for any arm: it runs where the motors are, so it works when the
//! sender, the link or the whole other process is gone. Pure: time and messages come in as arguments.
//!
//! A command carries the arm on at its own velocity for a moment; after that the arm glides along the
//! stop that would follow if no other command ever came. The next one takes over from there, and what
//! lies between the two paths fades out. So lost commands neither freeze the arm nor repeat a position
//! nor end in a lurch, and when the time to live is over the stop is already under way. A stop
//! latches: only a new epoch ends it.

use std::time::Duration;

use prehend_control::{ControlError, JointBounds, SoftStop};
use prehend_link::messages::{CommandMode, JointCommand as Message, StopReason};
use prehend_link::{Accepted, CommandGate};
use prehend_types::{
    GripperCommand, JointAccelerations, JointCommand, JointPositions, JointVelocities, Plant,
    RobotState, Stamp,
};

use crate::{Recorder, WireReport};

/// How long a command carries the arm on at its own velocity: a hiccup of a desktop's scheduler, as
/// many ticks of 1 ms as Franka's own controller bridges.
const CARRY: Duration = Duration::from_millis(20);
/// Velocities above this share of a joint's limit are not carried on.
const VELOCITY_SLACK: f64 = 1.1;
/// Ticks over which the arm returns from a glide to the commanded path.
const FADE_TICKS: u32 = 20;

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
}

/// Decides, tick by tick, what the arm is told.
#[derive(Debug, Clone)]
pub struct Shell {
    config: ShellConfig,
    bounds: Vec<JointBounds>,
    gate: CommandGate,
    recorder: Recorder,
    stop_reason: StopReason,
    /// Accepted and not yet used.
    fresh: Option<Accepted>,
    /// Accepted last, used or not, and the one before it.
    newest: Option<Accepted>,
    before: Option<Accepted>,
    /// The stop under way while no command is fresh.
    glide: Option<SoftStop>,
    /// From the commanded path to where a glide had led when commands came back, fading out.
    offset: JointPositions,
    offset_rate: JointVelocities,
    fade_tick: u32,
    /// What the arm was told last.
    told: JointCommand,
    standstill: JointAccelerations,
}

impl Shell {
    /// A shell for an arm that stands still at `state`, which takes commands of `epoch`.
    ///
    /// # Errors
    /// [`ControlError`] if limits and state do not belong together or are not finite.
    pub fn new(
        config: ShellConfig,
        bounds: &[JointBounds],
        state: &RobotState,
        epoch: u64,
    ) -> Result<Self, ControlError> {
        let n_joints = state.q.len();
        let still = JointVelocities::from_slice(&vec![0.0; n_joints])
            .map_err(|_| ControlError::JointCount { n_joints })?;
        let standstill = JointAccelerations::from_slice(&still)
            .map_err(|_| ControlError::JointCount { n_joints })?;
        // Whatever a later stop would refuse is refused now.
        SoftStop::new(bounds, config.dt_s, &state.q, &still, &standstill)?;
        Ok(Self {
            config,
            bounds: bounds.to_vec(),
            gate: CommandGate::new(n_joints, epoch, config.max_valid_for),
            recorder: Recorder::new(bounds, config.command_dt_s),
            stop_reason: StopReason::NotArmed,
            fresh: None,
            newest: None,
            before: None,
            glide: None,
            offset: state.q.map(|_| 0.0),
            offset_rate: still,
            fade_tick: FADE_TICKS,
            told: JointCommand {
                q_d: state.q,
                dq_d: still,
                gripper: GripperCommand {
                    opening: state.gripper.commanded,
                },
            },
            standstill,
        })
    }

    /// Starts a new session with the arm standing still at `state`. Leaves any stop; counts go on.
    pub fn arm(&mut self, epoch: u64, state: &RobotState) {
        self.gate.arm(epoch);
        self.stop_reason = StopReason::NotArmed;
        self.fresh = None;
        self.newest = None;
        self.before = None;
        self.glide = None;
        self.fade_tick = FADE_TICKS;
        self.told = JointCommand {
            q_d: state.q,
            dq_d: self.told.dq_d.map(|_| 0.0),
            gripper: GripperCommand {
                opening: state.gripper.commanded,
            },
        };
    }

    /// Takes in a command that arrived at `arrived`.
    pub fn receive(&mut self, message: &Message, arrived: Stamp) {
        self.recorder.received(message, arrived);
        let Ok(accepted) = self.gate.admit(message, arrived) else {
            return;
        };
        if !matches!(self.stop_reason, StopReason::None | StopReason::NotArmed) {
            self.recorder.report.ignored_while_stopped += 1;
            return;
        }
        if accepted.mode == CommandMode::Stop {
            self.stop(StopReason::Requested);
            return;
        }
        if self.jumps(&accepted.command) {
            self.recorder.report.jumps_refused += 1;
            return;
        }
        self.before = self.newest.replace(accepted);
        self.fresh = Some(accepted);
    }

    /// Brings the arm to rest and keeps it there until [`Self::arm`]. The first reason stays.
    pub fn stop(&mut self, reason: StopReason) {
        if !matches!(self.stop_reason, StopReason::None | StopReason::NotArmed) {
            return;
        }
        match reason {
            StopReason::Expired => self.recorder.report.expiry_stops += 1,
            StopReason::Requested => self.recorder.report.requested_stops += 1,
            _ => {}
        }
        self.stop_reason = reason;
        self.fresh = None;
    }

    /// What the arm is told at `now`, and the command's expiry if it follows one.
    pub fn next(&mut self, now: Stamp) -> (JointCommand, Option<Stamp>) {
        if let Some(accepted) = self.fresh.take() {
            if now < accepted.expires {
                self.stop_reason = StopReason::None;
                self.follow(&accepted, now);
                return (self.told, Some(accepted.expires));
            }
            self.recorder.report.expired_unused += 1;
        }
        if self.newest.is_some_and(|newest| now >= newest.expires) {
            self.stop(StopReason::Expired);
        }
        let is_following = self.stop_reason == StopReason::None && self.glide.is_none();
        match self.newest {
            Some(newest) if is_following && now.saturating_since(newest.sent) <= CARRY => {
                self.follow(&newest, now);
            }
            _ => self.glide_on(),
        }
        (self.told, None)
    }

    /// Notes that the arm is told at `at` to follow a command.
    pub fn executed(&mut self, expires: Stamp, at: Stamp) {
        self.recorder.executed(expires, at);
    }

    /// Whether a command is too far from where the arm is, or too fast to be carried on.
    fn jumps(&self, command: &JointCommand) -> bool {
        let is_wild = |joint_idx: usize| {
            let distance = (command.q_d[joint_idx] - self.told.q_d[joint_idx]).abs();
            distance > self.config.max_jump_rad
                || command.dq_d[joint_idx].abs()
                    > VELOCITY_SLACK * self.bounds[joint_idx].max_velocity
        };
        (0..command.q_d.len()).any(is_wild)
    }

    /// The setpoint at `now`: a command is a little old when a tick comes to use it, so its own
    /// velocity carries it on. Without this the sender's and the driver's rates would beat against
    /// each other in the arm's speed.
    fn follow(&mut self, accepted: &Accepted, now: Stamp) {
        let ahead = now
            .seconds_since(accepted.stamp)
            .clamp(0.0, CARRY.as_secs_f64());
        let mut command = accepted.command;
        for (q, dq) in command.q_d.iter_mut().zip(command.dq_d.iter()) {
            *q += dq * ahead;
        }
        if self.glide.is_some() {
            self.glide_on();
            self.glide = None;
            self.fade_tick = 0;
            for joint_idx in 0..command.q_d.len() {
                self.offset[joint_idx] = self.told.q_d[joint_idx] - command.q_d[joint_idx];
                self.offset_rate[joint_idx] = self.told.dq_d[joint_idx] - command.dq_d[joint_idx];
            }
        }
        self.fade(&mut command);
        self.told = command;
    }

    /// Adds what is left of the offset, a cubic from the glide's position and velocity to none.
    fn fade(&mut self, command: &mut JointCommand) {
        if self.fade_tick >= FADE_TICKS {
            return;
        }
        let duration = f64::from(FADE_TICKS) * self.config.dt_s;
        let s = f64::from(self.fade_tick) / f64::from(FADE_TICKS);
        self.fade_tick += 1;
        for joint_idx in 0..command.q_d.len() {
            let (offset, rate) = (self.offset[joint_idx], self.offset_rate[joint_idx]);
            // Hermite's basis for the start's position and velocity, and its derivative.
            command.q_d[joint_idx] += (2.0 * s - 3.0) * s * s * offset
                + offset
                + ((s - 2.0) * s + 1.0) * s * duration * rate;
            command.dq_d[joint_idx] +=
                6.0 * (s - 1.0) * s * offset / duration + ((3.0 * s - 4.0) * s + 1.0) * rate;
        }
    }

    /// One tick of the stop that begins where the last command ended.
    fn glide_on(&mut self) {
        if self.glide.is_none() {
            self.glide = SoftStop::new(
                &self.bounds,
                self.config.dt_s,
                &self.told.q_d,
                &self.told.dq_d,
                &self.acceleration(),
            )
            .ok();
        }
        match &mut self.glide {
            Some(glide) if !glide.is_at_rest() => {
                let (q_d, dq_d) = glide.advance();
                self.told.q_d = q_d;
                self.told.dq_d = dq_d;
            }
            _ => self.told.dq_d = self.told.dq_d.map(|_| 0.0),
        }
    }

    /// Acceleration of the last two commands, from their velocities; zero if it is not known.
    fn acceleration(&self) -> JointAccelerations {
        let known =
            self.newest.zip(self.before).and_then(|(newest, before)| {
                let dt = newest.stamp.seconds_since(before.stamp);
                (dt > 0.0 && dt <= 2.0 * self.config.dt_s.max(self.config.command_dt_s))
                    .then_some((newest.command.dq_d, before.command.dq_d, dt))
            });
        let mut ddq = self.standstill;
        if let Some((newest, before, dt)) = known {
            for ((ddq, newest), before) in ddq.iter_mut().zip(newest.iter()).zip(before.iter()) {
                *ddq = (newest - before) / dt;
            }
        }
        ddq
    }

    /// Whether the arm is told to stand still.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.fresh.is_none() && self.told.dq_d.iter().all(|dq| *dq == 0.0)
    }

    /// Why commands are not followed.
    #[must_use]
    pub fn stop_reason(&self) -> StopReason {
        self.stop_reason
    }

    /// The session whose commands are followed.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.gate.epoch()
    }

    /// Positions that the arm was told last.
    #[must_use]
    pub fn q_d(&self) -> &JointPositions {
        &self.told.q_d
    }

    /// The newest command that may move or moved the arm in this session: its number and its age.
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
    if state.is_err() {
        shell.stop(StopReason::Fault);
    }
    state
}
