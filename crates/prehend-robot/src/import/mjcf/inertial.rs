//! Masses: written into the body, or from its geoms.

use nalgebra::{Matrix3, Vector3};
use prehend_types::Pose;

use super::Reader;
use super::compiler::FromGeoms;
use super::element::{Attrs, Element};
use crate::intake::Weight;
use crate::{Inertial, RobotError, inertia};

/// What one geom weighs, on its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mass {
    pub inertial: Inertial,
    pub group: f64,
}

impl Mass {
    pub fn moved(&self, other_from_here: &Pose) -> Self {
        Self {
            inertial: self.inertial.moved(other_from_here),
            group: self.group,
        }
    }
}

impl Reader<'_, '_> {
    /// The body's mass: its `<inertial>`, or the sum over its geoms.
    pub(super) fn inertial(
        &mut self,
        body: &Element,
        masses: Vec<Mass>,
    ) -> Result<Inertial, RobotError> {
        let mut given = body.all("inertial");
        let first = given.next();
        if let Some(second) = given.next() {
            return Err(second.error("inertial", "given twice; keep one"));
        }
        match (first, self.compiler.from_geoms) {
            (Some(element), FromGeoms::Never | FromGeoms::IfMissing) => self.written(element),
            (_, FromGeoms::Never) => Ok(Inertial::default()),
            (_, FromGeoms::Always | FromGeoms::IfMissing) => {
                let [low, high] = self.compiler.groups;
                let counted = masses.iter().filter(|m| m.group >= low && m.group <= high);
                let sum = counted.fold(Inertial::default(), |sum, m| sum.joined(&m.inertial));
                if sum.mass > 0.0
                    && let Err(message) = inertia::check(&sum.inertia)
                {
                    return Err(body.error("inertia", format!("from its geoms {message}")));
                }
                Ok(sum)
            }
        }
    }

    fn written(&mut self, element: &Element) -> Result<Inertial, RobotError> {
        let attrs = Attrs::plain(element);
        let mass_text = attrs.required("mass")?;
        let mass = attrs.number("mass", 0.0)?;
        if mass <= 0.0 {
            let message =
                format!("is {mass_text}, must be greater than 0; or leave out <inertial>");
            return Err(attrs.error("mass", message));
        }
        if !attrs.has("pos") {
            return Err(attrs.error("pos", "attribute is missing; give the centre of mass"));
        }
        let pose = self.angles().pose(&attrs)?;
        let diagonal = attrs.vector("diaginertia")?;
        let full = attrs.array::<6>("fullinertia")?;
        let mut tensor = match (diagonal, full) {
            (Some(diagonal), None) => Matrix3::from_diagonal(&diagonal),
            (None, Some([xx, yy, zz, xy, xz, yz])) => {
                Matrix3::new(xx, xy, xz, xy, yy, yz, xz, yz, zz)
            }
            (Some(_), Some(_)) => {
                return Err(attrs.error("fullinertia", "diaginertia is given too; keep one"));
            }
            (None, None) => {
                let message = "attribute is missing; give diaginertia or fullinertia in kg m²";
                return Err(attrs.error("diaginertia", message));
            }
        };
        if let Err(message) = inertia::check(&tensor) {
            let moments_are_positive = inertia::repaired(&tensor);
            tensor = match moments_are_positive {
                Some(_) if self.compiler.balances_inertia => {
                    let why = "balanceinertia: all moments are set to their mean, as MuJoCo does";
                    self.drop(element, Weight::Note, why)?;
                    inertia::balanced(&tensor)
                }
                Some(repaired) if self.intake.repairs_inertia => {
                    let why = format!(
                        "{message}; repaired: the largest moment is lowered to the sum of the others"
                    );
                    self.drop(element, Weight::Loss, why)?;
                    repaired
                }
                _ => {
                    let field = if diagonal.is_some() {
                        "diaginertia"
                    } else {
                        "fullinertia"
                    };
                    return Err(attrs.error(field, message));
                }
            };
        }
        let rotation = pose.rotation.to_rotation_matrix();
        Ok(Inertial {
            mass,
            center_of_mass: pose.translation.vector,
            inertia: rotation.matrix() * tensor * rotation.matrix().transpose(),
        })
    }
}

/// Volume and inertia about the centre at density 1 of a solid ellipsoid-like table entry.
pub(super) fn diagonal(volume: f64, squares: Vector3<f64>) -> (f64, Vector3<f64>, Matrix3<f64>) {
    // Moments about x, y, z from the mean squares of x, y, z over the volume.
    let [x, y, z]: [f64; 3] = squares.into();
    let moments = Vector3::new(y + z, x + z, x + y) * volume;
    (volume, Vector3::zeros(), Matrix3::from_diagonal(&moments))
}
