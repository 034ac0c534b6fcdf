//! Collision shapes of a link, and the files that meshes name.

use nalgebra::Vector3;
use prehend_types::Pose;
use roxmltree::Node;

use super::xml::Xml;
use crate::intake::Intake;
use crate::{LinkShape, RobotError, Shape};

/// Reads the collision shapes of one link; visuals are only checked for files that are missing.
pub(super) fn read<'a>(
    xml: &Xml<'a>,
    link: Node<'_, 'a>,
    intake: &mut Intake,
) -> Result<Vec<LinkShape>, RobotError> {
    let mut shapes = Vec::new();
    for node in link
        .children()
        .filter(|node| node.has_tag_name("collision"))
    {
        let geometry =
            xml.required_child(node, "geometry", "give a shape, or leave out <collision>")?;
        let link_from_shape = xml.origin(node)?;
        let Some(shape) = geometry.children().find(Node::is_element) else {
            return Err(xml.error(
                geometry,
                "shape",
                "missing; give capsule, box, cylinder, sphere or mesh",
            ));
        };
        if shape.has_tag_name("mesh") {
            mesh(xml, shape, &link_from_shape, intake, &mut shapes)?;
        } else {
            shapes.push(LinkShape {
                link_from_shape,
                shape: primitive(xml, shape)?,
            });
        }
    }
    // An import lists visuals as dropped instead.
    for node in link.children().filter(|node| node.has_tag_name("visual")) {
        if let Some(mesh) = node.descendants().find(|node| node.has_tag_name("mesh"))
            && !intake.is_import
        {
            mesh_file(xml, mesh, intake)?;
        }
    }
    Ok(shapes)
}

fn primitive<'a>(xml: &Xml<'a>, node: Node<'_, 'a>) -> Result<Shape, RobotError> {
    match node.tag_name().name() {
        "box" => {
            let size: Vector3<f64> = xml.vector(node, "size")?;
            if size.min() <= 0.0 {
                return Err(xml.error(node, "size", "every side must be greater than 0"));
            }
            Ok(Shape::Cuboid {
                half_extents: size / 2.0,
            })
        }
        "sphere" => Ok(Shape::Sphere {
            radius: xml.positive(node, "radius")?,
        }),
        "cylinder" => Ok(Shape::Cylinder {
            radius: xml.positive(node, "radius")?,
            half_length: xml.positive(node, "length")? / 2.0,
        }),
        // URDF 1.1 (urdfdom 5.1): `length` is the cylindrical part, between the sphere centres.
        "capsule" => Ok(Shape::Capsule {
            radius: xml.positive(node, "radius")?,
            half_length: xml.positive(node, "length")? / 2.0,
        }),
        other => {
            let message =
                format!("<{other}> is not a shape; use capsule, box, cylinder or sphere, or mesh");
            Err(xml.error(node, "shape", message))
        }
    }
}

/// Adds the convex pieces of a mesh.
fn mesh<'a>(
    xml: &Xml<'a>,
    node: Node<'_, 'a>,
    link_from_mesh: &Pose,
    intake: &mut Intake,
    shapes: &mut Vec<LinkShape>,
) -> Result<(), RobotError> {
    let file = mesh_file(xml, node, intake)?;
    let scale = if node.has_attribute("scale") {
        xml.vector(node, "scale")?
    } else {
        Vector3::repeat(1.0)
    };
    if scale.iter().any(|factor| factor.abs() < 1e-9) {
        return Err(xml.error(node, "scale", "is 0 in one direction; give three factors"));
    }
    let name = xml.text(node, "filename")?;
    let pieces = intake
        .meshes
        .pieces(&file, &name, &scale, intake.cut)
        .map_err(|message| xml.error(node, "filename", message))?;
    for (weight, remark) in &pieces.remarks {
        intake.drop(xml.dropped(node, *weight, remark.as_str()))?;
    }
    shapes.extend(pieces.shapes.iter().map(|piece| LinkShape {
        link_from_shape: link_from_mesh * piece.link_from_shape,
        shape: piece.shape.clone(),
    }));
    Ok(())
}

/// The file a mesh names: inside an allowed folder, and there.
fn mesh_file<'a>(
    xml: &Xml<'a>,
    node: Node<'_, 'a>,
    intake: &Intake,
) -> Result<std::path::PathBuf, RobotError> {
    let name = xml.text(node, "filename")?;
    intake
        .roots
        .find(&name, "", "mesh")
        .map_err(|message| xml.error(node, "filename", message))
}
