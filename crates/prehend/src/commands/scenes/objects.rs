//! Which objects scenes are made of, as arguments of a command.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use prehend_robot::Jaw;
use prehend_sim::tabletop::{ObjectSource, SceneObjects, Split};
use prehend_types::config::locate;
use serde::Serialize;

use super::Objects;
use crate::commands::objects::{Opened, Unverified, open};
use crate::exit::Failure;

/// A folder instead of a split.
#[derive(Debug, Args)]
pub struct FolderArgs {
    /// Make scenes of the objects of this folder, made by `prehend objects import` or `objects generate`
    /// for the same gripper; those of which no grasp held are left out.
    #[arg(long, value_name = "FOLDER", conflicts_with = "split")]
    objects: Option<PathBuf>,
}

/// What was chosen.
#[derive(Debug)]
pub struct Chosen {
    /// What objects are drawn from.
    pub source: ObjectSource,
    /// What a report says of it.
    pub told: Told,
}

/// What a report says of the objects.
#[derive(Debug, Serialize)]
pub struct Told {
    /// Part of the library; `None` if a folder was given.
    split: Option<Split>,
    /// The folder, if one was given.
    objects_folder: Option<PathBuf>,
    /// What the scenes' objects are drawn from.
    pub source: SceneObjects,
    /// Objects of the folder that are in no scene.
    left_out: Vec<Unverified>,
}

impl FolderArgs {
    /// The folder's objects, or those of the split if no folder is given.
    ///
    /// # Errors
    /// The folder was refused.
    pub fn open(&self, split: Objects, jaw: &Jaw) -> Result<Chosen, Failure> {
        let (source, left_out) = match &self.objects {
            None => (ObjectSource::Split(split.into()), Vec::new()),
            Some(folder) => {
                let Opened { objects, left_out } = open(&locate(folder)?, jaw)?;
                (objects, left_out)
            }
        };
        let told = Told {
            split: self.objects.is_none().then(|| split.into()),
            objects_folder: self.objects.clone(),
            source: source.describe(),
            left_out,
        };
        Ok(Chosen { source, told })
    }
}

impl fmt::Display for Told {
    /// One line for each object that was left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for object in &self.left_out {
            writeln!(f, "left out, {object}")?;
        }
        Ok(())
    }
}
