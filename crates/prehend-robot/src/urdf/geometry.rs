//! Collision shapes of a link, and the files that meshes name.

use std::path::{Component, Path, PathBuf};

use nalgebra::Vector3;
use roxmltree::Node;

use super::xml::Xml;
use crate::{LinkShape, RobotError, Shape};

/// Reads the collision shapes of one link; visuals are only checked for files that are missing.
pub(super) fn read<'a>(
    xml: &Xml<'a>,
    link: Node<'_, 'a>,
    folder: &Path,
) -> Result<Vec<LinkShape>, RobotError> {
    let mut shapes = Vec::new();
    for node in link
        .children()
        .filter(|node| node.has_tag_name("collision"))
    {
        let geometry =
            xml.required_child(node, "geometry", "give a shape, or leave out <collision>")?;
        let link_from_shape = xml.origin(node)?;
        let shape = shape(xml, geometry, folder)?;
        shapes.push(LinkShape {
            link_from_shape,
            shape,
        });
    }
    for node in link.children().filter(|node| node.has_tag_name("visual")) {
        if let Some(mesh) = node.descendants().find(|node| node.has_tag_name("mesh")) {
            mesh_file(xml, mesh, folder)?;
        }
    }
    Ok(shapes)
}

fn shape<'a>(xml: &Xml<'a>, geometry: Node<'_, 'a>, folder: &Path) -> Result<Shape, RobotError> {
    let Some(node) = geometry.children().find(Node::is_element) else {
        return Err(xml.error(
            geometry,
            "shape",
            "missing; give capsule, box, cylinder or sphere",
        ));
    };
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
        "mesh" => {
            let file = mesh_file(xml, node, folder)?;
            let message = format!(
                "{} exists, but meshes are not used for collision; give capsules, boxes, cylinders or \
                 spheres around it and keep the mesh in <visual>",
                file.display()
            );
            Err(xml.error(node, "mesh", message))
        }
        other => {
            let message = format!("<{other}> is not a shape; use capsule, box, cylinder or sphere");
            Err(xml.error(node, "shape", message))
        }
    }
}

/// The file a mesh names: inside the robot's folder, and there.
fn mesh_file<'a>(xml: &Xml<'a>, node: Node<'_, 'a>, folder: &Path) -> Result<PathBuf, RobotError> {
    let name = xml.text(node, "filename")?;
    let refuse = |message: String| Err(xml.error(node, "filename", message));
    let relative = match name.split_once("://") {
        // `package://<package>/<path>`: the package is this folder.
        Some(("package", rest)) => rest.split_once('/').map_or(rest, |(_, path)| path),
        Some((scheme, _)) => {
            return refuse(format!(
                "{scheme}:// is not read; copy the mesh into the robot's folder"
            ));
        }
        None => &name,
    };
    let relative = Path::new(relative);
    if !relative
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    {
        return refuse(format!(
            "\"{name}\" leads out of the robot's folder; copy the mesh into it"
        ));
    }
    let file = folder.join(relative);
    if !file.is_file() {
        return refuse(format!("there is no mesh file {}", file.display()));
    }
    Ok(file)
}
