//! Turns setpoints that may come late, jump or cease into motion inside every limit: the driver's half.

use prehend_types::{JointAccelerations, JointPositions, JointVelocities, MAX_JOINTS};

use crate::changeover::Changeover;
use crate::limiter::JointMotion;
use crate::{ControlError, JointBounds, LimitSet};

/// Share of the acceleration limit by which a gap to the setpoint is closed; the rest is left for the
/// setpoint's own acceleration.
const CLOSING_SHARE: f64 = 0.5;
/// A setpoint is met within this, rad: under what an arm of this kind repeats.
const MET: f64 = 1e-4;
/// No arm moves this many times faster than its limits: such a motion was not measured but made up.
const PLAUSIBLE: f64 = 3.0;

/// Moves an arm to setpoints, or to rest when there are none, one tick after the other.
///
/// Whatever the setpoints are, every tick stays inside the position, velocity, acceleration and jerk
/// limits, and a stop inside them exists after it. Setpoints that a limited sender made are met exactly.
/// From a motion outside the limits it comes inside as hard as the rate limits allow, and from beyond a
/// position limit only inward. Never allocates.
#[derive(Debug, Clone, Copy)]
pub struct Follower {
    limiters: [Changeover; MAX_JOINTS],
    motion: [JointMotion; MAX_JOINTS],
    max_acceleration: [f64; MAX_JOINTS],
    dt_s: f64,
    q: JointPositions,
    dq: JointVelocities,
    limited: LimitSet,
}

impl Follower {
    /// From a motion, for ticks of `dt_s`.
    ///
    /// `ddq` is `(dq_k - dq_{k-1}) / dt` of the last two commands, zero if it is not known. From a motion
    /// that a [`crate::Controller`] commanded, a stop inside the limits exists; from another one the arm
    /// brakes as hard as the rate limits allow.
    ///
    /// # Errors
    /// [`ControlError`] if a number is not finite, a speed or an acceleration is above three times its
    /// limit, a limit is not usable, or lengths differ.
    pub fn new(
        bounds: &[JointBounds],
        dt_s: f64,
        q: &JointPositions,
        dq: &JointVelocities,
        ddq: &JointAccelerations,
    ) -> Result<Self, ControlError> {
        let n_joints = q.len();
        let Some((first, true)) = bounds
            .first()
            .map(|first| (first, [bounds.len(), dq.len(), ddq.len()] == [n_joints; 3]))
        else {
            return Err(ControlError::JointCount { n_joints });
        };
        if !(dt_s > 0.0 && dt_s <= 1.0) {
            return Err(ControlError::Config {
                field: "dt_s",
                value: dt_s,
                low: 0.0,
                high: 1.0,
            });
        }
        let mut own = Self {
            limiters: [Changeover::new(first, dt_s); MAX_JOINTS],
            motion: [JointMotion::default(); MAX_JOINTS],
            max_acceleration: [0.0; MAX_JOINTS],
            dt_s,
            q: *q,
            dq: *dq,
            limited: LimitSet::default(),
        };
        for (joint_idx, bounds) in bounds.iter().enumerate() {
            if !bounds.is_valid() {
                return Err(ControlError::Limits { joint_idx });
            }
            let (q, dq, ddq) = (q[joint_idx], dq[joint_idx], ddq[joint_idx]);
            if !(q.is_finite() && dq.is_finite() && ddq.is_finite()) {
                return Err(ControlError::NonFinite { joint_idx });
            }
            if dq.abs() > PLAUSIBLE * bounds.max_velocity
                || ddq.abs() > PLAUSIBLE * bounds.max_acceleration
            {
                return Err(ControlError::Implausible { joint_idx });
            }
            own.limiters[joint_idx] = Changeover::new(bounds, dt_s);
            own.motion[joint_idx] = JointMotion { q, dq, ddq };
            own.max_acceleration[joint_idx] = bounds.max_acceleration;
        }
        Ok(own)
    }

    /// Other limits from the next tick on, for as many joints. A joint that is not inside them, or could
    /// not stop inside them, brakes inside the old ones until it can.
    ///
    /// # Errors
    /// [`ControlError`] if a limit is not usable or there are more or fewer; the old ones then hold.
    pub fn set_bounds(&mut self, bounds: &[JointBounds]) -> Result<(), ControlError> {
        crate::bounds::check(bounds, self.q.len())?;
        for (joint_idx, bounds) in bounds.iter().enumerate() {
            self.limiters[joint_idx].replace(bounds, self.dt_s);
            self.max_acceleration[joint_idx] = bounds.max_acceleration;
        }
        Ok(())
    }

    /// One tick towards `q_d`, which itself moves with `dq_d`. Returns whether it is met. A joint whose
    /// setpoint is missing or not finite brakes.
    ///
    /// A gap is closed by the speed from which the arm can still brake onto the setpoint, relative to
    /// the setpoint's own motion; within reach of one tick it is met exactly.
    pub fn follow(&mut self, q_d: &JointPositions, dq_d: &JointVelocities) -> bool {
        let dt = self.dt_s;
        let mut is_met = true;
        self.limited = LimitSet::default();
        for joint_idx in 0..self.q.len() {
            let value = |values: &[f64]| {
                let finite = values.get(joint_idx).filter(|value| value.is_finite());
                finite.copied().unwrap_or(f64::NAN)
            };
            let (q_d, dq_d) = (value(q_d), value(dq_d));
            let motion = self.motion[joint_idx];
            let gap = q_d - dq_d * dt - motion.q;
            let braking =
                (2.0 * CLOSING_SHARE * self.max_acceleration[joint_idx] * gap.abs()).sqrt();
            let closing = gap.signum() * (gap.abs() / dt).min(braking);
            let ddq = (dq_d + closing - motion.dq) / dt;
            let (motion, _) = self.limiters[joint_idx].advance(motion, ddq, &mut self.limited);
            is_met &= (motion.q - q_d).abs() <= MET;
            self.keep(joint_idx, motion);
        }
        is_met
    }

    /// What kept the last [`Self::follow`] from its setpoint.
    #[must_use]
    pub fn limited(&self) -> LimitSet {
        self.limited
    }

    /// One tick of the quickest stop.
    pub fn stop(&mut self) {
        for joint_idx in 0..self.q.len() {
            let motion = self.limiters[joint_idx].stop_step(&self.motion[joint_idx]);
            self.keep(joint_idx, motion);
        }
    }

    fn keep(&mut self, joint_idx: usize, motion: JointMotion) {
        self.motion[joint_idx] = motion;
        self.q[joint_idx] = motion.q;
        self.dq[joint_idx] = motion.dq;
    }

    /// Positions of this tick, rad.
    #[must_use]
    pub fn q(&self) -> &JointPositions {
        &self.q
    }

    /// Velocities of this tick, rad/s.
    #[must_use]
    pub fn dq(&self) -> &JointVelocities {
        &self.dq
    }

    /// Whether every joint stands still.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.motion[..self.q.len()]
            .iter()
            .all(JointMotion::is_at_rest)
    }
}
