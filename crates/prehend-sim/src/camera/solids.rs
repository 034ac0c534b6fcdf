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
    /// A body of the scene: its index, and its part in the task.
    Body {
        index: usize,
        role: Role,
    },
}

impl Label {
    /// The role of a pixel; `None` for what is taken out of the cloud. A robot knows its own shape
    /// and its table, so leaving them out needs no simulator.
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Table | Self::Robot => None,
            Self::Body { role, .. } => Some(role),
        }
    }
}

/// One convex primitive.
#[derive(Debug, Clone, Copy)]
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
            shape: shape.shape,
            base_from_shape: base_from_link * shape.link_from_shape,
            label: Label::Robot,
        })
    });
    let bodies = scene.bodies.iter().enumerate().flat_map(|(index, body)| {
        let moved = state.bodies.get(index).map(|state| state.base_from_body);
        let base_from_body = moved.unwrap_or(body.base_from_body);
        let role = body.role;
        body.parts.iter().map(move |part| Solid {
            shape: part.shape,
            base_from_shape: base_from_body * part.body_from_part,
            label: Label::Body { index, role },
        })
    });
    robot.chain(bodies).collect()
}
