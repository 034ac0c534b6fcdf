//! Turns the next motion of all joints into one that leaves a stop clear of the arm itself and inside the
//! tool's box.
//!
//! The same idea as the joint limiter's, for what no joint knows alone: a step is taken only if the stop
//! that would follow it keeps its distances. Otherwise it moves towards the first step of the stop that was
//! proven one tick earlier, with all joints at once.
//!
//! A distance cannot shrink faster than the joints move times how far they reach, so the arm is only looked
//! at where the distance that was left may have been used up: hardly ever far from everything, ever more
//! often near it (conservative advancement, Mirtich 1996).

use prehend_types::{JointPositions, MAX_JOINTS};

use crate::arm::Arm;
use crate::joint_path::Joints;
use crate::limiter::{JointLimiter, JointMotion};
use crate::{ControlConfig, Fence, LimitReason, LimitSet};

/// Distances are kept to within this, m.
const RESOLUTION: f64 = 5e-4;
/// A stop that needs more looks is not taken: a bound for the time of a tick.
const MAX_LOOKS: u32 = 16;
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
    /// At least so much is left where the arm is commanded to be, m.
    left: f64,
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
            left: 0.0,
        }
    }

    /// The arm was moved by others: nothing is known of where it is.
    pub(crate) fn forget(&mut self) {
        self.left = 0.0;
    }

    /// `next` if the stop after it is clear, else the nearest motion on the way to the stop from `motion`
    /// that is. Never allocates.
    pub(crate) fn admit(
        &mut self,
        arm: &Arm,
        q: &JointPositions,
        motion: &[JointMotion; MAX_JOINTS],
        next: [JointMotion; MAX_JOINTS],
        limiters: &[JointLimiter; MAX_JOINTS],
        limited: &mut LimitSet,
    ) -> [JointMotion; MAX_JOINTS] {
        // Written so that a distance that is no number is looked at.
        let is_clear = self.farthest(q, &next, limiters) < self.left;
        if !is_clear {
            let here = self.look(arm, q);
            let floor = here.floor();
            self.left = here.above(&floor);
            if let Err(reason) = self.stop_is_clear(arm, q, floor, &next, limiters) {
                limited.insert(reason);
                let slower = self.slower(arm, q, floor, motion, &next, limiters);
                self.left -= self.way(q, &slower);
                return slower;
            }
        }
        self.left -= self.way(q, &next);
        next
    }

    /// Whether other limiters' stop from `motion` is clear.
    ///
    /// # Errors
    /// What it comes too near to.
    pub(crate) fn admits(
        &mut self,
        arm: &Arm,
        q: &JointPositions,
        motion: &[JointMotion; MAX_JOINTS],
        limiters: &[JointLimiter; MAX_JOINTS],
    ) -> Result<(), LimitReason> {
        let here = self.look(arm, q);
        let floor = here.floor();
        self.left = here.above(&floor);
        self.stop_is_clear(arm, q, floor, motion, limiters)
    }

    /// The nearest motion on the way from `next` to the stop from `motion` after which the stop is clear.
    fn slower(
        &self,
        arm: &Arm,
        q: &JointPositions,
        floor: Slack,
        motion: &[JointMotion; MAX_JOINTS],
        next: &[JointMotion; MAX_JOINTS],
        limiters: &[JointLimiter; MAX_JOINTS],
    ) -> [JointMotion; MAX_JOINTS] {
        let stop: [JointMotion; MAX_JOINTS] =
            std::array::from_fn(|i| limiters[i].stop_step(&motion[i]));
        for share in SHARES {
            let mut slower = stop;
            for (joint_idx, slower) in slower.iter_mut().enumerate().take(q.len()) {
                let ddq = slower.ddq + share * (next[joint_idx].ddq - slower.ddq);
                let limiter = &limiters[joint_idx];
                (*slower, _) = limiter.advance(motion[joint_idx], ddq, &mut LimitSet::default());
            }
            if (self.stop_is_clear(arm, q, floor, &slower, limiters)).is_ok() {
                return slower;
            }
        }
        stop
    }

    /// How far any part of the arm moves from `q` to `next` at most, m.
    fn way(&self, q: &JointPositions, next: &[JointMotion; MAX_JOINTS]) -> f64 {
        let joints = q.iter().zip(next).zip(self.reach);
        joints
            .map(|((q, next), reach)| reach * (next.q - q).abs())
            .sum()
    }

    /// The same to the end of the stop after `next`.
    fn farthest(
        &self,
        q: &JointPositions,
        next: &[JointMotion; MAX_JOINTS],
        limiters: &[JointLimiter; MAX_JOINTS],
    ) -> f64 {
        let joints = limiters.iter().zip(next).zip(self.reach).take(q.len());
        let stops = joints.map(|((limiter, next), reach)| {
            let (_, way) = limiter.longest_stop(next);
            reach * way
        });
        stops.sum::<f64>() + self.way(q, next)
    }

    /// Plays the stop after `next` forward.
    fn stop_is_clear(
        &self,
        arm: &Arm,
        q: &JointPositions,
        floor: Slack,
        next: &[JointMotion; MAX_JOINTS],
        limiters: &[JointLimiter; MAX_JOINTS],
    ) -> Result<(), LimitReason> {
        let mut left = self.left;
        if self.farthest(q, next, limiters) < left {
            return Ok(());
        }
        let (mut motion, mut at, mut moved, mut looks) = (*next, *q, 0.0, 0);
        for _ in 0..MAX_TICKS {
            moved += self.way(&at, &motion);
            for (at, motion) in at.iter_mut().zip(&motion) {
                *at = motion.q;
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
            for (motion, limiter) in motion.iter_mut().zip(limiters).take(q.len()) {
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
    /// Whoever is too near already must not come nearer.
    fn floor(&self) -> Self {
        Self {
            own: self.own.min(0.0),
            fence: self.fence.min(0.0),
        }
    }

    /// How far the nearer of both is above its floor.
    fn above(&self, floor: &Self) -> f64 {
        (self.own - floor.own).min(self.fence - floor.fence)
    }

    fn check(&self, floor: &Self) -> Result<(), LimitReason> {
        if self.own.is_nan() || self.own < floor.own {
            Err(LimitReason::SelfCollision)
        } else if self.fence.is_nan() || self.fence < floor.fence {
            Err(LimitReason::Workspace)
        } else {
            Ok(())
        }
    }
}
