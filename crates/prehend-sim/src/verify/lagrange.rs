//! The arm's equations of motion from Lagrange's function, for comparison.
//!
//! Nothing is shared with the recursive Newton-Euler code or the kinematics of `prehend-robot` but
//! the robot's data: links, masses, inertias, armature. Kinetic energy comes from link poses and
//! their geometric Jacobians, gravity from the slope of the potential energy, centrifugal and
//! Coriolis terms from the slopes of the kinetic energy, all by differences of fourth order.
//!
//! With L = T - V: `M ddq + dM/dt dq - dT/dq + dV/dq = tau`.

use nalgebra::{DMatrix, DVector, Matrix3, Vector3};
use prehend_robot::{Motion, Robot};

/// Standard gravity, m/s², as `prehend-robot` has it: the two are compared to nine digits.
const GRAVITY: f64 = 9.806_65;
/// Step of the differences, rad or m. Fourth order: truncation 1e-13, rounding 1e-12 of the values.
const STEP: f64 = 1e-3;

/// A link as data: rotation matrices and vectors only.
#[derive(Debug, Clone)]
struct Body {
    parent: Option<usize>,
    rotation: Matrix3<f64>,
    origin: Vector3<f64>,
    motion: Motion,
    mass: f64,
    center: Vector3<f64>,
    inertia: Matrix3<f64>,
}

/// Where a link is: world-from-link rotation and the link's origin.
#[derive(Debug, Clone, Copy)]
struct Place {
    rotation: Matrix3<f64>,
    origin: Vector3<f64>,
}

/// A tree of rigid bodies with its kinetic and potential energy.
#[derive(Debug, Clone)]
pub(super) struct Lagrangian {
    bodies: Vec<Body>,
    armature: Vec<f64>,
    /// Displacement of each finger, m.
    finger: f64,
}

impl Lagrangian {
    /// The gripper counts as empty and half open, as everywhere in the arm's dynamics.
    pub fn new(robot: &Robot) -> Self {
        let bodies = robot.links().iter().map(|link| Body {
            parent: link.parent_idx,
            rotation: *link
                .parent_from_joint
                .rotation
                .to_rotation_matrix()
                .matrix(),
            origin: link.parent_from_joint.translation.vector,
            motion: link.motion,
            mass: link.inertial.mass,
            center: link.inertial.center_of_mass,
            inertia: link.inertial.inertia,
        });
        Self {
            bodies: bodies.collect(),
            armature: robot.joint_dynamics().iter().map(|d| d.armature).collect(),
            finger: 0.25 * robot.gripper().map_or(0.0, |gripper| gripper.max_width),
        }
    }

    /// How far open it counts as, m.
    pub fn finger_width(&self) -> f64 {
        2.0 * self.finger
    }

    pub fn n_joints(&self) -> usize {
        self.armature.len()
    }

    fn places(&self, q: &[f64]) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::with_capacity(self.bodies.len());
        for body in &self.bodies {
            let parent = body.parent.map_or(
                Place {
                    rotation: Matrix3::identity(),
                    origin: Vector3::zeros(),
                },
                |parent| places[parent],
            );
            let (turn, shift) = match body.motion {
                Motion::Fixed => (Matrix3::identity(), Vector3::zeros()),
                Motion::Revolute { joint_idx, axis } => {
                    (rodrigues(&axis, q[joint_idx]), Vector3::zeros())
                }
                Motion::Prismatic { joint_idx, axis } => (Matrix3::identity(), axis * q[joint_idx]),
                Motion::Finger { axis } => (Matrix3::identity(), axis * self.finger),
            };
            places.push(Place {
                rotation: parent.rotation * body.rotation * turn,
                origin: parent.origin + parent.rotation * (body.origin + body.rotation * shift),
            });
        }
        places
    }

    /// Where the links' own frames are, m.
    pub fn origins(&self, q: &[f64]) -> Vec<Vector3<f64>> {
        self.places(q).iter().map(|place| place.origin).collect()
    }

    /// `M(q)`: the sum over all links of `m Jv'Jv + Jw' R I R' Jw`, plus the armature.
    pub fn mass_matrix(&self, q: &[f64]) -> DMatrix<f64> {
        let n = self.n_joints();
        let places = self.places(q);
        let mut matrix = DMatrix::from_diagonal(&DVector::from_column_slice(&self.armature));
        for (idx, body) in self.bodies.iter().enumerate() {
            let place = places[idx];
            let center = place.origin + place.rotation * body.center;
            let mut linear = DMatrix::<f64>::zeros(3, n);
            let mut angular = DMatrix::<f64>::zeros(3, n);
            // Every moving joint between this link and the base carries it.
            let mut carrier = Some(idx);
            while let Some(link) = carrier {
                match self.bodies[link].motion {
                    Motion::Revolute { joint_idx, axis } => {
                        let axis = places[link].rotation * axis;
                        let arm = axis.cross(&(center - places[link].origin));
                        linear.set_column(joint_idx, &arm);
                        angular.set_column(joint_idx, &axis);
                    }
                    Motion::Prismatic { joint_idx, axis } => {
                        linear.set_column(joint_idx, &(places[link].rotation * axis));
                    }
                    Motion::Fixed | Motion::Finger { .. } => {}
                }
                carrier = self.bodies[link].parent;
            }
            let inertia = place.rotation * body.inertia * place.rotation.transpose();
            matrix += body.mass * linear.tr_mul(&linear) + angular.tr_mul(&(inertia * &angular));
        }
        matrix
    }

    /// V, J.
    pub fn potential(&self, q: &[f64]) -> f64 {
        let places = self.places(q);
        let height = self
            .bodies
            .iter()
            .zip(&places)
            .map(|(body, place)| body.mass * (place.origin + place.rotation * body.center).z);
        GRAVITY * height.sum::<f64>()
    }

    /// T, J.
    pub fn kinetic(&self, q: &[f64], dq: &[f64]) -> f64 {
        let dq = DVector::from_column_slice(dq);
        0.5 * dq.dot(&(self.mass_matrix(q) * &dq))
    }

    /// T + V, J.
    pub fn energy(&self, q: &[f64], dq: &[f64]) -> f64 {
        self.kinetic(q, dq) + self.potential(q)
    }

    /// `dV/dq`: what holds the arm still, N·m.
    pub fn gravity(&self, q: &[f64]) -> DVector<f64> {
        self.gradient(q, |q| self.potential(q))
    }

    /// `dM/dt dq - dT/dq`, N·m.
    pub fn coriolis(&self, q: &[f64], dq: &[f64]) -> DVector<f64> {
        let speed = DVector::from_column_slice(dq);
        let size = speed.amax();
        if size == 0.0 {
            return DVector::zeros(self.n_joints());
        }
        // Along the motion, scaled so that no joint goes farther than the step.
        let at = |steps: f64| {
            let ahead = steps * STEP / size;
            let q: Vec<f64> = q.iter().zip(dq).map(|(q, dq)| q + dq * ahead).collect();
            self.mass_matrix(&q)
        };
        let slope = ((at(-2.0) - at(2.0)) + (at(1.0) - at(-1.0)) * 8.0) / (12.0 * STEP / size);
        slope * &speed - self.gradient(q, |q| self.kinetic(q, dq))
    }

    /// Accelerations under joint torques; `None` if the mass matrix is not positive definite.
    pub fn acceleration(&self, q: &[f64], dq: &[f64], tau: &[f64]) -> Option<DVector<f64>> {
        let force = DVector::from_column_slice(tau) - self.coriolis(q, dq) - self.gravity(q);
        Some(self.mass_matrix(q).cholesky()?.solve(&force))
    }

    fn gradient(&self, q: &[f64], f: impl Fn(&[f64]) -> f64) -> DVector<f64> {
        let mut moved = q.to_vec();
        DVector::from_fn(self.n_joints(), |joint, _| {
            let mut at = |steps: f64| {
                moved[joint] = q[joint] + steps * STEP;
                let value = f(&moved);
                moved[joint] = q[joint];
                value
            };
            ((at(-2.0) - at(2.0)) + (at(1.0) - at(-1.0)) * 8.0) / (12.0 * STEP)
        })
    }

    /// One classical Runge-Kutta step under constant torques.
    pub fn runge_kutta(
        &self,
        q: &mut DVector<f64>,
        dq: &mut DVector<f64>,
        tau: &[f64],
        h: f64,
    ) -> Option<()> {
        let slope = |q: &DVector<f64>, dq: &DVector<f64>| {
            self.acceleration(q.as_slice(), dq.as_slice(), tau)
        };
        let (v1, a1) = (dq.clone(), slope(q, dq)?);
        let v2 = &*dq + &a1 * (0.5 * h);
        let a2 = slope(&(&*q + &v1 * (0.5 * h)), &v2)?;
        let v3 = &*dq + &a2 * (0.5 * h);
        let a3 = slope(&(&*q + &v2 * (0.5 * h)), &v3)?;
        let v4 = &*dq + &a3 * h;
        let a4 = slope(&(&*q + &v3 * h), &v4)?;
        *q += (v1 + v2 * 2.0 + v3 * 2.0 + v4) * (h / 6.0);
        *dq += (a1 + a2 * 2.0 + a3 * 2.0 + a4) * (h / 6.0);
        Some(())
    }
}

/// Rotation about a unit vector (Rodrigues' formula).
fn rodrigues(axis: &Vector3<f64>, angle: f64) -> Matrix3<f64> {
    let cross = axis.cross_matrix();
    Matrix3::identity() + cross * libm::sin(angle) + cross * cross * (1.0 - libm::cos(angle))
}

#[cfg(test)]
mod tests {
    use super::super::tests::with_bench;
    use super::*;

    #[test]
    fn energy_changes_by_the_work_done() {
        with_bench(|bench| {
            let arm = Lagrangian::new(bench.robot);
            let mut q = DVector::from_column_slice(bench.robot.home());
            let mut dq = DVector::from_fn(q.len(), |joint, _| 0.2 * (joint as f64 - 3.0));
            let tau: Vec<f64> = (0..q.len()).map(|joint| 3.0 - joint as f64).collect();
            let (start, before) = (q.clone(), arm.energy(q.as_slice(), dq.as_slice()));
            for _ in 0..100 {
                arm.runge_kutta(&mut q, &mut dq, &tau, 2e-3)
                    .expect("definite");
            }
            let work = DVector::from_column_slice(&tau).dot(&(&q - start));
            let gained = arm.energy(q.as_slice(), dq.as_slice()) - before;
            assert!((gained - work).abs() < 1e-8, "{gained} and {work}");
        });
    }
}
