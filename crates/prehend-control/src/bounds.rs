//! What one joint may do: plain numbers, shared as data by the limiter and by the wire checker.

use crate::ControlError;

/// Published limits of one joint. Units: rad, rad/s, rad/s², rad/s³ (m for a prismatic joint).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointBounds {
    /// Lowest position.
    pub lower: f64,
    /// Highest position.
    pub upper: f64,
    /// Highest speed in either direction.
    pub max_velocity: f64,
    /// Highest acceleration in either direction.
    pub max_acceleration: f64,
    /// Highest jerk in either direction.
    pub max_jerk: f64,
    /// Slower near the stops, if the maker says so.
    pub envelope: Option<VelocityEnvelope>,
}

/// Position-dependent speed limit: `max(0, -offset + sqrt(2 deceleration distance))`, with the distance
/// to the stop that the joint moves towards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VelocityEnvelope {
    /// Speed taken off the parabola, rad/s.
    pub offset: f64,
    /// Deceleration of the parabola, rad/s².
    pub deceleration: f64,
}

impl JointBounds {
    /// Whether every number is finite, positive where it must be, and the range is not empty.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        self.lower.is_finite()
            && self.upper.is_finite()
            && self.lower < self.upper
            && positive(self.max_velocity)
            && positive(self.max_acceleration)
            && positive(self.max_jerk)
            && self.envelope.is_none_or(|envelope| {
                envelope.offset.is_finite()
                    && envelope.offset >= 0.0
                    && positive(envelope.deceleration)
            })
    }
}

/// Refuses limits that cannot be used, or that are not for `n_joints`.
pub(crate) fn check(bounds: &[JointBounds], n_joints: usize) -> Result<(), ControlError> {
    if bounds.len() != n_joints {
        return Err(ControlError::JointCount {
            n_joints: bounds.len(),
        });
    }
    match bounds.iter().position(|bounds| !bounds.is_valid()) {
        Some(joint_idx) => Err(ControlError::Limits { joint_idx }),
        None => Ok(()),
    }
}
