//! Joint paths through tool poses: inverse kinematics at 20 Hz, smooth in between.

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_robot::{IkOptions, Robot};
use prehend_types::{JointPositions, Pose};

use crate::SimError;

/// Time between two poses that are solved for, s.
pub(super) const KNOT: f64 = 0.05;

/// Finer than the default: what is left over would be felt as jitter.
const PRECISE: IkOptions = IkOptions {
    position_tolerance: 1e-8,
    rotation_tolerance: 1e-7,
    max_iterations: 80,
    max_starts: 24,
    home_gain: 0.0,
};

/// Joint positions that reach a tool pose, near a seed.
pub(super) fn reach(
    robot: &Robot,
    base_from_tcp: &Pose,
    q_seed: &JointPositions,
) -> Result<JointPositions, SimError> {
    Ok(robot.inverse(base_from_tcp, q_seed, &PRECISE)?)
}

/// Joint positions over time, by cubic Hermite pieces through knots (Catmull and Rom 1974); at rest
/// at both ends.
pub(super) struct JointPath {
    knots: Vec<JointPositions>,
}

impl JointPath {
    pub fn from_knots(knots: Vec<JointPositions>) -> Self {
        Self { knots }
    }

    /// Through `base_from_tcp(t)` for 0 <= t <= `seconds`, starting near `q_start`.
    pub fn through(
        robot: &Robot,
        q_start: &JointPositions,
        seconds: f64,
        base_from_tcp: impl Fn(f64) -> Pose,
    ) -> Result<Self, SimError> {
        let n_knots = (seconds / KNOT).round() as u32;
        let mut knots = Vec::with_capacity(n_knots as usize + 1);
        let mut q = *q_start;
        for knot in 0..=n_knots {
            q = reach(robot, &base_from_tcp(f64::from(knot) * KNOT), &q)?;
            knots.push(q);
        }
        Ok(Self { knots })
    }

    /// s.
    pub fn duration(&self) -> f64 {
        self.knots.len().saturating_sub(1) as f64 * KNOT
    }

    /// Joint positions at a time; before the start and after the end those of the ends.
    pub fn at(&self, t: f64) -> Option<JointPositions> {
        let last = self.knots.len().checked_sub(1)?;
        let place = (t / KNOT).clamp(0.0, last as f64);
        let idx = (place as usize).min(last.saturating_sub(1));
        let u = place - idx as f64;
        let knot = |k: usize| &self.knots[k.min(last)];
        let slope = |k: usize, joint: usize| {
            if k == 0 || k >= last {
                0.0
            } else {
                0.5 * (knot(k + 1)[joint] - knot(k - 1)[joint])
            }
        };
        let mut q = *knot(idx);
        for (joint, q) in q.iter_mut().enumerate() {
            let (from, to) = (knot(idx)[joint], knot(idx + 1)[joint]);
            let (leave, arrive) = (slope(idx, joint), slope(idx + 1, joint));
            let (u2, u3) = (u * u, u * u * u);
            *q = (2.0 * u3 - 3.0 * u2 + 1.0) * from
                + (u3 - 2.0 * u2 + u) * leave
                + (3.0 * u2 - 2.0 * u3) * to
                + (u3 - u2) * arrive;
        }
        Some(q)
    }
}

/// A tool pose pointing straight down, m.
pub(super) fn pointing_down(x: f64, y: f64, z: f64) -> Pose {
    Pose::from_parts(
        Translation3::new(x, y, z),
        UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI),
    )
}

/// From 0 to 1 over 0 <= u <= 1, at rest with zero acceleration at both ends.
pub(super) fn ease(u: f64) -> f64 {
    let u = u.clamp(0.0, 1.0);
    u * u * u * (10.0 - 15.0 * u + 6.0 * u * u)
}

/// A pose moved by sines along and about the axes of the base, each with its own frequency; the
/// envelope brings it in and takes it out within `ramp` seconds.
pub(super) struct Wobble {
    pub middle: Pose,
    /// m.
    pub shift: Vector3<f64>,
    /// rad.
    pub turn: Vector3<f64>,
    /// Hz, for both.
    pub shift_hz: Vector3<f64>,
    pub turn_hz: Vector3<f64>,
    pub seconds: f64,
    pub ramp: f64,
}

impl Wobble {
    pub fn at(&self, t: f64) -> Pose {
        let envelope = ease(t / self.ramp) * ease((self.seconds - t) / self.ramp);
        let sines = |hz: &Vector3<f64>| hz.map(|hz| libm::sin(std::f64::consts::TAU * hz * t));
        let shift = self.shift.component_mul(&sines(&self.shift_hz)) * envelope;
        let turn = self.turn.component_mul(&sines(&self.turn_hz)) * envelope;
        Pose::from_parts(
            Translation3::from(self.middle.translation.vector + shift),
            UnitQuaternion::from_scaled_axis(turn) * self.middle.rotation,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_meets_its_knots_and_rests_at_its_ends() {
        let knot = |a: f64, b: f64| JointPositions::from_slice(&[a, b]).expect("two fit");
        let path = JointPath::from_knots(vec![knot(0.0, 1.0), knot(0.5, 0.0), knot(0.2, 0.4)]);
        for (k, expected) in [(0, 0.0), (1, 0.5), (2, 0.2)] {
            let q = path.at(f64::from(k) * KNOT).expect("not empty");
            assert!((q[0] - expected).abs() < 1e-12);
        }
        assert!((path.duration() - 0.1).abs() < 1e-12);
        let near = |t: f64| path.at(t).expect("not empty")[0];
        assert!((near(1e-4) - near(0.0)).abs() < 1e-4);
        assert!((near(9.0) - 0.2).abs() < 1e-12);
        assert!(JointPath::from_knots(Vec::new()).at(0.0).is_none());
    }
}
