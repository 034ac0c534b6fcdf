//! The box that the tool stays in.

use nalgebra::Vector3;
use serde::{Deserialize, Serialize};

use crate::ControlError;

/// A box in the base frame, m. A side that is not needed is put out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fence {
    /// Lowest x, y, z.
    pub min_m: [f64; 3],
    /// Highest x, y, z.
    pub max_m: [f64; 3],
}

impl Fence {
    /// How far inside the box a point is, m; negative outside, by the farthest side.
    #[must_use]
    pub fn depth(&self, point: &Vector3<f64>) -> f64 {
        let above = point - Vector3::from(self.min_m);
        let below = Vector3::from(self.max_m) - point;
        above.inf(&below).min()
    }

    /// Refuses a box that is empty or not finite.
    ///
    /// # Errors
    /// [`ControlError::Config`], naming the field.
    pub fn check(&self) -> Result<(), ControlError> {
        let fields = [
            ["fence.min_m[0]", "fence.max_m[0]"],
            ["fence.min_m[1]", "fence.max_m[1]"],
            ["fence.min_m[2]", "fence.max_m[2]"],
        ];
        for (axis, [low_field, high_field]) in fields.into_iter().enumerate() {
            let (min, max) = (self.min_m[axis], self.max_m[axis]);
            let refuse = |field, value, low| {
                let high = f64::MAX;
                Err(ControlError::Config {
                    field,
                    value,
                    low,
                    high,
                })
            };
            if !min.is_finite() {
                return refuse(low_field, min, f64::MIN);
            }
            if !(max.is_finite() && min < max) {
                return refuse(high_field, max, min);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FENCE: Fence = Fence {
        min_m: [0.2, -0.4, 0.0],
        max_m: [0.8, 0.4, 0.7],
    };

    #[test]
    fn depth_is_the_way_to_the_nearest_side() {
        let depth = |x, y, z| FENCE.depth(&Vector3::new(x, y, z));
        assert!((depth(0.5, 0.0, 0.6) - 0.1).abs() < 1e-12);
        assert!((depth(0.9, 0.5, 0.3) + 0.1).abs() < 1e-12);
        assert!((depth(0.9, 0.6, 0.3) + 0.2).abs() < 1e-12);
    }

    #[test]
    fn empty_boxes_are_refused_by_name() {
        assert_eq!(FENCE.check(), Ok(()));
        for bad in [-0.4, -0.5, f64::NAN, f64::INFINITY] {
            let mut fence = FENCE;
            fence.max_m[1] = bad;
            let error = fence.check().expect_err("empty").to_string();
            assert!(error.contains("fence.max_m[1]"), "{error}");
        }
    }
}
