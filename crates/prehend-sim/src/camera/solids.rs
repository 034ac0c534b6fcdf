//! Everything a camera can see, as labelled solids in the base frame.

use std::sync::Arc;

use prehend_cloud::Crop;
use prehend_robot::{Robot, Shape};
use prehend_types::{Pose, Role};

use super::TriangleMesh;
use crate::objects::build::block;
use crate::scene::{Cloth, Scene};
use crate::state::{ClothState, WorldState};

/// What a pixel shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// The table, or nothing.
    Table,
    /// Any part of the robot.
    Robot,
    /// A body of the scene.
    Body {
        /// Its index in the scene.
        index: usize,
        /// Its part in the task.
        role: Role,
    },
}

impl Label {
    /// The role of a pixel; `None` for what is taken out of the cloud. A robot knows its own shape
    /// and its table, so leaving them out needs no simulator.
    #[must_use]
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Table | Self::Robot => None,
            Self::Body { role, .. } => Some(role),
        }
    }

    /// Index of the body in the scene; `None` for table and robot.
    #[must_use]
    pub fn instance(self) -> Option<u16> {
        match self {
            Self::Table | Self::Robot => None,
            Self::Body { index, .. } => u16::try_from(index).ok(),
        }
    }
}

/// A shape that rays can hit.
#[derive(Debug, Clone)]
pub enum SolidShape {
    /// A convex primitive, tested in closed form.
    Primitive(Shape),
    /// Triangles; all solids of one mesh share it.
    Mesh(Arc<TriangleMesh>),
}

impl From<Shape> for SolidShape {
    fn from(shape: Shape) -> Self {
        Self::Primitive(shape)
    }
}

/// One thing that a camera can see.
#[derive(Debug, Clone)]
pub struct Solid {
    /// Its shape.
    pub shape: SolidShape,
    /// Where it is.
    pub base_from_shape: Pose,
    /// What it belongs to.
    pub label: Label,
}

/// Thickness of what stands for the table's top, m.
const PAINT: f64 = 0.0005;

/// The table's top where the cloud is not cropped, as one more thing to see.
pub(crate) fn table(crop: &Crop, index: usize) -> Solid {
    let span = |axis: usize| f64::from(crop.max_m[axis] - crop.min_m[axis]);
    let middle = |axis: usize| 0.5 * f64::from(crop.max_m[axis] + crop.min_m[axis]);
    let part = block([span(0), span(1), PAINT], [0.0; 3]);
    Solid {
        shape: part.shape.into(),
        base_from_shape: Pose::translation(middle(0), middle(1), 0.0) * part.body_from_part,
        label: Label::Body {
            index,
            role: Role::Other,
        },
    }
}

/// All solids of a world at one moment.
pub(crate) fn solids(robot: &Robot, scene: &Scene, state: &WorldState) -> Vec<Solid> {
    let mut link_poses = vec![Pose::identity(); robot.links().len()];
    robot.link_poses(&state.arm.q, state.arm.gripper.width, &mut link_poses);
    let mut solids = Vec::new();
    add_links(&mut solids, robot, &link_poses);
    for (partner, arm) in scene.partners.iter().zip(&state.partners) {
        partner.link_poses(robot, &arm.q, arm.gripper.width, &mut link_poses);
        add_links(&mut solids, robot, &link_poses);
    }
    for (index, body) in scene.bodies.iter().enumerate() {
        let moved = state.bodies.get(index).map(|state| state.base_from_body);
        let base_from_body = moved.unwrap_or(body.base_from_body);
        let role = body.role;
        solids.extend(body.parts.iter().map(|part| Solid {
            shape: part.shape.clone().into(),
            base_from_shape: base_from_body * part.body_from_part,
            label: Label::Body { index, role },
        }));
    }
    let cloths = scene.cloths.iter().zip(&state.cloths);
    for (index, (cloth, at)) in (scene.bodies.len()..).zip(cloths) {
        solids.extend(sheet(cloth, at, index));
    }
    solids
}

fn add_links(solids: &mut Vec<Solid>, robot: &Robot, link_poses: &[Pose]) {
    for (link, base_from_link) in robot.links().iter().zip(link_poses) {
        solids.extend(link.shapes.iter().map(|shape| Solid {
            shape: shape.shape.clone().into(),
            base_from_shape: base_from_link * shape.link_from_shape,
            label: Label::Robot,
        }));
    }
}

/// A cloth where its particles are now; nothing once they are out of all bounds.
fn sheet(cloth: &Cloth, state: &ClothState, index: usize) -> Option<Solid> {
    let corners: Vec<[f32; 3]> = state.positions.iter().map(|at| (*at).into()).collect();
    let mesh = TriangleMesh::new(&corners, &cloth.triangles()).ok()?;
    let role = cloth.role;
    Some(Solid {
        shape: SolidShape::Mesh(Arc::new(mesh)),
        base_from_shape: Pose::identity(),
        label: Label::Body { index, role },
    })
}
