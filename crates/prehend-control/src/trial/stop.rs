//! Whether a joint can still stop inside its published limits: played forward tick by tick, by other
//! arithmetic than the limiter's.

use crate::JointBounds;

/// Slower than this and without acceleration, a joint stands: what rounding of positions can express, rad/s.
const STANDSTILL: f64 = 1e-9;
/// Relative and absolute tolerance on limits, for the rounding in positions that motions are taken from.
const TOLERANCE: f64 = 1e-9;
/// A stop that takes longer than this does not count, s.
const MAX_STOP_S: f64 = 60.0;

/// Motion of a joint as differences of its positions give it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Motion {
    pub q: f64,
    pub dq: f64,
    pub ddq: f64,
}

/// The least distance to a position limit during the stop from `motion`, rad; `None` if that stop breaks a
/// limit. A joint that is outside may come back in.
///
/// The stop brakes as hard as acceleration and jerk allow without turning the joint around.
pub(super) fn slack(bounds: &JointBounds, dt: f64, motion: &Motion) -> Option<f64> {
    let step = bounds.max_jerk * dt;
    let full = shed(bounds.max_acceleration, step);
    let Motion {
        mut q,
        mut dq,
        mut ddq,
    } = *motion;
    let mut least = f64::INFINITY;
    for _ in 0..(MAX_STOP_S / dt) as u64 {
        if dq.abs() < STANDSTILL && ddq.abs() <= step {
            return Some(least.min(bounds.upper - q).min(q - bounds.lower));
        }
        let way = if dq == 0.0 { ddq.signum() } else { dq.signum() };
        let wanted = if dq.abs() >= full * dt {
            bounds.max_acceleration
        } else {
            most_braking(dq.abs() / dt, step)
        };
        let before = ddq;
        ddq = (-way * wanted).max(before - step).min(before + step);
        ddq = ddq
            .max(-bounds.max_acceleration)
            .min(bounds.max_acceleration);
        dq += ddq * dt;
        let outward = dq * dt;
        q += outward;
        least = least.min(bounds.upper - q).min(q - bounds.lower);
        let goes_out = (q > bounds.upper + TOLERANCE && outward > 0.0)
            || (q < bounds.lower - TOLERANCE && outward < 0.0);
        if goes_out || dq.abs() > speed_limit(bounds, q, dq) * (1.0 + TOLERANCE) + TOLERANCE {
            return None;
        }
    }
    None
}

/// The speed that a joint may have at `q` in the direction of `dq`.
pub(super) fn speed_limit(bounds: &JointBounds, q: f64, dq: f64) -> f64 {
    let Some(envelope) = bounds.envelope else {
        return bounds.max_velocity;
    };
    let distance = if dq > 0.0 {
        bounds.upper - q
    } else {
        q - bounds.lower
    };
    let parabola = (2.0 * envelope.deceleration * distance.max(0.0)).sqrt() - envelope.offset;
    bounds.max_velocity.min(parabola.max(0.0))
}

/// What `braking` and then ever less of it sheds: `braking + (braking - step) + ...`, positive terms.
fn shed(mut braking: f64, step: f64) -> f64 {
    let mut sum = 0.0;
    while braking > 0.0 {
        sum += braking;
        braking -= step;
    }
    sum
}

/// The braking that sheds just `sum`: spread over as few ticks as jerk allows.
fn most_braking(sum: f64, step: f64) -> f64 {
    let mut ticks = 1.0;
    while 0.5 * ticks * (ticks + 1.0) * step < sum {
        ticks += 1.0;
    }
    sum / ticks + 0.5 * step * (ticks - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VelocityEnvelope;

    const BOUNDS: JointBounds = JointBounds {
        lower: -2.8065,
        upper: 2.8065,
        max_velocity: 5.26,
        max_acceleration: 10.0,
        max_jerk: 5000.0,
        envelope: None,
    };

    fn slack_at(bounds: &JointBounds, q: f64, dq: f64, ddq: f64) -> Option<f64> {
        slack(bounds, 0.001, &Motion { q, dq, ddq })
    }

    #[test]
    fn a_stop_from_full_speed_takes_the_published_way() {
        // v²/2a + v a/2j = 1.383 + 0.005 rad, less a tick: the first one brakes already.
        let left = slack_at(&BOUNDS, 1.40, 5.26, 0.0).expect("there is room");
        assert!((2.8065 - 1.40 - 1.3886 - left).abs() < 0.006, "{left}");
        assert!(slack_at(&BOUNDS, 1.43, 5.26, 0.0).is_none());
        assert!(slack_at(&BOUNDS, -1.40, -5.26, 0.0).is_some());
        assert!(slack_at(&BOUNDS, -1.43, -5.26, 0.0).is_none());
        assert!(
            slack_at(&BOUNDS, 1.40, 5.26, 10.0).is_none(),
            "it still speeds up"
        );
    }

    #[test]
    fn the_envelope_asks_for_more_room() {
        let envelope = Some(VelocityEnvelope {
            offset: 0.35,
            deceleration: 9.0,
        });
        let bounds = JointBounds { envelope, ..BOUNDS };
        assert!(slack_at(&bounds, 1.39, 5.26, 0.0).is_none());
        assert!(slack_at(&bounds, 1.0, 5.0, 0.0).is_some());
    }

    #[test]
    fn a_joint_outside_may_only_come_back() {
        assert!(slack_at(&BOUNDS, 2.85, -0.1, 0.0).is_some());
        assert!(slack_at(&BOUNDS, 2.85, 0.1, 0.0).is_none());
    }
}
