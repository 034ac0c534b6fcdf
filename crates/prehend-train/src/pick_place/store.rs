//! Labelled scenes on disk: one file each, whole or absent.

use std::path::{Path, PathBuf};

use prehend_data::{DataError, write_atomic};
use prehend_robot::Jaw;
use prehend_sim::tabletop::{LabelledScene, ObjectSource, SceneObjects, Split, TableView};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::checkpoint::{read_sealed, seal};

/// Changes whenever labels do.
const VERSION: u32 = 3;
/// What the scenes of a folder have in common.
const KIND_FILE: &str = "scenes.json";
/// Seeds from here on are for validation and reports.
const FIRST_UNTRAINED: u64 = 700_000;

/// The views of one scene.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredScene {
    /// What it is.
    pub kind: SceneKind,
    /// Seed of the scene.
    pub seed: u64,
    /// Nothing is held.
    pub picking: TableView,
    /// One object is held.
    pub placings: Vec<TableView>,
}

/// What the scenes of a folder have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SceneKind {
    version: u32,
    /// Which objects. Files from before there were folders of them call it `split`.
    #[serde(alias = "split")]
    pub objects: SceneObjects,
    /// Name of the gripper that the labels are for.
    pub gripper: String,
}

/// A folder of scenes of one kind.
#[derive(Debug, Clone)]
pub struct SceneStore {
    folder: PathBuf,
    kind: SceneKind,
}

impl SceneStore {
    /// A folder to store scenes of a kind in, made if it is not there.
    ///
    /// # Errors
    /// [`TrainError`] if it cannot be written, or holds scenes of another kind.
    pub fn create(
        folder: &Path,
        objects: impl Into<ObjectSource>,
        jaw: &Jaw,
    ) -> Result<Self, TrainError> {
        let kind = SceneKind {
            version: VERSION,
            objects: objects.into().describe(),
            gripper: jaw.name.clone(),
        };
        std::fs::create_dir_all(folder).map_err(|source| DataError::write(folder, source))?;
        let path = folder.join(KIND_FILE);
        let is_empty = || paths(folder).map(|paths| paths.is_empty());
        if !path.exists() && is_empty()? {
            write_atomic(&path, &serde_json::to_vec(&kind).unwrap_or_default())?;
        }
        let own = Self::open(folder)?;
        if own.kind != kind {
            let own = &own.kind;
            return refuse(
                &path,
                format!(
                    "holds scenes of {} for gripper {:?}, not of {} for {:?}: choose another \
                     folder, or what these scenes were made with",
                    own.objects, own.gripper, kind.objects, kind.gripper
                ),
            );
        }
        Ok(own)
    }

    /// The scenes of a folder that is there.
    ///
    /// # Errors
    /// [`TrainError`] if it is none, or its scenes are of another version.
    pub fn open(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(KIND_FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                let reason = "is not there: this is no folder of scenes, or one of an earlier \
                              version; make one with `prehend scenes generate`";
                return refuse(&path, reason.to_owned());
            }
            Err(source) => return Err(DataError::Read { path, source }.into()),
        };
        let kind: SceneKind = match serde_json::from_slice(&text) {
            Ok(kind) => kind,
            Err(error) => return refuse(&path, format!("cannot be read: {error}")),
        };
        if kind.version != VERSION {
            return refuse(
                &path,
                format!(
                    "holds scenes of version {}, this prehend reads {VERSION}: generate them anew",
                    kind.version
                ),
            );
        }
        Ok(Self {
            folder: folder.to_owned(),
            kind,
        })
    }

    /// What its scenes have in common.
    #[must_use]
    pub fn kind(&self) -> &SceneKind {
        &self.kind
    }

    fn path(&self, seed: u64) -> PathBuf {
        self.folder.join(format!("scene_{seed:08}.bin"))
    }

    /// Whether the scene of a seed is stored.
    #[must_use]
    pub fn contains(&self, seed: u64) -> bool {
        self.path(seed).is_file()
    }

    /// Generates and stores the scene of a seed; `false` if nothing came to rest. Objects and gripper are
    /// those that the folder was created for.
    ///
    /// # Errors
    /// [`TrainError`] if it cannot be written.
    pub fn generate(
        &self,
        seed: u64,
        objects: impl Into<ObjectSource>,
        jaw: &Jaw,
    ) -> Result<bool, TrainError> {
        let Some(scene) = LabelledScene::new(seed, objects, None, jaw) else {
            return Ok(false);
        };
        let stored = StoredScene {
            kind: self.kind.clone(),
            seed,
            picking: scene.picking,
            placings: scene
                .placings
                .into_iter()
                .map(|placing| placing.view)
                .collect(),
        };
        let path = self.path(seed);
        write_atomic(&path, &seal(&stored, &path)?)?;
        Ok(true)
    }

    /// All stored scenes, by seed.
    ///
    /// # Errors
    /// [`TrainError`] naming the file that is damaged, of another kind, or not there.
    pub fn load(&self) -> Result<Vec<StoredScene>, TrainError> {
        let mut paths = paths(&self.folder)?;
        paths.sort();
        paths.iter().map(|path| self.read(path)).collect()
    }

    /// All stored scenes, if one may learn from them. Objects that are none of the library are anybody's to
    /// use as they want.
    ///
    /// # Errors
    /// [`TrainError`] as for [`Self::load`], or if they are of objects, a gripper or seeds that are kept for
    /// something else.
    pub fn load_for(&self, split: Split, jaw: &Jaw) -> Result<Vec<StoredScene>, TrainError> {
        let path = self.folder.join(KIND_FILE);
        let kind = &self.kind;
        let own = kind.objects.split();
        if own.is_some_and(|own| own != split) || kind.gripper != jaw.name {
            let (objects, name) = (&kind.objects, &kind.gripper);
            let reason = format!("holds scenes of {objects} for {name:?}: not wanted here");
            return refuse(&path, reason);
        }
        let scenes = self.load()?;
        let is_kept = |scene: &&StoredScene| split == Split::Train && scene.seed >= FIRST_UNTRAINED;
        match scenes.iter().find(is_kept) {
            Some(scene) => refuse(
                &self.path(scene.seed),
                format!("is never trained on: seeds from {FIRST_UNTRAINED} are kept for tests"),
            ),
            None => Ok(scenes),
        }
    }

    fn read(&self, path: &Path) -> Result<StoredScene, TrainError> {
        let scene: StoredScene = read_sealed(path)?;
        if scene.kind != self.kind {
            return refuse(path, format!("is a scene of {:?}: remove it", scene.kind));
        }
        for view in std::iter::once(&scene.picking).chain(&scene.placings) {
            let n = view.points.len();
            let lengths = [view.normals.len(), view.objects.len(), view.labels.len()];
            let grasps = view.grasps.iter().all(|grasp| usize::from(grasp.point) < n);
            let held = view.held.as_ref().is_none_or(|held| held.turns.len() == n);
            if lengths != [n; 3] || !grasps || !held {
                let reason = "is a scene whose labels do not fit its points: remove it";
                return refuse(path, reason.to_owned());
            }
        }
        Ok(scene)
    }
}

fn paths(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let fail = |source| DataError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            paths.push(path);
        }
    }
    Ok(paths)
}

fn refuse<T>(path: &Path, reason: String) -> Result<T, TrainError> {
    Err(TrainError::Checkpoint {
        path: path.to_owned(),
        reason,
    })
}
