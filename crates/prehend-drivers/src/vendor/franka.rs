//! Franka's control interface (FCI), joint position motion generator.
//!
//! Published (frankarobotics/docs 5f28326, libfranka 6474466): a point every millisecond; a lost one is
//! replaced by going on with constant acceleration; more than 20 in a row end the motion with
//! `communication_constraints_violation`; so does a point that breaks a position, speed, acceleration or
//! jerk limit, which are called position limit, velocity limit, velocity discontinuity and acceleration
//! discontinuity; a first point away from the arm is `..._start_pose_invalid`. Names are those of
//! `franka/errors.h`.
//!
//! Chosen: how far away that first point may be; that points which the controller makes up itself are not
//! held against the limits, but the next one that arrives is; braking with the largest acceleration after an
//! abort.

use std::time::Duration;

use prehend_types::{JointPositions, Stamp};

use super::{Abort, Decision, Identity, Ignored, Mismatch, Motion, Rules, Setpoint};

/// Time between two points.
const DT: Duration = Duration::from_millis(1);
/// Points in a row that may be lost.
const MAX_LOST: u32 = 20;
/// A first point further from the arm than this is refused, rad. Chosen.
const START_DISTANCE: f64 = 1e-3;
/// Tolerance on speed, acceleration and jerk, relative, and the rounding of positions, rad.
const RELATIVE: f64 = 1e-9;
const ROUNDING: f64 = 4.0 * f64::EPSILON;

const COMMUNICATION: &str = "communication_constraints_violation";
const START_POSE: &str = "joint_position_motion_generator_start_pose_invalid";
const POSITION: &str = "joint_motion_generator_position_limits_violation";
const VELOCITY: &str = "joint_motion_generator_velocity_limits_violation";
const ACCELERATION: &str = "joint_motion_generator_velocity_discontinuity";
const JERK: &str = "joint_motion_generator_acceleration_discontinuity";
const REFLEX: &str = "joint_reflex";

/// What one arm of Franka's is published to allow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrankaTable {
    identity: Identity,
    max_velocity: [f64; 7],
    max_acceleration: [f64; 7],
    max_jerk: [f64; 7],
    /// Offset, rad/s, and deceleration, rad/s², of the speed allowed at a distance from a range's end:
    /// `-offset + sqrt(2 deceleration distance)`.
    envelope: Option<[[f64; 2]; 7]>,
}

const FR3_RANGES_2025: [[f64; 2]; 7] = [
    [-2.7501, 2.7501],
    [-1.7918, 1.7918],
    [-2.9065, 2.9065],
    [-3.0481, -0.1458],
    [-2.8101, 2.8101],
    [0.54092, 4.5205],
    [-3.0196, 3.0196],
];
const FR3_RANGES_2026: [[f64; 2]; 7] = [
    [-2.9007, 2.9007],
    [-1.8361, 1.8361],
    [-2.9007, 2.9007],
    [-3.0770, -0.1169],
    [-2.8763, 2.8763],
    [0.4398, 4.6216],
    [-3.0508, 3.0508],
];
const FER_RANGES: [[f64; 2]; 7] = [
    [-2.8973, 2.8973],
    [-1.7628, 1.7628],
    [-2.8973, 2.8973],
    [-3.0718, -0.0698],
    [-2.8973, 2.8973],
    [-0.0175, 3.7525],
    [-2.8973, 2.8973],
];
const FR3_VELOCITY: [f64; 7] = [2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26];

impl FrankaTable {
    /// Franka Research 3 as libfranka's own test description has it.
    pub const FR3_LIBFRANKA: Self = Self {
        identity: Identity {
            model: "Franka Research 3",
            robot: "fr3",
            ranges: &FR3_RANGES_2025,
        },
        max_velocity: FR3_VELOCITY,
        max_acceleration: [10.0; 7],
        max_jerk: [5000.0; 7],
        envelope: Some([
            [0.30, 6.0],
            [0.20, 2.585],
            [0.20, 3.5],
            [0.30, 4.0],
            [0.35, 17.0],
            [0.35, 5.5],
            [0.35, 17.0],
        ]),
    };

    /// Franka Research 3 as the documentation of 2026 has it: wider ranges, slower before their ends.
    pub const FR3_DOCS_2026: Self = Self {
        identity: Identity {
            ranges: &FR3_RANGES_2026,
            ..Self::FR3_LIBFRANKA.identity
        },
        envelope: Some([
            [0.6599, 6.0],
            [0.2517, 2.585],
            [0.2000, 3.5],
            [0.3533, 4.0],
            [0.5757, 17.0],
            [0.4878, 5.5],
            [0.4628, 17.0],
        ]),
        ..Self::FR3_LIBFRANKA
    };

    /// Franka Emika Robot, called Panda.
    pub const FER: Self = Self {
        identity: Identity {
            model: "Franka Emika Robot",
            robot: "panda",
            ranges: &FER_RANGES,
        },
        max_velocity: [2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61],
        max_acceleration: [15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0],
        max_jerk: [7500.0, 3750.0, 5000.0, 6250.0, 7500.0, 10000.0, 10000.0],
        envelope: None,
    };

    fn speed_limit(&self, joint_idx: usize, q: f64, dq: f64) -> f64 {
        let most = self.max_velocity[joint_idx];
        let Some(envelope) = self.envelope else {
            return most;
        };
        let ([lower, upper], [offset, deceleration]) =
            (self.identity.ranges[joint_idx], envelope[joint_idx]);
        let distance = if dq > 0.0 { upper - q } else { q - lower };
        let near = (2.0 * deceleration * distance.max(0.0)).sqrt() - offset;
        most.min(near.max(0.0))
    }
}

/// Franka's controller.
#[derive(Debug, Clone)]
pub struct Franka {
    table: FrankaTable,
    motion: Motion,
    /// Whether a motion was begun by a first point.
    is_moving: bool,
    lost: u32,
    aborted: Option<Abort>,
}

impl Franka {
    /// With its arm standing at `q`, 7 joints.
    ///
    /// # Errors
    /// [`Mismatch::JointCount`].
    pub fn new(table: FrankaTable, q: &JointPositions) -> Result<Self, Mismatch> {
        Ok(Self {
            table,
            motion: table.identity.standing(q)?,
            is_moving: false,
            lost: 0,
            aborted: None,
        })
    }

    fn abort(&mut self, reason: &'static str, joint_idx: Option<usize>) -> Decision {
        let abort = Abort { reason, joint_idx };
        self.aborted = Some(abort);
        self.is_moving = false;
        Decision::Abort(abort)
    }

    fn judge(&self, next: &Motion) -> Option<(&'static str, usize)> {
        let dt = DT.as_secs_f64();
        (0..next.q.len()).find_map(|i| {
            let (table, [lower, upper]) = (&self.table, self.table.identity.ranges[i]);
            let (q, dq, ddq) = (next.q[i], next.dq[i], next.ddq[i]);
            let jerk = (ddq - self.motion.ddq[i]) / dt;
            let rounding = ROUNDING * (1.0 + q.abs());
            let above = |value: f64, limit: f64, order: i32| {
                value.abs() > limit * (1.0 + RELATIVE) + rounding / dt.powi(order)
            };
            let broken = if q < lower || q > upper {
                POSITION
            } else if above(dq, table.speed_limit(i, q, dq), 1) {
                VELOCITY
            } else if above(ddq, table.max_acceleration[i], 2) {
                ACCELERATION
            } else if above(jerk, table.max_jerk[i], 3) {
                JERK
            } else {
                return None;
            };
            Some((broken, i))
        })
    }
}

impl Rules for Franka {
    fn identity(&self) -> &Identity {
        &self.table.identity
    }

    fn tick(&self) -> Duration {
        DT
    }

    fn period(&self) -> Duration {
        DT
    }

    fn step(&mut self, _: Stamp, arrived: Option<&Setpoint>) -> Decision {
        let dt = DT.as_secs_f64();
        if self.aborted.is_some() {
            let hardest =
                (self.table.max_acceleration.iter()).fold(f64::INFINITY, |a, b| a.min(*b));
            self.motion = self.motion.braked(hardest, dt);
            return arrived.map_or(Decision::Hold, |_| Decision::Ignore(Ignored::Stopped));
        }
        let Some(setpoint) = arrived else {
            if !self.is_moving {
                return Decision::Hold;
            }
            self.lost += 1;
            if self.lost > MAX_LOST {
                return self.abort(COMMUNICATION, None);
            }
            self.motion = self.motion.accelerated(dt);
            return Decision::Extrapolate;
        };
        self.lost = 0;
        if !setpoint.q.is_finite() || setpoint.q.len() != self.motion.q.len() {
            return self.abort(POSITION, None);
        }
        if !self.is_moving {
            let apart = |i: &usize| (setpoint.q[*i] - self.motion.q[*i]).abs() > START_DISTANCE;
            if let Some(joint_idx) = (0..setpoint.q.len()).find(apart) {
                return self.abort(START_POSE, Some(joint_idx));
            }
            self.is_moving = true;
        }
        let next = self.motion.moved_to(&setpoint.q, dt);
        if let Some((reason, joint_idx)) = self.judge(&next) {
            return self.abort(reason, Some(joint_idx));
        }
        self.motion = next;
        Decision::Follow
    }

    fn motion(&self) -> &Motion {
        &self.motion
    }

    fn aborted(&self) -> Option<Abort> {
        self.aborted
    }

    fn collide(&mut self) {
        self.abort(REFLEX, None);
    }

    fn recover(&mut self) -> bool {
        if self.motion.is_at_rest() {
            self.motion = self.motion.held();
            self.lost = 0;
            self.aborted = None;
        }
        self.aborted.is_none()
    }
}
