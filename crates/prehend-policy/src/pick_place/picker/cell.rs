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

/// What slipped from the area to put things, or was put across its edge.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Astray {
    /// How far beside the area it is looked for, m.
    pub beside_m: f32,
    /// Height of the area's wall, m: what is lower is no object.
    pub above_m: f32,
}

impl Astray {
    fn is_sound(&self) -> bool {
        (0.01..=0.3).contains(&self.beside_m) && (0.0..=0.3).contains(&self.above_m)
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
    /// Once nothing is left to pick, what lies astray around `place` is taken up too; nothing there, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub astray: Option<Astray>,
    /// Where the cameras are, m: surfaces face the one that saw them.
    pub cameras_m: Vec<[f64; 3]>,
}

impl Cell {
    /// Whether a point is of something astray.
    pub(super) fn is_astray(&self, at: [f32; 3]) -> bool {
        let place = &self.place;
        self.astray.is_some_and(|astray| {
            place.contains(at, astray.beside_m)
                && !place.contains(at, 0.0)
                && at[2] > astray.above_m
        })
    }

    /// What is wrong with it, if anything is.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        let is_number = |eye: &[f64; 3]| eye.iter().all(|v| v.is_finite());
        if !self.pick.is_sound() || !self.place.is_sound() {
            return Some("`pick` and `place` need min_m below max_m, by 2 cm at least");
        }
        if self.astray.is_some_and(|astray| !astray.is_sound()) {
            return Some("`astray` needs `beside_m` of 0.01 to 0.3 and `above_m` of 0 to 0.3");
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
            astray: None,
            cameras_m: vec![[0.95, 0.5, 0.7], [0.95, -0.5, 0.7]],
        }
    }

    #[test]
    fn a_cell_that_makes_no_sense_is_named() {
        assert_eq!(cell().fault(), None);
        let mut turned = cell();
        turned.pick.max_m = turned.pick.min_m;
        assert!(turned.fault().is_some_and(|fault| fault.contains("pick")));
        let mut far = cell();
        far.astray = Some(Astray {
            beside_m: f32::NAN,
            above_m: 0.02,
        });
        assert!(far.fault().is_some_and(|fault| fault.contains("astray")));
        let mut blind = cell();
        blind.cameras_m.clear();
        assert!(blind.fault().is_some_and(|fault| fault.contains("camera")));
        blind.cameras_m.push([f64::NAN; 3]);
        assert!(blind.fault().is_some());
    }

    #[test]
    fn astray_is_what_lies_beside_the_area_or_across_its_wall_if_asked_for() {
        let mut cell = cell();
        let across = [0.4, 0.14, 0.04];
        assert!(!cell.is_astray(across), "not asked for");
        cell.astray = Some(Astray {
            beside_m: 0.08,
            above_m: 0.02,
        });
        assert!(cell.is_astray(across));
        for (what, at) in [
            ("put well", [0.4, 0.2, 0.04]),
            ("the wall", [0.4, 0.14, 0.02]),
            ("far off", [0.4, 0.06, 0.04]),
        ] {
            assert!(!cell.is_astray(at), "{what}");
        }
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
