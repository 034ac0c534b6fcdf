//! Keeping only the workspace.

use prehend_types::Role;
use serde::{Deserialize, Serialize};

/// An axis-aligned box in the frame of the points, m.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// Lowest corner.
    pub min_m: [f32; 3],
    /// Highest corner.
    pub max_m: [f32; 3],
}

impl Crop {
    /// Whether a point is inside. Non-finite points never are.
    #[must_use]
    #[inline]
    pub fn contains(&self, point: &[f32; 3]) -> bool {
        (0..3).all(|axis| point[axis] >= self.min_m[axis] && point[axis] <= self.max_m[axis])
    }

    /// Drops every point outside the box, with its role.
    pub fn apply(&self, points: &mut Vec<[f32; 3]>, roles: &mut Vec<Role>) {
        let mut kept = 0;
        for index in 0..points.len().min(roles.len()) {
            if self.contains(&points[index]) {
                points[kept] = points[index];
                roles[kept] = roles[index];
                kept += 1;
            }
        }
        points.truncate(kept);
        roles.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finite_points_inside_stay() {
        let crop = Crop {
            min_m: [0.0; 3],
            max_m: [1.0; 3],
        };
        let mut points = vec![[0.5; 3], [f32::NAN, 0.5, 0.5], [1.5, 0.5, 0.5], [0.25; 3]];
        let mut roles = vec![Role::Target, Role::Other, Role::Other, Role::Receptacle];
        crop.apply(&mut points, &mut roles);
        assert_eq!(points, [[0.5; 3], [0.25; 3]]);
        assert_eq!(roles, [Role::Target, Role::Receptacle]);
    }
}
