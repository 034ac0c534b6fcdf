//! Turns torques, or a pose for a compliant tool, into torques that an arm may be given.
//!
//! Gravity is left to the arm, as most torque interfaces do: a command of zero lets it float. Runs in the
//! simulator's full-dynamics arm; the wire to drivers carries positions.
//!
//! When it may move is decided by [`SafetyState`], as for positions: it pushes only once it is armed, brakes what
//! it was stopped in, holds it where it came to rest, and stays there until it is armed anew.

use std::sync::Arc;

use nalgebra::{Matrix6, SMatrix, SVector, Vector3, Vector6};
use prehend_robot::{Articulation, Llt, Robot};
use prehend_types::{JointTorques, MAX_JOINTS, Pose, RobotState, Stamp, TooManyJoints};

use crate::arm::Arm;
use crate::check::{self, ArmingTerms};
use crate::joint_path::{Joints, padded};
use crate::safety::{Effect, SafetyEvent};
use crate::watch::Watch;
use crate::{ArmError, ControlError, LimitReason, LimitSet, Mode, SafetyState, StopReason};

/// Added to the tool's mobility, in 1/kg and 1/(kg m²), so that it can be inverted at singular poses.
const DAMPING: f64 = 1e-4;
/// A joint slower than this stands, rad/s.
const STANDING: f64 = 0.05;
/// How far a joint that is to be armed may be beyond its limit, rad; nearer than that the walls push it back.
const OUTSIDE: f64 = 0.01;

/// Settings of a [`TorqueController`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TorqueConfig {
    /// Stiffness of the tool over its own apparent mass, 1/s², along and about all axes; what
    /// robosuite calls `kp` (150 there). The softer, the more of its way dry friction keeps the tool off.
    pub tool_gain_per_s2: f64,
    /// 1 does not overshoot.
    pub damping_ratio: f64,
    /// The same gain for the posture of a redundant arm, towards home, where the tool does not feel it.
    pub posture_gain_per_s2: f64,
    /// The goal counts as at most this far from the tool, m: a step of it is no blow.
    pub max_error_m: f64,
    /// The same for rotation.
    pub max_error_rad: f64,
    /// Fastest change of any torque, N·m/s; 1000 is what Franka's arms accept.
    pub max_torque_rate_nm_per_s: f64,
    /// Joints are pushed back from this near to their position limits, rad.
    pub wall_rad: f64,
    /// Damping that stands in for a command that cannot be used, 1/s.
    pub hold_damping_per_s: f64,
    /// Damping by which a stop brakes, 1/s.
    pub stop_damping_per_s: f64,
    /// Stiffness over its own inertia with which an arm that was stopped is held where it came to rest, 1/s².
    pub stop_gain_per_s2: f64,
    /// States older than this, or this far in the future, are not used.
    pub max_state_age_s: f64,
    /// A missing, stale or non-finite state that lasts this long stops the arm for good.
    pub max_state_gap_s: f64,
    /// Goals in a row that are not finite, or for another arm, that are merely damped; one more stops it for good.
    pub max_bad_goals: u32,
}

impl Default for TorqueConfig {
    fn default() -> Self {
        Self {
            tool_gain_per_s2: 400.0,
            damping_ratio: 1.0,
            posture_gain_per_s2: 10.0,
            max_error_m: 0.1,
            max_error_rad: 0.5,
            max_torque_rate_nm_per_s: 1000.0,
            wall_rad: 0.05,
            hold_damping_per_s: 5.0,
            stop_damping_per_s: 20.0,
            stop_gain_per_s2: 100.0,
            max_state_age_s: 0.1,
            max_state_gap_s: 0.3,
            max_bad_goals: 3,
        }
    }
}

impl TorqueConfig {
    /// Refuses values that make no sense, or that would not be stable at this period.
    ///
    /// # Errors
    /// [`ControlError::Config`], naming the field and its range.
    pub fn check(&self, dt_s: f64) -> Result<(), ControlError> {
        // A sampled damper is stable up to 2 / dt; half of that leaves room for the arm's own drives.
        let stiffest = (0.25 / dt_s).powi(2);
        let ranges: [(&'static str, f64, f64, f64); 12] = [
            ("tool_gain_per_s2", self.tool_gain_per_s2, 0.0, stiffest),
            ("damping_ratio", self.damping_ratio, 0.1, 2.0),
            (
                "posture_gain_per_s2",
                self.posture_gain_per_s2,
                0.0,
                stiffest,
            ),
            ("max_error_m", self.max_error_m, 1e-4, 1.0),
            ("max_error_rad", self.max_error_rad, 1e-3, 3.0),
            (
                "max_torque_rate_nm_per_s",
                self.max_torque_rate_nm_per_s,
                1.0,
                1e6,
            ),
            ("wall_rad", self.wall_rad, 1e-3, 0.5),
            (
                "hold_damping_per_s",
                self.hold_damping_per_s,
                0.0,
                0.5 / dt_s,
            ),
            (
                "stop_damping_per_s",
                self.stop_damping_per_s,
                0.1,
                0.5 / dt_s,
            ),
            ("stop_gain_per_s2", self.stop_gain_per_s2, 0.0, stiffest),
            ("max_state_age_s", self.max_state_age_s, 1e-3, 5.0),
            ("max_state_gap_s", self.max_state_gap_s, 0.0, 5.0),
        ];
        for (field, value, low, high) in ranges {
            // Written so that NaN is refused too.
            if !(value >= low && value <= high) {
                return Err(ControlError::Config {
                    field,
                    value,
                    low,
                    high,
                });
            }
        }
        Ok(())
    }
}

/// What the torques are for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TorqueGoal {
    /// These, N·m, gravity not included.
    Joints(JointTorques),
    /// A spring between the tool and this pose in the base frame.
    Tool(Pose),
}

/// One tick's torques.
#[derive(Debug, Clone, Copy)]
pub struct TorqueTick {
    /// N·m, gravity not included; every number is finite and inside the limits.
    pub tau_d: JointTorques,
    /// What kept the torques from being the goal's.
    pub limited: LimitSet,
    /// What the controller was doing.
    pub mode: Mode,
}

/// The stepper behind torque-controlled arms. Made once; no tick allocates, locks, waits or logs.
#[derive(Debug, Clone)]
pub struct TorqueController {
    robot: Arc<Robot>,
    arm: Arm,
    config: TorqueConfig,
    dt_s: f64,
    safety: SafetyState,
    watch: Watch,
    bad_goals: u32,
    /// Where an arm that was stopped stands; `None` until it does.
    rest: Option<Joints>,
    tau: Joints,
    tau_d: JointTorques,
}

impl TorqueController {
    /// For ticks of `dt_s`, not armed: it lets the arm float.
    ///
    /// # Errors
    /// [`ControlError`] naming the setting or the joint that is wrong.
    pub fn new(robot: Arc<Robot>, config: TorqueConfig, dt_s: f64) -> Result<Self, ControlError> {
        if !(1e-4..=0.02).contains(&dt_s) {
            return Err(ControlError::Config {
                field: "dt_s",
                value: dt_s,
                low: 1e-4,
                high: 0.02,
            });
        }
        config.check(dt_s)?;
        let n_joints = robot.n_joints();
        let tau_d = JointTorques::zeros(n_joints)
            .map_err(|TooManyJoints { got }| ControlError::JointCount { n_joints: got })?;
        Ok(Self {
            arm: Arm::new(Arc::clone(&robot))?,
            robot,
            config,
            dt_s,
            safety: SafetyState::new(),
            watch: Watch::new(config.max_state_age_s, config.max_state_gap_s),
            bad_goals: 0,
            rest: None,
            tau: [0.0; MAX_JOINTS],
            tau_d,
        })
    }

    /// Takes the arm over where it stands, in a session numbered after the last one.
    ///
    /// # Errors
    /// [`ArmError`]; nothing has changed then, and an arm that was stopped is still held.
    pub fn arm(&mut self, state: &RobotState) -> Result<(), ArmError> {
        let epoch = self.safety.epoch().max(self.safety.spent()) + 1;
        let (arming, effect) = self.safety.step(SafetyEvent::Arm { epoch });
        if let Effect::Refuse(refusal) = effect {
            return Err(ArmError::refused(refusal, &self.safety, epoch));
        }
        let terms = ArmingTerms {
            outside: OUTSIDE,
            max_speed: STANDING,
        };
        check::arming(state, self.arm.bounds(), &terms)?;
        self.safety = arming;
        self.change(SafetyEvent::ArmingPassed);
        self.watch.begin(state);
        self.bad_goals = 0;
        self.rest = None;
        Ok(())
    }

    /// Brings the arm to rest and holds it there until it is armed anew.
    pub fn stop(&mut self, reason: StopReason) {
        self.change(SafetyEvent::Stop(reason));
    }

    /// Acknowledges a stop or a fault. Returns whether the arm is disarmed now, and floats.
    pub fn reset(&mut self) -> bool {
        self.change(SafetyEvent::Reset);
        let is_disarmed = self.mode() == Mode::Disarmed;
        if is_disarmed {
            self.rest = None;
        }
        is_disarmed
    }

    /// What the controller is doing.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.safety.mode()
    }

    /// Why it stopped for good, if it did.
    #[must_use]
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.safety.stop_reason()
    }

    fn change(&mut self, event: SafetyEvent) -> Effect {
        let effect;
        (self.safety, effect) = self.safety.step(event);
        effect
    }

    /// Torques for one tick. Whatever is in `state` and `goal`, they are finite and inside all limits; a
    /// state or goal that cannot be used is answered by damping alone, or by nothing, and one that lasts by a
    /// stop.
    pub fn tick(&mut self, state: &RobotState, goal: &TorqueGoal, now: Stamp) -> TorqueTick {
        let mut limited = LimitSet::default();
        let n = self.arm.bounds().len();
        let usable = (self.watch).judge(state, self.arm.bounds(), now, &mut limited);
        if let Err(Some(reason)) = usable
            && self.mode().is_running()
        {
            self.stop(reason);
        }
        let wanted = match usable {
            Ok(state) => self.wanted(&state, goal, &mut limited),
            Err(_) => [0.0; MAX_JOINTS],
        };
        let most = self.config.max_torque_rate_nm_per_s * self.dt_s;
        for (tau, wanted) in self.tau.iter_mut().zip(wanted).take(n) {
            let change = if wanted.is_finite() {
                wanted - *tau
            } else {
                -*tau
            };
            if change.abs() > most {
                limited.insert(LimitReason::Torque);
            }
            *tau += change.clamp(-most, most);
        }
        for (out, tau) in self.tau_d.iter_mut().zip(self.tau) {
            *out = tau;
        }
        TorqueTick {
            tau_d: self.tau_d,
            limited,
            mode: self.mode(),
        }
    }

    /// What the mode asks for in this state.
    fn wanted(&mut self, state: &RobotState, goal: &TorqueGoal, limited: &mut LimitSet) -> Joints {
        let terms = self.robot.articulation(&state.q);
        let dq = padded(&state.dq);
        let damped = |per_s: f64| times_mass(&terms, &dq.map(|dq| -per_s * dq));
        if self.mode() == Mode::Stopping && dq.iter().all(|dq| dq.abs() < STANDING) {
            self.change(SafetyEvent::AtRest);
        }
        let tau = match self.mode() {
            Mode::Disarmed | Mode::Arming => return [0.0; MAX_JOINTS],
            Mode::Holding | Mode::Tracking => match self.towards(state, goal, &terms) {
                Some(tau) => {
                    self.bad_goals = 0;
                    tau
                }
                None => {
                    limited.insert(LimitReason::NonFinite);
                    self.bad_goals = self.bad_goals.saturating_add(1);
                    if self.bad_goals > self.config.max_bad_goals {
                        self.stop(StopReason::BadChunks);
                    }
                    damped(self.config.hold_damping_per_s)
                }
            },
            Mode::Stopping => damped(self.config.stop_damping_per_s),
            Mode::Stopped | Mode::Fault => {
                let (gain, q) = (self.config.stop_gain_per_s2, padded(&state.q));
                let damping = 2.0 * gain.sqrt();
                let rest = *self.rest.get_or_insert(q);
                let back = |i: usize| gain * (rest[i] - q[i]) - damping * dq[i];
                times_mass(&terms, &std::array::from_fn(back))
            }
        };
        self.inside(state, tau, &terms, limited)
    }

    /// The goal's torques, if they are any.
    fn towards(
        &self,
        state: &RobotState,
        goal: &TorqueGoal,
        terms: &Articulation,
    ) -> Option<Joints> {
        let tau = match goal {
            TorqueGoal::Joints(tau) if tau.len() == state.q.len() => padded(tau),
            TorqueGoal::Tool(pose) if is_finite(pose) => self.compliant(state, pose, terms)?,
            _ => return None,
        };
        tau.iter().all(|tau| tau.is_finite()).then_some(tau)
    }

    /// The same within the walls before the position limits, and within the torque limits.
    fn inside(
        &self,
        state: &RobotState,
        mut tau: Joints,
        terms: &Articulation,
        limited: &mut LimitSet,
    ) -> Joints {
        let (mass, dq) = (terms.mass_matrix(), padded(&state.dq));
        // Walls: a critically damped spring inside the last bit of a joint's range, over its inertia.
        let weight = terms.bias(&[], &[]);
        let limits = self.robot.limits();
        for (joint_idx, bounds) in self.arm.bounds().iter().enumerate() {
            let (q, dq) = (state.q[joint_idx], dq[joint_idx]);
            let wall = self.config.wall_rad;
            let inside = (bounds.lower + wall - q).max(0.0) - (q - bounds.upper + wall).max(0.0);
            if inside != 0.0 {
                limited.insert(LimitReason::Position);
                let gain = bounds.max_acceleration / wall;
                let push = gain * inside - 2.0 * gain.sqrt() * dq;
                let push = mass[(joint_idx, joint_idx)] * push;
                // Only ever back, and never less than what already pushes back.
                tau[joint_idx] = if inside > 0.0 {
                    tau[joint_idx].max(push.max(0.0))
                } else {
                    tau[joint_idx].min(push.min(0.0))
                };
            }
            let most = limits.tau_max[joint_idx];
            let clipped =
                (tau[joint_idx] + weight[joint_idx]).clamp(-most, most) - weight[joint_idx];
            if clipped != tau[joint_idx] {
                limited.insert(LimitReason::Torque);
                tau[joint_idx] = clipped;
            }
        }
        tau
    }

    /// Operational space control (Khatib 1987): `tau = Jᵀ Λ (kp e - kd v) + N (posture) + C dq` with
    /// `Λ = (J M⁻¹ Jᵀ)⁻¹` and the dynamically consistent null space `N = 1 - Jᵀ Λ J M⁻¹`.
    fn compliant(
        &self,
        state: &RobotState,
        base_from_goal: &Pose,
        terms: &Articulation,
    ) -> Option<Joints> {
        let config = &self.config;
        let (base_from_tcp, jacobian) = self.arm.kinematics(&state.q);
        let mass = terms.mass_matrix();
        let factor = Llt::new(&mass, state.q.len())?;
        let inverse_times_jt: SMatrix<f64, MAX_JOINTS, 6> = {
            let mut columns = jacobian.transpose();
            for mut column in columns.column_iter_mut() {
                let mut right: Joints = column.clone_owned().into();
                factor.solve(&mut right);
                column.copy_from_slice(&right);
            }
            columns
        };
        let mobility = jacobian * inverse_times_jt + Matrix6::identity() * DAMPING;
        let mobility = mobility.cholesky()?;

        let dq = SVector::<f64, MAX_JOINTS>::from(padded(&state.dq));
        let way = base_from_goal.translation.vector - base_from_tcp.translation.vector;
        let turn = (base_from_goal.rotation * base_from_tcp.rotation.inverse()).scaled_axis();
        let error = stacked(
            &capped(way, config.max_error_m),
            &capped(turn, config.max_error_rad),
        );
        let damping = |gain: f64| 2.0 * config.damping_ratio * gain.sqrt();
        let gain = config.tool_gain_per_s2;
        let force = mobility.solve(&(error * gain - jacobian * dq * damping(gain)));

        let gain = config.posture_gain_per_s2;
        let away = SVector::<f64, MAX_JOINTS>::from(padded(self.arm.home()))
            - SVector::from(padded(&state.q));
        let posture = away * gain - dq * damping(gain);
        let felt = mobility.solve(&(jacobian * posture));

        let coriolis = SVector::<f64, MAX_JOINTS>::from(terms.bias(&state.dq, &[]))
            - SVector::from(terms.bias(&[], &[]));
        let tau = jacobian.transpose() * (force - felt) + mass * posture + coriolis;
        Some(tau.into())
    }
}

fn times_mass(terms: &Articulation, ddq: &Joints) -> Joints {
    (terms.mass_matrix() * SVector::<f64, MAX_JOINTS>::from(*ddq)).into()
}

fn stacked(linear: &Vector3<f64>, angular: &Vector3<f64>) -> Vector6<f64> {
    let mut out = Vector6::zeros();
    out.fixed_rows_mut::<3>(0).copy_from(linear);
    out.fixed_rows_mut::<3>(3).copy_from(angular);
    out
}

fn capped(error: Vector3<f64>, most: f64) -> Vector3<f64> {
    error * (most / error.norm()).min(1.0)
}

fn is_finite(pose: &Pose) -> bool {
    let numbers = pose
        .translation
        .vector
        .iter()
        .chain(pose.rotation.coords.iter());
    numbers.into_iter().all(|value| value.is_finite())
}
