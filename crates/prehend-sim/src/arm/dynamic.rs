//! A step of the arm's equations of motion under joint servos, as position-controlled arms have them:
//! stiffness to the commanded position, damping to the commanded speed, gravity compensated, torques
//! limited.
//!
//! First the forces: positions go half a step, speeds a whole one at the configuration there, positions
//! the other half (position Verlet). Stiffness, damping and friction act on the new speeds, so that no
//! gain is too stiff for the step. Then, where the arm is not slow, the motion that goes with these
//! forces ([`free_motion`]): the first alone is of second order, and 0.08 rad off after a free swing of 2 s.

use prehend_robot::{JointActuator, JointMatrix, Llt, Wrench};
use prehend_types::{JointPositions, MAX_JOINTS};

use super::free::free_motion;
use super::{Arm, Equations, Outcome, payload_torques};
use crate::command_line::Order;
use crate::physics::LinkContact;

/// Up to this speed of every joint the finer motion is left out, rad/s.
const SLOW: f64 = 0.001;
/// Dry friction grows linearly up to this speed, rad/s.
const STICTION_SPEED: f64 = 0.01;

/// The step, up to the load.
#[derive(Debug)]
pub(super) struct Servo {
    equations: Equations,
    /// Half way through the step.
    q_half: JointPositions,
    drives: [Drive; MAX_JOINTS],
    /// What the speeds are multiplied with, if every drive yields.
    factors: Option<Llt>,
    /// M dq before the step.
    momentum: [f64; MAX_JOINTS],
    /// By what motion under the step's forces differs from the step.
    finer: Finer,
}

/// What the finer motion adds.
#[derive(Debug, Clone, Copy, Default)]
struct Finer {
    /// To positions that go with given speeds at the end.
    q: [f64; MAX_JOINTS],
    /// To speeds at the end.
    dq: [f64; MAX_JOINTS],
}

/// One drive: torque = push - pull dq⁺, |torque| at most `max_torque`; friction = -rub dq⁺.
#[derive(Debug, Clone, Copy, Default)]
struct Drive {
    push: f64,
    pull: f64,
    rub: f64,
    max_torque: f64,
}

/// How much torque a servo gives up per speed at the end of a step of `dt` s, N·m·s/rad.
pub(super) fn pull(drive: &JointActuator, dt: f64) -> f64 {
    0.5 * dt * drive.stiffness + drive.damping
}

impl Servo {
    pub fn new(arm: &Arm, order: &Order, contacts: &[LinkContact]) -> Self {
        let command = &order.joints;
        let mut q_half = arm.q;
        for (q, dq) in q_half.iter_mut().zip(arm.dq.iter()) {
            *q += 0.5 * arm.dt * dq;
        }
        let equations = Equations::new(arm, &q_half, contacts);
        let weight = equations.arm.bias(&[], &[]);
        let payload = payload_torques(arm, &equations.arm);
        let mut drives = [Drive::default(); MAX_JOINTS];
        for (idx, spec) in arm.drives.iter().enumerate() {
            let dry = spec.coulomb_friction / arm.dq[idx].abs().max(STICTION_SPEED);
            drives[idx].rub = spec.viscous_friction + dry;
            let carried = weight[idx] + payload[idx];
            if let Some(torques) = order.torques.filter(|_| arm.servo_is_on) {
                drives[idx].push = torques[idx] + carried;
                drives[idx].max_torque = spec.max_torque;
            } else if arm.servo_is_on {
                let dq_d = command.dq_d.get(idx).copied().unwrap_or(0.0);
                drives[idx] = Drive {
                    push: spec.stiffness * (command.q_d[idx] - q_half[idx])
                        + spec.damping * dq_d
                        + carried,
                    pull: pull(spec, arm.dt),
                    max_torque: spec.max_torque,
                    ..drives[idx]
                };
            }
        }
        let momentum = equations.times_mass(&equations.dq);
        let mut out = Self {
            equations,
            q_half,
            drives,
            factors: None,
            momentum,
            finer: Finer::default(),
        };
        out.factors = out.factors_of(&drives);
        out
    }

    /// Whether no drive yields: there are torques to push with, or the servos are off.
    pub fn only_pushes(&self) -> bool {
        self.drives.iter().all(|drive| drive.pull == 0.0)
    }

    /// Position at the end of the step that goes with a speed there.
    pub fn position(&self, idx: usize, dq: f64) -> f64 {
        self.q_half[idx] + 0.5 * self.equations.dt * dq + self.finer.q[idx]
    }

    /// The step under the load of the one before, and the motion that goes with its forces.
    pub fn predict(&mut self, arm: &Arm, load: &Wrench, is_touched: bool) -> Outcome {
        let outcome = self.solve(load);
        let speeds = arm.dq.iter().chain(&outcome.dq);
        // Links that touch are springs in the mass matrix: no smooth motion.
        if is_touched || speeds.fold(0.0, |most: f64, dq| most.max(dq.abs())) <= SLOW {
            return outcome;
        }
        self.refine(arm, outcome)
    }

    fn refine(&mut self, arm: &Arm, mut outcome: Outcome) -> Outcome {
        let equations = &self.equations;
        let dt = equations.dt;
        let gained = equations.times_mass(&outcome.dq);
        // All that acts: drives, friction, load.
        let force: [f64; MAX_JOINTS] = std::array::from_fn(|idx| {
            (gained[idx] - self.momentum[idx]) / dt + equations.bias[idx]
        });
        let Some((q, dq)) = free_motion(&arm.robot, &arm.q, &equations.dq, &force, dt) else {
            return outcome;
        };
        for idx in 0..equations.n() {
            self.finer.q[idx] = q[idx] - self.position(idx, dq[idx]);
            self.finer.dq[idx] = dq[idx] - outcome.dq[idx];
            outcome.dq[idx] = dq[idx];
        }
        outcome
    }

    /// The step under a load. Drives beyond their limit push with their limit and no longer yield;
    /// each round can only add to those.
    pub fn solve(&self, load: &Wrench) -> Outcome {
        let equations = &self.equations;
        let n = equations.n();
        let bias = equations.loaded_bias(load);
        let mut drives = self.drives;
        let mut factors = self.factors;
        let mut overload = [false; MAX_JOINTS];
        loop {
            let mut dq = [0.0; MAX_JOINTS];
            for idx in 0..n {
                dq[idx] = self.momentum[idx] + equations.dt * (drives[idx].push - bias[idx]);
            }
            match &factors {
                Some(factors) => factors.solve(&mut dq),
                None => dq = [f64::NAN; MAX_JOINTS],
            }
            let tau: [f64; MAX_JOINTS] =
                std::array::from_fn(|idx| drives[idx].push - drives[idx].pull * dq[idx]);
            let mut is_new = false;
            for idx in 0..n {
                if !overload[idx] && tau[idx].abs() > drives[idx].max_torque {
                    overload[idx] = true;
                    is_new = true;
                    drives[idx].push = drives[idx].max_torque.copysign(tau[idx]);
                    drives[idx].pull = 0.0;
                }
            }
            if !is_new {
                for (dq, finer) in dq.iter_mut().zip(self.finer.dq) {
                    *dq += finer;
                }
                return Outcome { dq, tau, overload };
            }
            factors = self.factors_of(&drives);
        }
    }

    fn factors_of(&self, drives: &[Drive; MAX_JOINTS]) -> Option<Llt> {
        let n = self.equations.n();
        let mut matrix: JointMatrix = self.equations.mass;
        for (idx, Drive { pull, rub, .. }) in drives.iter().enumerate().take(n) {
            matrix[(idx, idx)] += self.equations.dt * (pull + rub);
        }
        Llt::new(&matrix, n)
    }
}
