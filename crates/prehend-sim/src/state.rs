//! The flat, versioned state vector of a world.

use nalgebra::{Quaternion, Translation3, UnitQuaternion, Vector3};
use prehend_types::{
    GripperState, JointPositions, JointVelocities, MAX_JOINTS, Pose, RobotState, Stamp,
};

use serde::{Deserialize, Serialize};

use crate::SimError;
use crate::physics::{BodyState, DT};

/// First number of every state vector.
const VERSION: f32 = 2.0;
/// Version, attempt, steps, numbers of arms, joints of each, bodies and cloths.
const HEADER: usize = 7;
/// Beside joints: width, command and claim of the gripper, fingers, their target.
const PER_GRIPPER: usize = 6;
const PER_BODY: usize = 13;
const PER_PARTICLE: usize = 6;

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
    /// The arm.
    pub arm: ArmState,
    /// Arms beside it, in the scene's order.
    pub partners: Vec<ArmState>,
    /// The bodies that can move, in the scene's order.
    pub bodies: Vec<BodyState>,
    /// The cloths, in the scene's order.
    pub cloths: Vec<ClothState>,
}

/// One arm and its gripper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ArmState {
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
}

/// Where the particles of a cloth are, in the base frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClothState {
    /// Positions, m, row by row.
    pub positions: Vec<Vector3<f32>>,
    /// Velocities, m/s.
    pub velocities: Vec<Vector3<f32>>,
}

impl WorldState {
    /// Simulated time since the start.
    pub fn stamp(&self) -> Stamp {
        Stamp::from_nanos((self.steps as f64 * DT * 1e9).round() as u64)
    }

    pub fn robot_state(&self) -> RobotState {
        self.arm.report(self.stamp())
    }

    pub fn to_vector(&self) -> Vec<f32> {
        let n_joints = self.arm.q.len();
        let n_arms = 1 + self.partners.len();
        let room = HEADER + n_arms * (PER_GRIPPER + 2 * n_joints) + PER_BODY * self.bodies.len();
        let mut out = Vec::with_capacity(room);
        out.extend([
            VERSION,
            self.attempt as f32,
            self.steps as f32,
            n_arms as f32,
            n_joints as f32,
            self.bodies.len() as f32,
            self.cloths.len() as f32,
        ]);
        for arm in std::iter::once(&self.arm).chain(&self.partners) {
            arm.write(&mut out);
        }
        for body in &self.bodies {
            write_body(body, &mut out);
        }
        for cloth in &self.cloths {
            out.push(cloth.positions.len() as f32);
            let particles = cloth.positions.iter().zip(&cloth.velocities);
            out.extend(particles.flat_map(|(at, speed)| at.iter().chain(speed).copied()));
        }
        out
    }

    pub fn from_vector(values: &[f32]) -> Result<Self, SimError> {
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
        let mut numbers = Numbers { rest: &values[1..] };
        let attempt = numbers.count("attempt")?;
        let steps = numbers.count("step")?;
        let n_arms = numbers.count("number of arms")?;
        let n_joints = numbers.count("number of joints")? as usize;
        let n_bodies = numbers.count("number of bodies")?;
        let n_cloths = numbers.count("number of cloths")?;
        if n_arms == 0 || n_joints > MAX_JOINTS {
            let reason = format!("{n_arms} arms of {n_joints} joints are no cell's");
            return Err(refuse(reason));
        }
        let arm = ArmState::read(&mut numbers, n_joints)?;
        let partners = (1..n_arms).map(|_| ArmState::read(&mut numbers, n_joints));
        let partners = partners.collect::<Result<_, _>>()?;
        let bodies = (0..n_bodies).map(|index| read_body(&mut numbers, index));
        let bodies = bodies.collect::<Result<_, _>>()?;
        let cloths = (0..n_cloths).map(|_| ClothState::read(&mut numbers));
        let cloths = cloths.collect::<Result<_, _>>()?;
        if !numbers.rest.is_empty() {
            let reason = format!("{} numbers are left over at its end", numbers.rest.len());
            return Err(refuse(reason));
        }
        Ok(Self {
            attempt,
            steps,
            arm,
            partners,
            bodies,
            cloths,
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

impl ArmState {
    /// An arm with its gripper open by `width`, m.
    pub fn open(q: JointPositions, dq: JointVelocities, width: f64) -> Self {
        Self {
            q,
            dq,
            gripper: GripperState {
                width,
                commanded: 1.0,
                is_grasping: false,
            },
            fingers: [0.5 * width; 2],
            finger_target: 0.5 * width,
        }
    }

    /// As its sensors report it.
    pub fn report(&self, stamp: Stamp) -> RobotState {
        RobotState {
            stamp,
            q: self.q,
            dq: self.dq,
            gripper: self.gripper,
        }
    }

    fn write(&self, out: &mut Vec<f32>) {
        out.extend([
            self.gripper.width as f32,
            self.gripper.commanded as f32,
            f32::from(u8::from(self.gripper.is_grasping)),
            self.fingers[0] as f32,
            self.fingers[1] as f32,
            self.finger_target as f32,
        ]);
        out.extend(self.q.iter().chain(self.dq.iter()).map(|v| *v as f32));
    }

    fn read(numbers: &mut Numbers<'_>, n_joints: usize) -> Result<Self, SimError> {
        let v = numbers.take(PER_GRIPPER)?;
        let q = numbers.take(n_joints)?;
        let dq = numbers.take(n_joints)?;
        Ok(Self {
            q: JointPositions::from_slice(&wide(q))?,
            dq: JointVelocities::from_slice(&wide(dq))?,
            gripper: GripperState {
                width: f64::from(v[0]),
                commanded: f64::from(v[1]),
                is_grasping: v[2] != 0.0,
            },
            fingers: [f64::from(v[3]), f64::from(v[4])],
            finger_target: f64::from(v[5]),
        })
    }
}

impl ClothState {
    fn read(numbers: &mut Numbers<'_>) -> Result<Self, SimError> {
        let n = numbers.count("number of particles")? as usize;
        let values = numbers.take(n.saturating_mul(PER_PARTICLE))?;
        let (positions, velocities) = values
            .chunks_exact(PER_PARTICLE)
            .map(|v| {
                (
                    Vector3::new(v[0], v[1], v[2]),
                    Vector3::new(v[3], v[4], v[5]),
                )
            })
            .unzip();
        Ok(Self {
            positions,
            velocities,
        })
    }
}

/// What is left of a vector.
struct Numbers<'a> {
    rest: &'a [f32],
}

impl<'a> Numbers<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [f32], SimError> {
        let short = || refuse(format!("it ends {} numbers early", n - self.rest.len()));
        let (taken, rest) = self.rest.split_at_checked(n).ok_or_else(short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn count(&mut self, what: &str) -> Result<u64, SimError> {
        let value = self.take(1)?[0];
        // Beyond 2^24 single precision skips whole numbers.
        if (0.0..16_777_216.0).contains(&value) && value.fract() == 0.0 {
            return Ok(value as u64);
        }
        Err(refuse(format!("{what} {value} is no count")))
    }
}

fn write_body(body: &BodyState, out: &mut Vec<f32>) {
    let at = body.base_from_body.translation.vector;
    let q = body.base_from_body.rotation.coords;
    let motion = body.linear.iter().chain(&body.angular);
    let numbers = at.iter().chain([&q.x, &q.y, &q.z, &q.w]).chain(motion);
    out.extend(numbers.map(|v| *v as f32));
}

fn read_body(numbers: &mut Numbers<'_>, index: u64) -> Result<BodyState, SimError> {
    let values = numbers.take(PER_BODY)?;
    let square: f32 = values[3..7].iter().map(|v| v * v).sum();
    if (square - 1.0).abs() > 0.02 {
        let reason = format!("the orientation of body {index} is no unit quaternion");
        return Err(refuse(reason));
    }
    let v = wide(values);
    Ok(BodyState {
        base_from_body: Pose::from_parts(
            Translation3::new(v[0], v[1], v[2]),
            UnitQuaternion::from_quaternion(Quaternion::new(v[6], v[3], v[4], v[5])),
        ),
        linear: Vector3::new(v[7], v[8], v[9]),
        angular: Vector3::new(v[10], v[11], v[12]),
    })
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

fn refuse(reason: String) -> SimError {
    SimError::State { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(q: f64) -> ArmState {
        let q = JointPositions::from_slice(&[q; 7]).expect("seven fit");
        let dq = JointVelocities::from_slice(&[0.25; 7]).expect("seven fit");
        ArmState::open(q, dq, 0.0625)
    }

    fn state() -> WorldState {
        WorldState {
            attempt: 1,
            steps: 240,
            arm: arm(0.5),
            partners: vec![arm(0.25)],
            bodies: vec![BodyState {
                base_from_body: Pose::translation(0.5, 0.25, 0.125),
                linear: Vector3::new(1.0, 0.0, 0.0),
                angular: Vector3::new(0.0, 2.0, 0.0),
            }],
            cloths: vec![ClothState {
                positions: vec![Vector3::new(0.5, 0.0, 0.125); 4],
                velocities: vec![Vector3::new(0.0, 0.0, -1.0); 4],
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
        version[0] = 1.0;
        assert!(WorldState::from_vector(&version).is_err());
        let refused = |index: std::ops::Range<usize>, value: f32| {
            let mut bad = vector.clone();
            bad[index].fill(value);
            WorldState::from_vector(&bad).map_or_else(|e| e.to_string(), |_| String::new())
        };
        assert!(refused(1..2, -1.0).contains("attempt -1"));
        assert!(refused(2..3, 1e30).contains("no count"));
        assert!(refused(2..3, 0.5).contains("no count"));
        assert!(refused(3..4, 0.0).contains("0 arms"));
        assert!(refused(4..5, 1e4).contains("10000 joints"));
        assert!(refused(5..6, 1e7).contains("early"));
        assert!(refused(6..7, 0.0).contains("left over"));
        let bodies = HEADER + 2 * (PER_GRIPPER + 14);
        assert!(refused(bodies + PER_BODY..bodies + PER_BODY + 1, 1e7).contains("early"));
        let turn = bodies + 3;
        assert!(refused(turn..turn + 4, 0.0).contains("body 0"));
    }

    #[test]
    fn one_bit_changes_the_hash() {
        let mut other = state();
        other.bodies[0].linear.z = 1e-7;
        assert_ne!(other.hash(), state().hash());
    }
}
