//! A grasp as points see it: touched here, closing that way, coming from there.

use nalgebra::{Matrix3, Point3, Rotation3, Translation3, UnitQuaternion, Vector3};
use serde::{Deserialize, Serialize};

use crate::Pose;

/// Classes of width that a network tells apart...
pub const N_WIDTHS: usize = 10;
/// ... and the width of one, m.
pub const WIDTH_CLASS_M: f64 = 0.008;

/// How much wider than the object the fingers open on their way in, m in all.
const MARGIN: f64 = 0.016;

/// One grasp with a parallel gripper, in the manner of Contact-GraspNet (Sundermeyer et al. 2021).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TableGrasp {
    /// Where one finger touches, base frame, m.
    pub contact: Point3<f64>,
    /// Unit vector from there to the other finger.
    pub closing: Vector3<f64>,
    /// Unit vector along which the hand comes, at right angles to `closing`.
    pub approach: Vector3<f64>,
    /// Distance between the fingers when they touch, m.
    pub width: f64,
    /// How far the tool stands back from the contact against `approach`, m: flat things are held with the
    /// tips of the pads, because the rest of the hand has to stay above the table.
    pub retreat: f64,
}

impl TableGrasp {
    /// Pose of the tool: its y axis is the closing direction, its z axis the approach.
    #[must_use]
    pub fn base_from_tool(&self) -> Pose {
        let x = self.closing.cross(&self.approach);
        let axes = Matrix3::from_columns(&[x, self.closing, self.approach]);
        let rotation = Rotation3::from_matrix_unchecked(axes);
        let middle = self.contact + 0.5 * self.width * self.closing - self.retreat * self.approach;
        Pose::from_parts(
            Translation3::from(middle.coords),
            UnitQuaternion::from_rotation_matrix(&rotation),
        )
    }

    /// How far fingers that can be `max_width` apart open on their way in, m.
    #[must_use]
    pub fn opening(&self, max_width: f64) -> f64 {
        (self.width + MARGIN).min(max_width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_stands_between_the_fingers() {
        let grasp = TableGrasp {
            contact: Point3::new(0.4, 0.1, 0.05),
            closing: Vector3::y(),
            approach: -Vector3::z(),
            width: 0.04,
            retreat: 0.0,
        };
        let tool = grasp.base_from_tool();
        assert!((tool.translation.vector - Vector3::new(0.4, 0.12, 0.05)).norm() < 1e-12);
        assert!((tool * Vector3::z() + Vector3::z()).norm() < 1e-12);
        assert!((tool * Vector3::y() - Vector3::y()).norm() < 1e-12);
    }
}
