//! Pilots: what stands in for a policy.

use std::time::Duration;

use prehend_control::JointBounds;
use prehend_types::{JointPlan, JointPositions, JointSpace, JointStep, MAX_JOINTS, Stamp};

use super::{MS, Offer, Pilot, START};

/// Length of one step of a plan, and time between two plans.
const STEP: Duration = Duration::from_millis(50);
const STEPS: usize = 8;

/// Wants nothing.
pub(crate) fn idle() -> Pilot {
    Box::new(|_| None)
}

/// A plan of joint positions from `now` on; `None` for numbers that no plan can hold.
pub(crate) fn joint_plan(
    start: Stamp,
    dt: Duration,
    q: impl Fn(usize) -> [f64; MAX_JOINTS],
    n_joints: usize,
    steps: usize,
) -> Option<JointPlan> {
    let steps: Option<Vec<JointStep>> = (0..steps)
        .map(|k| {
            Some(JointStep {
                values: JointPositions::from_slice(&q(k)[..n_joints]).ok()?,
                gripper: 1.0,
            })
        })
        .collect();
    JointPlan::new(start, dt, JointSpace::Position, &steps?).ok()
}

/// Every joint swings about `home`, each at its own pace, with up to `speed` of its fastest; a new plan
/// every 50 ms. It never rests.
pub(crate) fn sway(bounds: &[JointBounds], home: &JointPositions, speed: f64) -> Pilot {
    let n_joints = home.len();
    let (home, bounds) = (*home, bounds.to_vec());
    let mut next = 0;
    let place = move |joint_idx: usize, t: f64| {
        let bounds = &bounds[joint_idx];
        let room = (bounds.upper - home[joint_idx]).min(home[joint_idx] - bounds.lower);
        let amplitude = (0.5 * room).clamp(0.0, 0.5);
        let pace = (speed * bounds.max_velocity / amplitude.max(1e-3)).min(6.0);
        home[joint_idx] + amplitude * libm::sin(pace * t * (1.0 - 0.07 * joint_idx as f64))
    };
    Box::new(move |at: Stamp| {
        let now = at.as_nanos();
        if now < next {
            return None;
        }
        next = now + 50 * MS;
        let t0 = (now - START) as f64 * 1e-9;
        let q = |k: usize| {
            std::array::from_fn(|joint_idx| match joint_idx < n_joints {
                true => place(joint_idx, t0 + STEP.as_secs_f64() * (k + 1) as f64),
                false => 0.0,
            })
        };
        joint_plan(at, STEP, q, n_joints, STEPS).map(Offer::Joints)
    })
}

/// The first joint moves at `speed`, rad/s, and never rests; all others stand.
pub(crate) fn glide(home: &JointPositions, speed: f64) -> Pilot {
    let home = *home;
    let mut next = 0;
    Box::new(move |at: Stamp| {
        let now = at.as_nanos();
        if now < next {
            return None;
        }
        next = now + 50 * MS;
        let t0 = (now - START) as f64 * 1e-9;
        let q = |k: usize| {
            std::array::from_fn(|j| {
                let moved = speed * (t0 + STEP.as_secs_f64() * (k + 1) as f64);
                match j < home.len() {
                    true => home[j] + if j == 0 { moved } else { 0.0 },
                    false => 0.0,
                }
            })
        };
        joint_plan(at, STEP, q, home.len(), STEPS).map(Offer::Joints)
    })
}
