//! Turns a joint plan into joint targets at any time, blended with the motion before it.

use prehend_types::{JointPlan, JointPositions, JointSpace, MAX_CHUNK, MAX_JOINTS, Stamp};

use crate::blend::Blend;
use crate::timing::{Moment, Timing};

/// One number per joint; those beyond the robot's last are zero.
pub(crate) type Joints = [f64; MAX_JOINTS];

/// The plan at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JointSample {
    /// rad or m.
    pub q: Joints,
    /// rad/s or m/s.
    pub dq: Joints,
    /// Commanded opening, 0 to 1.
    pub gripper: f64,
    /// The plan stands still at its end.
    pub ended: bool,
}

/// The running joint plan, and what is left of the step from the motion before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JointPath {
    timing: Timing,
    /// Joints before step k; those after the last are the end.
    knots: [Joints; MAX_CHUNK + 1],
    gripper: [f64; MAX_CHUNK],
    blend: Blend,
    /// Old minus new at the take-over, and its rate.
    offset: Joints,
    velocity: Joints,
}

impl JointPath {
    /// `plan` was checked: 1 to [`MAX_CHUNK`] finite steps for as many joints as `anchor` has, which is
    /// where the joints were commanded to be at its start. `old` is the target so far.
    pub fn take_over(
        plan: &JointPlan,
        anchor: &JointPositions,
        old: &JointSample,
        now: Stamp,
        [time_to_hold_s, blend_s]: [f64; 2],
    ) -> Self {
        let steps = plan.steps();
        let timing = Timing::new(plan.start, plan.dt, steps.len(), time_to_hold_s);
        let mut knots = [padded(anchor); MAX_CHUNK + 1];
        let mut gripper = [0.0; MAX_CHUNK];
        for (k, step) in steps.iter().enumerate() {
            let values = padded(&step.values);
            let before = knots[k];
            knots[k + 1] = std::array::from_fn(|joint_idx| match plan.space {
                JointSpace::Position => values[joint_idx],
                JointSpace::Delta => before[joint_idx] + values[joint_idx],
                JointSpace::Velocity => before[joint_idx] + values[joint_idx] * timing.step_s(),
            });
            gripper[k] = step.gripper.clamp(0.0, 1.0);
        }
        let mut own = Self {
            timing,
            knots,
            gripper,
            blend: Blend {
                start: now,
                length_s: blend_s,
            },
            offset: [0.0; MAX_JOINTS],
            velocity: [0.0; MAX_JOINTS],
        };
        let new = own.sample(now);
        own.offset = std::array::from_fn(|i| old.q[i] - new.q[i]);
        own.velocity = std::array::from_fn(|i| old.dq[i] - new.dq[i]);
        own
    }

    pub fn start(&self) -> Stamp {
        self.timing.start
    }

    /// Largest distance of any joint between the old and the new plan when this one took over, rad.
    pub fn seam(&self) -> f64 {
        self.offset
            .iter()
            .fold(0.0, |most, offset| offset.abs().max(most))
    }

    /// Moves the whole plan.
    pub fn shift(&mut self, by: &Joints) {
        for knot in &mut self.knots {
            for (q, by) in knot.iter_mut().zip(by) {
                *q += by;
            }
        }
    }

    pub fn sample(&self, now: Stamp) -> JointSample {
        let Moment {
            step,
            share,
            rate,
            gripper_step,
            ended,
        } = self.timing.at(now);
        let (before, after) = (&self.knots[step], &self.knots[step + 1]);
        let way: Joints = std::array::from_fn(|i| after[i] - before[i]);
        let mut sample = JointSample {
            q: std::array::from_fn(|i| before[i] + way[i] * share),
            dq: way.map(|way| way * rate),
            gripper: self.gripper[gripper_step],
            ended,
        };
        if let Some(left) = self.blend.at(now) {
            for i in 0..MAX_JOINTS {
                sample.q[i] += self.offset[i] * left.offset + self.velocity[i] * left.velocity;
                sample.dq[i] +=
                    self.offset[i] * left.offset_rate + self.velocity[i] * left.velocity_rate;
            }
            sample.ended = false;
        }
        sample
    }
}

pub(crate) fn padded(values: &[f64]) -> Joints {
    let mut out = [0.0; MAX_JOINTS];
    for (out, value) in out.iter_mut().zip(values) {
        *out = *value;
    }
    out
}
