//! Every vendor's controller that there are rules for.

use prehend_types::JointPositions;

use super::{Axes, ControllerType, Franka, FrankaTable, Mismatch, Rules, So101, Ur, XArm};

/// A vendor's controller with the arm that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Franka Research 3, with the limits of libfranka's test description.
    Fr3,
    /// Franka Research 3, with the limits of the documentation of 2026.
    Fr3Docs2026,
    /// Franka Emika Robot, called Panda.
    Fer,
    /// Universal Robots UR5e.
    Ur5e,
    /// UFACTORY xArm 6.
    XArm6,
    /// UFACTORY xArm 7.
    XArm7,
    /// SO-101.
    So101,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Fr3,
        Self::Fr3Docs2026,
        Self::Fer,
        Self::Ur5e,
        Self::XArm6,
        Self::XArm7,
        Self::So101,
    ];

    /// Name of it, for reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fr3 => "franka_fr3",
            Self::Fr3Docs2026 => "franka_fr3_docs_2026",
            Self::Fer => "franka_fer",
            Self::Ur5e => "ur_ur5e",
            Self::XArm6 => "ufactory_xarm6",
            Self::XArm7 => "ufactory_xarm7",
            Self::So101 => "bus_so101",
        }
    }

    /// Folder in `robots/` that describes its arm.
    #[must_use]
    pub const fn robot(self) -> &'static str {
        match self {
            Self::Fr3 | Self::Fr3Docs2026 => "fr3",
            Self::Fer => "panda",
            Self::Ur5e => "ur5e",
            Self::XArm6 => "xarm6",
            Self::XArm7 => "xarm7",
            Self::So101 => "so101",
        }
    }

    /// Setpoints in a row that may be lost; the next lost one ends the motion. None if the arm just stays
    /// where it is.
    #[must_use]
    pub const fn most_lost(self) -> Option<u32> {
        match self {
            Self::Fr3 | Self::Fr3Docs2026 | Self::Fer => Some(20),
            // 20 ms are over with the tenth cycle of 2 ms.
            Self::Ur5e => Some(9),
            Self::XArm6 | Self::XArm7 | Self::So101 => None,
        }
    }

    /// The rules, with the arm standing at `q`; `seed` is for what the vendor leaves to chance.
    ///
    /// # Errors
    /// [`Mismatch`] if the arm has another number of joints.
    pub fn rules(self, q: &JointPositions, seed: u64) -> Result<Box<dyn Rules>, Mismatch> {
        let franka = |table| Franka::new(table, q).map(|rules| Box::new(rules) as Box<dyn Rules>);
        let xarm = |axes| {
            XArm::new(axes, ControllerType::X4, q).map(|rules| Box::new(rules) as Box<dyn Rules>)
        };
        match self {
            Self::Fr3 => franka(FrankaTable::FR3_LIBFRANKA),
            Self::Fr3Docs2026 => franka(FrankaTable::FR3_DOCS_2026),
            Self::Fer => franka(FrankaTable::FER),
            Self::Ur5e => Ok(Box::new(Ur::ur5e(q)?)),
            Self::XArm6 => xarm(Axes::Six),
            Self::XArm7 => xarm(Axes::Seven),
            Self::So101 => Ok(Box::new(So101::new(q, seed)?)),
        }
    }
}
