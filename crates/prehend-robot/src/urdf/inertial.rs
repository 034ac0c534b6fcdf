//! Masses and inertias that a rigid body can have.

use nalgebra::{Matrix3, SymmetricEigen};
use roxmltree::Node;

use super::xml::Xml;
use crate::{Inertial, RobotError};

/// Rounding that published inertias are allowed, relative to the largest principal moment.
const ROUNDING: f64 = 1e-3;

/// Reads `<inertial>`; a link without one weighs nothing, as URDF says.
pub(super) fn read<'a>(xml: &Xml<'a>, link: Node<'_, 'a>) -> Result<Inertial, RobotError> {
    let Some(node) = xml.child(link, "inertial")? else {
        return Ok(Inertial::default());
    };
    let mass = xml.required_child(node, "mass", "give value in kg, or leave out <inertial>")?;
    let mass = xml.positive(mass, "value")?;
    let inertia_node =
        xml.required_child(node, "inertia", "give ixx ixy ixz iyy iyz izz in kg m²")?;
    let part = |name| xml.number(inertia_node, name);
    let (ixx, ixy, ixz) = (part("ixx")?, part("ixy")?, part("ixz")?);
    let (iyy, iyz, izz) = (part("iyy")?, part("iyz")?, part("izz")?);
    let inertia = Matrix3::new(ixx, ixy, ixz, ixy, iyy, iyz, ixz, iyz, izz);

    // No mass distribution has a principal moment above the sum of the other two, or below zero.
    // Refused rather than repaired: a wrong digit here becomes a wrong torque on the arm.
    let mut moments = SymmetricEigen::new(inertia).eigenvalues;
    moments.as_mut_slice().sort_by(f64::total_cmp);
    let slack = ROUNDING * moments[2].abs();
    if moments[0] <= 0.0 || moments[2] > moments[0] + moments[1] + slack {
        let message = format!(
            "is not physical: principal moments {:.3e}, {:.3e}, {:.3e} kg m² must be positive and none \
             above the sum of the others ({:.3e}); lower the largest or correct the source",
            moments[0],
            moments[1],
            moments[2],
            moments[0] + moments[1],
        );
        return Err(xml.error(inertia_node, "inertia", message));
    }
    let origin = xml.origin(node)?;
    let rotation = origin.rotation.to_rotation_matrix();
    Ok(Inertial {
        mass,
        center_of_mass: origin.translation.vector,
        inertia: rotation.matrix() * inertia * rotation.matrix().transpose(),
    })
}
