//! The arm between command and physics: how joints follow, what they feel, when they stall.
//!
//! One step is predict, physics, correct. The arm predicts its joints with the load of the step
//! before; physics moves the hand there as a body of limited mass and measures what acted on it; the
//! arm solves its step once more with that load. See [`coupling`] for why this is stable.

mod actuated;
mod contacts;
pub(crate) mod coupling;
mod dynamic;
mod free;
mod state;
mod tracking;

use std::sync::Arc;

use nalgebra::{Point3, Vector3};
use prehend_robot::{Articulation, JointActuator, JointMatrix, Motion, Robot, Wrench};
use prehend_types::{JointPositions, JointTorques, JointVelocities, MAX_JOINTS, Pose};

use serde::{Deserialize, Serialize};

use crate::SimError;
use crate::command_line::Order;
use crate::physics::LinkContact;
use actuated::Tracked;
use coupling::{HandBody, HandWay, Reaction};
use dynamic::Servo;
use tracking::Tracking;

/// An arm whose drives did not answer gives way for so many steps more, so that it does not toggle.
const YIELDING_STEPS: u32 = 40;

/// How the arm's joints follow their command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArmMode {
    /// Joints are where the command says, at once and whatever they carry.
    Exact,
    /// Joints lag, keep the drives' limits, and stall where the torque does not suffice.
    #[default]
    Actuated,
    /// Joint servos drive the arm's equations of motion; loads and contacts move the joints.
    Dynamic,
}

impl ArmMode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Actuated, Self::Dynamic];

    /// Name for files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Actuated => "actuated",
            Self::Dynamic => "dynamic",
        }
    }

    /// The mode of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// What the joints and the hand felt in the last step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArmReport {
    /// How the arm is simulated.
    pub mode: ArmMode,
    /// Torques of the drives, N·m; estimated by inverse dynamics if the mode has no torques of its
    /// own.
    pub tau: JointTorques,
    /// Joints whose drive was at its torque limit and could not do what was asked.
    pub overload: [bool; MAX_JOINTS],
    /// What acts on hand and fingers from outside, gravity on the gripper itself excluded; zero in
    /// [`ArmMode::Exact`], which does not feel.
    pub load: Wrench,
}

impl ArmReport {
    /// Whether any joint is overloaded.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        self.overload.contains(&true)
    }
}

/// Something in the hand whose weight the servos are told to carry, as one tells a real arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Payload {
    /// kg.
    pub mass: f64,
    /// Centre of mass in the hand's frame, m.
    pub center_in_hand: Point3<f64>,
}

/// The joints of one world.
#[derive(Debug, Clone)]
pub(crate) struct Arm {
    robot: Arc<Robot>,
    mode: ArmMode,
    /// The joint that carries the hand.
    hand_joint_idx: usize,
    joint_from_hand: Pose,
    tcp_from_hand: Pose,
    /// For every link the joint that carries it.
    carriers: Vec<Option<usize>>,
    /// Length of a step, s.
    dt: f64,
    /// Base to tip.
    drives: Arc<[JointActuator]>,
    tracking: [Tracking; MAX_JOINTS],
    q: JointPositions,
    dq: JointVelocities,
    /// What the last step's physics did to the hand.
    reaction: Reaction,
    tau: JointTorques,
    overload: [bool; MAX_JOINTS],
    servo_is_on: bool,
    payload: Option<Payload>,
    /// The hand of an arm whose drives do not answer: they are at their limits, or only push.
    bare_hand: HandBody,
    /// The hand that servos hold ([`ArmMode::Dynamic`]).
    driven_hand: HandBody,
    /// Steps for which the hand is still the bare one.
    yields_for: u32,
    has_stops: bool,
}

/// A step that was predicted and waits for what physics makes of it.
#[derive(Debug)]
pub(crate) struct Prediction {
    /// Where the joints go if the load stays as it was.
    pub q: JointPositions,
    step: Step,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "lives on the stack for a step; a box would allocate in each"
)]
enum Step {
    Exact,
    Tracked(Tracked),
    Servo(Servo),
}

/// The equations of motion that both felt modes solve: M (dq⁺ - dq) / h + bias = tau + Jᵀ load.
#[derive(Debug)]
struct Equations {
    arm: Articulation,
    mass: JointMatrix,
    /// Without load.
    bias: [f64; MAX_JOINTS],
    /// The share of links that touch.
    touch_bias: [f64; MAX_JOINTS],
    dq: [f64; MAX_JOINTS],
    hand_joint_idx: usize,
    dt: f64,
}

/// What a step came to.
struct Outcome {
    dq: [f64; MAX_JOINTS],
    tau: [f64; MAX_JOINTS],
    overload: [bool; MAX_JOINTS],
}

impl Equations {
    fn new(arm: &Arm, q: &JointPositions, contacts: &[LinkContact]) -> Self {
        let terms = arm.robot.articulation(q);
        let mut out = Self {
            mass: terms.mass_matrix(),
            bias: terms.bias(&arm.dq, &[]),
            touch_bias: [0.0; MAX_JOINTS],
            dq: padded(&arm.dq),
            arm: terms,
            hand_joint_idx: arm.hand_joint_idx,
            dt: arm.dt,
        };
        out.touch(contacts, &arm.carriers);
        out
    }

    fn n(&self) -> usize {
        self.arm.n_joints()
    }

    /// One row of the mass matrix times `values`.
    fn row(&self, row: usize, values: &[f64; MAX_JOINTS]) -> f64 {
        let columns = values.iter().enumerate();
        columns
            .map(|(idx, value)| self.mass[(row, idx)] * value)
            .sum()
    }

    /// The mass matrix times `values`.
    fn times_mass(&self, values: &[f64; MAX_JOINTS]) -> [f64; MAX_JOINTS] {
        std::array::from_fn(|row| self.row(row, values))
    }

    /// The mass matrix with a hand of the engine's mass on top: how joints answer a change of force in
    /// the step in which a firm hand starts to give way.
    fn mass_with(&self, hand: &HandBody, joint_from_hand: &Pose) -> JointMatrix {
        let mut matrix = self.mass;
        let base_from_hand = self.arm.base_from_joint(self.hand_joint_idx) * joint_from_hand;
        let center = base_from_hand * hand.center;
        for column in 0..self.n() {
            let mut unit = [0.0; MAX_JOINTS];
            unit[column] = 1.0;
            let twist = self.arm.twist(self.hand_joint_idx, &unit);
            let force = twist.at(&center) * hand.mass;
            let momentum = Wrench::at(&center, force, twist.angular * hand.inertia);
            let torques = self.arm.torques_of(self.hand_joint_idx, &momentum);
            for (row, torque) in torques.iter().enumerate() {
                matrix[(row, column)] += torque;
            }
        }
        matrix
    }

    /// Bias less what the load carries.
    fn loaded_bias(&self, load: &Wrench) -> [f64; MAX_JOINTS] {
        let carried = self.arm.torques_of(self.hand_joint_idx, load);
        std::array::from_fn(|idx| self.bias[idx] - carried[idx])
    }
}

#[allow(clippy::needless_range_loop, reason = "indices are the formula's own")]
impl Arm {
    /// At rest at the robot's home, for steps of `dt` s.
    pub fn new(robot: &Arc<Robot>, mode: ArmMode, dt: f64) -> Result<Self, SimError> {
        let n = robot.n_joints();
        let refuse = |reason: &str| SimError::Robot {
            robot: robot.name().to_owned(),
            reason: reason.to_owned(),
        };
        let gripper = robot.gripper().ok_or_else(|| refuse("it has no gripper"))?;
        let hand_joint_idx =
            carrier(robot, gripper.hand_idx).ok_or_else(|| refuse("no joint moves its hand"))?;
        let carriers = (0..robot.links().len()).map(|idx| carrier(robot, idx));
        let mut poses = vec![Pose::identity(); robot.links().len()];
        robot.link_poses(robot.home(), 0.0, &mut poses);
        let bare_hand = HandBody::of(robot, &[0.0; MAX_JOINTS])
            .ok_or_else(|| refuse("its mass matrix is not positive definite"))?;
        let home = robot.articulation(robot.home());
        let base_from_joint = home.base_from_joint(hand_joint_idx);
        let mut arm = Self {
            robot: Arc::clone(robot),
            mode,
            hand_joint_idx,
            joint_from_hand: base_from_joint.inv_mul(&poses[gripper.hand_idx]),
            tcp_from_hand: poses[robot.tcp_idx()].inv_mul(&poses[gripper.hand_idx]),
            carriers: carriers.collect(),
            dt,
            drives: Arc::default(),
            tracking: [Tracking::default(); MAX_JOINTS],
            q: *robot.home(),
            dq: JointVelocities::zeros(n)?,
            reaction: Reaction::NONE,
            tau: JointTorques::zeros(n)?,
            overload: [false; MAX_JOINTS],
            servo_is_on: true,
            payload: None,
            bare_hand,
            driven_hand: bare_hand,
            yields_for: 0,
            has_stops: true,
        };
        arm.set_drives(robot.actuators().joints());
        Ok(arm)
    }

    /// Exchanges the robot's drives for others.
    pub fn set_drives(&mut self, drives: &[JointActuator]) {
        self.drives = drives.into();
        for (slot, drive) in self.tracking.iter_mut().zip(drives) {
            *slot = Tracking::new(drive, self.dt);
        }
        if self.mode == ArmMode::Dynamic {
            let mut added = [0.0; MAX_JOINTS];
            for (added, drive) in added.iter_mut().zip(drives) {
                *added = self.dt * dynamic::pull(drive, self.dt);
            }
            let hand = HandBody::of(&self.robot, &added);
            self.driven_hand = hand.unwrap_or(self.bare_hand);
        }
    }

    pub fn mode(&self) -> ArmMode {
        self.mode
    }

    pub fn q(&self) -> &JointPositions {
        &self.q
    }

    pub fn dq(&self) -> &JointVelocities {
        &self.dq
    }

    /// How the hand gives way now.
    pub fn hand_body(&self) -> HandBody {
        match self.mode {
            _ if self.yields_for > 0 => self.bare_hand,
            ArmMode::Dynamic => self.driven_hand,
            ArmMode::Exact | ArmMode::Actuated => self.bare_hand.firm(),
        }
    }

    /// The hand's way over a step that ends at `q`; `None` if the hand goes its way whatever it feels.
    pub fn hand_way(&self, q: &JointPositions) -> Option<HandWay> {
        let at = |q| self.robot.forward(q) * self.tcp_from_hand;
        (self.mode != ArmMode::Exact).then(|| HandWay {
            from: at(&self.q),
            to: at(q),
            body: self.hand_body(),
            push: self.reaction.push,
        })
    }

    pub fn report(&self) -> ArmReport {
        ArmReport {
            mode: self.mode,
            tau: self.tau,
            overload: self.overload,
            load: self.reaction.load,
        }
    }

    /// Puts the joints somewhere, unloaded.
    pub fn place(&mut self, q: JointPositions, dq: JointVelocities) {
        self.q = q;
        self.dq = dq;
        self.reaction = Reaction::NONE;
        self.tau = self.tau.map(|_| 0.0);
        self.overload = [false; MAX_JOINTS];
        self.yields_for = 0;
    }

    /// Switches the drives of [`ArmMode::Dynamic`] off: only friction and gravity remain.
    pub fn set_servo(&mut self, is_on: bool) {
        self.servo_is_on = is_on;
    }

    /// Lets joints turn for ever: what is compared with equations that know no stops.
    pub fn remove_stops(&mut self) {
        self.has_stops = false;
    }

    /// Takes over what another arm's servos were told.
    pub fn take_settings(&mut self, other: &Self) {
        self.servo_is_on = other.servo_is_on;
        self.payload = other.payload;
    }

    /// Tells the servos what they carry.
    pub fn set_payload(&mut self, payload: Option<Payload>) {
        self.payload = payload;
    }

    /// Where the joints go if the load stays as it is, with links that touch. Never allocates.
    pub fn predict(&self, order: &Order, contacts: &[LinkContact]) -> Prediction {
        let command = &order.joints;
        let (step, outcome) = match self.mode {
            ArmMode::Exact => {
                return Prediction {
                    q: command.q_d,
                    step: Step::Exact,
                };
            }
            ArmMode::Actuated => {
                let tracked = Tracked::new(self, command, contacts);
                let outcome = tracked.solve(&self.reaction.load);
                (Step::Tracked(tracked), outcome)
            }
            ArmMode::Dynamic => {
                let mut servo = Servo::new(self, order, contacts);
                let is_touched = !contacts.is_empty();
                let outcome = servo.predict(self, &self.reaction.load, is_touched);
                (Step::Servo(servo), outcome)
            }
        };
        let q = step.positions(&self.q, &outcome.dq);
        Prediction {
            q: self.stopped(q).0,
            step,
        }
    }

    /// Finishes a step with what physics measured at the hand.
    pub fn correct(&mut self, prediction: &Prediction, reaction: Reaction) {
        self.reaction = reaction;
        let outcome = match &prediction.step {
            Step::Exact => {
                for idx in 0..self.q.len() {
                    self.dq[idx] = (prediction.q[idx] - self.q[idx]) / self.dt;
                }
                self.q = prediction.q;
                return;
            }
            Step::Tracked(tracked) => tracked.solve(&reaction.load),
            Step::Servo(servo) => servo.solve(&reaction.load),
        };
        let (q, has_stopped) = self.stopped(prediction.step.positions(&self.q, &outcome.dq));
        self.q = q;
        for (idx, has_stopped) in has_stopped.into_iter().enumerate().take(self.q.len()) {
            self.dq[idx] = if has_stopped { 0.0 } else { outcome.dq[idx] };
            self.tau[idx] = outcome.tau[idx];
        }
        self.overload = outcome.overload;
        self.yields_for = if self.overload.contains(&true) || prediction.step.only_pushes() {
            YIELDING_STEPS
        } else {
            self.yields_for.saturating_sub(1)
        };
    }

    /// Mechanical stops at the position limits, inelastic.
    fn stopped(&self, mut q: JointPositions) -> (JointPositions, [bool; MAX_JOINTS]) {
        let limits = self.robot.limits();
        let mut has_stopped = [false; MAX_JOINTS];
        if !self.has_stops {
            return (q, has_stopped);
        }
        for (idx, (q, has_stopped)) in q.iter_mut().zip(&mut has_stopped).enumerate() {
            let inside = q.clamp(limits.q_min[idx], limits.q_max[idx]);
            *has_stopped = inside != *q;
            *q = inside;
        }
        (q, has_stopped)
    }
}

impl Step {
    /// Whether the drives push with given torques, whatever the joints do.
    fn only_pushes(&self) -> bool {
        matches!(self, Self::Servo(servo) if servo.only_pushes())
    }

    fn positions(&self, q: &JointPositions, dq: &[f64; MAX_JOINTS]) -> JointPositions {
        let mut out = *q;
        for idx in 0..q.len() {
            out[idx] = match self {
                Self::Exact => q[idx],
                Self::Tracked(tracked) => tracked.position(idx, q[idx], dq[idx]),
                Self::Servo(servo) => servo.position(idx, dq[idx]),
            };
        }
        out
    }
}

/// Joint torques of the weight of a declared payload, N·m: what the servos add.
fn payload_torques(arm: &Arm, terms: &Articulation) -> [f64; MAX_JOINTS] {
    let Some(payload) = arm.payload else {
        return [0.0; MAX_JOINTS];
    };
    let base_from_hand = terms.base_from_joint(arm.hand_joint_idx) * arm.joint_from_hand;
    // As the servos know gravity, from the robot's model; the engine's bodies weigh 0.03 % more.
    let weight = Vector3::new(0.0, 0.0, 9.806_65 * payload.mass);
    let carry = Wrench::at(
        &(base_from_hand * payload.center_in_hand),
        weight,
        Vector3::zeros(),
    );
    terms.torques_of(arm.hand_joint_idx, &carry)
}

/// The joint that carries a link.
pub(crate) fn carrier(robot: &Robot, link_idx: usize) -> Option<usize> {
    let mut at = Some(link_idx);
    while let Some(link) = at.and_then(|idx| robot.links().get(idx)) {
        match link.motion {
            Motion::Revolute { joint_idx, .. } | Motion::Prismatic { joint_idx, .. } => {
                return Some(joint_idx);
            }
            Motion::Fixed | Motion::Finger { .. } => at = link.parent_idx,
        }
    }
    None
}

fn padded(values: &[f64]) -> [f64; MAX_JOINTS] {
    std::array::from_fn(|idx| values.get(idx).copied().unwrap_or(0.0))
}

#[cfg(test)]
mod tests;
