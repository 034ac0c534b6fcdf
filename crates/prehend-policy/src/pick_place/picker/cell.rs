//! What the operator says of the cell: where to take things from, where to put them, who looks.

use nalgebra::Point3;
use serde::{Deserialize, Serialize};

/// A rectangle of the table, base frame, m.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// Lowest x and y.
    pub min_m: [f32; 2],
    /// Highest x and y.
    pub max_m: [f32; 2],
}

impl Area {
    /// Whether a point is over it, or at most `margin` (m) beside it.
    #[must_use]
    pub fn contains(&self, [x, y, _]: [f32; 3], margin: f32) -> bool {
        x > self.min_m[0] - margin
            && x < self.max_m[0] + margin
            && y > self.min_m[1] - margin
            && y < self.max_m[1] + margin
    }

    fn is_sound(&self) -> bool {
        (0..2)
            .all(|axis| self.max_m[axis] - self.min_m[axis] > 0.02 && self.min_m[axis].abs() < 2.0)
    }
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// Objects are taken from here.
    pub pick: Area,
    /// They are put here.
    pub place: Area,
    /// Where the cameras are, m: surfaces face the one that saw them.
    pub cameras_m: Vec<[f64; 3]>,
}

impl Cell {
    /// What is wrong with it, if anything is.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        let is_number = |eye: &[f64; 3]| eye.iter().all(|v| v.is_finite());
        if !self.pick.is_sound() || !self.place.is_sound() {
            return Some("`pick` and `place` need min_m below max_m, by 2 cm at least");
        }
        if self.cameras_m.is_empty() || !self.cameras_m.iter().all(is_number) {
            return Some("`cameras_m` needs at least one camera, in finite numbers");
        }
        None
    }

    /// The normal turned towards the camera that it faces most: which one saw the point is not known.
    pub(super) fn facing(&self, point: &[f32; 3], normal: [f32; 3]) -> [f32; 3] {
        let at = Point3::from(*point).cast::<f64>();
        let own = nalgebra::Vector3::from(normal).cast::<f64>();
        let along = self
            .cameras_m
            .iter()
            .map(|eye| (Point3::from(*eye) - at).normalize().dot(&own));
        let most = along.max_by(|a, b| a.abs().total_cmp(&b.abs()));
        if most.is_some_and(|most| most < 0.0) {
            normal.map(|v| -v)
        } else {
            normal
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell() -> Cell {
        let area = |min_m, max_m| Area { min_m, max_m };
        Cell {
            pick: area([0.2, -0.4], [0.7, 0.1]),
            place: area([0.3, 0.15], [0.6, 0.35]),
            cameras_m: vec![[0.95, 0.5, 0.7], [0.95, -0.5, 0.7]],
        }
    }

    #[test]
    fn a_cell_that_makes_no_sense_is_named() {
        assert_eq!(cell().fault(), None);
        let mut turned = cell();
        turned.pick.max_m = turned.pick.min_m;
        assert!(turned.fault().is_some_and(|fault| fault.contains("pick")));
        let mut blind = cell();
        blind.cameras_m.clear();
        assert!(blind.fault().is_some_and(|fault| fault.contains("camera")));
        blind.cameras_m.push([f64::NAN; 3]);
        assert!(blind.fault().is_some());
    }

    #[test]
    fn surfaces_face_the_camera_that_sees_them() {
        let cell = cell();
        // A wall that looks to -y is seen from there, whatever sign its normal was given.
        for sign in [1.0, -1.0] {
            let facing = cell.facing(&[0.5, 0.0, 0.1], [0.0, sign, 0.0]);
            assert!(facing[1].abs() > 0.99);
        }
        assert_eq!(cell.facing(&[0.5, 0.0, 0.0], [0.0, 0.0, -1.0])[2], 1.0);
        assert_eq!(cell.facing(&[0.5, -0.2, 0.1], [0.0, -1.0, 0.0])[1], 1.0);
    }
}
