//! Turns a wanted joint acceleration into the next joint position, inside every limit and never past the
//! point from which the joint can still stop inside every limit.
//!
//! Everything is discrete: with `q_k` the commanded positions, one nominal `dt` apart,
//! `dq_k = (q_k - q_{k-1}) / dt`, `ddq_k = (dq_k - dq_{k-1}) / dt` and
//! `dddq_k = (ddq_k - ddq_{k-1}) / dt`. A recorder on the wire computes exactly these, so exactly
//! these are limited, by choosing `ddq_k` and integrating it twice.
//!
//! The invariant is kept by construction: a step is taken only if the stop that would follow it was
//! played forward and broke no limit. Otherwise the step moves towards the first step of the stop that
//! was proven one tick earlier. From a motion that no stop inside the limits follows, because it began
//! outside, the joint brakes as hard as the rate limits allow until one does.

use crate::{JointBounds, LimitReason, LimitSet, VelocityEnvelope};

/// Limits are kept this much (relative) tighter than published, so that the rounding of `q_k` (half a
/// unit in the last place, divided by dt³) never shows as a violation.
const MARGIN: f64 = 1e-6;
/// Distance kept from the position limits, rad.
const POSITION_MARGIN: f64 = 1e-7;
/// Speeds below this are zero, rad/s: far under what rounding of `q_k` can express at 1 kHz.
const STANDSTILL: f64 = 1e-13;
/// Halvings between the wanted and the stopping acceleration.
const BISECTIONS: usize = 12;
/// An acceleration that is cut by less than this share was not limited but rounded.
const ROUNDING: f64 = 1e-9;

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
    /// Speed over `dt` that is shed by easing off from full deceleration, rad/s².
    easing: f64,
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
        let ddq_step = dddq_max * dt;
        Self {
            lower: bounds.lower + POSITION_MARGIN,
            upper: bounds.upper - POSITION_MARGIN,
            dq_max: bounds.max_velocity * (1.0 - MARGIN),
            ddq_max,
            ddq_step,
            easing: ramp_sum(ddq_max, ddq_step),
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

    /// The next tick's motion, with an acceleration as close to `ddq_wanted` as the limits allow; NaN
    /// wants a stop.
    ///
    /// Adds what kept it from being just that to `limited`, and returns whether that was a position
    /// limit or a speed limit, the one in front of a stop included. Never allocates.
    pub(crate) fn advance(
        &self,
        motion: JointMotion,
        ddq_wanted: f64,
        limited: &mut LimitSet,
    ) -> (JointMotion, bool) {
        if ddq_wanted.is_nan() {
            limited.insert(LimitReason::NonFinite);
            return (self.stop_step(&motion), false);
        }
        self.note_rates(&motion, ddq_wanted, limited);
        let ddq_wanted = self.within_rates(&motion, ddq_wanted);
        let wanted = self.step(&motion, ddq_wanted);
        let Err(reason) = self.viable(&motion, &wanted) else {
            return (wanted, false);
        };
        limited.insert(reason);
        // The stop's own first step is viable by the invariant; look for the viable step nearest to
        // what was wanted.
        let mut best = self.stop_step(&motion);
        let (mut safe, mut unsafe_) = (best.ddq, ddq_wanted);
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (safe + unsafe_);
            let candidate = self.step(&motion, middle);
            if self.viable(&motion, &candidate).is_ok() {
                safe = middle;
                best = candidate;
            } else {
                unsafe_ = middle;
            }
        }
        (best, true)
    }

    /// Whether these limits can take over a motion that other limits led to: it is inside them, and so
    /// is the stop from it. A joint that stands is let in wherever it is: from outside it may come back.
    ///
    /// # Errors
    /// The limit that is in the way.
    pub(crate) fn admits(&self, motion: &JointMotion) -> Result<(), LimitReason> {
        if motion.ddq.abs() > self.ddq_max {
            return Err(LimitReason::Acceleration);
        }
        self.viable(motion, motion)
    }

    /// The next tick of the quickest stop.
    pub(crate) fn stop_step(&self, motion: &JointMotion) -> JointMotion {
        self.step(motion, self.ddq_towards(motion, 0.0))
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

    /// The nearest acceleration inside the jerk limit, and inside the acceleration limit unless the
    /// motion is beyond that already.
    fn within_rates(&self, motion: &JointMotion, ddq: f64) -> f64 {
        ddq.max(-self.ddq_max)
            .min(self.ddq_max)
            .max(motion.ddq - self.ddq_step)
            .min(motion.ddq + self.ddq_step)
    }

    /// Notes which of the rate limits cut an acceleration.
    fn note_rates(&self, motion: &JointMotion, ddq: f64, limited: &mut LimitSet) {
        if ddq.abs() > self.ddq_max * (1.0 + ROUNDING) {
            limited.insert(LimitReason::Acceleration);
        }
        let change = ddq.max(-self.ddq_max).min(self.ddq_max) - motion.ddq;
        if change.abs() > self.ddq_step + ROUNDING * self.ddq_max {
            limited.insert(LimitReason::Jerk);
        }
    }

    /// Whether a step keeps inside the limits and leaves a stop that does.
    fn viable(&self, before: &JointMotion, after: &JointMotion) -> Result<(), LimitReason> {
        self.inside(before, after)?;
        if self.is_far_from_limits(after) {
            return Ok(());
        }
        self.can_stop(after)
    }

    /// Plays the stop forward; says which limit it would break first.
    fn can_stop(&self, from: &JointMotion) -> Result<(), LimitReason> {
        let mut motion = *from;
        for _ in 0..self.max_stop_ticks {
            if motion.is_at_rest() {
                return Ok(());
            }
            let next = match self.hold_ticks(&motion) {
                0 => self.stop_step(&motion),
                ticks => self.after_hold(&motion, ticks),
            };
            self.inside(&motion, &next)?;
            motion = next;
        }
        Err(LimitReason::Position)
    }

    /// For how many ticks the stop goes on with full deceleration and no limit can come into reach but
    /// at their end: the joint only gets slower, and under an envelope that is no steeper than the
    /// deceleration only further below it.
    fn hold_ticks(&self, motion: &JointMotion) -> u32 {
        let is_full = motion.ddq == -motion.dq.signum() * self.ddq_max;
        let is_below = (self.envelope).is_none_or(|envelope| envelope.deceleration <= self.ddq_max);
        if !is_full || !is_below {
            return 0;
        }
        ((motion.dq.abs() / self.dt - self.easing) / self.ddq_max) as u32
    }

    fn after_hold(&self, motion: &JointMotion, ticks: u32) -> JointMotion {
        let n = f64::from(ticks);
        let change = motion.ddq * self.dt;
        JointMotion {
            q: motion.q + (motion.dq + 0.5 * (n + 1.0) * change) * n * self.dt,
            dq: motion.dq + n * change,
            ddq: motion.ddq,
        }
    }

    /// Position and speed limits of one tick. A joint beyond a position limit may move inward.
    fn inside(&self, before: &JointMotion, after: &JointMotion) -> Result<(), LimitReason> {
        let position_holds = (after.q <= self.upper || after.q <= before.q)
            && (after.q >= self.lower || after.q >= before.q);
        if !position_holds {
            Err(LimitReason::Position)
        } else if after.dq.abs() > self.dq_max {
            Err(LimitReason::Velocity)
        } else if !self.envelope_holds(after.q, after.dq) {
            Err(LimitReason::Envelope)
        } else {
            Ok(())
        }
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

    /// A cheap sufficient condition for [`Self::can_stop`]: finds no limit within the longest stop on
    /// either side.
    fn is_far_from_limits(&self, motion: &JointMotion) -> bool {
        let (speed, distance) = self.longest_stop(motion);
        let (low, high) = (motion.q - distance, motion.q + distance);
        speed <= self.dq_max
            && low > self.lower
            && high < self.upper
            && self.envelope_holds(high, speed)
            && self.envelope_holds(low, -speed)
    }

    /// Bounds from above the speed, rad/s, and the way, rad, of the stop from a motion.
    pub(crate) fn longest_stop(&self, motion: &JointMotion) -> (f64, f64) {
        let (a, j) = (motion.ddq.abs(), self.ddq_step / self.dt);
        let speed = motion.dq.abs() + a * a / (2.0 * j) + (2.0 * a + self.ddq_step) * self.dt;
        let seconds = speed / self.ddq_max + 6.0 * self.ddq_max / j + 10.0 * self.dt;
        (speed, speed * seconds)
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

/// Sum of the series `x, x - j, x - 2 j, ...`, positive terms only.
fn ramp_sum(x: f64, j: f64) -> f64 {
    let n = (x / j).ceil();
    n * x - 0.5 * j * n * (n - 1.0)
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
            assert!((ramp_sum(x, 0.9) - sum).abs() < 1e-9 * (1.0 + sum));
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
                let (next, near_stop) = limiter.advance(motion, ddq, &mut LimitSet::default());
                held_back |= near_stop;
                assert_eq!(limiter.inside(&motion, &next), Ok(()));
                assert_eq!(limiter.can_stop(&next), Ok(()), "the invariant: {next:?}");
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
                    assert_eq!(limiter.can_stop(&motion), Ok(()), "{motion:?}");
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
