//! Universal Robots' controller under the client library's script, e-series.
//!
//! Published (Universal_Robots_Client_Library c5d1e26): every message carries its own time-out, 20 ms by
//! default and at most 200 ms; a missed point is bridged with the last speed; a point that needs more than
//! 20 rad/s is ignored; a time-out stops the joints with 4 rad/s² and ends the script. Recalled: a step of
//! 2 ms. Chosen: an ignored point counts as a sign of life and is bridged like a missed one; there is no
//! time-out before the first point; every joint brakes by itself; the words of the reasons.

use std::time::Duration;

use prehend_types::{JointPositions, Stamp};

use super::{Abort, Decision, Identity, Ignored, Mismatch, Motion, Rules, Setpoint};

/// Time between two points.
const DT: Duration = Duration::from_millis(2);
const DEFAULT_TIMEOUT: Duration = Duration::from_millis(20);
const MAX_TIMEOUT: Duration = Duration::from_millis(200);
/// A point that needs more is ignored, rad/s.
const MAX_SPEED: f64 = 20.0;
/// How joints stop after a time-out, rad/s².
const STOPJ: f64 = 4.0;

const TAU: f64 = std::f64::consts::TAU;
/// The hardware's; the description that the vendor publishes halves that of the elbow.
const UR5E: Identity = Identity {
    model: "UR5e",
    robot: "ur5e",
    ranges: &[[-TAU, TAU]; 6],
};

/// A controller of Universal Robots'.
#[derive(Debug, Clone)]
pub struct Ur {
    motion: Motion,
    /// When the motion ends if nothing comes; none before the first point.
    deadline: Option<Stamp>,
    aborted: Option<Abort>,
}

impl Ur {
    /// A UR5e with its arm standing at `q`, 6 joints.
    ///
    /// # Errors
    /// [`Mismatch::JointCount`].
    pub fn ur5e(q: &JointPositions) -> Result<Self, Mismatch> {
        Ok(Self {
            motion: UR5E.standing(q)?,
            deadline: None,
            aborted: None,
        })
    }

    fn abort(&mut self, reason: &'static str) -> Decision {
        let abort = Abort {
            reason,
            joint_idx: None,
        };
        self.aborted = Some(abort);
        Decision::Abort(abort)
    }
}

impl Rules for Ur {
    fn identity(&self) -> &Identity {
        &UR5E
    }

    fn tick(&self) -> Duration {
        DT
    }

    fn period(&self) -> Duration {
        DT
    }

    fn step(&mut self, now: Stamp, arrived: Option<&Setpoint>) -> Decision {
        let dt = DT.as_secs_f64();
        if self.aborted.is_some() {
            self.motion = self.motion.braked(STOPJ, dt);
            return arrived.map_or(Decision::Hold, |_| Decision::Ignore(Ignored::Stopped));
        }
        if let Some(setpoint) = arrived {
            let valid_for = setpoint.valid_for.unwrap_or(DEFAULT_TIMEOUT);
            self.deadline = Some(now.after(valid_for.min(MAX_TIMEOUT)));
            if setpoint.q.len() == self.motion.q.len() {
                let next = self.motion.moved_to(&setpoint.q, dt);
                // Written so that NaN is ignored too.
                if next.dq.iter().all(|dq| dq.abs() <= MAX_SPEED) {
                    self.motion = next;
                    return Decision::Follow;
                }
            }
        }
        match self.deadline {
            None => return Decision::Hold,
            Some(deadline) if now >= deadline => {
                return self.abort("read time-out: stopj, the script has ended");
            }
            Some(_) => self.motion = self.motion.coasted(dt),
        }
        arrived.map_or(Decision::Extrapolate, |_| {
            Decision::Ignore(Ignored::TooFast)
        })
    }

    fn motion(&self) -> &Motion {
        &self.motion
    }

    fn aborted(&self) -> Option<Abort> {
        self.aborted
    }

    fn collide(&mut self) {
        self.abort("protective stop");
    }

    fn recover(&mut self) -> bool {
        if self.motion.is_at_rest() {
            self.motion = self.motion.held();
            self.deadline = None;
            self.aborted = None;
        }
        self.aborted.is_none()
    }
}
