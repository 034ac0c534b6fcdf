//! Adversarial runs of a whole controller: the tool's speed and box, and the arm's distance to itself.

use std::sync::Arc;
use std::time::Duration;

use nalgebra::Vector3;
use prehend_robot::Robot;
use prehend_types::{
    Action, ActionChunk, GripperState, JointPlan, JointPositions, JointSpace, JointStep,
    JointVelocities, Pose, RobotState, Stamp,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    ControlConfig, ControlError, Controller, Fence, LimitCounters, LimitReason, WireChecker,
    joint_bounds,
};

/// Distances are kept to within this, m.
const RESOLUTION: f64 = 1e-3;
/// Every so many ticks the controller is copied and the copy is stopped.
const LOOK_EVERY: u64 = 50;
/// A stop that takes longer does not count, in ticks.
const MAX_STOP: u32 = 5_000;
/// Length of one step of a plan.
const STEP: Duration = Duration::from_millis(50);

/// What an arm's run came to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ArmFindings {
    /// Commands.
    pub ticks: u64,
    /// Commands that broke a joint limit, or were not finite.
    pub violations: u64,
    /// Commands nearer to itself than the margin.
    pub too_near: u64,
    /// Commands with the tool outside its box.
    pub outside: u64,
    /// Motions whose stop broke one of these.
    pub no_stop: u64,
    /// Motions whose stop was played forward.
    pub stops: u64,
    /// Commands faster than the cap on the tool's speed.
    pub too_fast: u64,
    /// Fastest motion of the tool, as a share of the cap.
    pub worst_speed_share: f64,
    /// Ticks in which the arm was kept from itself.
    pub kept_apart: u64,
    /// Ticks in which the tool was kept inside its box.
    pub kept_inside: u64,
}

impl ArmFindings {
    /// Adds another run.
    pub fn add(&mut self, other: &Self) {
        self.ticks += other.ticks;
        self.violations += other.violations;
        self.too_near += other.too_near;
        self.outside += other.outside;
        self.no_stop += other.no_stop;
        self.stops += other.stops;
        self.too_fast += other.too_fast;
        self.worst_speed_share = self.worst_speed_share.max(other.worst_speed_share);
        self.kept_apart += other.kept_apart;
        self.kept_inside += other.kept_inside;
    }
}

/// Drives a robot from home with plans of the tool and of the joints that lead anywhere.
///
/// # Errors
/// [`ControlError`] if the robot cannot be controlled.
pub fn run_arm(robot: &Arc<Robot>, seed: u64, ticks: u64) -> Result<ArmFindings, ControlError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let home = robot.forward(robot.home()).translation.vector;
    let mut away = || rng.random_range(0.05..0.6);
    let fence = Fence {
        min_m: [home.x - away(), home.y - away(), home.z - away()],
        max_m: [home.x + away(), home.y + away(), home.z + away()],
    };
    let config = ControlConfig {
        rate_hz: [100.0, 250.0, 500.0, 1000.0][rng.random_range(0..4)],
        fence: Some(fence),
        self_collision_margin_m: 0.0,
        min_tool_height_m: -1.0,
        ..ControlConfig::default()
    };
    let mut controller = Controller::new(Arc::clone(robot), config)?;
    let mut state = RobotState {
        stamp: Stamp::from_nanos(100_000_000_000),
        q: *robot.home(),
        dq: JointVelocities::zeros(robot.n_joints()).map_err(|_| ControlError::JointCount {
            n_joints: robot.n_joints(),
        })?,
        gripper: GripperState {
            width: 0.05,
            commanded: 1.0,
            is_grasping: false,
        },
    };
    let Ok(()) = controller.arm(&state) else {
        return Ok(ArmFindings {
            violations: 1,
            ..ArmFindings::default()
        });
    };
    let mut judge = ArmJudge::new(robot, &config, fence)?;
    let period = Duration::from_secs_f64(config.dt_s());
    for tick in 0..ticks {
        if rng.random_bool(0.01) {
            attack(&mut rng, robot, &mut controller, state.stamp);
        }
        state.stamp = state.stamp.after(period);
        let command = controller.tick(&state, state.stamp).command;
        (state.q, state.dq) = (command.q_d, command.dq_d);
        judge.command(tick, &command);
        if tick % LOOK_EVERY == 0 {
            judge.stop(&controller, state, tick, period);
        }
    }
    Ok(judge.close(controller.counters()))
}

/// A plan from hell, or none at all.
fn attack(rng: &mut ChaCha8Rng, robot: &Robot, controller: &mut Controller, now: Stamp) {
    let limits = robot.limits();
    if rng.random() {
        let mut values = *robot.home();
        for (joint_idx, value) in values.iter_mut().enumerate() {
            *value = rng.random_range(limits.q_min[joint_idx]..limits.q_max[joint_idx]);
        }
        if rng.random_bool(0.05) {
            values[0] = f64::NAN;
        }
        let step = JointStep {
            values,
            gripper: 1.0,
        };
        if let Ok(plan) = JointPlan::new(now, STEP, JointSpace::Position, &[step; 8]) {
            // Whether it is taken is the controller's business.
            let _ = controller.accept_joints(&plan, now);
        }
    } else {
        let mut vector = |most: f64| Vector3::from_fn(|_, _| rng.random_range(-most..most));
        let action = Action {
            translation: vector(0.05),
            rotation: vector(0.2),
            gripper: 0.0,
        };
        if let Ok(chunk) = ActionChunk::new(now, STEP, 4, &[action; 8]) {
            let _ = controller.accept(&chunk, now);
        }
    }
}

struct ArmJudge<'a> {
    robot: &'a Robot,
    fence: Fence,
    margin_m: f64,
    caps: [f64; 2],
    dt_s: f64,
    wire: WireChecker,
    last: Pose,
    found: ArmFindings,
}

impl<'a> ArmJudge<'a> {
    fn new(robot: &'a Robot, config: &ControlConfig, fence: Fence) -> Result<Self, ControlError> {
        let bounds = joint_bounds(robot)?;
        Ok(Self {
            fence,
            // From nearer than the margin the arm may go on, but not come nearer still.
            margin_m: (config.self_collision_margin_m).min(robot.self_distance(robot.home())),
            caps: [
                config.max_tcp_speed_m_per_s.min(robot.tcp_speed().run),
                config.max_tcp_angular_speed_rad_per_s,
            ],
            dt_s: config.dt_s(),
            wire: WireChecker::new(&bounds[..robot.n_joints()], config.dt_s()),
            last: robot.forward(robot.home()),
            robot,
            found: ArmFindings::default(),
        })
    }

    fn command(&mut self, tick: u64, command: &prehend_types::JointCommand) {
        self.found.ticks += 1;
        self.found.violations += u64::from(!self.wire.check(0, tick, command));
        let (is_near, is_outside) = self.broken(&command.q_d);
        self.found.too_near += u64::from(is_near);
        self.found.outside += u64::from(is_outside);
        let tcp = self.robot.forward(&command.q_d);
        let way = (tcp.translation.vector - self.last.translation.vector).norm();
        let turn = tcp.rotation.angle_to(&self.last.rotation);
        let share = (way / self.caps[0]).max(turn / self.caps[1]) / self.dt_s;
        self.found.too_fast += u64::from(share > 1.0 + 1e-6);
        self.found.worst_speed_share = self.found.worst_speed_share.max(share);
        self.last = tcp;
    }

    /// Stops a copy of the controller.
    fn stop(
        &mut self,
        controller: &Controller,
        mut state: RobotState,
        tick: u64,
        period: Duration,
    ) {
        let mut controller = controller.clone();
        let mut wire = self.wire;
        controller.soft_stop();
        self.found.stops += 1;
        let mut is_clear = true;
        for ahead in 1..MAX_STOP {
            if controller.is_at_rest() {
                self.found.no_stop += u64::from(!is_clear);
                return;
            }
            state.stamp = state.stamp.after(period);
            let command = controller.tick(&state, state.stamp).command;
            is_clear &= wire.check(0, tick + u64::from(ahead), &command);
            is_clear &= self.broken(&command.q_d) == (false, false);
        }
        self.found.no_stop += 1;
    }

    /// Whether the arm is too near to itself, and whether the tool is outside its box.
    fn broken(&self, q: &JointPositions) -> (bool, bool) {
        let depth = self.fence.depth(&self.robot.forward(q).translation.vector);
        let distance = self.robot.self_distance(q);
        (
            distance.is_nan() || distance < self.margin_m - RESOLUTION,
            depth.is_nan() || depth < -RESOLUTION,
        )
    }

    fn close(mut self, counters: &LimitCounters) -> ArmFindings {
        self.found.kept_apart = counters.get(LimitReason::SelfCollision);
        self.found.kept_inside = counters.get(LimitReason::Workspace);
        self.found
    }
}
