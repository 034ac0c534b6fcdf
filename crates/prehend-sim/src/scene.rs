//! What stands in one cell: bodies made of convex parts.

use nalgebra::{Unit, Vector3};
use prehend_robot::Robot;
use prehend_types::{JointPositions, Pose, Role};

use crate::geometry;
use crate::objects::Part;

/// What stands on the table at the start of one episode: a pure function of the scene file, a seed and
/// an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// The episode's seed.
    pub seed: u64,
    /// Which draw of this seed: the first ones may have been unusable.
    pub attempt: u64,
    /// The bodies; those that can move come first.
    pub bodies: Vec<Body>,
    /// Sheets of cloth.
    pub cloths: Vec<Cloth>,
    /// Arms beside the first one.
    pub partners: Vec<Partner>,
}

/// A sheet of cloth: particles on a grid, held together by threads.
#[derive(Debug, Clone, PartialEq)]
pub struct Cloth {
    /// What a cloud calls its points.
    pub role: Role,
    /// Particles along its x and y, at least two each.
    pub particles: [usize; 2],
    /// Distance between neighbours, m.
    pub spacing: f64,
    /// Distance at which it touches, on either side, m.
    pub thickness: f64,
    /// Mass, kg.
    pub mass: f64,
    /// Friction coefficient.
    pub friction: f64,
    /// Where its first particle is put and which way the sheet lies.
    pub base_from_cloth: Pose,
}

/// Another arm of the same make in the cell. Whatever the first one is, it is exactly where it is told to
/// be, and it does not feel what it touches. Arms pass through each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Partner {
    /// Where it stands.
    pub base_from_partner: Pose,
    /// Where its joints start.
    pub start: JointPositions,
}

/// One rigid body.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// Convex pieces.
    pub parts: Vec<Part>,
    /// What a cloud calls its points.
    pub role: Role,
    /// How it may move.
    pub motion: BodyMotion,
    /// Mass, kg.
    pub mass: f64,
    /// Friction coefficient.
    pub friction: f64,
    /// Where it is put down.
    pub base_from_body: Pose,
}

/// How a body may move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BodyMotion {
    /// In all directions.
    Free,
    /// Along one axis of its own frame, from `range[0]` to `range[1]` (m, from where it is put down),
    /// slowed by dry friction of `friction` (N).
    Slide {
        /// Direction in the body's frame.
        axis: Unit<Vector3<f64>>,
        /// Lowest and highest displacement, m.
        range: [f64; 2],
        /// Force that it takes to move it, N.
        friction: f64,
    },
    /// About one axis through its own origin, from `range[0]` to `range[1]` (rad, from where it is put
    /// down), slowed by dry friction of `friction` (N·m): hinges, knobs, screws. A body whose weight hangs
    /// beside the axis creeps where friction alone should hold it.
    Turn {
        /// Direction in the body's frame.
        axis: Unit<Vector3<f64>>,
        /// Lowest and highest angle, rad.
        range: [f64; 2],
        /// Torque that it takes to turn it, N·m.
        friction: f64,
    },
    /// Not at all.
    Fixed,
    /// Not at all, and nothing touches it: paint that only cameras see.
    Painted,
}

impl Partner {
    /// [`Robot::link_poses`], in the base frame of the first arm.
    pub(crate) fn link_poses(
        &self,
        robot: &Robot,
        q: &JointPositions,
        width: f64,
        out: &mut [Pose],
    ) {
        robot.link_poses(q, width, out);
        for pose in out {
            *pose = self.base_from_partner * *pose;
        }
    }
}

impl Cloth {
    /// How many particles it has.
    #[must_use]
    pub fn n_particles(&self) -> usize {
        self.particles[0] * self.particles[1]
    }

    /// Corners of its triangles, as numbers of particles.
    #[must_use]
    pub fn triangles(&self) -> Vec<[u32; 3]> {
        let [rows, columns] = self.particles.map(|n| n as u32);
        let cells = (1..rows).flat_map(|row| (1..columns).map(move |column| (row, column)));
        let halves = cells.flat_map(|(row, column)| {
            let corner = row * columns + column;
            let (beside, before) = (corner - 1, corner - columns);
            [[corner, beside, before], [before, beside, before - 1]]
        });
        halves.collect()
    }
}

impl Body {
    /// Whether it can move at all.
    #[must_use]
    pub fn can_move(&self) -> bool {
        !matches!(self.motion, BodyMotion::Fixed | BodyMotion::Painted)
    }

    /// Size of the box around it, along its own axes, m.
    #[must_use]
    pub fn size(&self) -> Vector3<f64> {
        Vector3::from_fn(|axis, _| {
            let direction = Vector3::ith(axis, 1.0);
            let parts = self.parts.iter();
            let reach = parts.map(|part| geometry::extent(part, &direction));
            let [low, high] = reach.fold([f64::INFINITY, f64::NEG_INFINITY], |a, b| {
                [a[0].min(b[0]), a[1].max(b[1])]
            });
            high - low
        })
    }
}

impl Scene {
    /// A scene of rigid bodies and one arm.
    #[must_use]
    pub fn of_bodies(seed: u64, attempt: u64, bodies: Vec<Body>) -> Self {
        Self {
            seed,
            attempt,
            bodies,
            cloths: Vec::new(),
            partners: Vec::new(),
        }
    }

    /// How many bodies can move; they are the first ones.
    #[must_use]
    pub fn n_moving(&self) -> usize {
        self.bodies
            .iter()
            .take_while(|body| body.can_move())
            .count()
    }
}
