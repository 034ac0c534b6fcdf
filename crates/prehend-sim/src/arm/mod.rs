//! Models of the arm.

use serde::{Deserialize, Serialize};

/// How the arm is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArmMode {
    /// Kinematic links that follow the command through forward kinematics.
    #[default]
    Kinematic,
}

impl ArmMode {
    /// Every mode.
    pub const ALL: [Self; 1] = [Self::Kinematic];

    /// Name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kinematic => "kinematic",
        }
    }

    /// The mode of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}
