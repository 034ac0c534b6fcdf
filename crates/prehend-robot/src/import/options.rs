//! What a user may say about an import.

use std::path::{Path, PathBuf};

use prehend_types::config::{ConfigError, require};

use crate::intake::DEFAULT_PIECES;

/// How a file is imported.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportOptions {
    /// Refuse the file at the first [`Loss`](crate::Weight::Loss) instead of listing it.
    pub strict: bool,
    /// Folders, beside the file's own and its ROS package, that meshes and included files may come from.
    pub roots: Vec<PathBuf>,
    /// The robot's name; the one in the file if `None`.
    pub name: Option<String>,
    /// The link whose frame is the base.
    pub base_link: Option<String>,
    /// The link, or site of an MJCF, whose frame is the tool centre point.
    pub tcp_link: Option<String>,
    /// Lower principal moments of inertia that no body can have, and say so, instead of refusing.
    pub repair_inertias: bool,
    /// About how many convex pieces a concave collision mesh of a URDF may become; 1 is its hull.
    /// MJCF meshes are always hulls, as in MuJoCo.
    pub max_pieces: u32,
    /// Limits that the file does not give.
    pub defaults: JointDefaults,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            strict: false,
            roots: Vec::new(),
            name: None,
            base_link: None,
            tcp_link: None,
            repair_inertias: false,
            max_pieces: DEFAULT_PIECES,
            defaults: JointDefaults::default(),
        }
    }
}

/// Limits of joints where the file gives none; cautious, for the user to raise.
///
/// No format has acceleration and jerk limits; 5 rad/s² is what ROS configurations use for arms whose
/// maker publishes none. MJCF has no speed limits, and effort limits only on actuators.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointDefaults {
    /// MJCF, revolute, rad/s.
    pub velocity_rad_per_s: f64,
    /// MJCF, prismatic, m/s.
    pub velocity_m_per_s: f64,
    /// MJCF without an actuator that says it, revolute, N·m.
    pub effort_nm: f64,
    /// MJCF without an actuator that says it, prismatic, N.
    pub effort_n: f64,
    /// Revolute, rad/s².
    pub acceleration_rad_per_s2: f64,
    /// Prismatic, m/s².
    pub acceleration_m_per_s2: f64,
    /// Revolute, rad/s³.
    pub jerk_rad_per_s3: f64,
    /// Prismatic, m/s³.
    pub jerk_m_per_s3: f64,
}

impl Default for JointDefaults {
    fn default() -> Self {
        Self {
            velocity_rad_per_s: 1.0,
            velocity_m_per_s: 0.1,
            effort_nm: 10.0,
            effort_n: 20.0,
            acceleration_rad_per_s2: 5.0,
            acceleration_m_per_s2: 1.0,
            jerk_rad_per_s3: 100.0,
            jerk_m_per_s3: 20.0,
        }
    }
}

impl ImportOptions {
    pub(super) fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let d = &self.defaults;
        let fields = [
            ("velocity_rad_per_s", d.velocity_rad_per_s),
            ("velocity_m_per_s", d.velocity_m_per_s),
            ("effort_nm", d.effort_nm),
            ("effort_n", d.effort_n),
            ("acceleration_rad_per_s2", d.acceleration_rad_per_s2),
            ("acceleration_m_per_s2", d.acceleration_m_per_s2),
            ("jerk_rad_per_s3", d.jerk_rad_per_s3),
            ("jerk_m_per_s3", d.jerk_m_per_s3),
        ];
        for (field, value) in fields {
            let message = format!("is {value}, must be finite and greater than 0");
            require(value.is_finite() && value > 0.0, path, field, message)?;
        }
        let has_name = self
            .name
            .as_ref()
            .is_none_or(|name| !name.trim().is_empty());
        require(has_name, path, "name", "is empty")
    }
}
