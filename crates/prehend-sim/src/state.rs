//! The flat, versioned state vector of a world.

use nalgebra::{Quaternion, Translation3, UnitQuaternion, Vector3};
use prehend_types::{
    GripperState, JointPositions, JointVelocities, MAX_JOINTS, Pose, RobotState, Stamp,
};

use serde::{Deserialize, Serialize};

use crate::SimError;
use crate::physics::{BodyState, DT};

/// First number of every state vector.
const VERSION: f32 = 1.0;
const PER_BODY: usize = 13;
const HEADER: usize = 10;

/// Everything that moves in a world, as numbers.
///
/// Restoring it gives the same poses and velocities, which is all that a camera needs; contact forces
/// are not part of it, so that stepping on from a restored state is close to, but not bit for bit, what
/// the original world would have done. [`crate::World::save`] keeps them, and replaying from the seed
/// makes them again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WorldState {
    /// Which draw of the seed's scene this is.
    pub attempt: u64,
    /// Physics steps since the start.
    pub steps: u64,
    /// Joint positions.
    pub q: JointPositions,
    /// Joint velocities.
    pub dq: JointVelocities,
    /// The gripper as a policy sees it.
    pub gripper: GripperState,
    /// Displacement of each finger from shut, m.
    pub fingers: [f64; 2],
    /// Where the finger targets have slewed to, m from shut.
    pub finger_target: f64,
    /// The bodies that can move, in the scene's order.
    pub bodies: Vec<BodyState>,
}

impl WorldState {
    /// Simulated time since the start.
    pub fn stamp(&self) -> Stamp {
        Stamp::from_nanos((self.steps as f64 * DT * 1e9).round() as u64)
    }

    pub fn robot_state(&self) -> RobotState {
        RobotState {
            stamp: self.stamp(),
            q: self.q,
            dq: self.dq,
            gripper: self.gripper,
        }
    }

    pub fn to_vector(&self) -> Vec<f32> {
        let mut out = Vec::with_capacity(HEADER + 16 + PER_BODY * self.bodies.len());
        out.extend([
            VERSION,
            self.attempt as f32,
            self.steps as f32,
            self.gripper.width as f32,
            self.gripper.commanded as f32,
            f32::from(u8::from(self.gripper.is_grasping)),
            self.fingers[0] as f32,
            self.fingers[1] as f32,
            self.finger_target as f32,
            self.q.len() as f32,
        ]);
        out.extend(self.q.iter().chain(self.dq.iter()).map(|v| *v as f32));
        for body in &self.bodies {
            let q = body.base_from_body.rotation.coords;
            out.extend(
                body.base_from_body
                    .translation
                    .vector
                    .iter()
                    .map(|v| *v as f32),
            );
            out.extend([q.x as f32, q.y as f32, q.z as f32, q.w as f32]);
            out.extend(body.linear.iter().chain(&body.angular).map(|v| *v as f32));
        }
        out
    }

    pub fn from_vector(values: &[f32]) -> Result<Self, SimError> {
        let refuse = |reason: String| SimError::State { reason };
        if values.len() < HEADER || values[0] != VERSION {
            return Err(refuse(format!(
                "{} numbers of version {:?}, expected at least {HEADER} of version {VERSION}",
                values.len(),
                values.first()
            )));
        }
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            return Err(refuse(format!("number {index} is not finite")));
        }
        // Beyond 2^24 single precision skips whole numbers.
        let is_count = |v: f32| (0.0..16_777_216.0).contains(&v) && v.fract() == 0.0;
        if !is_count(values[1]) || !is_count(values[2]) {
            return Err(refuse(format!(
                "attempt {} or step {} is no count",
                values[1], values[2]
            )));
        }
        let n_joints = values[9] as usize;
        if n_joints > MAX_JOINTS || values[9] != n_joints as f32 {
            return Err(refuse(format!("{} is no number of joints", values[9])));
        }
        let rest = values.len().checked_sub(HEADER + 2 * n_joints);
        let Some(rest) = rest.filter(|rest| rest % PER_BODY == 0) else {
            return Err(refuse(format!(
                "{} numbers do not divide into {n_joints} joints and whole bodies",
                values.len()
            )));
        };
        let bodies = values[HEADER + 2 * n_joints..].chunks_exact(PER_BODY);
        for (body, v) in bodies.enumerate() {
            let square: f32 = v[3..7].iter().map(|v| v * v).sum();
            if (square - 1.0).abs() > 0.02 {
                return Err(refuse(format!(
                    "the orientation of body {body} is no unit quaternion"
                )));
            }
        }
        let wide = |slice: &[f32]| slice.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
        let joints = &values[HEADER..HEADER + 2 * n_joints];
        let bodies = values[values.len() - rest..]
            .chunks_exact(PER_BODY)
            .map(|v| body_state(&wide(v)))
            .collect();
        Ok(Self {
            attempt: values[1] as u64,
            steps: values[2] as u64,
            gripper: GripperState {
                width: f64::from(values[3]),
                commanded: f64::from(values[4]),
                is_grasping: values[5] != 0.0,
            },
            fingers: [f64::from(values[6]), f64::from(values[7])],
            finger_target: f64::from(values[8]),
            q: JointPositions::from_slice(&wide(&joints[..n_joints]))?,
            dq: JointVelocities::from_slice(&wide(&joints[n_joints..]))?,
            bodies,
        })
    }

    /// The state as its vector holds it, in single precision.
    pub fn rounded(&self) -> Self {
        Self::from_vector(&self.to_vector()).unwrap_or_else(|_| self.clone())
    }

    /// A hash of every bit of the state vector, the same on every machine (FNV-1a, 64 bit). What the vector
    /// rounds or leaves out (the arm's own numbers, commands on their way, contacts) shows in later steps.
    pub fn hash(&self) -> u64 {
        self.to_vector()
            .iter()
            .flat_map(|v| v.to_bits().to_le_bytes())
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            })
    }
}

fn body_state(v: &[f64]) -> BodyState {
    BodyState {
        base_from_body: Pose::from_parts(
            Translation3::new(v[0], v[1], v[2]),
            UnitQuaternion::from_quaternion(Quaternion::new(v[6], v[3], v[4], v[5])),
        ),
        linear: Vector3::new(v[7], v[8], v[9]),
        angular: Vector3::new(v[10], v[11], v[12]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> WorldState {
        WorldState {
            attempt: 1,
            steps: 240,
            q: JointPositions::from_slice(&[0.5; 7]).expect("seven fit"),
            dq: JointVelocities::from_slice(&[0.25; 7]).expect("seven fit"),
            gripper: GripperState {
                width: 0.0625,
                commanded: 1.0,
                is_grasping: false,
            },
            fingers: [0.03125; 2],
            finger_target: 0.03125,
            bodies: vec![BodyState {
                base_from_body: Pose::translation(0.5, 0.25, 0.125),
                linear: Vector3::new(1.0, 0.0, 0.0),
                angular: Vector3::new(0.0, 2.0, 0.0),
            }],
        }
    }

    #[test]
    fn a_vector_gives_the_state_back() {
        let back = WorldState::from_vector(&state().to_vector()).expect("own vector");
        assert_eq!(back, state());
        assert_eq!(back.stamp(), Stamp::from_nanos(1_200_000_000));
    }

    #[test]
    fn hostile_vectors_are_refused() {
        let vector = state().to_vector();
        for bad in [&vector[..0], &vector[..9], &vector[..30]] {
            assert!(WorldState::from_vector(bad).is_err());
        }
        let mut nan = vector.clone();
        nan[20] = f32::NAN;
        assert!(WorldState::from_vector(&nan).is_err());
        let mut version = vector.clone();
        version[0] = 2.0;
        assert!(WorldState::from_vector(&version).is_err());
        let refused = |index: std::ops::Range<usize>, value: f32| {
            let mut bad = vector.clone();
            bad[index].fill(value);
            WorldState::from_vector(&bad).map_or_else(|e| e.to_string(), |_| String::new())
        };
        assert!(refused(1..2, -1.0).contains("attempt -1"));
        assert!(refused(2..3, 1e30).contains("no count"));
        assert!(refused(2..3, 0.5).contains("no count"));
        let turn = HEADER + 14 + 3;
        assert!(refused(turn..turn + 4, 0.0).contains("body 0"));
    }

    #[test]
    fn one_bit_changes_the_hash() {
        let mut other = state();
        other.bodies[0].linear.z = 1e-7;
        assert_ne!(other.hash(), state().hash());
    }
}
