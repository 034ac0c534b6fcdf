//! Everything a camera can see, as labelled convex primitives in the base frame.

use prehend_robot::{Robot, Shape};
use prehend_types::{Pose, Role};

use crate::scene::Scene;
use crate::state::WorldState;

/// What a pixel shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    Table,
    Robot,
    Receptacle,
    /// Index into the scene's objects; 0 is the target.
    Object(usize),
}

impl Label {
    /// The role of a pixel; `None` for what is taken out of the cloud. A robot knows its own shape
    /// and its table, so leaving them out needs no simulator.
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Table | Self::Robot => None,
            Self::Receptacle => Some(Role::Receptacle),
            Self::Object(0) => Some(Role::Target),
            Self::Object(_) => Some(Role::Other),
        }
    }
}

/// One convex primitive.
#[derive(Debug, Clone)]
pub(crate) struct Solid {
    pub shape: Shape,
    pub base_from_shape: Pose,
    pub label: Label,
}

/// All primitives of a world at one moment.
pub(crate) fn solids(robot: &Robot, scene: &Scene, state: &WorldState) -> Vec<Solid> {
    let mut link_poses = vec![Pose::identity(); robot.links().len()];
    robot.link_poses(&state.q, state.gripper.width, &mut link_poses);
    let links = robot.links().iter().zip(&link_poses);
    let robot = links.flat_map(|(link, base_from_link)| {
        link.shapes.iter().map(move |shape| Solid {
            shape: shape.shape.clone(),
            base_from_shape: base_from_link * shape.link_from_shape,
            label: Label::Robot,
        })
    });
    let receptacle = scene.receptacle.parts.iter().map(|part| Solid {
        shape: part.shape.clone(),
        base_from_shape: scene.receptacle.base_from_body * part.body_from_part,
        label: Label::Receptacle,
    });
    let bodies = scene.objects.iter().zip(&state.objects).enumerate();
    let objects = bodies.flat_map(|(index, (object, body))| {
        object.parts.iter().map(move |part| Solid {
            shape: part.shape.clone(),
            base_from_shape: body.base_from_body * part.body_from_part,
            label: Label::Object(index),
        })
    });
    robot.chain(receptacle).chain(objects).collect()
}
