//! Turns the next motion of all joints into one that leaves a stop clear of the arm itself and inside the
//! tool's box.
//!
//! The same idea as the joint limiter's, for what no joint knows alone: a step is taken only if the stop
//! that would follow it keeps its distances. Otherwise it moves towards the first step of the stop that was
//! proven one tick earlier, with all joints at once.
//!
//! A distance cannot shrink faster than the joints move times how far they reach, so a stop is only looked
//! at where the distance left may have been used up: not at all far from everything, ever more
//! often near it (conservative advancement, Mirtich 1996).

use prehend_types::{JointPositions, MAX_JOINTS};

use crate::arm::Arm;
use crate::changeover::Changeover;
use crate::joint_path::Joints;
use crate::limiter::JointMotion;
use crate::{ControlConfig, Fence, LimitReason, LimitSet};

/// Distances are kept to within this, m.
const RESOLUTION: f64 = 5e-4;
/// A stop that needs more looks is not taken: a bound for the time of a tick.
const MAX_LOOKS: u32 = 32;
/// Ticks within which a stop must end.
const MAX_TICKS: u32 = 4_000;
/// Shares of the way from the stop to the wanted step that are tried.
const SHARES: [f64; 3] = [0.5, 0.25, 0.125];

/// What the arm keeps away from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard {
    margin_m: f64,
    fence: Option<Fence>,
    reach: Joints,
}

/// Distances that are left, m: of the arm to itself, and of the tool to its box.
#[derive(Debug, Clone, Copy)]
struct Slack {
    own: f64,
    fence: f64,
}

impl Guard {
    pub(crate) fn new(arm: &Arm, config: &ControlConfig) -> Self {
        Self {
            margin_m: config.self_collision_margin_m,
            fence: config.fence,
            reach: arm.reach(),
        }
    }

    /// `next` if the stop after it is clear, else the nearest motion on the way to the stop from `motion`
    /// that is. Never allocates.
    pub(crate) fn admit(
        &self,
        arm: &Arm,
        q: &JointPositions,
        motion: &[JointMotion; MAX_JOINTS],
        next: [JointMotion; MAX_JOINTS],
        limiters: &mut [Changeover; MAX_JOINTS],
        limited: &mut LimitSet,
    ) -> [JointMotion; MAX_JOINTS] {
        let here = self.look(arm, q);
        // Whoever is too near already must not come nearer.
        let floor = Slack {
            own: here.own.min(0.0),
            fence: here.fence.min(0.0),
        };
        let judge = |next: &[JointMotion; MAX_JOINTS], limiters: &[Changeover; MAX_JOINTS]| {
            self.stop_is_clear(arm, q, here, floor, next, limiters)
        };
        let Err(reason) = judge(&next, limiters) else {
            return next;
        };
        limited.insert(reason);
        let stop: [JointMotion; MAX_JOINTS] =
            std::array::from_fn(|i| limiters[i].stop_step(&motion[i]));
        for share in SHARES {
            let mut slower = stop;
            for (joint_idx, slower) in slower.iter_mut().enumerate().take(q.len()) {
                let ddq = slower.ddq + share * (next[joint_idx].ddq - slower.ddq);
                let limiter = &mut limiters[joint_idx];
                (*slower, _) = limiter.advance(motion[joint_idx], ddq, &mut LimitSet::default());
            }
            if judge(&slower, limiters).is_ok() {
                return slower;
            }
        }
        stop
    }

    /// Plays the stop after `next` forward.
    fn stop_is_clear(
        &self,
        arm: &Arm,
        q: &JointPositions,
        here: Slack,
        floor: Slack,
        next: &[JointMotion; MAX_JOINTS],
        limiters: &[Changeover; MAX_JOINTS],
    ) -> Result<(), LimitReason> {
        let n_joints = q.len();
        let mut left = here.above(&floor);
        let longest: f64 = (0..n_joints)
            .map(|i| {
                let (_, way) = limiters[i].in_force().longest_stop(&next[i]);
                self.reach[i] * (way + (next[i].q - q[i]).abs())
            })
            .sum();
        if longest < left {
            return Ok(());
        }
        let (mut motion, mut at, mut moved, mut looks) = (*next, *q, 0.0, 0);
        for _ in 0..MAX_TICKS {
            for (joint_idx, at) in at.iter_mut().enumerate() {
                moved += self.reach[joint_idx] * (motion[joint_idx].q - *at).abs();
                *at = motion[joint_idx].q;
            }
            let is_over = motion.iter().all(JointMotion::is_at_rest);
            if moved > left.max(RESOLUTION) || (is_over && moved > left) {
                if looks == MAX_LOOKS {
                    return Err(LimitReason::SelfCollision);
                }
                looks += 1;
                let there = self.look(arm, &at);
                there.check(&floor)?;
                (left, moved) = (there.above(&floor), 0.0);
            }
            if is_over {
                return Ok(());
            }
            for (motion, limiter) in motion.iter_mut().zip(limiters).take(n_joints) {
                *motion = limiter.stop_step(motion);
            }
        }
        Err(LimitReason::SelfCollision)
    }

    fn look(&self, arm: &Arm, q: &JointPositions) -> Slack {
        let (own, base_from_tcp) = arm.clearance(q);
        let depth = |fence: &Fence| fence.depth(&base_from_tcp.translation.vector);
        Slack {
            own: own - self.margin_m,
            fence: self.fence.as_ref().map_or(f64::INFINITY, depth),
        }
    }
}

impl Slack {
    /// How far the nearer of both is above its floor.
    fn above(&self, floor: &Self) -> f64 {
        (self.own - floor.own).min(self.fence - floor.fence)
    }

    /// Written so that NaN is refused too.
    fn check(&self, floor: &Self) -> Result<(), LimitReason> {
        if !(self.own >= floor.own) {
            Err(LimitReason::SelfCollision)
        } else if !(self.fence >= floor.fence) {
            Err(LimitReason::Workspace)
        } else {
            Ok(())
        }
    }
}
