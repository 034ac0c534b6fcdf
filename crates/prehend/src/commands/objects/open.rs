//! Turns a folder of objects into what scenes are made of.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use prehend_data::fingerprint;
use prehend_robot::Jaw;
use prehend_sim::tabletop::{Collection, ObjectSource, widest_grasp};

use super::meshes::walk;
use super::record::Record;
use super::store::{Settings, read_bytes, same_gripper};
use super::summary::Unverified;
use crate::exit::Failure;

/// What a folder holds for scenes.
#[derive(Debug)]
pub struct Opened {
    /// The objects with a grasp that held.
    pub objects: ObjectSource,
    /// Those without: nothing could be learned or measured with them.
    pub left_out: Vec<Unverified>,
}

/// Reads all objects that `prehend objects` put into a folder for this gripper.
///
/// # Errors
/// It is no such folder, is for another gripper, a file in it is damaged, or no object has a grasp that
/// held.
pub fn open(folder: &Path, jaw: &Jaw) -> Result<Opened, Failure> {
    let path = folder.join("settings.json");
    if !path.is_file() {
        return Err(Failure::bad_input(format!(
            "{folder:?} is no folder of objects: it has no settings.json; make one with `prehend \
             objects import`"
        )));
    }
    let damaged = |path: &Path, why: &str| {
        Failure::bad_input(format!(
            "{path:?} is damaged: {why}; delete it and run the `prehend objects` command that made \
             {folder:?} again"
        ))
    };
    let settings: Settings = serde_json::from_slice(&read_bytes(&path)?)
        .map_err(|error| damaged(&path, &error.to_string()))?;
    settings.check_version(&path)?;
    same_gripper(&path, &settings.gripper, jaw)?;
    let mut found = Vec::new();
    let inside = folder.join("objects");
    if inside.is_dir() {
        walk(&inside, 0, &is_record, &mut found)?;
    }
    found.sort();
    let (mut objects, mut left_out, mut digests) = (Vec::new(), Vec::new(), Vec::new());
    // Not compared to the settings read: a number may have changed by a bit on its way through text.
    let mut common: Option<String> = None;
    for path in &found {
        let bytes = read_bytes(path)?;
        let record: Record =
            serde_json::from_slice(&bytes).map_err(|error| damaged(path, &error.to_string()))?;
        let below = path.strip_prefix(&inside).unwrap_or(path);
        if below.to_str().and_then(|name| name.strip_suffix(".json")) != Some(&record.name) {
            let why = format!("field `name`: is {:?}, not that of the file", record.name);
            return Err(damaged(path, &why));
        }
        if *common.get_or_insert_with(|| record.settings.clone()) != record.settings {
            let why = "field `settings`: is not that of the files before it";
            return Err(damaged(path, why));
        }
        let restored = record.restore().map_err(|why| damaged(path, &why))?;
        digests.push((record.name.clone(), fingerprint(&bytes)?));
        match (Unverified::of(&record, widest_grasp(jaw)), restored) {
            (None, Some(object)) => objects.push(object),
            (None, None) => {
                let why = "field `resting`: is empty, but grasps held";
                return Err(damaged(path, why));
            }
            (Some(unverified), _) => left_out.push(unverified),
        }
    }
    let digest = format!("{:016x}", fingerprint(&digests)?);
    match Collection::new(objects, digest, settings.split()) {
        Some(collection) => Ok(Opened {
            objects: ObjectSource::Collection(Arc::new(collection)),
            left_out,
        }),
        None => Err(Failure::bad_input(nothing_left(folder, &found, &left_out))),
    }
}

fn is_record(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "json")
}

fn nothing_left(folder: &Path, found: &[PathBuf], left_out: &[Unverified]) -> String {
    if found.is_empty() {
        return format!("{folder:?} holds no objects; add some with `prehend objects import`");
    }
    let lines: Vec<String> = left_out.iter().map(ToString::to_string).collect();
    format!(
        "none of the {} objects of {folder:?} has a grasp that held; add others, or give a gripper \
         that can hold them:\n  {}",
        lines.len(),
        lines.join("\n  ")
    )
}
