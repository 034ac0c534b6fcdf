//! The section `[randomise]` of a scene file: what is drawn anew for every episode beside the scene.

use std::path::Path;

use prehend_types::config::{ConfigError, require};
use serde::{Deserialize, Serialize};

/// What is drawn anew for every episode, on top of what a task draws: sizes, masses, frictions and poses
/// of objects have ranges in the task's own section. Every key is a range `[low, high]` and may be left
/// out, which leaves the quantity as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RandomiseConfig {
    /// The bodies that can move; each draws its own.
    pub bodies: BodyRanges,
    /// The table.
    pub table: TableRanges,
    /// The gripper.
    pub gripper: GripperRanges,
    /// The arm and its drives.
    pub arm: ArmRanges,
    /// The cameras; each draws its own. Where they stand has its spread in `[[cameras]]`.
    pub cameras: CameraRanges,
}

/// Ranges for bodies.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BodyRanges {
    /// Times the mass; moments of inertia follow. 0.1 to 10.
    pub mass_factor: Factor,
    /// Times all moments of inertia, the mass unchanged, as if it sat further in or out. 0.5 to 2. They
    /// stay those of a rigid body, and a box could have its mass so within itself; a full ball could not
    /// beyond 5/3 (a shell), less with its centre of mass moved.
    pub inertia_factor: Factor,
    /// How far the centre of mass lies from where a uniform body has it, along each axis, as a share of
    /// half the body's size there. -0.5 to 0.5.
    pub center_of_mass_share: Offset,
    /// Times the friction coefficient. 0.1 to 10.
    pub friction_factor: Factor,
}

/// Ranges for the table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableRanges {
    /// Times the friction coefficient. 0.1 to 10.
    pub friction_factor: Factor,
}

/// Ranges for the gripper.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GripperRanges {
    /// Times the force. 0.1 to 2.
    pub force_factor: Factor,
    /// Times the speed. 0.1 to 2.
    pub speed_factor: Factor,
}

/// Ranges for the arm. Gains act in the arm modes that have them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ArmRanges {
    /// Time between a command and the drives' taking it, in whole ticks of 5 ms, s. 0 to 0.1.
    pub delay_s: Offset,
    /// How far every joint starts from home, rad (m if prismatic). -0.3 to 0.3.
    pub start_rad: Offset,
    /// Times the tracking bandwidth of an actuated arm's drives. 0.3 to 3.
    pub bandwidth_factor: Factor,
    /// Times the stiffness of a dynamic arm's servos. 0.3 to 3.
    pub stiffness_factor: Factor,
    /// Times the damping of a dynamic arm's servos. 0.3 to 3.
    pub damping_factor: Factor,
}

/// Ranges for cameras.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CameraRanges {
    /// Times the field of view, known to the robot. 0.7 to 1.3.
    pub fov_factor: Factor,
    /// Times every standard deviation and share in `[noise]`. 0 to 5.
    pub noise_factor: Factor,
}

/// A range of factors; `[1, 1]` by default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Factor(pub [f64; 2]);

impl Default for Factor {
    fn default() -> Self {
        Self([1.0, 1.0])
    }
}

/// A range of offsets; `[0, 0]` by default.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub [f64; 2]);

impl RandomiseConfig {
    pub(crate) fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let Self {
            bodies,
            table,
            gripper,
            arm,
            cameras,
        } = self;
        let ranges = [
            ("bodies.mass_factor", bodies.mass_factor.0, [0.1, 10.0]),
            ("bodies.inertia_factor", bodies.inertia_factor.0, [0.5, 2.0]),
            (
                "bodies.center_of_mass_share",
                bodies.center_of_mass_share.0,
                [-0.5, 0.5],
            ),
            (
                "bodies.friction_factor",
                bodies.friction_factor.0,
                [0.1, 10.0],
            ),
            (
                "table.friction_factor",
                table.friction_factor.0,
                [0.1, 10.0],
            ),
            ("gripper.force_factor", gripper.force_factor.0, [0.1, 2.0]),
            ("gripper.speed_factor", gripper.speed_factor.0, [0.1, 2.0]),
            ("arm.delay_s", arm.delay_s.0, [0.0, 0.1]),
            ("arm.start_rad", arm.start_rad.0, [-0.3, 0.3]),
            ("arm.bandwidth_factor", arm.bandwidth_factor.0, [0.3, 3.0]),
            ("arm.stiffness_factor", arm.stiffness_factor.0, [0.3, 3.0]),
            ("arm.damping_factor", arm.damping_factor.0, [0.3, 3.0]),
            ("cameras.fov_factor", cameras.fov_factor.0, [0.7, 1.3]),
            ("cameras.noise_factor", cameras.noise_factor.0, [0.0, 5.0]),
        ];
        for (field, [low, high], [least, most]) in ranges {
            require(
                low >= least && low <= high && high <= most,
                path,
                &format!("randomise.{field}"),
                format!("needs {least} <= low <= high <= {most}, got [{low}, {high}]"),
            )?;
        }
        Ok(())
    }
}
