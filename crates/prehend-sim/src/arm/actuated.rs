//! A step of joints that follow their command by themselves, as far as speed, acceleration and torque
//! allow.

use prehend_robot::{Llt, Wrench};
use prehend_types::{JointCommand, MAX_JOINTS, Pose};

use super::coupling::HandBody;
use super::{Arm, Equations, Outcome};
use crate::physics::LinkContact;

/// Share of the acceleration limit that braking before the target counts on.
const BRAKING_SHARE: f64 = 0.9;

/// After an overload the drives catch what was knocked off its way with so many times their acceleration
/// limit; their torque limit holds.
const RECOVERING: f64 = 5.0;

/// The step that the drives want to make, and what it takes.
#[derive(Debug)]
pub(super) struct Tracked {
    equations: Equations,
    /// Speeds and positions at the end, if the torques suffice.
    dq: [f64; MAX_JOINTS],
    q: [f64; MAX_JOINTS],
    max_torque: [f64; MAX_JOINTS],
    /// Set while the hand is firm: then the first answer to an overload is that of its mass.
    firm: Option<(HandBody, Pose)>,
}

#[allow(clippy::needless_range_loop, reason = "indices are the formula's own")]
impl Tracked {
    pub fn new(arm: &Arm, command: &JointCommand, contacts: &[LinkContact]) -> Self {
        let equations = Equations::new(arm, &arm.q, contacts);
        let mut out = Self {
            equations,
            dq: [0.0; MAX_JOINTS],
            q: [0.0; MAX_JOINTS],
            max_torque: [0.0; MAX_JOINTS],
            firm: (arm.yields_for == 0).then(|| (arm.hand_body(), arm.joint_from_hand)),
        };
        let limits = arm.robot.limits();
        for (idx, drive) in arm.drives.iter().enumerate() {
            let (q, dq) = (arm.q[idx], arm.dq[idx]);
            let q_d = command.q_d[idx].clamp(limits.q_min[idx], limits.q_max[idx]);
            let dq_d = command.dq_d.get(idx).copied().unwrap_or(0.0);
            let dq_d = if q_d == command.q_d[idx] { dq_d } else { 0.0 };
            let (q_wanted, dq_wanted) = arm.tracking[idx].step(q, dq, q_d, dq_d);

            // Towards the command no faster than can still be braked: a saturated tracking would run
            // past it.
            let error = q_d - (q + 0.5 * arm.dt * dq);
            let reserve = if arm.yields_for > 0 { RECOVERING } else { 1.0 };
            let max_acceleration = reserve * drive.max_acceleration;
            let brakes = BRAKING_SHARE * max_acceleration;
            let nearing = (2.0 * brakes * error.abs()).sqrt();
            let relative = dq_wanted - dq_d;
            let mut speed = if relative * error > 0.0 {
                dq_d + relative.clamp(-nearing, nearing)
            } else {
                dq_wanted
            };
            speed = speed.clamp(-drive.max_velocity, drive.max_velocity);
            let change = max_acceleration * arm.dt;
            speed = speed.clamp(dq - change, dq + change);
            let is_free = speed == dq_wanted;
            out.dq[idx] = speed;
            out.q[idx] = if is_free {
                q_wanted
            } else {
                q + 0.5 * arm.dt * (dq + speed)
            };
            out.max_torque[idx] = drive.max_torque;
        }
        out
    }

    /// Position at the end of the step that goes with a speed there.
    pub fn position(&self, idx: usize, q: f64, dq: f64) -> f64 {
        if dq == self.dq[idx] {
            self.q[idx]
        } else {
            q + 0.5 * self.equations.dt * (self.equations.dq[idx] + dq)
        }
    }

    /// The step under a load: as wanted if no torque exceeds its limit. Joints at their limit get the
    /// acceleration that the limit gives them, with the others moving as wanted; each round can only
    /// add joints to those.
    pub fn solve(&self, load: &Wrench) -> Outcome {
        let equations = &self.equations;
        let n = equations.n();
        let bias = equations.loaded_bias(load);
        let mut ddq: [f64; MAX_JOINTS] =
            std::array::from_fn(|idx| (self.dq[idx] - equations.dq[idx]) / equations.dt);
        let mut overload = [false; MAX_JOINTS];
        let mut at_limit = [0.0; MAX_JOINTS];
        let tau = loop {
            let mut tau = bias;
            for (row, tau) in tau.iter_mut().enumerate() {
                *tau += equations.row(row, &ddq);
            }
            let mut is_new = false;
            for idx in 0..n {
                if !overload[idx] && tau[idx].abs() > self.max_torque[idx] {
                    overload[idx] = true;
                    at_limit[idx] = self.max_torque[idx].copysign(tau[idx]);
                    is_new = true;
                }
            }
            for idx in (0..n).filter(|idx| overload[*idx]) {
                tau[idx] = at_limit[idx];
            }
            if !is_new {
                break tau;
            }
            // Rows of joints that move as wanted become identities.
            let mut matrix = match &self.firm {
                Some((hand, joint_from_hand)) => equations.mass_with(hand, joint_from_hand),
                None => equations.mass,
            };
            let mut right = [0.0; MAX_JOINTS];
            for row in 0..n {
                if !overload[row] {
                    for k in 0..n {
                        matrix[(row, k)] = 0.0;
                        matrix[(k, row)] = 0.0;
                    }
                    matrix[(row, row)] = 1.0;
                    right[row] = ddq[row];
                    continue;
                }
                right[row] = at_limit[row] - bias[row];
                for column in (0..n).filter(|column| !overload[*column]) {
                    right[row] -= equations.mass[(row, column)] * ddq[column];
                }
            }
            let Some(factors) = Llt::new(&matrix, n) else {
                break tau;
            };
            factors.solve(&mut right);
            ddq = right;
        };
        Outcome {
            dq: std::array::from_fn(|idx| {
                if overload[idx] {
                    equations.dq[idx] + equations.dt * ddq[idx]
                } else {
                    self.dq[idx]
                }
            }),
            tau,
            overload,
        }
    }
}
