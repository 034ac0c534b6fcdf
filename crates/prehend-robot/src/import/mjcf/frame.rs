//! Positions and orientations: quaternion (w x y z), Euler angles in any sequence, axis and angle,
//! two axes, one axis.

use nalgebra::{Matrix3, Quaternion, Rotation3, Translation3, Unit, UnitQuaternion, Vector3};
use prehend_types::Pose;

use super::element::Attrs;
use crate::RobotError;

/// How angles are written: MJCF says it once per model.
#[derive(Debug, Clone)]
pub(super) struct Angles {
    /// Radians per unit of the file.
    pub unit: f64,
    /// Letters of `eulerseq`: lower case turns with the body, upper case stays with the parent.
    pub sequence: [char; 3],
}

impl Angles {
    /// `pos` and orientation.
    pub fn pose(&self, attrs: &Attrs) -> Result<Pose, RobotError> {
        let position = attrs.vector("pos")?.unwrap_or_default();
        Ok(Pose::from_parts(
            Translation3::from(position),
            self.orientation(attrs)?,
        ))
    }

    pub fn orientation(&self, attrs: &Attrs) -> Result<UnitQuaternion<f64>, RobotError> {
        // An element's own orientation replaces one from its defaults, in whatever form.
        const FORMS: [&str; 5] = ["quat", "euler", "axisangle", "xyaxes", "zaxis"];
        let own = Attrs::plain(attrs.element);
        let attrs = if FORMS.iter().any(|form| own.has(form)) {
            &own
        } else {
            attrs
        };
        let mut given = FORMS.into_iter().filter(|form| attrs.has(form));
        let Some(form) = given.next() else {
            return Ok(UnitQuaternion::identity());
        };
        if let Some(second) = given.next() {
            return Err(attrs.error(second, format!("{form} is given too; keep one orientation")));
        }
        let no_direction = || attrs.error(form, "has no direction; give a vector that is not 0");
        match form {
            "quat" => {
                let [w, x, y, z] = attrs.array(form)?.unwrap_or_default();
                let quaternion = Quaternion::new(w, x, y, z);
                if quaternion.norm() < 1e-9 {
                    return Err(no_direction());
                }
                Ok(UnitQuaternion::from_quaternion(quaternion))
            }
            "euler" => {
                let angles: [f64; 3] = attrs.array(form)?.unwrap_or_default();
                let mut rotation = UnitQuaternion::identity();
                for (letter, angle) in self.sequence.into_iter().zip(angles) {
                    let axis = match letter.to_ascii_lowercase() {
                        'x' => Vector3::x_axis(),
                        'y' => Vector3::y_axis(),
                        _ => Vector3::z_axis(),
                    };
                    let turn = UnitQuaternion::from_axis_angle(&axis, angle * self.unit);
                    rotation = if letter.is_ascii_lowercase() {
                        rotation * turn
                    } else {
                        turn * rotation
                    };
                }
                Ok(rotation)
            }
            "axisangle" => {
                let [x, y, z, angle] = attrs.array(form)?.unwrap_or_default();
                let axis = Unit::try_new(Vector3::new(x, y, z), 1e-9).ok_or_else(no_direction)?;
                Ok(UnitQuaternion::from_axis_angle(&axis, angle * self.unit))
            }
            "xyaxes" => {
                let [a, b, c, d, e, f] = attrs.array(form)?.unwrap_or_default();
                let x = Unit::try_new(Vector3::new(a, b, c), 1e-9).ok_or_else(no_direction)?;
                let y = Vector3::new(d, e, f);
                let y = Unit::try_new(y - *x * y.dot(&x), 1e-9).ok_or_else(no_direction)?;
                let matrix = Matrix3::from_columns(&[*x, *y, x.cross(&y)]);
                Ok(UnitQuaternion::from_rotation_matrix(
                    &Rotation3::from_matrix_unchecked(matrix),
                ))
            }
            _ => {
                let z = attrs.vector(form)?.unwrap_or_default();
                z_towards(&z).ok_or_else(no_direction)
            }
        }
    }
}

/// The smallest rotation that takes z to a direction; `None` if it has none.
pub(super) fn z_towards(direction: &Vector3<f64>) -> Option<UnitQuaternion<f64>> {
    let direction = Unit::try_new(*direction, 1e-9)?;
    let cross = Vector3::z().cross(&direction);
    let angle = libm::atan2(cross.norm(), direction.z);
    // Straight up or down, any axis across will do.
    let axis = Unit::try_new(cross, 1e-12).unwrap_or_else(Vector3::x_axis);
    Some(UnitQuaternion::from_axis_angle(&axis, angle))
}
