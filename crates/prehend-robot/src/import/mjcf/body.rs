//! Bodies: one link each, with one more for every joint beyond the first or off the body's origin.

use nalgebra::Translation3;
use prehend_types::Pose;

use super::compiler::FromGeoms;
use super::element::{Attrs, Element};
use super::inertial::Mass;
use super::{Reader, frame_link};
use crate::RobotError;
use crate::import::model::Site;
use crate::intake::Weight;
use crate::urdf::{JointKind, UrdfJoint, UrdfLink};
use crate::{JointDynamics, LinkShape};

/// Where children of an element go: a link, and the pose of the element's frame on it.
#[derive(Clone)]
struct Parent<'e> {
    link: String,
    link_from_frame: Pose,
    childclass: Option<&'e str>,
}

/// What a body collects from its own and its frames' children.
#[derive(Default)]
struct Content {
    shapes: Vec<LinkShape>,
    masses: Vec<Mass>,
}

impl<'e> Reader<'e, '_> {
    /// All `<worldbody>` sections: the root link `world` and everything on it.
    pub fn world(&mut self, worlds: impl Iterator<Item = &'e Element>) -> Result<(), RobotError> {
        for element in worlds {
            if self.links.is_empty() {
                self.add_link(frame_link("world".to_owned(), element.place.clone()))?;
            }
            let parent = Parent {
                link: "world".to_owned(),
                link_from_frame: Pose::identity(),
                childclass: None,
            };
            let mut content = Content::default();
            self.children(element, &parent, &mut content, true)?;
        }
        Ok(())
    }

    fn children(
        &mut self,
        element: &'e Element,
        parent: &Parent<'e>,
        content: &mut Content,
        is_world: bool,
    ) -> Result<(), RobotError> {
        for child in &element.children {
            match child.tag.as_str() {
                "body" => self.body(child, parent)?,
                "frame" => {
                    let attrs = Attrs::plain(child);
                    let inner = Parent {
                        link: parent.link.clone(),
                        link_from_frame: parent.link_from_frame
                            * self.compiler.angles.pose(&attrs)?,
                        childclass: child.get("childclass").or(parent.childclass),
                    };
                    self.children(child, &inner, content, is_world)?;
                }
                "geom" if is_world => {
                    let why = "stands in the world, not on the robot; put it into the scene";
                    self.drop(child, Weight::Note, why)?;
                }
                "geom" => {
                    let attrs = self.defaults.of(child, parent.childclass)?;
                    let geom = self.geom(&attrs)?;
                    for mut shape in geom.shapes {
                        shape.link_from_shape = parent.link_from_frame * shape.link_from_shape;
                        content.shapes.push(shape);
                    }
                    if let Some(mass) = geom.mass {
                        content.masses.push(mass.moved(&parent.link_from_frame));
                    }
                }
                "site" => self.site(child, parent)?,
                "inertial" | "joint" | "freejoint" => {
                    if is_world || element.tag == "frame" {
                        let message =
                            format!("cannot stand in <{}>; put it into a <body>", element.tag);
                        return Err(child.error(&child.tag, message));
                    }
                }
                "light" | "camera" => self.drop(child, Weight::Note, "is not used")?,
                _ => self.drop(
                    child,
                    Weight::Loss,
                    "is not an element of a body that is read",
                )?,
            }
        }
        Ok(())
    }

    fn site(&mut self, child: &'e Element, parent: &Parent<'e>) -> Result<(), RobotError> {
        let attrs = self.defaults.of(child, parent.childclass)?;
        let pose = self.compiler.angles.pose(&attrs)?;
        if let Some(name) = child.get("name").filter(|name| !name.is_empty()) {
            self.sites.push(Site {
                name: name.to_owned(),
                place: child.place.clone(),
                link: parent.link.clone(),
                link_from_site: parent.link_from_frame * pose,
            });
        }
        Ok(())
    }

    fn body(&mut self, element: &'e Element, parent: &Parent<'e>) -> Result<(), RobotError> {
        let attrs = Attrs::plain(element);
        let childclass = element.get("childclass").or(parent.childclass);
        let name = match element.get("name") {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => format!("body{}", self.links.len()),
        };
        if attrs.flag("mocap", false)? {
            self.drop(
                element,
                Weight::Loss,
                "mocap is not kept: the body is fixed",
            )?;
        }
        if attrs.number("gravcomp", 0.0)? != 0.0 {
            self.drop(
                element,
                Weight::Loss,
                "gravcomp is not kept: gravity acts on the body",
            )?;
        }
        let parent_from_body = parent.link_from_frame * self.compiler.angles.pose(&attrs)?;
        self.chain(element, &name, &parent.link, parent_from_body, childclass)?;

        // The body's own link comes before those of its children, and gets its content afterwards.
        let idx = self.links.len();
        self.add_link(frame_link(name.clone(), element.place.clone()))?;
        let here = Parent {
            link: name,
            link_from_frame: Pose::identity(),
            childclass,
        };
        let mut content = Content::default();
        let is_written = element.all("inertial").next().is_some();
        let outer = std::mem::replace(
            &mut self.body_wants_mass,
            match self.compiler.from_geoms {
                FromGeoms::Never => false,
                FromGeoms::Always => true,
                FromGeoms::IfMissing => !is_written,
            },
        );
        self.children(element, &here, &mut content, false)?;
        self.body_wants_mass = outer;
        let inertial = self.inertial(element, content.masses)?;
        let link: &mut UrdfLink = &mut self.links[idx];
        link.inertial = inertial;
        link.shapes = content.shapes;
        Ok(())
    }

    /// Joints between the parent and the body, innermost last.
    ///
    /// A joint turns about its own anchor, `pos` in the body's frame, which stays aligned with the body:
    /// so each joint's frame is the body's, shifted to the anchor.
    fn chain(
        &mut self,
        element: &'e Element,
        body: &str,
        parent: &str,
        parent_from_body: Pose,
        childclass: Option<&'e str>,
    ) -> Result<(), RobotError> {
        let mut from = parent.to_owned();
        // Pose of the body's frame, before the next joint moves it, in `from`.
        let mut from_body = parent_from_body;
        let joints: Vec<&Element> = element
            .children
            .iter()
            .filter(|child| child.tag == "joint" || child.tag == "freejoint")
            .collect();
        let last = joints.len().saturating_sub(1);
        let mut is_connected = false;
        for (idx, joint) in joints.into_iter().enumerate() {
            let attrs = self.defaults.of(joint, childclass)?;
            let Some(read) = self.joint(&attrs, body, idx)? else {
                continue; // Free or ball, held still.
            };
            let anchor = Translation3::from(read.anchor);
            let is_body = idx == last && read.anchor.norm() == 0.0;
            let child = if is_body {
                body.to_owned()
            } else {
                format!("{body}_{}", read.joint.name)
            };
            let mut made = read.joint;
            made.parent.clone_from(&from);
            made.child.clone_from(&child);
            made.parent_from_joint = from_body * anchor * read.offset;
            self.joints.push(made);
            self.references.push(read.reference);
            if is_body {
                is_connected = true;
            } else {
                self.add_link(frame_link(child.clone(), joint.place.clone()))?;
                from = child;
                from_body = anchor.inverse() * Pose::identity();
            }
        }
        if !is_connected {
            self.references.push(0.0);
            self.joints.push(UrdfJoint {
                name: format!("{body}_fixed"),
                place: element.place.clone(),
                parent: from,
                child: body.to_owned(),
                parent_from_joint: from_body,
                kind: JointKind::Fixed,
                axis: nalgebra::Vector3::x(),
                limit: None,
                dynamics: JointDynamics::default(),
                mimic: None,
            });
        }
        Ok(())
    }
}
