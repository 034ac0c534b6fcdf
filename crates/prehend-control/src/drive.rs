//! Turns a wanted tool velocity into the next motion of all joints, inside all limits.

use std::sync::Arc;

use nalgebra::{SVector, Vector3};
use prehend_robot::Robot;
use prehend_types::{JointPositions, JointVelocities, MAX_JOINTS, Pose, TooManyJoints};

use crate::arm::{Arm, Jacobian};
use crate::guard::Guard;
use crate::joint_path::{Joints, padded};
use crate::limiter::{JointLimiter, JointMotion};
use crate::{ControlConfig, ControlError, JointBounds, LimitReason, LimitSet, bounds, ik};

/// Most that the null-space motion may move a joint, rad/s.
const NULL_SPACE_CAP: f64 = 0.3;
/// A joint that its position limit slows below this stands at the limit, rad/s.
const BLOCKED_SPEED: f64 = 0.02;

/// The commanded arm: where every joint is, how it moves, and what it may do next.
#[derive(Debug, Clone)]
pub(crate) struct Drive {
    arm: Arm,
    dt_s: f64,
    limiters: [JointLimiter; MAX_JOINTS],
    /// Of other limits, until the arm can stop inside them.
    wanted: Option<[JointLimiter; MAX_JOINTS]>,
    guard: Guard,
    motion: [JointMotion; MAX_JOINTS],
    q: JointPositions,
    dq: JointVelocities,
    base_from_tcp: Pose,
    jacobian: Jacobian,
    /// Direction (+1, -1) in which a joint stands at its limit; 0 where it is free.
    blocked: [f64; MAX_JOINTS],
    /// Joints that a position limit, or the slower speed in front of it, held back at the last tick.
    held_back: [bool; MAX_JOINTS],
}

impl Drive {
    /// At the robot's home, at rest.
    pub(crate) fn new(robot: Arc<Robot>, config: &ControlConfig) -> Result<Self, ControlError> {
        let (arm, dt_s) = (Arm::new(robot)?, config.dt_s());
        let q = *arm.home();
        let n_joints = q.len();
        let dq = JointVelocities::zeros(n_joints)
            .map_err(|TooManyJoints { got }| ControlError::JointCount { n_joints: got })?;
        let (base_from_tcp, jacobian) = arm.kinematics(&q);
        let mut drive = Self {
            guard: Guard::new(&arm, config),
            limiters: limiters(arm.bounds(), dt_s),
            wanted: None,
            arm,
            dt_s,
            motion: [JointMotion::default(); MAX_JOINTS],
            q,
            dq,
            base_from_tcp,
            jacobian,
            blocked: [0.0; MAX_JOINTS],
            held_back: [false; MAX_JOINTS],
        };
        drive.place(&q);
        Ok(drive)
    }

    /// At rest somewhere else; `q` has the robot's number of joints and is inside the limits.
    pub(crate) fn place(&mut self, q: &JointPositions) {
        for (motion, q) in self.motion.iter_mut().zip(q.iter()) {
            *motion = JointMotion::at_rest(*q);
        }
        self.blocked = [0.0; MAX_JOINTS];
        self.held_back = [false; MAX_JOINTS];
        self.guard.forget();
        self.take_over_motion();
    }

    /// One tick towards a tool velocity (base frame, m/s and rad/s).
    ///
    /// `home_gain` pulls the free motion of a redundant arm towards home, 1/s.
    pub(crate) fn follow(
        &mut self,
        linear: &Vector3<f64>,
        angular: &Vector3<f64>,
        home_gain: f64,
        config: &ControlConfig,
        limited: &mut LimitSet,
    ) {
        let dq = self.joint_velocities(linear, angular, home_gain, config.damping, limited);
        self.move_joints(&dq, limited);
        self.take_over_motion();
    }

    /// One tick towards joint velocities, rad/s. The whole motion slows down where the tool or a joint
    /// would be too fast; the tool sinks no faster than `fastest_down`, m/s (negative: it rises).
    pub(crate) fn follow_joints(
        &mut self,
        dq: &Joints,
        fastest_down: f64,
        config: &ControlConfig,
        limited: &mut LimitSet,
    ) {
        let mut dq = SVector::from(*dq);
        let twist = self.jacobian * dq;
        let speed = twist.fixed_rows::<3>(0).norm();
        let turn = twist.fixed_rows::<3>(3).norm();
        let scale = (config.max_tcp_speed_m_per_s / speed)
            .min(config.max_tcp_angular_speed_rad_per_s / turn);
        if scale < 1.0 {
            limited.insert(LimitReason::TcpSpeed);
            dq *= scale;
        }
        let sinks = self.jacobian.row(2).transpose();
        let excess = -fastest_down - sinks.dot(&dq);
        if excess > 0.0 {
            limited.insert(LimitReason::Floor);
            // The smallest change of the joints' speeds that does it.
            dq += sinks * (excess / sinks.norm_squared().max(1e-6));
        }
        self.slow_down(&mut dq, limited);
        self.move_joints(&dq, limited);
        self.take_over_motion();
    }

    /// Velocity of the tool centre point, m/s and rad/s, base frame.
    pub(crate) fn twist(&self) -> (Vector3<f64>, Vector3<f64>) {
        let twist = self.jacobian * SVector::from(padded(&self.dq));
        (
            twist.fixed_rows::<3>(0).into(),
            twist.fixed_rows::<3>(3).into(),
        )
    }

    /// One tick towards standing still, without regard to the tool's direction.
    pub(crate) fn hold(&mut self, limited: &mut LimitSet) {
        self.move_joints(&SVector::zeros(), limited);
        self.take_over_motion();
    }

    /// One tick of the quickest stop.
    pub(crate) fn brake(&mut self) {
        self.stop_joints();
        self.take_over_motion();
    }

    fn stop_joints(&mut self) {
        for (limiter, motion) in self.limiters.iter().zip(&mut self.motion) {
            *motion = limiter.stop_step(motion);
        }
        self.guard.forget();
    }

    pub(crate) fn bounds(&self) -> &[JointBounds] {
        self.arm.bounds()
    }

    /// Other limits as soon as a stop inside them exists that keeps all distances; until then the arm brakes
    /// as was proven.
    pub(crate) fn set_bounds(&mut self, bounds: &[JointBounds]) -> Result<(), ControlError> {
        bounds::check(bounds, self.q.len())?;
        self.arm.set_bounds(bounds);
        self.wanted = Some(limiters(bounds, self.dt_s));
        Ok(())
    }

    /// Whether the limits that are wanted are in force. All joints change over at once: how the arm comes to
    /// rest depends on all of them.
    fn change_over(&mut self) -> Result<(), LimitReason> {
        let Some(wanted) = &self.wanted else {
            return Ok(());
        };
        let joints = wanted.iter().zip(&self.motion).take(self.q.len());
        for (limiter, motion) in joints {
            limiter.admits(motion)?;
        }
        self.guard
            .admits(&self.arm, &self.q, &self.motion, wanted)?;
        self.limiters = *wanted;
        self.wanted = None;
        Ok(())
    }

    pub(crate) fn q(&self) -> &JointPositions {
        &self.q
    }

    pub(crate) fn dq(&self) -> &JointVelocities {
        &self.dq
    }

    pub(crate) fn base_from_tcp(&self) -> &Pose {
        &self.base_from_tcp
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        self.motion.iter().all(JointMotion::is_at_rest)
    }

    fn take_over_motion(&mut self) {
        for (joint_idx, (q, dq)) in self.q.iter_mut().zip(self.dq.iter_mut()).enumerate() {
            *q = self.motion[joint_idx].q;
            *dq = self.motion[joint_idx].dq;
        }
        (self.base_from_tcp, self.jacobian) = self.arm.kinematics(&self.q);
    }

    fn joint_velocities(
        &mut self,
        linear: &Vector3<f64>,
        angular: &Vector3<f64>,
        home_gain: f64,
        damping: f64,
        limited: &mut LimitSet,
    ) -> SVector<f64, MAX_JOINTS> {
        let mut dq_null = SVector::<f64, MAX_JOINTS>::zeros();
        for (joint_idx, home) in self.arm.home().iter().enumerate() {
            let gap = home - self.q[joint_idx];
            dq_null[joint_idx] = (home_gain * gap).clamp(-NULL_SPACE_CAP, NULL_SPACE_CAP);
        }
        let solve = |jacobian: &Jacobian, dq_null: &SVector<f64, MAX_JOINTS>| {
            ik::differential(jacobian, linear, angular, dq_null, damping)
        };
        let Some(mut dq) = solve(&self.jacobian, &dq_null) else {
            limited.insert(LimitReason::NonFinite);
            return SVector::zeros();
        };
        // A joint that stands at its limit and would be pushed further is left out: the others then
        // do what they can, instead of a plan that counts on it.
        let mut jacobian = self.jacobian;
        for (joint_idx, blocked) in self.blocked.iter_mut().enumerate() {
            if *blocked * dq[joint_idx] > 0.0 {
                jacobian.column_mut(joint_idx).fill(0.0);
                dq_null[joint_idx] = 0.0;
            } else {
                *blocked = 0.0;
            }
        }
        if self.blocked.iter().any(|blocked| *blocked != 0.0) {
            limited.insert(LimitReason::Position);
            dq = solve(&jacobian, &dq_null).unwrap_or_else(SVector::zeros);
        }
        self.slow_down(&mut dq, limited);
        dq
    }

    /// Slows all joints down together, so that the tool keeps its direction.
    fn slow_down(&self, dq: &mut SVector<f64, MAX_JOINTS>, limited: &mut LimitSet) {
        let speed = (self.limiters.iter().zip(dq.iter()))
            .map(|(limiter, dq)| limiter.dq_max() / dq.abs())
            .fold(1.0, f64::min);
        if speed < 1.0 {
            limited.insert(LimitReason::Velocity);
            *dq *= speed * (1.0 - 1e-9);
        }
    }

    /// The accelerations towards wanted speeds. All joints change their speeds in proportion, at the
    /// pace of the one that takes longest, so that the tool keeps its direction; a joint that its
    /// position limit held back at the last tick sets no pace.
    fn accelerations(
        &self,
        dq_target: &SVector<f64, MAX_JOINTS>,
        limited: &mut LimitSet,
    ) -> SVector<f64, MAX_JOINTS> {
        let pacing = || (0..self.q.len()).filter(|joint_idx| !self.held_back[*joint_idx]);
        let mut ddq = SVector::<f64, MAX_JOINTS>::zeros();
        for (joint_idx, motion) in self.motion.iter().enumerate() {
            ddq[joint_idx] = (dq_target[joint_idx] - motion.dq) / self.dt_s;
        }
        // `f64::min` ignores the NaN of 0 / 0: a joint that is where it should be sets no pace.
        let pace = pacing()
            .map(|i| self.limiters[i].reach(ddq[i]) / ddq[i].abs())
            .fold(1.0, f64::min);
        if pace < 1.0 - 1e-9 {
            limited.insert(LimitReason::Acceleration);
            ddq *= pace;
        }
        let change = pacing()
            .map(|i| self.limiters[i].ddq_step() / (ddq[i] - self.motion[i].ddq).abs())
            .fold(1.0, f64::min);
        if change < 1.0 - 1e-9 {
            limited.insert(LimitReason::Jerk);
            for (ddq, motion) in ddq.iter_mut().zip(&self.motion) {
                *ddq = motion.ddq + (*ddq - motion.ddq) * change;
            }
        }
        ddq
    }

    fn move_joints(&mut self, dq_target: &SVector<f64, MAX_JOINTS>, limited: &mut LimitSet) {
        if let Err(reason) = self.change_over() {
            limited.insert(reason);
            return self.stop_joints();
        }
        let ddq = self.accelerations(dq_target, limited);
        let mut next = self.motion;
        for joint_idx in 0..self.q.len() {
            let limiter = &self.limiters[joint_idx];
            let (motion, held_back) =
                limiter.advance(self.motion[joint_idx], ddq[joint_idx], limited);
            let direction = dq_target[joint_idx].signum();
            if held_back && motion.dq * direction < BLOCKED_SPEED {
                self.blocked[joint_idx] = direction;
            }
            self.held_back[joint_idx] = held_back;
            next[joint_idx] = motion;
        }
        self.motion = self.guard.admit(
            &self.arm,
            &self.q,
            &self.motion,
            next,
            &self.limiters,
            limited,
        );
    }
}

/// One per joint of the arm; those beyond its last repeat the first.
fn limiters(bounds: &[JointBounds], dt_s: f64) -> [JointLimiter; MAX_JOINTS] {
    std::array::from_fn(|i| JointLimiter::new(bounds.get(i).unwrap_or(&bounds[0]), dt_s))
}
