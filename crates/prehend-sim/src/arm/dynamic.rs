//! A step of the arm's equations of motion under joint servos, as position-controlled arms have them:
//! stiffness to the commanded position, damping to the commanded speed, gravity compensated, torques
//! limited.
//!
//! Positions go half a step, speeds a whole one at the configuration there, positions the other half
//! (position Verlet). Stiffness, damping and friction act on the new speeds, so that no gain is too
//! stiff for the step; speed-dependent forces are taken at the mean speed.

use prehend_robot::{JointMatrix, Llt, Wrench};
use prehend_types::{JointPositions, MAX_JOINTS};

use super::{Arm, Equations, Outcome, payload_torques};
use crate::command_line::Order;
use crate::physics::LinkContact;

/// Rounds of the fixed point for the mean speed: with one, a swing at up to 33 rad/s gains 1.6 % of its
/// energy in 10 s.
const MEAN_SPEED_ROUNDS: usize = 2;
/// Dry friction grows linearly up to this speed, rad/s.
const STICTION_SPEED: f64 = 0.01;

/// The step, up to the load.
#[derive(Debug)]
pub(super) struct Servo {
    equations: Equations,
    /// Half way through the step.
    q_half: JointPositions,
    drives: [Drive; MAX_JOINTS],
}

/// One drive: torque = push - pull dq⁺, |torque| at most `max_torque`; friction = -rub dq⁺.
#[derive(Debug, Clone, Copy, Default)]
struct Drive {
    push: f64,
    pull: f64,
    rub: f64,
    max_torque: f64,
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
                    pull: 0.5 * arm.dt * spec.stiffness + spec.damping,
                    max_torque: spec.max_torque,
                    ..drives[idx]
                };
            }
        }
        Self {
            equations,
            q_half,
            drives,
        }
    }

    /// Position at the end of the step that goes with a speed there.
    pub fn position(&self, idx: usize, dq: f64) -> f64 {
        self.q_half[idx] + 0.5 * self.equations.dt * dq
    }

    /// The step under the load of the one before; takes speed-dependent forces at the mean speed.
    pub fn predict(&mut self, load: &Wrench) -> Outcome {
        let mut outcome = self.solve(load);
        for _ in 0..MEAN_SPEED_ROUNDS {
            let before = self.equations.dq;
            let mean: [f64; MAX_JOINTS] =
                std::array::from_fn(|idx| 0.5 * (before[idx] + outcome.dq[idx]));
            let bias = self.equations.arm.bias(&mean, &[]);
            let touch = self.equations.touch_bias;
            self.equations.bias = std::array::from_fn(|idx| bias[idx] + touch[idx]);
            outcome = self.solve(load);
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
        let mut overload = [false; MAX_JOINTS];
        loop {
            let mut matrix: JointMatrix = equations.mass;
            let mut dq = [0.0; MAX_JOINTS];
            for row in 0..n {
                let Drive {
                    push, pull, rub, ..
                } = drives[row];
                dq[row] = equations.row(row, &equations.dq) + equations.dt * (push - bias[row]);
                matrix[(row, row)] += equations.dt * (pull + rub);
            }
            match Llt::new(&matrix, n) {
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
                return Outcome { dq, tau, overload };
            }
        }
    }
}
