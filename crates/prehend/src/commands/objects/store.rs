//! A folder of objects: `settings.json`, and `objects/<name>.json` for each, whole or absent.

use std::path::{Path, PathBuf};

use prehend_data::{DataError, FolderLock, fingerprint, remove_unfinished, write_atomic};
use prehend_robot::Jaw;
use prehend_sim::tabletop::Split;
use prehend_types::files;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::{Origin, Record};
use crate::exit::Failure;

/// Changes whenever the same settings give other files.
const VERSION: u32 = 2;
/// Larger than any file that is written here.
const MOST_BYTES: u64 = 64 << 20;

/// Everything that decides what a folder's files hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    version: u32,
    /// Where the objects come from.
    pub source: Source,
    /// Most grasps tried per object.
    pub trials: u32,
    /// Seed of drops and grasps.
    pub seed: u64,
    /// The gripper they are for.
    pub gripper: Jaw,
}

/// Where objects come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// The numbered library.
    Library(Split),
    /// A user's meshes.
    Meshes {
        scale: f64,
        max_pieces: u32,
        density_kg_per_m3: f64,
        friction: f64,
    },
}

impl Settings {
    pub fn new(source: Source, trials: u32, seed: u64, gripper: Jaw) -> Self {
        Self {
            version: VERSION,
            source,
            trials,
            seed,
            gripper,
        }
    }

    /// The part of the library that the objects are of, if they are of it.
    pub fn split(&self) -> Option<Split> {
        match self.source {
            Source::Library(split) => Some(split),
            Source::Meshes { .. } => None,
        }
    }

    /// Refuses settings of another version, read from `path`.
    ///
    /// # Errors
    /// [`crate::exit::Class::BadInput`].
    pub fn check_version(&self, path: &Path) -> Result<(), Failure> {
        if self.version == VERSION {
            return Ok(());
        }
        Err(Failure::bad_input(format!(
            "{path:?}: field `version` is {}, this prehend reads {VERSION}; make the objects anew in \
             another folder",
            self.version
        )))
    }
}

/// A folder of objects that this process alone writes to.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    fingerprint: String,
    _lock: FolderLock,
}

impl Store {
    /// Opens a folder for these settings, made if it is not there.
    ///
    /// # Errors
    /// It holds objects of other settings, another process writes to it, or it cannot be written.
    pub fn open(folder: &Path, settings: &Settings) -> Result<Self, Failure> {
        let objects = folder.join("objects");
        std::fs::create_dir_all(&objects).map_err(|source| DataError::write(&objects, source))?;
        let lock = FolderLock::acquire(folder)?;
        clean(folder)?;
        let path = folder.join("settings.json");
        if path.exists() {
            check_same(&path, &read_json(&path)?, settings)?;
        } else {
            write_json(&path, settings)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            fingerprint: format!("{:016x}", fingerprint(settings)?),
            _lock: lock,
        })
    }

    /// The fingerprint that its records carry.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join("objects").join(format!("{name}.json"))
    }

    /// The record of an object, if it is stored.
    ///
    /// # Errors
    /// The file is damaged, of other settings, or was made from something else.
    pub fn read(&self, name: &str, origin: &Origin) -> Result<Option<Record>, Failure> {
        let path = self.path(name);
        if !path.exists() {
            return Ok(None);
        }
        let record: Record = serde_json::from_value(read_json(&path)?)
            .map_err(|error| damaged(&path, &error.to_string()))?;
        let found = [
            ("settings", record.settings == self.fingerprint),
            ("name", record.name == name),
            ("origin", record.origin == *origin),
        ];
        match found.into_iter().find(|(_, is_same)| !is_same) {
            Some((field, _)) => Err(Failure::bad_input(format!(
                "{path:?}: field `{field}` is not what would be written now: it was made from \
                 something else; delete it, or give another --out"
            ))),
            None => Ok(Some(record)),
        }
    }

    /// Stores a record.
    ///
    /// # Errors
    /// The disk is full, or the folder cannot be written.
    pub fn write(&self, record: &Record) -> Result<(), Failure> {
        let path = self.path(&record.name);
        if let Some(folder) = path.parent() {
            // Names of meshes may hold folders.
            std::fs::create_dir_all(folder).map_err(|source| DataError::write(folder, source))?;
        }
        write_json(&path, record)
    }
}

/// Removes what killed runs left here and in all folders below.
fn clean(folder: &Path) -> Result<(), Failure> {
    remove_unfinished(folder)?;
    let fail = |source| DataError::read(folder, source);
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry.file_type().map_err(fail)?.is_dir() {
            clean(&entry.path())?;
        }
    }
    Ok(())
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    let mut bytes = serde_json::to_vec(value).map_err(|error| DataError::encode(path, error))?;
    bytes.push(b'\n');
    Ok(write_atomic(path, &bytes)?)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    serde_json::from_slice(&read_bytes(path)?).map_err(|error| damaged(path, &error.to_string()))
}

/// What a file holds that was written here.
///
/// # Errors
/// It cannot be read, or is no such file.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    Ok(files::read(path, MOST_BYTES).map_err(|error| DataError::read(path, error))?)
}

fn damaged(path: &Path, reason: &str) -> Failure {
    Failure::bad_input(format!(
        "{path:?} is damaged: {reason}; delete it and run the same command again"
    ))
}

/// Refuses objects that were tried with another gripper, naming the first field that differs.
///
/// # Errors
/// [`crate::exit::Class::BadInput`].
pub fn same_gripper(path: &Path, stored: &Jaw, given: &Jaw) -> Result<(), Failure> {
    let (stored, given) = (through_text(path, stored)?, through_text(path, given)?);
    match first_difference(&stored, &given, "gripper".to_owned()) {
        None => Ok(()),
        Some((field, stored, given)) => Err(Failure::bad_input(format!(
            "{path:?}: field `{field}` is {stored}, that of --gripper is {given}: grasps were tried \
             with another gripper; give that one, or make the objects anew for this one in another \
             folder"
        ))),
    }
}

/// As stored values are: a number may change by a bit on its way through text.
fn through_text(path: &Path, value: &impl Serialize) -> Result<Value, DataError> {
    let text = serde_json::to_string(value).map_err(|error| DataError::encode(path, error))?;
    serde_json::from_str(&text).map_err(|error| DataError::encode(path, error))
}

/// Refuses a folder whose settings differ, naming the first field that does.
fn check_same(path: &Path, stored: &Value, settings: &Settings) -> Result<(), Failure> {
    let given = through_text(path, settings)?;
    match first_difference(stored, &given, String::new()) {
        None => Ok(()),
        Some((field, stored, given)) => Err(Failure::bad_input(format!(
            "{path:?}: field `{field}` is {stored}, now it would be {given}; give another --out, or \
             the settings that these objects were made with"
        ))),
    }
}

/// Dotted name and both values of the first field that differs.
fn first_difference(stored: &Value, given: &Value, name: String) -> Option<(String, Value, Value)> {
    match (stored, given) {
        (Value::Object(stored), Value::Object(given)) => {
            let names = given.keys().chain(stored.keys());
            names.into_iter().find_map(|key| {
                let inner = if name.is_empty() {
                    key.clone()
                } else {
                    format!("{name}.{key}")
                };
                let value = |of: &serde_json::Map<String, Value>| {
                    of.get(key).cloned().unwrap_or(Value::Null)
                };
                first_difference(&value(stored), &value(given), inner)
            })
        }
        _ if stored == given => None,
        _ => Some((name, stored.clone(), given.clone())),
    }
}

#[cfg(test)]
mod tests {
    use prehend_types::config::locate;

    use super::*;

    fn settings() -> Settings {
        let path = locate("robots/grippers/franka_hand.toml").expect("shipped");
        let jaw = Jaw::load(&path).expect("sound");
        Settings::new(Source::Library(Split::Train), 40, 7, jaw)
    }

    #[track_caller]
    fn check_refused(folder: &Path, settings: &Settings, words: &[&str]) {
        let failure = Store::open(folder, settings).expect_err("must be refused");
        let said = failure.error.to_string();
        for word in words {
            assert!(said.contains(word), "{said}");
        }
    }

    #[test]
    fn a_folder_takes_the_settings_it_was_made_with_and_no_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = settings();
        drop(Store::open(folder.path(), &first).expect("new"));
        drop(Store::open(folder.path(), &first).expect("the same"));
        let mut other = settings();
        other.gripper.max_width_m = 0.07;
        let words = ["settings.json", "`gripper.max_width_m` is 0.08", "--out"];
        check_refused(folder.path(), &other, &words);
        other = settings();
        other.source = Source::Library(Split::Test);
        check_refused(folder.path(), &other, &["`source.library` is \"train\""]);
        std::fs::write(folder.path().join("settings.json"), "{\"version\":").expect("writes");
        check_refused(
            folder.path(),
            &first,
            &["settings.json", "damaged", "delete"],
        );
    }

    #[test]
    fn only_a_whole_record_of_the_same_origin_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), &settings()).expect("new");
        let origin = |number| Origin::Library {
            family: "box".to_owned(),
            number,
        };
        let record = Record {
            settings: store.fingerprint().to_owned(),
            origin: origin(3),
            name: "sub/box".to_owned(),
            mass_kg: 0.1,
            friction: 0.5,
            pieces: Vec::new(),
            narrowest_m: Some(0.25),
            resting: Vec::new(),
            n_squeezes: 0,
            n_reached: 0,
            trials: Vec::new(),
        };
        assert!(store.read("sub/box", &origin(3)).expect("absent").is_none());
        store.write(&record).expect("writes");
        let read = store.read("sub/box", &origin(3)).expect("whole");
        assert_eq!(read.as_ref(), Some(&record));
        let refused = store.read("sub/box", &origin(4)).expect_err("another");
        assert!(refused.error.to_string().contains("`origin`"));
        std::fs::write(store.path("sub/box"), b"{}").expect("writes");
        let refused = store.read("sub/box", &origin(3)).expect_err("damaged");
        assert!(refused.error.to_string().contains("delete"));
    }
}
