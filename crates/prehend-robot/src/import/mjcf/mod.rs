//! MJCF, the format of MuJoCo: bodies in bodies, joints in them, and defaults for everything.
//!
//! Written from MuJoCo's documentation (XML reference) of version 3. Read are bodies and frames, joints,
//! geoms, inertials, meshes, default classes, includes, actuators on joints and fixed tendons, joint
//! couplings and the key `home`. The rest is listed as dropped.

mod actuator;
mod body;
mod compiler;
mod coupling;
mod defaults;
mod element;
mod frame;
mod geom;
mod inertial;
mod joint;
mod mesh;

use std::collections::BTreeMap;

use super::model::{MAX_LINKS, Model, Site};
use super::{Actuator, Assumed, ImportOptions};
use crate::RobotError;
use crate::intake::{Intake, Weight};
use crate::urdf::xml::{Place, Xml};
use crate::urdf::{UrdfJoint, UrdfLink, tree};
use compiler::Compiler;
use defaults::Defaults;
use element::{Attrs, Element, Loader};
use mesh::MeshAsset;

/// What is collected while bodies are walked.
struct Reader<'e, 'i> {
    intake: &'i mut Intake,
    options: &'i ImportOptions,
    compiler: Compiler,
    defaults: Defaults<'e>,
    meshes: BTreeMap<String, MeshAsset<'e>>,
    links: Vec<UrdfLink>,
    joints: Vec<UrdfJoint>,
    /// Every joint in the order of the file, with its number of positions.
    positions: Vec<Position>,
    /// `ref` of each of `joints`, rad or m.
    references: Vec<f64>,
    /// `actuatorfrcrange` of joints, N·m or N.
    force_ranges: Vec<(String, [f64; 2])>,
    /// Whether the geoms being read may have to say what their body weighs.
    body_wants_mass: bool,
    sites: Vec<Site>,
    actuators: Vec<Actuator>,
    assumed: Vec<Assumed>,
}

/// Where a joint stands in `qpos`.
struct Position {
    joint: String,
    /// 1, or 4 for a ball and 7 for a free body.
    width: usize,
}

pub(super) fn read(
    xml: &Xml,
    options: &ImportOptions,
    intake: &mut Intake,
) -> Result<Model, RobotError> {
    let root = Loader::new(intake, xml.path).element(xml, xml.document.root_element())?;
    list_unused(&root, intake)?;
    let defaults = Defaults::read(&root)?;
    let meshes = mesh::assets(&root, &defaults)?;
    let mut reader = Reader {
        compiler: Compiler::read(&root, intake)?,
        intake,
        options,
        defaults,
        meshes,
        links: Vec::new(),
        joints: Vec::new(),
        positions: Vec::new(),
        references: Vec::new(),
        force_ranges: Vec::new(),
        body_wants_mass: false,
        sites: Vec::new(),
        actuators: Vec::new(),
        assumed: Vec::new(),
    };
    let mut worlds = root.all("worldbody").peekable();
    if worlds.peek().is_none() {
        return Err(root.error("<worldbody>", "missing; the bodies of a robot stand in it"));
    }
    reader.world(worlds)?;
    reader.couplings(&root)?;
    reader.actuators(&root)?;
    let home = reader.home(&root)?;
    let Reader {
        links,
        joints,
        sites,
        actuators,
        assumed,
        ..
    } = reader;
    let name = root.get("model").filter(|name| !name.is_empty());
    Ok(Model {
        name: name.unwrap_or("robot").to_owned(),
        place: root.place.clone(),
        urdf: tree::sort(links, joints)?,
        home,
        actuators,
        sites,
        assumed,
    })
}

fn list_unused(root: &Element, intake: &mut Intake) -> Result<(), RobotError> {
    for element in &root.children {
        let (weight, why) = match element.tag.as_str() {
            "compiler" | "default" | "worldbody" | "actuator" | "equality" | "keyframe"
            | "tendon" => continue,
            "asset" => {
                for asset in element.children.iter().filter(|child| child.tag != "mesh") {
                    let (weight, why) = match asset.tag.as_str() {
                        "texture" | "material" | "skin" => (Weight::Note, "looks are not used"),
                        _ => (Weight::Loss, "is not an asset that is read"),
                    };
                    intake.drop(asset.dropped(weight, why))?;
                }
                continue;
            }
            "option" | "size" | "visual" | "statistic" | "custom" => {
                (Weight::Note, "settings of another simulator")
            }
            "sensor" => (Weight::Note, "sensors are not used"),
            "contact" => (
                Weight::Note,
                "pairs to check for self-collision are found from the shapes",
            ),
            _ => (Weight::Loss, "is not a section of MJCF that is read"),
        };
        intake.drop(element.dropped(weight, why))?;
    }
    Ok(())
}

impl Reader<'_, '_> {
    fn drop(
        &mut self,
        element: &Element,
        weight: Weight,
        why: impl Into<String>,
    ) -> Result<(), RobotError> {
        self.intake.drop(element.dropped(weight, why))
    }

    fn assume(&mut self, of: &str, what: impl Into<String>, why: impl Into<String>) {
        self.assumed.push(Assumed {
            of: of.to_owned(),
            what: what.into(),
            why: why.into(),
        });
    }

    fn add_link(&mut self, link: UrdfLink) -> Result<(), RobotError> {
        if self.links.len() >= MAX_LINKS {
            let message = format!("the model has more than {MAX_LINKS} bodies");
            return Err(link.place.error("<body>", message));
        }
        self.links.push(link);
        Ok(())
    }

    /// Joint positions of the key `home`, by joint.
    fn home(&self, root: &Element) -> Result<BTreeMap<String, f64>, RobotError> {
        let keys = root.all("keyframe").flat_map(|section| section.all("key"));
        let mut home = BTreeMap::new();
        let Some(key) = keys.filter(|key| key.get("name") == Some("home")).last() else {
            return Ok(home);
        };
        let qpos = Attrs::plain(key).numbers("qpos")?;
        let expected: usize = self.positions.iter().map(|p| p.width).sum();
        if qpos.is_empty() {
            return Ok(home);
        }
        if qpos.len() != expected {
            let message = format!("has {} numbers, the joints have {expected}", qpos.len());
            return Err(key.error("qpos", message));
        }
        let mut at = 0;
        for position in &self.positions {
            if position.width == 1 {
                home.insert(position.joint.clone(), qpos[at]);
            }
            at += position.width;
        }
        Ok(home)
    }
}

/// A link that is only a frame.
fn frame_link(name: String, place: Place) -> UrdfLink {
    UrdfLink {
        name,
        place,
        inertial: crate::Inertial::default(),
        shapes: Vec::new(),
    }
}
