//! The arm's own state as a flat list, to save a world and go on from it.

use nalgebra::Point3;
use prehend_robot::Wrench;
use prehend_types::{JointPositions, JointVelocities};

use super::coupling::Reaction;
use super::{Arm, ArmMode, Payload, YIELDING_STEPS};
use crate::SimError;

/// Mode, number of joints.
const HEADER: usize = 2;
/// Push and load of the hand, force and torque each, for how long it gives way, whether the servos are on,
/// whether they were told of a payload, its mass and centre.
const TAIL: usize = 19;

impl Arm {
    /// Everything that the next step depends on: mode, joint count, q, dq, what the hand felt,
    /// for how long it gives way, what the servos were told.
    pub fn to_numbers(&self) -> Vec<f64> {
        let mode = ArmMode::ALL.iter().position(|mode| *mode == self.mode);
        let mut out = vec![mode.unwrap_or(0) as f64, self.q.len() as f64];
        out.extend(self.q.iter().chain(self.dq.iter()));
        for wrench in [self.reaction.push, self.reaction.load] {
            out.extend(wrench.force.iter().chain(wrench.torque.iter()));
        }
        out.extend([self.yields_for, u32::from(self.servo_is_on)].map(f64::from));
        let payload = self.payload.map_or([0.0; 5], |payload| {
            let center = payload.center_in_hand;
            [1.0, payload.mass, center.x, center.y, center.z]
        });
        out.extend(payload);
        out
    }

    /// Goes on from saved numbers of an arm of the same robot and mode. Torques and overloads are
    /// known again after the next step.
    pub fn set_numbers(&mut self, numbers: &[f64]) -> Result<(), SimError> {
        let refuse = |reason: String| SimError::State { reason };
        let n = self.q.len();
        let mode = ArmMode::ALL.iter().position(|mode| *mode == self.mode);
        if numbers.len() != HEADER + 2 * n + TAIL
            || numbers[0] != mode.unwrap_or(0) as f64
            || numbers[1] != n as f64
        {
            return Err(refuse(format!(
                "{} numbers are no state of an arm of {n} joints in mode {}",
                numbers.len(),
                self.mode.name()
            )));
        }
        if let Some(index) = numbers.iter().position(|v| !v.is_finite()) {
            return Err(refuse(format!("number {index} of the arm is not finite")));
        }
        let (q, rest) = numbers[HEADER..].split_at(n);
        let (dq, rest) = rest.split_at(n);
        self.place(
            JointPositions::from_slice(q)?,
            JointVelocities::from_slice(dq)?,
        );
        let wrench = |v: &[f64]| Wrench {
            force: nalgebra::Vector3::new(v[0], v[1], v[2]),
            torque: nalgebra::Vector3::new(v[3], v[4], v[5]),
        };
        self.reaction = Reaction {
            push: wrench(&rest[..6]),
            load: wrench(&rest[6..12]),
        };
        self.yields_for = rest[12].clamp(0.0, f64::from(YIELDING_STEPS)) as u32;
        self.servo_is_on = rest[13] != 0.0;
        self.payload = (rest[14] != 0.0).then(|| Payload {
            mass: rest[15],
            center_in_hand: Point3::new(rest[16], rest[17], rest[18]),
        });
        Ok(())
    }
}
