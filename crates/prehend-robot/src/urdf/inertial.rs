//! Masses and inertias of links.

use nalgebra::Matrix3;
use roxmltree::Node;

use super::xml::Xml;
use crate::intake::{Intake, Weight};
use crate::{Inertial, RobotError, inertia};

/// Below this a link is meant as a frame, kg.
const FRAME_MASS: f64 = 1e-6;

/// Reads `<inertial>`; a link without one weighs nothing, as URDF says.
pub(super) fn read<'a>(
    xml: &Xml<'a>,
    link: Node<'_, 'a>,
    intake: &mut Intake,
) -> Result<Inertial, RobotError> {
    let Some(node) = xml.child(link, "inertial")? else {
        return Ok(Inertial::default());
    };
    let mass_node =
        xml.required_child(node, "mass", "give value in kg, or leave out <inertial>")?;
    let mass = xml.positive(mass_node, "value")?;
    let inertia_node =
        xml.required_child(node, "inertia", "give ixx ixy ixz iyy iyz izz in kg m²")?;
    let part = |name| xml.number(inertia_node, name);
    let (ixx, ixy, ixz) = (part("ixx")?, part("ixy")?, part("ixz")?);
    let (iyy, iyz, izz) = (part("iyy")?, part("iyz")?, part("izz")?);
    let mut tensor = Matrix3::new(ixx, ixy, ixz, ixy, iyy, iyz, ixz, iyz, izz);
    if let Err(message) = inertia::check(&tensor) {
        if !intake.repairs_inertia {
            return Err(xml.error(inertia_node, "inertia", message));
        }
        if mass <= FRAME_MASS {
            let why = "the link is only a frame; its mass is taken as 0";
            intake.drop(xml.dropped(mass_node, Weight::Note, why))?;
            return Ok(Inertial::default());
        }
        let Some(repaired) = inertia::repaired(&tensor) else {
            return Err(xml.error(inertia_node, "inertia", message));
        };
        tensor = repaired;
        let why =
            format!("{message}; repaired: the largest moment is lowered to the sum of the others");
        intake.drop(xml.dropped(inertia_node, Weight::Loss, why))?;
    }
    let origin = xml.origin(node)?;
    let rotation = origin.rotation.to_rotation_matrix();
    Ok(Inertial {
        mass,
        center_of_mass: origin.translation.vector,
        inertia: rotation.matrix() * tensor * rotation.matrix().transpose(),
    })
}
