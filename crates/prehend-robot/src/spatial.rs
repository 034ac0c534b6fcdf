//! Spatial vectors and inertias, all in the base frame and about its origin, so that those of
//! different links add up without a transform.

use std::ops::{Add, AddAssign, Mul, Sub};

use nalgebra::{Matrix3, Point3, Vector3};
use prehend_types::Pose;

use crate::Inertial;

/// Force and torque on a body, in the base frame, the torque about the base's origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wrench {
    /// N.
    pub force: Vector3<f64>,
    /// About the origin of the base frame, N·m.
    pub torque: Vector3<f64>,
}

impl Wrench {
    /// No force, no torque.
    pub const ZERO: Self = Self {
        force: Vector3::new(0.0, 0.0, 0.0),
        torque: Vector3::new(0.0, 0.0, 0.0),
    };

    /// A force that acts at a point, with a torque of its own (about that point).
    #[must_use]
    pub fn at(point: &Point3<f64>, force: Vector3<f64>, torque: Vector3<f64>) -> Self {
        Self {
            force,
            torque: torque + point.coords.cross(&force),
        }
    }

    /// The torque about `point` instead of about the base's origin, N·m.
    #[must_use]
    pub fn torque_about(&self, point: &Point3<f64>) -> Vector3<f64> {
        self.torque - point.coords.cross(&self.force)
    }
}

impl Add for Wrench {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            force: self.force + other.force,
            torque: self.torque + other.torque,
        }
    }
}

impl AddAssign for Wrench {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Wrench {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + other * -1.0
    }
}

impl Mul<f64> for Wrench {
    type Output = Self;
    fn mul(self, by: f64) -> Self {
        Self {
            force: self.force * by,
            torque: self.torque * by,
        }
    }
}

/// Angular velocity, and the linear velocity of the body's point that is at the base's origin; or
/// their derivatives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Twist {
    /// rad/s.
    pub angular: Vector3<f64>,
    /// Of the point at the origin of the base frame, m/s.
    pub linear: Vector3<f64>,
}

impl Twist {
    /// No motion.
    pub const ZERO: Self = Self {
        angular: Vector3::new(0.0, 0.0, 0.0),
        linear: Vector3::new(0.0, 0.0, 0.0),
    };

    /// Velocity of the body's point that is at `point`, m/s.
    #[must_use]
    pub fn at(&self, point: &Point3<f64>) -> Vector3<f64> {
        self.linear + self.angular.cross(&point.coords)
    }

    /// Power of a wrench, W.
    #[must_use]
    pub fn dot(&self, wrench: &Wrench) -> f64 {
        self.angular.dot(&wrench.torque) + self.linear.dot(&wrench.force)
    }

    /// Change of `other`, fixed to a body that moves so, per second.
    pub(crate) fn cross(&self, other: &Self) -> Self {
        Self {
            angular: self.angular.cross(&other.angular),
            linear: self.angular.cross(&other.linear) + self.linear.cross(&other.angular),
        }
    }

    /// Change of a wrench or momentum that is fixed to a body that moves so, per second.
    pub(crate) fn cross_wrench(&self, wrench: &Wrench) -> Wrench {
        Wrench {
            force: self.angular.cross(&wrench.force),
            torque: self.angular.cross(&wrench.torque) + self.linear.cross(&wrench.force),
        }
    }
}

impl Add for Twist {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            angular: self.angular + other.angular,
            linear: self.linear + other.linear,
        }
    }
}

impl Mul<f64> for Twist {
    type Output = Self;
    fn mul(self, by: f64) -> Self {
        Self {
            angular: self.angular * by,
            linear: self.linear * by,
        }
    }
}

/// Mass, first and second moment of one or several bodies about the base's origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpatialInertia {
    /// kg.
    pub mass: f64,
    /// Mass times centre of mass, kg m.
    pub moment: Vector3<f64>,
    /// kg m².
    pub inertia: Matrix3<f64>,
}

impl SpatialInertia {
    pub const ZERO: Self = Self {
        mass: 0.0,
        moment: Vector3::new(0.0, 0.0, 0.0),
        inertia: Matrix3::new(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    };

    pub fn new(body: &Inertial, base_from_body: &Pose) -> Self {
        let rotation = base_from_body.rotation.to_rotation_matrix().into_inner();
        let center = rotation * body.center_of_mass + base_from_body.translation.vector;
        let steiner = Matrix3::identity() * center.norm_squared() - center * center.transpose();
        Self {
            mass: body.mass,
            moment: center * body.mass,
            inertia: rotation * body.inertia * rotation.transpose() + steiner * body.mass,
        }
    }

    /// Momentum at a velocity, or force at an acceleration.
    pub fn times(&self, motion: &Twist) -> Wrench {
        Wrench {
            force: motion.linear * self.mass + motion.angular.cross(&self.moment),
            torque: self.inertia * motion.angular + self.moment.cross(&motion.linear),
        }
    }
}

impl AddAssign for SpatialInertia {
    fn add_assign(&mut self, other: Self) {
        self.mass += other.mass;
        self.moment += other.moment;
        self.inertia += other.inertia;
    }
}
