//! Labelled scenes on disk: one file each, whole or absent.

use std::path::{Path, PathBuf};

use prehend_data::{DataError, write_atomic};
use prehend_robot::Jaw;
use prehend_sim::tabletop::{LabelledScene, Split, TableView};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::checkpoint::{read_sealed, seal};

/// Changes whenever labels do.
const VERSION: u32 = 1;

/// The two views of one scene.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredScene {
    version: u32,
    /// Name of the gripper that the labels are for.
    pub gripper: String,
    /// Which objects.
    pub split: Split,
    /// Seed of the scene.
    pub seed: u64,
    /// Nothing is held.
    pub picking: TableView,
    /// One object is held.
    pub placing: Option<TableView>,
}

/// A folder of scenes.
#[derive(Debug, Clone)]
pub struct SceneStore {
    folder: PathBuf,
}

impl SceneStore {
    /// A folder to store scenes in, made if it is not there.
    ///
    /// # Errors
    /// [`TrainError::Data`].
    pub fn create(folder: &Path) -> Result<Self, TrainError> {
        std::fs::create_dir_all(folder).map_err(|source| DataError::write(folder, source))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// The scenes of a folder that is there.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    fn path(&self, seed: u64) -> PathBuf {
        self.folder.join(format!("scene_{seed:08}.bin"))
    }

    /// Whether the scene of a seed is stored.
    #[must_use]
    pub fn contains(&self, seed: u64) -> bool {
        self.path(seed).is_file()
    }

    /// Generates and stores the scene of a seed; `false` if nothing came to rest.
    ///
    /// # Errors
    /// [`TrainError`] if it cannot be written.
    pub fn generate(&self, seed: u64, split: Split, jaw: &Jaw) -> Result<bool, TrainError> {
        let Some(scene) = LabelledScene::new(seed, split, None, jaw) else {
            return Ok(false);
        };
        let stored = StoredScene {
            version: VERSION,
            gripper: jaw.name.clone(),
            split,
            seed,
            picking: scene.picking,
            placing: scene.placing.map(|placing| placing.view),
        };
        let path = self.path(seed);
        write_atomic(&path, &seal(&stored, &path)?)?;
        Ok(true)
    }

    /// All stored scenes, by seed.
    ///
    /// # Errors
    /// [`TrainError`] naming the file that is damaged, of another version, or not there.
    pub fn load(&self) -> Result<Vec<StoredScene>, TrainError> {
        let fail = |source| DataError::Read {
            path: self.folder.clone(),
            source,
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.extension().is_some_and(|extension| extension == "bin") {
                paths.push(path);
            }
        }
        paths.sort();
        paths.iter().map(|path| read(path)).collect()
    }
}

fn read(path: &Path) -> Result<StoredScene, TrainError> {
    let scene: StoredScene = read_sealed(path)?;
    let refuse = |reason: String| {
        Err(TrainError::Checkpoint {
            path: path.to_owned(),
            reason,
        })
    };
    if scene.version != VERSION {
        return refuse(format!(
            "is a scene of version {}, this prehend reads {VERSION}: generate it again",
            scene.version
        ));
    }
    for view in std::iter::once(&scene.picking).chain(&scene.placing) {
        let n = view.points.len();
        let lengths = [view.normals.len(), view.objects.len(), view.labels.len()];
        let grasps = view.grasps.iter().all(|grasp| usize::from(grasp.point) < n);
        let held = view.held.as_ref().is_none_or(|held| held.turns.len() == n);
        if lengths != [n; 3] || !grasps || !held {
            return refuse("is a scene whose labels do not fit its points".to_owned());
        }
    }
    Ok(scene)
}
