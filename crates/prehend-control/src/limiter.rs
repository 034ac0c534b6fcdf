//! Turns a wanted joint acceleration into the next joint position, inside every limit and never past the
//! point from which the joint can still stop inside every limit.
//!
//! Everything is discrete: with `q_k` the commanded positions, one nominal `dt` apart,
//! `dq_k = (q_k - q_{k-1}) / dt`, `ddq_k = (dq_k - dq_{k-1}) / dt` and
//! `dddq_k = (ddq_k - ddq_{k-1}) / dt`. A recorder on the wire computes exactly these, so exactly
//! these are limited, by choosing `ddq_k` and integrating it twice.
//!
//! The invariant is kept by construction: a step is taken only if the stop that would follow it was
//! played forward, tick by tick with the arithmetic that would execute it, and broke no limit.
//! Otherwise the step moves towards the first step of the stop that was proven one tick earlier.

use crate::{JointBounds, VelocityEnvelope};

/// Limits are kept this much (relative) tighter than published, so that the rounding of `q_k` (half a
/// unit in the last place, divided by dt³) never shows as a violation.
const MARGIN: f64 = 1e-6;
/// Distance kept from the position limits, rad.
const POSITION_MARGIN: f64 = 1e-7;
/// Speeds below this are zero, rad/s: far under what rounding of `q_k` can express at 1 kHz.
const STANDSTILL: f64 = 1e-13;
/// Halvings between the wanted and the stopping acceleration.
const BISECTIONS: usize = 12;

/// Commanded motion of one joint at one tick.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct JointMotion {
    pub q: f64,
    pub dq: f64,
    pub ddq: f64,
}

impl JointMotion {
    pub(crate) fn at_rest(q: f64) -> Self {
        Self {
            q,
            dq: 0.0,
            ddq: 0.0,
        }
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        self.dq == 0.0 && self.ddq == 0.0
    }
}

/// Limits of one joint at one tick length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JointLimiter {
    lower: f64,
    upper: f64,
    dq_max: f64,
    ddq_max: f64,
    /// Largest change of acceleration in one tick, rad/s².
    ddq_step: f64,
    envelope: Option<VelocityEnvelope>,
    dt: f64,
    /// Ticks within which any stop ends; a bound for the forward simulation.
    max_stop_ticks: usize,
}

impl JointLimiter {
    /// `bounds` must be valid and `dt` positive; [`crate::Controller::new`] checks both.
    pub(crate) fn new(bounds: &JointBounds, dt: f64) -> Self {
        let ddq_max = bounds.max_acceleration * (1.0 - MARGIN);
        let dddq_max = bounds.max_jerk * (1.0 - MARGIN);
        let longest_stop = 2.0 * bounds.max_velocity / ddq_max + 8.0 * ddq_max / dddq_max;
        Self {
            lower: bounds.lower + POSITION_MARGIN,
            upper: bounds.upper - POSITION_MARGIN,
            dq_max: bounds.max_velocity * (1.0 - MARGIN),
            ddq_max,
            ddq_step: dddq_max * dt,
            envelope: bounds.envelope,
            dt,
            max_stop_ticks: (longest_stop / dt) as usize + 64,
        }
    }

    pub(crate) fn dq_max(&self) -> f64 {
        self.dq_max
    }

    /// Largest change of acceleration in one tick, rad/s².
    pub(crate) fn ddq_step(&self) -> f64 {
        self.ddq_step
    }

    /// Largest acceleration with which a speed error (given per tick, rad/s²) can be removed and left
    /// without acceleration.
    pub(crate) fn reach(&self, error: f64) -> f64 {
        ramp_start(error.abs(), self.ddq_step).min(self.ddq_max)
    }

    /// The next tick's motion, with an acceleration as close to `ddq_wanted` as the limits allow.
    ///
    /// Returns it with whether a position limit, or the slower speed in front of it, stood in the
    /// way. Never allocates. `ddq_wanted` must be finite.
    pub(crate) fn advance(&self, motion: JointMotion, ddq_wanted: f64) -> (JointMotion, bool) {
        let ddq_wanted = self.within_rates(&motion, ddq_wanted);
        let wanted = self.step(&motion, ddq_wanted);
        if self.is_viable(&motion, &wanted) {
            return (wanted, false);
        }
        // The stop's own first step is viable by the invariant; look for the viable step nearest to
        // what was wanted.
        let mut best = self.stop_step(&motion);
        let (mut safe, mut unsafe_) = (best.ddq, ddq_wanted);
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (safe + unsafe_);
            let candidate = self.step(&motion, middle);
            if self.is_viable(&motion, &candidate) {
                safe = middle;
                best = candidate;
            } else {
                unsafe_ = middle;
            }
        }
        (best, true)
    }

    /// The next tick of the quickest stop.
    pub(crate) fn stop_step(&self, motion: &JointMotion) -> JointMotion {
        self.step(motion, self.ddq_towards(motion, 0.0))
    }

    /// A motion that breaks no rate limit made from one that may: only its acceleration and speed are
    /// cut, its position is kept.
    pub(crate) fn clamped(&self, motion: JointMotion) -> JointMotion {
        JointMotion {
            q: motion.q,
            dq: motion.dq.max(-self.dq_max).min(self.dq_max),
            ddq: motion.ddq.max(-self.ddq_max).min(self.ddq_max),
        }
    }

    fn step(&self, motion: &JointMotion, ddq: f64) -> JointMotion {
        let mut dq = motion.dq + ddq * self.dt;
        let mut ddq = ddq;
        if dq.abs() < STANDSTILL {
            dq = 0.0;
            // What rounding asks for of a joint that stands is no acceleration.
            if motion.dq == 0.0 && ddq.abs() * self.dt < STANDSTILL {
                ddq = 0.0;
            }
        }
        JointMotion {
            q: motion.q + dq * self.dt,
            dq,
            ddq,
        }
    }

    /// The acceleration that brings the speed to `dq_target` soonest and arrives there with zero
    /// acceleration, inside the acceleration and jerk limits.
    fn ddq_towards(&self, motion: &JointMotion, dq_target: f64) -> f64 {
        let error = (motion.dq - dq_target) / self.dt;
        self.within_rates(motion, -error.signum() * self.reach(error))
    }

    /// The nearest acceleration inside the acceleration and jerk limits.
    fn within_rates(&self, motion: &JointMotion, ddq: f64) -> f64 {
        ddq.max((motion.ddq - self.ddq_step).max(-self.ddq_max))
            .min((motion.ddq + self.ddq_step).min(self.ddq_max))
    }

    fn is_viable(&self, before: &JointMotion, after: &JointMotion) -> bool {
        self.is_inside(before, after) && (self.is_far_from_limits(after) || self.can_stop(after))
    }

    /// Plays the stop forward.
    fn can_stop(&self, from: &JointMotion) -> bool {
        let mut motion = *from;
        for _ in 0..self.max_stop_ticks {
            if motion.is_at_rest() {
                return true;
            }
            let next = self.stop_step(&motion);
            if !self.is_inside(&motion, &next) {
                return false;
            }
            motion = next;
        }
        false
    }

    /// Position and speed limits of one tick. A joint that starts beyond a position limit may move
    /// inward.
    fn is_inside(&self, before: &JointMotion, after: &JointMotion) -> bool {
        let position_holds = (after.q <= self.upper || after.q <= before.q)
            && (after.q >= self.lower || after.q >= before.q);
        position_holds && after.dq.abs() <= self.dq_max && self.envelope_holds(after.q, after.dq)
    }

    fn envelope_holds(&self, q: f64, dq: f64) -> bool {
        let Some(envelope) = self.envelope else {
            return true;
        };
        if dq == 0.0 {
            return true;
        }
        let distance = if dq > 0.0 {
            self.upper - q
        } else {
            q - self.lower
        };
        // v <= sqrt(2 D d) - o, written without the root and with the margin on the speed.
        let v = dq.abs() * (1.0 + MARGIN) + envelope.offset;
        v * v <= 2.0 * envelope.deceleration * distance
    }

    /// A cheap sufficient condition for [`Self::can_stop`]: bounds speed and distance of the stop from
    /// above and finds no limit within that distance on either side.
    fn is_far_from_limits(&self, motion: &JointMotion) -> bool {
        let (a, j) = (motion.ddq.abs(), self.ddq_step / self.dt);
        let speed = motion.dq.abs() + a * a / (2.0 * j) + (2.0 * a + self.ddq_step) * self.dt;
        let seconds = speed / self.ddq_max + 6.0 * self.ddq_max / j + 10.0 * self.dt;
        let distance = speed * seconds;
        let (low, high) = (motion.q - distance, motion.q + distance);
        speed <= self.dq_max
            && low > self.lower
            && high < self.upper
            && self.envelope_holds(high, speed)
            && self.envelope_holds(low, -speed)
    }
}

/// First value of the series `x, x - j, x - 2 j, ...` (positive terms only) that sums to `sum`.
///
/// With n terms the sum is `n x - j n (n - 1) / 2`, where n is the smallest integer with
/// `j n (n + 1) / 2 >= sum`. A deceleration that starts at `x` and eases off by `j` per tick sheds
/// `sum dt` of speed and ends with zero speed and zero acceleration on the same tick.
fn ramp_start(sum: f64, j: f64) -> f64 {
    let n = ((0.5 * ((1.0 + 8.0 * sum / j).sqrt() - 1.0)).ceil()).max(1.0);
    sum / n + 0.5 * j * (n - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fr3_j5(dt: f64) -> JointLimiter {
        JointLimiter::new(
            &JointBounds {
                lower: -2.8065,
                upper: 2.8065,
                max_velocity: 5.26,
                max_acceleration: 10.0,
                max_jerk: 5000.0,
                envelope: Some(VelocityEnvelope {
                    offset: 0.35,
                    deceleration: 17.0,
                }),
            },
            dt,
        )
    }

    fn slow_jerk(dt: f64) -> JointLimiter {
        JointLimiter::new(
            &JointBounds {
                lower: -1.0,
                upper: 1.0,
                max_velocity: 3.0,
                max_acceleration: 5.0,
                max_jerk: 100.0,
                envelope: None,
            },
            dt,
        )
    }

    #[test]
    fn a_ramp_sheds_the_speed_it_was_made_for() {
        for sum in [0.0, 0.3, 1.0, 7.7, 1234.5] {
            let mut x = ramp_start(sum, 0.9);
            let mut total = 0.0;
            while x > 0.0 {
                total += x;
                x -= 0.9;
            }
            assert!((total - sum).abs() < 1e-9 * (1.0 + sum), "{total} {sum}");
        }
    }

    #[test]
    fn stops_before_the_stop_when_pushed_at_full_speed() {
        for limiter in [
            fr3_j5(0.001),
            fr3_j5(0.002),
            fr3_j5(0.005),
            slow_jerk(0.002),
        ] {
            let mut motion = JointMotion::at_rest(limiter.lower + 0.1);
            let mut held_back = false;
            let mut fastest = 0.0_f64;
            for _ in 0..(6.0 / limiter.dt) as usize {
                let ddq = limiter.ddq_towards(&motion, limiter.dq_max);
                let (next, near_stop) = limiter.advance(motion, ddq);
                held_back |= near_stop;
                assert!(limiter.is_inside(&motion, &next));
                assert!(limiter.can_stop(&next), "the invariant: {next:?}");
                assert!((next.ddq - motion.ddq).abs() <= limiter.ddq_step * (1.0 + 1e-12));
                motion = next;
                fastest = fastest.max(motion.dq);
            }
            assert!(fastest > 2.0, "it does move: {fastest}");
            assert!(motion.dq.abs() < 1e-4, "{motion:?}");
            assert!(held_back);
            let gap = limiter.upper - motion.q;
            assert!(gap < 0.01, "stays useful near the limit: {gap}");
        }
    }

    #[test]
    fn far_from_limits_implies_can_stop() {
        use rand::{Rng, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        for limiter in [fr3_j5(0.001), fr3_j5(0.005), slow_jerk(0.002)] {
            let mut far = 0;
            for _ in 0..20_000 {
                let motion = JointMotion {
                    q: rng.random_range(limiter.lower..limiter.upper),
                    dq: rng.random_range(-1.0..1.0) * limiter.dq_max,
                    ddq: rng.random_range(-1.0..1.0) * limiter.ddq_max,
                };
                if limiter.is_far_from_limits(&motion) {
                    far += 1;
                    assert!(limiter.can_stop(&motion), "{motion:?}");
                }
            }
            assert!(far > 200, "the cheap test decides something: {far}");
        }
    }

    #[test]
    fn a_stop_ends_at_exact_rest_from_any_speed_and_acceleration() {
        for limiter in [fr3_j5(0.001), slow_jerk(0.002)] {
            for (dq, ddq) in [(2.0, 5.0), (-2.0, -5.0), (0.01, -5.0), (1e-9, 0.0)] {
                let mut motion = JointMotion { q: 0.0, dq, ddq };
                let mut ticks = 0;
                while !motion.is_at_rest() {
                    motion = limiter.stop_step(&motion);
                    ticks += 1;
                    assert!(ticks < limiter.max_stop_ticks, "{motion:?}");
                }
            }
        }
    }
}
