//! Inverse kinematics: damped least squares inside the limits, from several starts.

use nalgebra::{SMatrix, SVector, Vector3};
use prehend_types::{JointPositions, MAX_JOINTS, Pose, Stream, derive_seed};

use crate::{IkError, Robot};

type JointVector = SVector<f64, MAX_JOINTS>;

/// How hard to try, and how well to hit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IkOptions {
    /// Position that may be left over, m.
    pub position_tolerance: f64,
    /// Rotation that may be left over, rad.
    pub rotation_tolerance: f64,
    /// Steps per start.
    pub max_iterations: usize,
    /// Starts: the seed, then home, then random positions (the same ones every time).
    pub max_starts: usize,
    /// Share of the way home that each step takes in the directions the pose leaves free.
    pub home_gain: f64,
}

impl Default for IkOptions {
    fn default() -> Self {
        Self {
            position_tolerance: 1e-5,
            rotation_tolerance: 1e-4,
            max_iterations: 80,
            max_starts: 24,
            home_gain: 0.02,
        }
    }
}

/// Weight of rotation against position: one radian counts as this many metres.
const METRES_PER_RADIAN: f64 = 0.3;
/// Damping that stays when the error is gone, m² (Sugihara 2011, doi:10.1109/TRO.2011.2148230).
const RESIDUAL_DAMPING: f64 = 1e-7;
/// Longest step of one joint, rad: beyond it the linear model means nothing.
const MAX_STEP: f64 = 0.5;

/// Where one start ended.
struct Attempt {
    q: JointPositions,
    position: f64,
    rotation: f64,
}

impl Robot {
    /// Joint positions inside the limits that bring the tool centre point to `base_from_tcp`.
    ///
    /// Levenberg-Marquardt steps with Sugihara's damping; joints that a step would push through a
    /// limit stand still for it; the null space pulls towards home. The same input gives the same
    /// output.
    ///
    /// # Errors
    /// [`IkError::NotReached`] with the best residual, or an input that makes no sense.
    pub fn inverse(
        &self,
        base_from_tcp: &Pose,
        q_seed: &JointPositions,
        options: &IkOptions,
    ) -> Result<JointPositions, IkError> {
        if q_seed.len() != self.n_joints() {
            return Err(IkError::JointCount {
                got: q_seed.len(),
                expected: self.n_joints(),
            });
        }
        let is_target_finite = base_from_tcp
            .translation
            .vector
            .iter()
            .all(|v| v.is_finite())
            && base_from_tcp.rotation.coords.iter().all(|v| v.is_finite());
        if !is_target_finite || !q_seed.is_finite() {
            return Err(IkError::NonFinite);
        }
        let starts = options.max_starts.max(1);
        let mut best: Option<(f64, Attempt)> = None;
        for start_idx in 0..starts {
            let q_start = match start_idx {
                0 => self.limits.clamp(*q_seed),
                1 => self.home,
                _ => self.random_start(start_idx as u64),
            };
            let attempt = self.descend(base_from_tcp, q_start, options);
            if attempt.position <= options.position_tolerance
                && attempt.rotation <= options.rotation_tolerance
            {
                return Ok(attempt.q);
            }
            let cost = attempt.position + METRES_PER_RADIAN * attempt.rotation;
            if best.as_ref().is_none_or(|(best_cost, _)| cost < *best_cost) {
                best = Some((cost, attempt));
            }
        }
        let (position_m, rotation_rad) = best.map_or((f64::NAN, f64::NAN), |(_, best)| {
            (best.position, best.rotation)
        });
        Err(IkError::NotReached {
            position_m,
            rotation_rad,
            starts,
        })
    }

    fn descend(&self, target: &Pose, mut q: JointPositions, options: &IkOptions) -> Attempt {
        let weight =
            SVector::<f64, 6>::from_fn(|row, _| if row < 3 { 1.0 } else { METRES_PER_RADIAN });
        let n_joints = self.n_joints();
        let mut iteration = 0;
        loop {
            let (current, jacobian) = self.forward_and_jacobian(&q);
            let linear: Vector3<f64> = target.translation.vector - current.translation.vector;
            let angular = (target.rotation * current.rotation.inverse()).scaled_axis();
            let attempt = Attempt {
                q,
                position: linear.norm(),
                rotation: angular.norm(),
            };
            let is_reached = attempt.position <= options.position_tolerance
                && attempt.rotation <= options.rotation_tolerance;
            if is_reached || iteration == options.max_iterations {
                return attempt;
            }
            iteration += 1;

            let mut error = SVector::<f64, 6>::zeros();
            error.fixed_rows_mut::<3>(0).copy_from(&linear);
            error.fixed_rows_mut::<3>(3).copy_from(&angular);
            error.component_mul_assign(&weight);
            let mut weighted = jacobian;
            for mut column in weighted.column_iter_mut() {
                column.component_mul_assign(&weight);
            }
            let damping = 0.5 * error.norm_squared() + RESIDUAL_DAMPING;
            let mut home_pull = JointVector::zeros();
            for joint_idx in 0..n_joints {
                home_pull[joint_idx] = options.home_gain * (self.home[joint_idx] - q[joint_idx]);
            }
            // A joint that the step pushes through a limit is taken out, and the step made again.
            let mut step = JointVector::zeros();
            for _ in 0..=n_joints {
                let Some(candidate) = damped_step(&weighted, &error, &home_pull, damping) else {
                    break;
                };
                step = candidate;
                let mut is_blocked = false;
                for joint_idx in 0..n_joints {
                    let next = q[joint_idx] + step[joint_idx];
                    let at_min =
                        q[joint_idx] <= self.limits.q_min[joint_idx] && next < q[joint_idx];
                    let at_max =
                        q[joint_idx] >= self.limits.q_max[joint_idx] && next > q[joint_idx];
                    if at_min || at_max {
                        weighted.column_mut(joint_idx).fill(0.0);
                        home_pull[joint_idx] = 0.0;
                        is_blocked = true;
                    }
                }
                if !is_blocked {
                    break;
                }
            }
            let scale = (MAX_STEP / step.amax()).min(1.0);
            for joint_idx in 0..n_joints {
                q[joint_idx] += scale * step[joint_idx];
            }
            q = self.limits.clamp(q);
        }
    }

    /// Uniform inside the limits; a function of the index alone.
    fn random_start(&self, start_idx: u64) -> JointPositions {
        let mut q = self.home;
        for (joint_idx, q) in q.iter_mut().enumerate() {
            let bits = derive_seed(start_idx, Stream::Sampling, joint_idx as u64);
            let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64;
            let (min, max) = (self.limits.q_min[joint_idx], self.limits.q_max[joint_idx]);
            *q = min + unit * (max - min);
        }
        q
    }
}

/// `argmin |J step - error|² + damping |step - pull|²`: where the task is free, the pull is followed.
fn damped_step(
    jacobian: &SMatrix<f64, 6, MAX_JOINTS>,
    error: &SVector<f64, 6>,
    pull: &JointVector,
    damping: f64,
) -> Option<JointVector> {
    let normal = jacobian * jacobian.transpose() + SMatrix::<f64, 6, 6>::identity() * damping;
    let rest = error - jacobian * pull;
    Some(pull + jacobian.transpose() * normal.cholesky()?.solve(&rest))
}
