//! Turns the running plan and the one before it into one smooth target for the tool.

use nalgebra::{UnitQuaternion, Vector3};
use prehend_types::{Pose, Stamp};

use crate::blend::Blend;
use crate::path::{Path, Sample};

/// The running plan and what is left of the step from the plan before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reference {
    path: Path,
    fade: Fade,
}

/// Linear and angular part in the base frame.
type LinearAngular = [Vector3<f64>; 2];

/// An offset and its velocity that vanish.
#[derive(Debug, Clone, Copy)]
struct Fade {
    blend: Blend,
    /// m and rad (rotation vector), base frame: old minus new.
    offset: LinearAngular,
    /// m/s and rad/s, base frame: old minus new.
    velocity: LinearAngular,
}

impl Reference {
    /// A new plan that takes over at `now` from where the target is and how it moves.
    pub(crate) fn take_over(path: Path, old: &Sample, now: Stamp, blend_s: f64) -> Self {
        let new = path.sample(now);
        let offset = [
            old.base_from_tcp.translation.vector - new.base_from_tcp.translation.vector,
            (old.base_from_tcp.rotation * new.base_from_tcp.rotation.inverse()).scaled_axis(),
        ];
        Self {
            path,
            fade: Fade {
                blend: Blend {
                    start: now,
                    length_s: blend_s,
                },
                offset,
                velocity: [old.linear - new.linear, old.angular - new.angular],
            },
        }
    }

    pub(crate) fn start(&self) -> Stamp {
        self.path.start()
    }

    /// Distance between the old and the new plan when this one took over, m and rad.
    pub(crate) fn seam(&self) -> (f64, f64) {
        (self.fade.offset[0].norm(), self.fade.offset[1].norm())
    }

    pub(crate) fn shift(&mut self, linear: &Vector3<f64>, angular: &Vector3<f64>) {
        self.path.shift(linear, angular);
    }

    pub(crate) fn sample(&self, now: Stamp) -> Sample {
        let mut sample = self.path.sample(now);
        let Some(([linear, angular], [linear_rate, angular_rate])) = self.fade.at(now) else {
            return sample;
        };
        let turn = UnitQuaternion::from_scaled_axis(angular);
        sample.base_from_tcp.translation.vector += linear;
        sample.base_from_tcp.rotation = turn * sample.base_from_tcp.rotation;
        sample.linear += linear_rate;
        // The derivative of a rotation vector is its angular velocity to first order: seams are
        // small rotations, and the pose gain removes what is left.
        sample.angular = angular_rate + turn * sample.angular;
        sample.ended = false;
        sample
    }

    /// The pose alone, as a sample that stands still: what a plan starts from when none runs.
    pub(crate) fn standing(base_from_tcp: Pose, gripper: f64) -> Sample {
        Sample {
            base_from_tcp,
            linear: Vector3::zeros(),
            angular: Vector3::zeros(),
            gripper,
            ended: true,
        }
    }
}

impl Fade {
    /// Offset and its rate, until it has vanished.
    fn at(&self, now: Stamp) -> Option<(LinearAngular, LinearAngular)> {
        let left = self.blend.at(now)?;
        let value = |i: usize| self.offset[i] * left.offset + self.velocity[i] * left.velocity;
        let rate =
            |i: usize| self.offset[i] * left.offset_rate + self.velocity[i] * left.velocity_rate;
        Some(([value(0), value(1)], [rate(0), rate(1)]))
    }
}
