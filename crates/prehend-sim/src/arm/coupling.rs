//! How the arm and the contacts of the hand exchange force.
//!
//! In the engine the hand is a body of its own with a mass and an inertia of our choice. Before a step
//! it gets the velocity that brings it to where the arm predicts it, and a force that cancels what it
//! felt in the last step; afterwards the change of its momentum says what it felt in this one, and the
//! arm solves its step again with that. If nothing changes, neither corrects the other.
//!
//! The engine thus answers a change of force with the hand's mobility (D, inverse of the chosen mass),
//! the arm with its own: L = J M⁻¹ Jᵀ, where M has h (damping + h stiffness / 2) of every servo on its
//! diagonal while that answers, h the length of the step. Against something rigid the
//! errors of speed, place and force go through a 3x3 matrix per step that depends on r = D⁻¹ L alone and
//! on the share of the place's error that is made up per step. Its growth is below 1 for r from 0.1 to
//! 1.3 at a share of 0.05; at 1 it is only for r between 0.5 and 1.1. For any L, twice its block diagonal
//! is at least L, so D = 2 diag(greatest eigenvalue of each block) keeps r at most 1 in every direction.
//!
//! The servos' share matters: on the benchmark's grasp a cube creeps by 0.011, 0.043 and 0.065 mm in a
//! hold of 5 s under steps of 5, 10 and 50 ms; with a hand as light as the bare arm asks for by 0.019,
//! 0.25 and 0.61 mm.
//!
//! Measured with fingers pressed on the table (sd of the force, 2 mm deep, [`ArmMode::Dynamic`]): 1.3 N of
//! 13 N at r up to 1.7, 0.0 N of 24 N, which is the servo's stiffness times the depth, at r up to 1.
//!
//! [`ArmMode::Dynamic`]: super::ArmMode::Dynamic

use nalgebra::{Matrix3, Point3};
use prehend_robot::{Llt, Robot, Wrench};

use prehend_types::{MAX_JOINTS, Pose};
use serde::{Deserialize, Serialize};

use super::carrier;

/// Configurations at which the least inertia of the arm is looked for.
const SAMPLES: usize = 64;
/// Share of the hand's distance from the arm's place that is made up per step.
const RECOVERY: f64 = 0.05;
/// How much heavier a hand is that does not give way. In single precision its velocity still resolves
/// forces of some 10 mN.
const FIRMNESS: f64 = 1000.0;

/// What the hand felt during a physics step, mean over it, about the base's origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reaction {
    /// From everything that the engine has on the hand, finger joints included: it is held against
    /// this in the next step.
    pub push: Wrench,
    /// From outside of hand and fingers: what loads the arm, whose own model has the fingers' masses.
    pub load: Wrench,
}

impl Reaction {
    pub const NONE: Self = Self {
        push: Wrench::ZERO,
        load: Wrench::ZERO,
    };
}

/// Where the arm has the hand before a step, and where it predicts it afterwards.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HandWay {
    pub from: Pose,
    pub to: Pose,
    /// How it gives way.
    pub body: HandBody,
    /// What it is held against: what pushed it in the step before.
    pub push: Wrench,
}

/// The hand as a body in the engine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct HandBody {
    /// kg.
    pub mass: f64,
    /// About every axis, kg m².
    pub inertia: f64,
    /// Centre of mass, in the hand's frame.
    pub center: Point3<f64>,
    /// Share of its distance from where the arm has it that it makes up per step.
    pub recovery: f64,
    /// Whether it gives way to what it feels: what it touches is then solved harder.
    pub gives_way: bool,
}

impl HandBody {
    /// The heaviest isotropic one that is lighter than the arm in every direction, over an even sample
    /// of its configurations.
    ///
    /// `added` is what drives put on the diagonal of the mass matrix, kg m².
    pub fn of(robot: &Robot, added: &[f64; MAX_JOINTS]) -> Option<Self> {
        let gripper = robot.gripper()?;
        let joint_idx = carrier(robot, gripper.hand_idx)?;
        let pads = [&gripper.left, &gripper.right].map(|finger| {
            let link = &robot.links()[finger.link_idx];
            (link.parent_from_joint * finger.pad.link_from_shape)
                .translation
                .vector
        });
        // Half way between flange and pads: forces on the fingers then turn the hand as little as
        // forces on its body do.
        let center = Point3::from(0.25 * (pads[0] + pads[1]));
        let limits = robot.limits();
        let mut poses = vec![Pose::identity(); robot.links().len()];
        let (mut linear, mut angular) = (0.0_f64, 0.0_f64);
        for sample in 0..SAMPLES {
            let mut q = *robot.home();
            for (idx, q) in q.iter_mut().enumerate().filter(|_| sample > 0) {
                // Kronecker sequence on the square roots of odd numbers: even, and without a stream.
                let share = (sample as f64 * (2.0 * idx as f64 + 3.0).sqrt()).fract();
                *q = limits.q_min[idx] + share * (limits.q_max[idx] - limits.q_min[idx]);
            }
            robot.link_poses(&q, 0.0, &mut poses);
            let arm = robot.articulation(&q);
            let mut mass = arm.mass_matrix();
            for (idx, added) in added.iter().enumerate().take(robot.n_joints()) {
                mass[(idx, idx)] += added;
            }
            let mass = Llt::new(&mass, robot.n_joints())?;
            let mobility = arm.mobility(joint_idx, &(poses[gripper.hand_idx] * center), &mass);
            let block = |at: usize| -> Matrix3<f64> { mobility.fixed_view::<3, 3>(at, at).into() };
            linear = linear.max(block(0).symmetric_eigenvalues().max());
            angular = angular.max(block(3).symmetric_eigenvalues().max());
        }
        (linear > 0.0 && angular > 0.0).then(|| Self {
            mass: 0.5 / linear,
            inertia: 0.5 / angular,
            center,
            recovery: RECOVERY,
            gives_way: true,
        })
    }

    /// Whether an engine can move it: finite, and neither without mass nor without inertia.
    pub fn is_sound(&self) -> bool {
        let numbers = [self.mass, self.inertia, self.recovery];
        let is_finite = numbers
            .iter()
            .chain(&self.center.coords)
            .all(|v| v.is_finite());
        is_finite && self.mass > 0.0 && self.inertia > 0.0
    }

    /// The same hand of an arm that goes its way whatever it feels.
    #[must_use]
    pub fn firm(self) -> Self {
        Self {
            mass: FIRMNESS * self.mass,
            inertia: FIRMNESS * self.inertia,
            recovery: 1.0,
            gives_way: false,
            ..self
        }
    }
}
