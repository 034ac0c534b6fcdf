//! Links that touch: a stiff, damped layer on what is fixed, solved together with the joints.
//!
//! Force along the normal: -k gap⁺ - c v⁺ with the gap and speed at the end of the step, so that the
//! stiffness may be far beyond what an explicit step could carry. It enters mass matrix and bias of the
//! step: M + h B and b - A + B dq for a torque A - B dq⁺.

use prehend_robot::{JointMatrix, Wrench};
use prehend_types::MAX_JOINTS;

use super::Equations;
use crate::physics::{LinkContact, Touched};

/// Of the layer, N/m: 100 N dent it by 1 mm.
const STIFFNESS: f64 = 1e5;
/// Of the layer, N s/m: no bouncing below 10 kg.
const DAMPING: f64 = 2e3;
/// Friction of metal on wood.
const FRICTION: f64 = 0.3;
/// Sliding friction grows linearly up to this speed, m/s.
const STICTION_SPEED: f64 = 0.01;

impl Equations {
    /// Adds what the links touch. `carriers` says for every link which joint carries it.
    pub(super) fn touch(&mut self, contacts: &[LinkContact], carriers: &[Option<usize>]) {
        let dt = self.dt;
        for contact in contacts {
            let Some(joint_idx) = carriers.get(contact.link_idx).copied().flatten() else {
                continue;
            };
            let along = |direction| {
                let wrench = Wrench::at(&contact.point, direction, nalgebra::Vector3::zeros());
                self.arm.torques_of(joint_idx, &wrench)
            };
            let normal = along(contact.normal);
            let speed = dot(&normal, &self.dq);
            let gap = match contact.what {
                Touched::Moving { force } => {
                    for (bias, normal) in self.touch_bias.iter_mut().zip(normal) {
                        *bias -= force * normal;
                    }
                    continue;
                }
                // The gap is that of the step before.
                Touched::Fixed { gap } => gap + dt * speed,
            };
            let pressing = -STIFFNESS * (gap + dt * speed) - DAMPING * speed;
            if gap + dt * speed >= 0.0 || pressing <= 0.0 {
                continue;
            }
            let yielding = dt * STIFFNESS + DAMPING;
            add(&mut self.mass, &normal, dt * yielding);
            for (bias, normal) in self.touch_bias.iter_mut().zip(normal) {
                *bias += (STIFFNESS * gap + yielding * speed) * normal;
            }
            let side = contact
                .normal
                .cross(&least_aligned(&contact.normal))
                .normalize();
            for direction in [side, contact.normal.cross(&side)] {
                let tangent = along(direction);
                let sliding = dot(&tangent, &self.dq);
                let rub = FRICTION * pressing / sliding.abs().max(STICTION_SPEED);
                add(&mut self.mass, &tangent, dt * rub);
                for (bias, tangent) in self.touch_bias.iter_mut().zip(tangent) {
                    *bias += rub * sliding * tangent;
                }
            }
        }
        for (bias, touch) in self.bias.iter_mut().zip(self.touch_bias) {
            *bias += touch;
        }
    }
}

fn dot(a: &[f64; MAX_JOINTS], b: &[f64; MAX_JOINTS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(matrix: &mut JointMatrix, v: &[f64; MAX_JOINTS], by: f64) {
    for row in 0..MAX_JOINTS {
        for column in 0..MAX_JOINTS {
            matrix[(row, column)] += by * v[row] * v[column];
        }
    }
}

fn least_aligned(v: &nalgebra::Vector3<f64>) -> nalgebra::Vector3<f64> {
    let mut out = nalgebra::Vector3::zeros();
    out[v.iamin()] = 1.0;
    out
}
