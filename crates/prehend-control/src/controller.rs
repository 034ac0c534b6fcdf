//! Turns (state, plan, now) into one safe joint command.

mod arming;
mod limits;
mod plan;
mod report;
mod track;

use std::sync::Arc;

use plan::{Plan, Target};
use prehend_robot::Robot;
use prehend_types::{
    ActionChunk, GripperCommand, JointCommand, JointPlan, Pose, RobotState, Stamp,
};
pub use report::{ChunkReport, Tick};

use crate::drive::Drive;
use crate::gripper::{GripperLimiter, gripper_turns};
use crate::history::{History, Place};
use crate::joint_path::JointPath;
use crate::path::Path;
use crate::reference::Reference;
use crate::safety::{SafetyEvent, SafetyState};
use crate::tracking::Tracking;
use crate::watch::Watch;
use crate::{
    ArmError, ChunkError, ControlConfig, ControlError, LimitCounters, LimitReason, LimitSet, Mode,
    StopReason, check,
};

/// The stepper behind every arm, simulated or real.
///
/// Made once; after that no method allocates, locks, waits or logs. Call [`Self::tick`] once per
/// period of `1 / rate_hz`: every command continues the one before it by exactly that time, so a
/// missed tick is skipped and never made up for by a second command.
///
/// Plans are anchored at the *commanded* tool pose at their start, and the joints are driven from the
/// commanded positions; the measured state decides about arming and faults.
#[derive(Debug, Clone)]
pub struct Controller {
    drive: Drive,
    config: ControlConfig,
    safety: SafetyState,
    arm_error: Option<ArmError>,
    /// Stamp of the state that the arm was taken over at.
    taken_over_at: Stamp,
    history: History,
    plan: Option<Plan>,
    gripper: GripperLimiter,
    counters: LimitCounters,
    watch: Watch,
    tracking: Tracking,
    bad_chunks: u32,
}

impl Controller {
    /// A controller at its robot's home, not armed. The robot's own cap on the tool's speed holds too.
    ///
    /// # Errors
    /// [`ControlError`] naming the setting or the joint that is wrong.
    pub fn new(robot: Arc<Robot>, config: ControlConfig) -> Result<Self, ControlError> {
        config.check()?;
        let config = ControlConfig {
            max_tcp_speed_m_per_s: config.max_tcp_speed_m_per_s.min(robot.tcp_speed().run),
            ..config
        };
        let gripper = GripperLimiter::new(gripper_turns(&robot), 1.0);
        let longest = config.max_chunk_age_s * config.rate_hz;
        let tracking = Tracking::new(&robot, config.max_tracking_error_rad);
        let drive = Drive::new(robot, &config)?;
        Ok(Self {
            history: History::new(longest as usize + 8, place(&drive)),
            drive,
            safety: SafetyState::new(),
            arm_error: None,
            taken_over_at: Stamp::ZERO,
            plan: None,
            gripper,
            counters: LimitCounters::default(),
            watch: Watch::new(config.stale_after_s(), config.max_state_gap_s),
            tracking,
            bad_chunks: 0,
            config,
        })
    }

    /// Acknowledges a stop or a fault, so that the arm may be armed again; lets go what is being armed.
    ///
    /// Returns whether it is disarmed now: an arm that is armed or stopping has to be stopped first.
    pub fn reset(&mut self) -> bool {
        self.change(SafetyEvent::Reset);
        self.mode() == Mode::Disarmed
    }

    /// Takes a new plan, effective from the next tick.
    ///
    /// # Errors
    /// [`ChunkError`]; the plan that runs goes on. The fourth chunk in a row with NaN or infinity
    /// (see [`ControlConfig::max_bad_chunks`]) also stops the arm for good.
    pub fn accept(&mut self, chunk: &ActionChunk, now: Stamp) -> Result<ChunkReport, ChunkError> {
        let report = self.try_accept(chunk, now);
        self.count(report)
    }

    /// Takes a new plan in joint space, effective from the next tick. Everything that holds for
    /// [`Self::accept`] holds here: tool and joint plans may follow each other in mid-motion.
    ///
    /// # Errors
    /// As [`Self::accept`]; also a plan for another number of joints.
    pub fn accept_joints(
        &mut self,
        plan: &JointPlan,
        now: Stamp,
    ) -> Result<ChunkReport, ChunkError> {
        let report = self.try_accept_joints(plan, now);
        self.count(report)
    }

    /// Counts what was refused, and stops for good after too much nonsense in a row.
    fn count(
        &mut self,
        report: Result<ChunkReport, ChunkError>,
    ) -> Result<ChunkReport, ChunkError> {
        if let Err(error) = &report {
            self.counters.add(LimitReason::RefusedChunk, 1);
            match error {
                ChunkError::NonFinite { .. } => {
                    self.counters.add(LimitReason::NonFinite, 1);
                    self.bad_chunks = self.bad_chunks.saturating_add(1);
                    if self.bad_chunks > self.config.max_bad_chunks {
                        self.stop(StopReason::BadChunks);
                    }
                }
                ChunkError::Expired { dropped } => {
                    self.counters.add(LimitReason::LateAction, *dropped as u64);
                }
                _ => {}
            }
        }
        report
    }

    fn try_accept(&mut self, chunk: &ActionChunk, now: Stamp) -> Result<ChunkReport, ChunkError> {
        self.check_armed()?;
        let dropped = check::chunk(chunk, now, &self.config)?;
        self.check_order(chunk.start)?;
        let anchor = self.place_at(chunk.start).base_from_tcp;
        let path = Path::new(chunk, &anchor, self.config.time_to_hold_s);
        let now_at = self
            .target(now)
            .as_tool(&self.drive, self.gripper.opening());
        let reference = Reference::take_over(path, &now_at, now, self.config.blend_s);
        let (seam_m, seam_rad) = reference.seam();
        Ok(self.start(Plan::Tool(reference), dropped, now, (seam_m, seam_rad)))
    }

    fn try_accept_joints(
        &mut self,
        plan: &JointPlan,
        now: Stamp,
    ) -> Result<ChunkReport, ChunkError> {
        self.check_armed()?;
        let dropped = check::joint_plan(plan, self.drive.q().len(), now, &self.config)?;
        self.check_order(plan.start)?;
        let anchor = self.place_at(plan.start).q;
        let times = [self.config.time_to_hold_s, self.config.blend_s];
        let now_at = self
            .target(now)
            .as_joints(&self.drive, self.gripper.opening());
        let path = JointPath::take_over(plan, &anchor, &now_at, now, times);
        let seam_rad = path.seam();
        Ok(self.start(Plan::Joints(path), dropped, now, (0.0, seam_rad)))
    }

    fn check_order(&self, start: Stamp) -> Result<(), ChunkError> {
        match &self.plan {
            Some(running) if start < running.start() => Err(ChunkError::OutOfOrder {
                behind_s: running.start().seconds_since(start),
            }),
            _ => Ok(()),
        }
    }

    /// Where the arm was commanded to be.
    fn place_at(&self, stamp: Stamp) -> Place {
        self.history.at(stamp).unwrap_or_else(|| place(&self.drive))
    }

    fn start(
        &mut self,
        plan: Plan,
        dropped: usize,
        now: Stamp,
        (seam_m, seam_rad): (f64, f64),
    ) -> ChunkReport {
        let age_s = now.seconds_since(plan.start());
        self.plan = Some(plan);
        self.change(SafetyEvent::PlanAccepted);
        self.bad_chunks = 0;
        self.counters.add(LimitReason::LateAction, dropped as u64);
        ChunkReport {
            dropped,
            age_s,
            seam_m,
            seam_rad,
        }
    }

    /// Brings the arm to rest inside all limits and keeps it there until it is armed anew.
    pub fn soft_stop(&mut self) {
        self.stop(StopReason::Requested);
    }

    /// As [`Self::soft_stop`], for a reason that the controller cannot see itself.
    pub fn stop(&mut self, reason: StopReason) {
        self.change(SafetyEvent::Stop(reason));
    }

    /// One command. Whatever is in `state`, the command is finite and inside all limits.
    pub fn tick(&mut self, state: &RobotState, now: Stamp) -> Tick {
        self.advance(state, now, true)
    }

    /// As [`Self::tick`], but the arm brakes instead of following its plan, which is kept.
    pub fn braking_tick(&mut self, state: &RobotState, now: Stamp) -> Tick {
        self.advance(state, now, false)
    }

    fn advance(&mut self, state: &RobotState, now: Stamp, may_follow: bool) -> Tick {
        let mut limited = LimitSet::default();
        if self.mode() == Mode::Arming {
            self.judge_arming(state, now);
        }
        let is_usable = self.mode().is_running() && self.state_is_usable(state, now, &mut limited);
        let follow = is_usable && may_follow;
        let target = self.target(now);
        if follow {
            let wanted = target.gripper(self.gripper.opening());
            if self.gripper.follow(wanted, now) {
                limited.insert(LimitReason::Gripper);
            }
            if self.mode() == Mode::Tracking && target.ended() {
                self.change(SafetyEvent::PlanEnded);
                limited.insert(LimitReason::Underrun);
            }
            self.follow(&target, &mut limited);
        } else {
            self.drive.brake();
        }
        if self.is_at_rest() {
            self.change(SafetyEvent::AtRest);
        }
        let base_from_tcp_d = *self.drive.base_from_tcp();
        self.history.push(now, place(&self.drive));
        if let Some(plan) = &mut self.plan {
            plan.hold_back(&target, &self.drive, &self.config, &mut limited);
        }
        self.counters.add_set(limited);
        Tick {
            command: JointCommand {
                q_d: *self.drive.q(),
                dq_d: *self.drive.dq(),
                gripper: GripperCommand {
                    opening: self.gripper.opening(),
                },
            },
            mode: self.mode(),
            limited,
            base_from_tcp_d,
        }
    }

    /// What the controller is doing.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.safety.mode()
    }

    /// The session that is, or was last, armed or being armed; 0 if there was none.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.safety.epoch()
    }

    /// Why it stopped for good, if it did.
    #[must_use]
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.safety.stop_reason()
    }

    /// How often each limit and each fault applied since the controller was made.
    #[must_use]
    pub fn counters(&self) -> &LimitCounters {
        &self.counters
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &ControlConfig {
        &self.config
    }

    /// Tool pose at the commanded positions.
    #[must_use]
    pub fn base_from_tcp_d(&self) -> &Pose {
        self.drive.base_from_tcp()
    }

    /// Whether the commanded joints stand exactly still.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.drive.is_at_rest()
    }

    /// Judges the measured state without a step: what lasts too long stops the arm for good.
    pub(crate) fn watch(&mut self, state: &RobotState, now: Stamp) {
        let mut limited = LimitSet::default();
        if self.mode().is_running() {
            self.state_is_usable(state, now, &mut limited);
        }
        self.counters.add_set(limited);
    }

    /// Judges the measured state; a fault that lasts stops the arm for good.
    fn state_is_usable(&mut self, state: &RobotState, now: Stamp, limited: &mut LimitSet) -> bool {
        let state = match self.watch.judge(state, self.drive.bounds(), now, limited) {
            Ok(state) => state,
            Err(reason) => {
                if let Some(reason) = reason {
                    self.stop(reason);
                }
                return false;
            }
        };
        let (q_d, dq_d) = (self.drive.q(), self.drive.dq());
        let Some(joint_idx) = self.tracking.lost_joint(&state, q_d, dq_d) else {
            return true;
        };
        limited.insert(LimitReason::TrackingError);
        self.stop(StopReason::TrackingError { joint_idx });
        false
    }

    fn target(&self, now: Stamp) -> Target {
        self.plan
            .as_ref()
            .map_or(Target::Hold, |plan| plan.sample(now))
    }

    fn follow(&mut self, target: &Target, limited: &mut LimitSet) {
        let (drive, config) = (&mut self.drive, &self.config);
        match target {
            Target::Hold => drive.hold(limited),
            Target::Tool(sample) => {
                let home_gain = match self.safety.mode() {
                    Mode::Tracking => config.null_space_gain_per_s,
                    _ => 0.0,
                };
                track::tool(drive, sample, home_gain, config, limited);
            }
            Target::Joints(sample) => track::joints(drive, sample, config, limited),
        }
    }
}

/// Where the arm is commanded to be.
fn place(drive: &Drive) -> Place {
    Place {
        base_from_tcp: *drive.base_from_tcp(),
        q: *drive.q(),
    }
}
