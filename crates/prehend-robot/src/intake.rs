//! What reading a model needs beside its text: where files may come from, what is kept of meshes, and
//! a list of what could not be kept.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::RobotError;
use crate::mesh::{Cut, MeshStore, Roots};

/// How much it matters that something of the file was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Looks, sensors, settings of another simulator: the robot moves, weighs and touches the same.
    Note,
    /// The robot moves, weighs or touches differently from what the file says.
    Loss,
}

/// Something in the model that was not kept as it stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// File it stands in.
    pub file: PathBuf,
    /// Line, counted from 1.
    pub line: u32,
    /// The element and its name, for example `joint "elbow" <safety_controller>`.
    pub element: String,
    /// What is missing now, or what stands in for it.
    pub why: String,
    /// Whether the robot is another one without it.
    pub weight: Weight,
}

/// Sources and lists of one reading.
#[derive(Debug)]
pub(crate) struct Intake {
    pub roots: Roots,
    pub meshes: MeshStore,
    /// How concave meshes are cut.
    pub cut: Cut,
    /// A user's file: its limits on depth and size are tighter, and what is dropped is listed.
    pub is_import: bool,
    /// Refuse the first loss.
    pub is_strict: bool,
    /// Lower principal moments that no body can have instead of refusing them.
    pub repairs_inertia: bool,
    pub dropped: Vec<Dropped>,
}

/// Convex pieces that a concave mesh is split into, if nobody says otherwise.
pub(crate) const DEFAULT_PIECES: u32 = 8;

impl Intake {
    /// For `robots/<name>/`: everything in that folder, nothing listed.
    pub fn of_folder(folder: &Path) -> Self {
        Self {
            roots: Roots::new(folder, &[]),
            meshes: MeshStore::default(),
            cut: Cut::Pieces(DEFAULT_PIECES),
            is_import: false,
            is_strict: false,
            repairs_inertia: false,
            dropped: Vec::new(),
        }
    }

    /// Lists what was dropped.
    ///
    /// # Errors
    /// [`RobotError::Strict`], if it is a loss and losses are refused.
    pub fn drop(&mut self, dropped: Dropped) -> Result<(), RobotError> {
        if self.is_strict && dropped.weight == Weight::Loss {
            return Err(RobotError::Strict(dropped));
        }
        if self.is_import {
            self.dropped.push(dropped);
        }
        Ok(())
    }
}
