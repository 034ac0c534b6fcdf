//! Fades an offset and its velocity out, so that a new plan takes over without a jump.

use prehend_types::Stamp;

/// A cubic Hermite curve from one to zero over `length_s`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blend {
    pub start: Stamp,
    pub length_s: f64,
}

/// What is left of an offset and of its velocity: their shares in the value and in its rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    pub offset: f64,
    /// s.
    pub velocity: f64,
    /// 1/s.
    pub offset_rate: f64,
    pub velocity_rate: f64,
}

impl Blend {
    /// What is left, until nothing is.
    pub fn at(&self, now: Stamp) -> Option<Left> {
        let s = now.seconds_since(self.start) / self.length_s;
        // A length of zero gives NaN at its start.
        if s.is_nan() || s >= 1.0 {
            return None;
        }
        let s = s.max(0.0);
        Some(Left {
            offset: (2.0 * s - 3.0) * s * s + 1.0,
            velocity: ((s - 2.0) * s + 1.0) * s * self.length_s,
            offset_rate: 6.0 * s * (s - 1.0) / self.length_s,
            velocity_rate: (3.0 * s - 4.0) * s + 1.0,
        })
    }
}
