//! How the arm moves under joint forces that stay what they are.

use prehend_robot::{Llt, Robot};
use prehend_types::{JointPositions, MAX_JOINTS};

type Joints = [f64; MAX_JOINTS];

/// Positions and speeds after `dt` s under `force` (N·m, from everything but gravity and the arm's own
/// motion), from `q` at `dq`; `None` where the mass matrix has no factors.
///
/// Nyström's formulas of fourth order (Hairer, Nørsett, Wanner, *Solving Ordinary Differential Equations
/// I*, 1993, II.14), of which two of four stages share a configuration. Never allocates.
pub(super) fn free_motion(
    robot: &Robot,
    q: &JointPositions,
    dq: &Joints,
    force: &Joints,
    dt: f64,
) -> Option<(JointPositions, Joints)> {
    let n = robot.n_joints();
    let ahead = |speeds: f64, accelerations: f64, ddq: &Joints| {
        let mut out = *q;
        for idx in 0..n {
            out[idx] += speeds * dq[idx] + accelerations * ddq[idx];
        }
        out
    };
    let faster =
        |by: f64, ddq: &Joints| -> Joints { std::array::from_fn(|idx| dq[idx] + by * ddq[idx]) };

    let start = Here::new(robot, q)?.accelerations(dq, force);
    let mid = Here::new(robot, &ahead(0.5 * dt, dt * dt / 8.0, &start))?;
    let first = mid.accelerations(&faster(0.5 * dt, &start), force);
    let second = mid.accelerations(&faster(0.5 * dt, &first), force);
    let end = Here::new(robot, &ahead(dt, 0.5 * dt * dt, &second))?;
    let last = end.accelerations(&faster(dt, &second), force);

    let sum: Joints = std::array::from_fn(|idx| start[idx] + first[idx] + second[idx]);
    let q = ahead(dt, dt * dt / 6.0, &sum);
    let dq = std::array::from_fn(|idx| {
        dq[idx] + dt / 6.0 * (sum[idx] + first[idx] + second[idx] + last[idx])
    });
    Some((q, dq))
}

/// The equations of motion at one configuration.
struct Here {
    arm: prehend_robot::Articulation,
    mass: Llt,
}

impl Here {
    fn new(robot: &Robot, q: &JointPositions) -> Option<Self> {
        let arm = robot.articulation(q);
        let mass = Llt::new(&arm.mass_matrix(), robot.n_joints())?;
        Some(Self { arm, mass })
    }

    fn accelerations(&self, dq: &Joints, force: &Joints) -> Joints {
        let bias = self.arm.bias(dq, &[]);
        let mut ddq = std::array::from_fn(|idx| force[idx] - bias[idx]);
        self.mass.solve(&mut ddq);
        ddq
    }
}
