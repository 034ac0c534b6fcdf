//! Judges one joint by the positions it is told, and by nothing else.

use super::stop::{self, Motion};
use crate::JointBounds;

/// Relative tolerance on every limit.
const RELATIVE: f64 = 1e-9;
/// A joint counts as inside once a stop inside limits that are tighter by this share exists, so that the
/// limiter, whose margins are narrower, has seen it too.
const CLEARLY: f64 = 1e-4;

/// What was found in some joint ticks. All counts must be zero, except the number of stops looked at.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Findings {
    /// Beyond a position limit.
    pub position: u64,
    /// Above the speed limit.
    pub velocity: u64,
    /// Above the speed that the maker asks for in front of a position limit.
    pub envelope: u64,
    /// Above the acceleration limit.
    pub acceleration: u64,
    /// Above the jerk limit.
    pub jerk: u64,
    /// NaN or infinite.
    pub non_finite: u64,
    /// Farther outside a limit than one tick earlier, although it could be braked.
    pub widened: u64,
    /// Still outside the limits after seconds of being called back.
    pub astray: u64,
    /// Motions from which no stop inside the limits was found.
    pub no_stop: u64,
    /// Motions whose stop was played forward.
    pub stops: u64,
    /// Highest speed, acceleration and jerk, each as a share of its limit.
    pub worst_share: [f64; 3],
    /// Least distance to a position limit, of positions and of stops, rad.
    pub least_slack: Option<f64>,
}

impl Findings {
    /// Adds what was found elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.position, other.position),
            (&mut self.velocity, other.velocity),
            (&mut self.envelope, other.envelope),
            (&mut self.acceleration, other.acceleration),
            (&mut self.jerk, other.jerk),
            (&mut self.non_finite, other.non_finite),
            (&mut self.widened, other.widened),
            (&mut self.astray, other.astray),
            (&mut self.no_stop, other.no_stop),
            (&mut self.stops, other.stops),
        ] {
            *own += other;
        }
        for (own, other) in self.worst_share.iter_mut().zip(other.worst_share) {
            *own = own.max(other);
        }
        if let Some(slack) = other.least_slack {
            self.note_slack(slack);
        }
    }

    /// Everything that must not be.
    #[must_use]
    pub fn violations(&self) -> u64 {
        self.position
            + self.velocity
            + self.envelope
            + self.acceleration
            + self.jerk
            + self.non_finite
            + self.widened
            + self.astray
            + self.no_stop
    }

    fn note_slack(&mut self, slack: f64) {
        self.least_slack = Some(self.least_slack.map_or(slack, |least| least.min(slack)));
    }
}

/// The judge of one joint.
#[derive(Debug, Clone, Copy)]
pub(super) struct JointJudge {
    bounds: JointBounds,
    dt: f64,
    /// Positions of the last three ticks, newest first.
    past: [f64; 3],
    /// Rate limits that hold until the joint is inside all limits: the loosest since it was.
    approach: Option<[f64; 2]>,
}

impl JointJudge {
    /// Of a joint that starts with a motion, inside the limits or not.
    pub fn new(bounds: &JointBounds, dt: f64, q: f64, dq: f64, ddq: f64) -> Self {
        let before = q - dq * dt;
        Self {
            bounds: *bounds,
            dt,
            past: [q, before, before - (dq - ddq * dt) * dt],
            approach: Some([bounds.max_acceleration, bounds.max_jerk]),
        }
    }

    pub fn set_bounds(&mut self, bounds: &JointBounds) {
        let [acceleration, jerk] = self.approach.unwrap_or([0.0; 2]);
        self.approach = Some([
            acceleration
                .max(self.bounds.max_acceleration)
                .max(bounds.max_acceleration),
            jerk.max(self.bounds.max_jerk).max(bounds.max_jerk),
        ]);
        self.bounds = *bounds;
    }

    pub fn is_inside(&self) -> bool {
        self.approach.is_none()
    }

    /// Looks at the next position, and plays the stop after it if `look_ahead`.
    pub fn tick(&mut self, q: f64, look_ahead: bool, found: &mut Findings) {
        if !q.is_finite() {
            found.non_finite += 1;
            return;
        }
        let (h, [q1, q2, q3]) = (self.dt, self.past);
        self.past = [q, q1, q2];
        let ulp = f64::EPSILON * (q.abs() + q1.abs() + q2.abs() + q3.abs()).max(1.0);
        let (v, v1, v2) = ((q - q1) / h, (q1 - q2) / h, (q2 - q3) / h);
        let (a, a1) = ((v - v1) / h, (v1 - v2) / h);
        let j = (a - a1) / h;
        let noise = [2.0 * ulp / h, 4.0 * ulp / (h * h), 8.0 * ulp / (h * h * h)];
        let now = Motion { q, dq: v, ddq: a };
        if let Some([most_a, most_j]) = self.approach {
            found.jerk += u64::from(j.abs() > most_j * (1.0 + RELATIVE) + noise[2]);
            let most_a = most_a.max(a1.abs());
            found.acceleration += u64::from(a.abs() > most_a * (1.0 + RELATIVE) + 2.0 * noise[1]);
            self.approach(&now, [v1, a1], noise, found);
            if self.is_clearly_inside(&now, noise) {
                self.approach = None;
            }
            return;
        }
        let bounds = &self.bounds;
        let outside = (bounds.lower - q).max(q - bounds.upper);
        found.position += u64::from(outside > ulp);
        found.velocity += u64::from(v.abs() > bounds.max_velocity * (1.0 + RELATIVE) + noise[0]);
        let envelope = stop::speed_limit(bounds, q, v);
        found.envelope += u64::from(
            v.abs() <= bounds.max_velocity
                && v.abs() > envelope * (1.0 + RELATIVE) + noise[0] + 1e-9,
        );
        found.acceleration +=
            u64::from(a.abs() > bounds.max_acceleration * (1.0 + RELATIVE) + noise[1]);
        found.jerk += u64::from(j.abs() > bounds.max_jerk * (1.0 + RELATIVE) + noise[2]);
        let shares = [
            v.abs() / bounds.max_velocity,
            a.abs() / bounds.max_acceleration,
            j.abs() / bounds.max_jerk,
        ];
        for (worst, share) in found.worst_share.iter_mut().zip(shares) {
            *worst = worst.max(share);
        }
        found.note_slack(-outside);
        if look_ahead {
            found.stops += 1;
            match stop::slack(bounds, h, &now) {
                Some(slack) => found.note_slack(slack),
                None => found.no_stop += 1,
            }
        }
    }

    /// Outside a limit, the joint gets no farther out than jerk forces it to.
    fn approach(&self, now: &Motion, [v1, a1]: [f64; 2], noise: [f64; 3], found: &mut Findings) {
        let bounds = &self.bounds;
        // Braking as hard as the tightest jerk limit in force allows excuses everything.
        let step = bounds.max_jerk * self.dt * (1.0 - 1e-5) - 2.0 * noise[1];
        let brakes = |way: f64| way * (now.ddq - a1) <= -step;
        let widens_speed = now.dq.abs() > bounds.max_velocity * (1.0 + RELATIVE) + noise[0]
            && now.dq.abs() > v1.abs() + 2.0 * noise[0]
            && !brakes(now.dq.signum());
        let way = if now.q > bounds.upper { 1.0 } else { -1.0 };
        let is_outside = now.q > bounds.upper || now.q < bounds.lower;
        let outward = way * now.dq;
        let widens_position =
            is_outside && outward > noise[0] && outward > way * v1 + 2.0 * noise[0] && !brakes(way);
        found.widened += u64::from(widens_speed || widens_position);
    }

    fn is_clearly_inside(&self, now: &Motion, noise: [f64; 3]) -> bool {
        let bounds = &self.bounds;
        if now.q < bounds.lower || now.q > bounds.upper {
            return false;
        }
        if now.dq.abs() <= noise[0] && now.ddq.abs() <= noise[1] {
            return true;
        }
        let tighter = JointBounds {
            lower: bounds.lower + CLEARLY,
            upper: bounds.upper - CLEARLY,
            max_velocity: bounds.max_velocity * (1.0 - CLEARLY),
            max_acceleration: bounds.max_acceleration * (1.0 - CLEARLY),
            max_jerk: bounds.max_jerk * (1.0 - CLEARLY),
            envelope: bounds.envelope,
        };
        now.ddq.abs() <= tighter.max_acceleration
            && now.dq.abs() <= stop::speed_limit(&tighter, now.q, now.dq)
            && stop::slack(&tighter, self.dt, now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: JointBounds = JointBounds {
        lower: -1.0,
        upper: 1.0,
        max_velocity: 2.0,
        max_acceleration: 10.0,
        max_jerk: 5000.0,
        envelope: None,
    };

    fn judged(start: [f64; 3], positions: &[f64]) -> Findings {
        let mut judge = JointJudge::new(&BOUNDS, 0.001, start[0], start[1], start[2]);
        let mut found = Findings::default();
        for q in positions {
            judge.tick(*q, true, &mut found);
        }
        found
    }

    #[test]
    fn each_limit_is_seen_to_be_broken() {
        let found = judged([0.0; 3], &[0.0, 0.0, 1e-4]);
        assert_eq!((found.jerk, found.acceleration, found.velocity), (1, 1, 0));
        let found = judged([0.0; 3], &[0.0, 0.0, 0.01, f64::NAN]);
        assert_eq!((found.velocity, found.non_finite), (1, 1));
        let found = judged([0.9, 0.0, 0.0], &[0.9, 1.1]);
        assert_eq!((found.position, found.no_stop), (1, 1));
    }

    #[test]
    fn a_motion_that_cannot_stop_in_time_is_seen() {
        // Constant 1.9 rad/s towards the limit: 0.18 rad and 2 ms are needed.
        let positions: Vec<f64> = (1..200).map(|k| 0.6 + 0.0019 * f64::from(k)).collect();
        let found = judged([0.6, 1.9, 0.0], &positions);
        assert_eq!((found.position, found.jerk), (0, 0));
        assert!(found.no_stop > 50, "{found:?}");
    }

    #[test]
    fn a_joint_outside_must_not_go_farther_out() {
        assert_eq!(judged([1.05, 0.0, 0.0], &[1.05, 1.050_001]).widened, 1);
        assert_eq!(judged([1.05, 0.0, 0.0], &[1.05, 1.049_995]).violations(), 0);
        // Too fast and not braking, then faster.
        let constant = [0.002_5, 0.005].map(|q| q - 0.5);
        assert_eq!(judged([-0.5, 2.5, 0.0], &constant).widened, 0);
        let faster = [0.002_5, 0.005_004].map(|q| q - 0.5);
        assert_eq!(judged([-0.5, 2.5, 0.0], &faster).widened, 1);
    }
}
