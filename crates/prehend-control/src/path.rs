//! Turns an action chunk and its anchor into tool poses at any time.

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_types::{ActionChunk, MAX_CHUNK, Pose, Stamp};

use crate::timing::{Moment, Timing};

/// The plan at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub base_from_tcp: Pose,
    /// Velocity of the tool centre point in the base frame, m/s.
    pub linear: Vector3<f64>,
    /// Angular velocity in the base frame, rad/s.
    pub angular: Vector3<f64>,
    /// Commanded opening, 0 to 1.
    pub gripper: f64,
    /// The plan stands still at its end.
    pub ended: bool,
}

/// The poses of one chunk, anchored.
///
/// Inside one action the tool moves with constant linear and angular velocity; for the end see
/// [`Timing`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path {
    timing: Timing,
    /// Pose before action k; the one after the last is the end.
    base_from_knot: [Pose; MAX_CHUNK + 1],
    /// Rotation vector of action k in the tool frame at its start.
    rotation: [Vector3<f64>; MAX_CHUNK],
    gripper: [f64; MAX_CHUNK],
}

impl Path {
    /// `chunk` was checked: 1 to [`MAX_CHUNK`] finite actions.
    pub(crate) fn new(chunk: &ActionChunk, base_from_anchor: &Pose, time_to_hold_s: f64) -> Self {
        let actions = chunk.actions();
        let mut path = Self {
            timing: Timing::new(chunk.start, chunk.dt, actions.len(), time_to_hold_s),
            base_from_knot: [*base_from_anchor; MAX_CHUNK + 1],
            rotation: [Vector3::zeros(); MAX_CHUNK],
            gripper: [0.0; MAX_CHUNK],
        };
        for (k, action) in actions.iter().enumerate() {
            path.base_from_knot[k + 1] = path.base_from_knot[k] * action.delta();
            path.rotation[k] = action.rotation;
            path.gripper[k] = action.gripper.clamp(0.0, 1.0);
        }
        path
    }

    pub(crate) fn start(&self) -> Stamp {
        self.timing.start
    }

    /// Moves the whole plan: `linear` is added to every position, `angular` turns every orientation
    /// about its own origin. Both in the base frame.
    pub(crate) fn shift(&mut self, linear: &Vector3<f64>, angular: &Vector3<f64>) {
        let turn = UnitQuaternion::from_scaled_axis(*angular);
        for pose in &mut self.base_from_knot[..=self.timing.n_steps] {
            pose.translation.vector += linear;
            pose.rotation = turn * pose.rotation;
            pose.rotation.renormalize_fast();
        }
    }

    pub(crate) fn sample(&self, now: Stamp) -> Sample {
        let Moment {
            step: k,
            share,
            rate: scale,
            gripper_step,
            ended,
        } = self.timing.at(now);
        let (before, after) = (&self.base_from_knot[k], &self.base_from_knot[k + 1]);
        let step = after.translation.vector - before.translation.vector;
        Sample {
            base_from_tcp: Pose::from_parts(
                Translation3::from(before.translation.vector + step * share),
                before.rotation * UnitQuaternion::from_scaled_axis(self.rotation[k] * share),
            ),
            linear: step * scale,
            // A rotation vector is fixed under its own rotation: the frame at the action's start will do.
            angular: before.rotation * self.rotation[k] * scale,
            gripper: self.gripper[gripper_step],
            ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prehend_types::Action;

    use super::*;

    fn path() -> Path {
        let action = Action {
            translation: Vector3::new(0.01, 0.0, 0.002),
            rotation: Vector3::new(0.0, 0.05, 0.02),
            gripper: 1.0,
        };
        let chunk = ActionChunk::new(
            Stamp::from_nanos(1_000_000_000),
            Duration::from_millis(50),
            4,
            &[action; 7],
        )
        .expect("seven fit");
        let anchor = Pose::new(Vector3::new(0.4, 0.1, 0.3), Vector3::new(3.0, 0.1, 0.2));
        Path::new(&chunk, &anchor, 0.1)
    }

    fn at(path: &Path, seconds: f64) -> Sample {
        path.sample(Stamp::from_nanos(
            1_000_000_000 + (seconds * 1e9).round() as u64,
        ))
    }

    #[test]
    fn velocity_is_the_derivative_of_the_pose() {
        let path = path();
        for seconds in [0.01, 0.07, 0.24, 0.31, 0.33, 0.38] {
            let (a, b) = (at(&path, seconds - 1e-5), at(&path, seconds + 1e-5));
            let middle = at(&path, seconds);
            let linear =
                (b.base_from_tcp.translation.vector - a.base_from_tcp.translation.vector) / 2e-5;
            let angular = (b.base_from_tcp.rotation * a.base_from_tcp.rotation.inverse())
                .scaled_axis()
                / 2e-5;
            assert!((linear - middle.linear).norm() < 1e-4, "{seconds}");
            assert!((angular - middle.angular).norm() < 1e-4, "{seconds}");
        }
    }

    #[test]
    fn ends_at_the_product_of_all_deltas_and_stays() {
        let path = path();
        let end = path.base_from_knot[7];
        for seconds in [0.41, 3.0] {
            let sample = at(&path, seconds);
            assert!(sample.ended);
            assert!((sample.base_from_tcp.inv_mul(&end).translation.vector).norm() < 1e-12);
            assert!(sample.base_from_tcp.rotation.angle_to(&end.rotation) < 1e-7);
            assert_eq!(sample.linear.norm(), 0.0);
        }
        assert!(!at(&path, 0.39).ended);
    }
}
