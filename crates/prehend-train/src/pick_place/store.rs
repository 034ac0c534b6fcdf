//! Labelled scenes on disk: one file each, whole or absent.

use std::path::{Path, PathBuf};

use prehend_data::{DataError, FolderLock, fingerprint, remove_unfinished, write_atomic};
use prehend_robot::Jaw;
use prehend_sim::tabletop::{
    LabelledScene, ObjectSource, PointGrasp, SceneObjects, Split, TableView,
};
use prehend_types::files::{self, FileError};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::checkpoint::{read_sealed, seal};

/// Changes whenever labels do.
const VERSION: u32 = 5;
/// What the scenes of a folder have in common.
const KIND_FILE: &str = "scenes.json";
/// Far above what it holds.
const MAX_KIND_BYTES: u64 = 1 << 20;
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
    /// [`Jaw::fingerprint`] of that gripper.
    pub gripper_fingerprint: String,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// A folder of scenes of one kind.
#[derive(Debug, Clone)]
pub struct SceneStore {
    folder: PathBuf,
    kind: SceneKind,
}

/// A folder of scenes that this process alone adds to.
#[derive(Debug)]
pub struct SceneWriter {
    store: SceneStore,
    objects: ObjectSource,
    jaw: Jaw,
    _lock: FolderLock,
}

impl SceneKind {
    fn new(objects: SceneObjects, jaw: &Jaw) -> Self {
        Self {
            version: VERSION,
            objects,
            gripper: jaw.name.clone(),
            gripper_fingerprint: jaw.fingerprint(),
        }
    }

    /// What is wrong with it, if `wanted` is wanted.
    fn differs_from(&self, wanted: &Self) -> Option<String> {
        let (own, other) = (&self.gripper, &wanted.gripper);
        if self.objects != wanted.objects {
            return Some(format!(
                "holds scenes of {}, wanted are those of {}",
                self.objects, wanted.objects
            ));
        }
        if own != other {
            return Some(format!(
                "holds scenes for gripper {own:?}, this one is {other:?}"
            ));
        }
        (self.gripper_fingerprint != wanted.gripper_fingerprint).then(|| {
            format!(
                "holds scenes for gripper {own:?} as it was then, its file was changed since: restore it, or \
                 generate the scenes anew"
            )
        })
    }
}

impl SceneStore {
    /// A folder to store scenes of a kind in, made if it is not there. What killed runs left unfinished is
    /// removed.
    ///
    /// # Errors
    /// [`TrainError`] if it cannot be written, holds scenes of another kind, or another process adds to it.
    pub fn create(
        folder: &Path,
        objects: impl Into<ObjectSource>,
        jaw: &Jaw,
    ) -> Result<SceneWriter, TrainError> {
        let objects = objects.into();
        let kind = SceneKind::new(objects.describe(), jaw);
        std::fs::create_dir_all(folder).map_err(|source| DataError::write(folder, source))?;
        let lock = FolderLock::acquire(folder)?;
        remove_unfinished(folder)?;
        let path = folder.join(KIND_FILE);
        if !path.exists() && paths(folder)?.is_empty() {
            let text = serde_json::to_vec(&kind).map_err(|e| DataError::encode(&path, e))?;
            write_atomic(&path, &text)?;
        }
        let store = Self::open(folder)?;
        if let Some(reason) = store.kind.differs_from(&kind) {
            return refuse(&path, format!("{reason}; or choose another folder"));
        }
        Ok(SceneWriter {
            store,
            objects,
            jaw: jaw.clone(),
            _lock: lock,
        })
    }

    /// The scenes of a folder that is there.
    ///
    /// # Errors
    /// [`TrainError`] if it is none, or its scenes are of another version.
    pub fn open(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(KIND_FILE);
        let text = match files::read(&path, MAX_KIND_BYTES) {
            Ok(text) => text,
            Err(FileError::Io(source)) if source.kind() == std::io::ErrorKind::NotFound => {
                let reason = "is not there: this is no folder of scenes, or one of an earlier \
                              version; make one with `prehend scenes generate`";
                return refuse(&path, reason.to_owned());
            }
            Err(error) => return Err(DataError::read(&path, error).into()),
        };
        let damaged = |error| format!("cannot be read: {error}; generate the scenes anew");
        // Its version first: others have other fields.
        let version = match serde_json::from_slice(&text) {
            Ok(Version { version }) => version,
            Err(error) => return refuse(&path, damaged(error)),
        };
        if version != VERSION {
            return refuse(
                &path,
                format!(
                    "holds scenes of version {version}, this prehend reads {VERSION}: generate them anew"
                ),
            );
        }
        let kind: SceneKind = match serde_json::from_slice(&text) {
            Ok(kind) => kind,
            Err(error) => return refuse(&path, damaged(error)),
        };
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
        let objects = match self.kind.objects.split() {
            Some(own) if own != split => ObjectSource::from(split).describe(),
            _ => self.kind.objects.clone(),
        };
        if let Some(reason) = self.kind.differs_from(&SceneKind::new(objects, jaw)) {
            return refuse(&self.folder.join(KIND_FILE), reason);
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
        if *path != self.path(scene.seed) {
            return refuse(
                path,
                format!("is the scene of seed {}: remove it", scene.seed),
            );
        }
        let mut views = std::iter::once(&scene.picking).chain(&scene.placings);
        if !views.all(is_whole) {
            let reason =
                "is a scene whose labels do not fit its points, or are no numbers: remove it";
            return refuse(path, reason.to_owned());
        }
        Ok(scene)
    }
}

impl SceneWriter {
    /// What is stored so far.
    #[must_use]
    pub fn store(&self) -> &SceneStore {
        &self.store
    }

    /// A file that says that nothing comes to rest in the scene of a seed, which takes as long to find out as
    /// a scene does.
    fn unsettled_path(&self, seed: u64) -> PathBuf {
        self.store.folder.join(format!("scene_{seed:08}.unsettled"))
    }

    /// Whether the scene of a seed is known never to come to rest.
    #[must_use]
    pub fn is_unsettled(&self, seed: u64) -> bool {
        self.unsettled_path(seed).is_file()
    }

    /// Generates and stores the scene of a seed; `false`, and a note of it, if nothing came to rest.
    ///
    /// # Errors
    /// [`TrainError`] if it cannot be written.
    pub fn generate(&self, seed: u64) -> Result<bool, TrainError> {
        let Some(scene) = LabelledScene::new(seed, &self.objects, None, &self.jaw) else {
            write_atomic(&self.unsettled_path(seed), b"")?;
            return Ok(false);
        };
        let stored = StoredScene {
            kind: self.store.kind.clone(),
            seed,
            picking: scene.picking,
            placings: scene
                .placings
                .into_iter()
                .map(|placing| placing.view)
                .collect(),
        };
        let path = self.store.path(seed);
        write_atomic(&path, &seal(&stored, &path)?)?;
        Ok(true)
    }
}

/// Whether all that is said of a view's points fits them.
fn is_whole(view: &TableView) -> bool {
    let n = view.points.len();
    let lengths = [view.normals.len(), view.objects.len(), view.labels.len()];
    let are_numbers = |rows: &[[f32; 3]]| rows.as_flattened().iter().all(|v| v.is_finite());
    let is_number = |grasp: &PointGrasp| {
        let directions = [grasp.closing, grasp.approach];
        are_numbers(&directions) && grasp.width.is_finite()
    };
    lengths == [n; 3]
        && are_numbers(&view.points)
        && are_numbers(&view.normals)
        && view.grasps.is_sorted_by_key(|grasp| grasp.point)
        && view
            .grasps
            .iter()
            .all(|grasp| usize::from(grasp.point) < n && is_number(grasp))
        && view.held.as_ref().is_none_or(|held| {
            let focus = held.focus.unwrap_or_default();
            held.turns.len() == n
                && are_numbers(&held.points)
                && focus.iter().all(|v| v.is_finite())
        })
}

/// How many scenes, their seeds, and a digest of all that they hold: equal for equal data.
pub(super) fn describe(scenes: &[StoredScene]) -> Result<String, TrainError> {
    let digests = scenes.iter().map(fingerprint);
    let digest = fingerprint(&digests.collect::<Result<Vec<_>, _>>()?)?;
    let seeds = || scenes.iter().map(|scene| scene.seed);
    let (first, last) = (seeds().min(), seeds().max());
    Ok(format!(
        "{} scenes, seeds {} to {}, digest {digest:016x}",
        scenes.len(),
        first.unwrap_or_default(),
        last.unwrap_or_default()
    ))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> StoredScene {
        let jaw = prehend_types::config::locate("robots/grippers/franka_hand.toml");
        let jaw = Jaw::load(&jaw.expect("shipped")).expect("sound");
        let objects = ObjectSource::from(Split::Train);
        let scene = LabelledScene::new(0, &objects, None, &jaw).expect("comes to rest");
        let placings = scene.placings.into_iter().map(|placing| placing.view);
        StoredScene {
            kind: SceneKind::new(objects.describe(), &jaw),
            seed: 0,
            picking: scene.picking,
            placings: placings.collect(),
        }
    }

    #[test]
    fn labels_that_do_not_fit_are_found_and_all_that_a_scene_holds_is_in_the_digest() {
        let scene = scene();
        let mut views = std::iter::once(&scene.picking).chain(&scene.placings);
        assert!(views.all(is_whole));
        let digest = |scene: &StoredScene| describe(std::slice::from_ref(scene)).expect("plain");
        assert_eq!(digest(&scene), digest(&scene.clone()));

        type Spoil = (&'static str, fn(&mut TableView));
        let spoils: [Spoil; 5] = [
            ("another order of grasps", |view| view.grasps.reverse()),
            ("no point", |view| view.points[3][1] = f32::NAN),
            ("no normal", |view| view.normals[0][2] = f32::INFINITY),
            ("no width", |view| view.grasps[0].width = f32::NAN),
            ("a label less", |view| view.labels.truncate(1)),
        ];
        for (what, spoil) in spoils {
            let mut other = scene.clone();
            spoil(&mut other.picking);
            assert!(!is_whole(&other.picking), "{what}");
        }
        let mut held = scene.placings[0].clone();
        held.held.as_mut().expect("held").points[0][0] = f32::NAN;
        assert!(!is_whole(&held));

        let mut other = scene.clone();
        other.picking.grasps[0].width += 0.001;
        assert!(is_whole(&other.picking));
        assert_ne!(digest(&scene), digest(&other));
    }
}
