//! Links of the kinematic tree: what moves them, what they weigh, what they collide with.

use nalgebra::{Matrix3, Vector3};
use prehend_types::Pose;

use crate::LinkShape;

/// One rigid link. Parents come before children; link 0 is the base.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Name in the URDF.
    pub name: String,
    /// Index of the parent link; `None` for the base.
    pub parent_idx: Option<usize>,
    /// Pose of the joint's frame in the parent's, at joint position zero.
    pub parent_from_joint: Pose,
    /// What moves this link relative to its parent.
    pub motion: Motion,
    /// Which part of the robot it belongs to.
    pub part: Part,
    /// Mass and inertia.
    pub inertial: Inertial,
    /// Collision shapes: the arm's are for avoiding, the hand's and fingers' are for touching.
    pub shapes: Vec<LinkShape>,
}

/// What moves a link relative to its parent; axes are unit vectors in the joint's frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Motion {
    /// Nothing.
    Fixed,
    /// Arm joint `joint_idx` turns it about `axis`.
    Revolute {
        /// Index into joint vectors.
        joint_idx: usize,
        /// Unit vector.
        axis: Vector3<f64>,
    },
    /// Arm joint `joint_idx` shifts it along `axis`.
    Prismatic {
        /// Index into joint vectors.
        joint_idx: usize,
        /// Unit vector.
        axis: Vector3<f64>,
    },
    /// The gripper shifts it by half its width along `axis`, which points in the opening direction.
    Finger {
        /// Unit vector.
        axis: Vector3<f64>,
    },
}

/// Part of a robot that a link belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// From the base to the flange.
    Arm,
    /// The gripper's body and what is fixed to it.
    Hand,
    /// The finger that leads.
    LeftFinger,
    /// The finger that mimics.
    RightFinger,
}

/// Mass and inertia of a link; all zero for a link that is only a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inertial {
    /// kg.
    pub mass: f64,
    /// In the link's frame, m.
    pub center_of_mass: Vector3<f64>,
    /// About the centre of mass, in the link's axes, kg m².
    pub inertia: Matrix3<f64>,
}

impl Default for Inertial {
    fn default() -> Self {
        Self {
            mass: 0.0,
            center_of_mass: Vector3::zeros(),
            inertia: Matrix3::zeros(),
        }
    }
}

impl Inertial {
    /// The same body in the coordinates of another frame.
    #[must_use]
    pub fn moved(&self, other_from_link: &Pose) -> Self {
        let rotation = other_from_link.rotation.to_rotation_matrix();
        let center = nalgebra::Point3::from(self.center_of_mass);
        Self {
            mass: self.mass,
            center_of_mass: (other_from_link * center).coords,
            inertia: rotation.matrix() * self.inertia * rotation.matrix().transpose(),
        }
    }

    /// Two bodies of the same frame, joined rigidly (Huygens-Steiner).
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let mass = self.mass + other.mass;
        if mass <= 0.0 {
            return Self::default();
        }
        let center_of_mass =
            (self.center_of_mass * self.mass + other.center_of_mass * other.mass) / mass;
        let shifted = |body: &Self| {
            let r = body.center_of_mass - center_of_mass;
            body.inertia + body.mass * (Matrix3::identity() * r.norm_squared() - r * r.transpose())
        };
        Self {
            mass,
            center_of_mass,
            inertia: shifted(self) + shifted(other),
        }
    }
}
