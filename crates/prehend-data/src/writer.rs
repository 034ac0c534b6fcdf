//! Turns episodes into files of a store, as its one writer.

use std::path::Path;

use prehend_types::config;

use crate::atomic::{remove_unfinished, sync_folder, write_atomic};
use crate::store::{episode_path, episodes_folder, list_seeds, manifest_path};
use crate::{DataError, EpisodeRecord, EpisodeStore, FolderLock, StoreManifest, codec};

/// A store that this process alone writes to. Threads may share it: files do not depend on their order.
#[derive(Debug)]
pub struct StoreWriter {
    lock: FolderLock,
    manifest: StoreManifest,
    stored: Vec<u64>,
}

impl StoreWriter {
    /// Makes a store, or opens one to add to it.
    ///
    /// An existing store must have been collected with the same scene, robot and settings; its range
    /// of seeds is widened to hold the new one. What an interrupted writer left unfinished is removed.
    ///
    /// # Errors
    /// [`DataError::Locked`], [`DataError::OtherOrigin`], or that the folder cannot be read or written.
    pub fn open(folder: &Path, mut manifest: StoreManifest) -> Result<Self, DataError> {
        let episodes = episodes_folder(folder);
        std::fs::create_dir_all(&episodes).map_err(|source| DataError::write(&episodes, source))?;
        let lock = FolderLock::acquire(folder)?;
        remove_unfinished(folder)?;
        remove_unfinished(&episodes)?;
        let path = manifest_path(folder);
        if path.exists() {
            let stored: StoreManifest = config::load(&path)?;
            check_origin(&path, &stored, &manifest)?;
            manifest.seeds = stored.seeds.hull(manifest.seeds);
        }
        let text =
            toml::to_string_pretty(&manifest).map_err(|error| DataError::encode(&path, error))?;
        write_atomic(&path, text.as_bytes())?;
        sync_folder(folder)?;
        let stored = list_seeds(&episodes)?;
        Ok(Self {
            lock,
            manifest,
            stored,
        })
    }

    /// Whether this seed's episode was there when the store was opened.
    #[must_use]
    pub fn contains(&self, seed: u64) -> bool {
        self.stored.binary_search(&seed).is_ok()
    }

    /// What the store is collected with.
    #[must_use]
    pub fn manifest(&self) -> &StoreManifest {
        &self.manifest
    }

    /// Writes one episode; when this returns, it survives a power cut.
    ///
    /// # Errors
    /// [`DataError::DiskFull`] or [`DataError::Write`] (nothing of this episode is left, all others
    /// are), [`DataError::Value`] if the episode holds what could not be read back.
    pub fn write(&self, episode: &EpisodeRecord) -> Result<(), DataError> {
        let path = episode_path(self.lock.folder(), episode.seed);
        write_atomic(&path, &codec::encode(episode, &path)?)
    }

    /// The store as it is now, for reading.
    ///
    /// # Errors
    /// As [`EpisodeStore::open`].
    pub fn reader(&self) -> Result<EpisodeStore, DataError> {
        EpisodeStore::open(self.lock.folder())
    }
}

fn check_origin(
    path: &Path,
    stored: &StoreManifest,
    given: &StoreManifest,
) -> Result<(), DataError> {
    let rows = [
        ("scene", stored.scene.clone(), given.scene.clone()),
        (
            "scene_hash",
            format!("{:016x}", stored.scene_hash),
            format!("{:016x}", given.scene_hash),
        ),
        ("robot", stored.robot.clone(), given.robot.clone()),
        (
            "config",
            stored.config.to_string(),
            given.config.to_string(),
        ),
    ];
    for (field, stored, given) in rows {
        if stored != given {
            return Err(DataError::OtherOrigin {
                path: path.to_owned(),
                field,
                stored,
                given,
            });
        }
    }
    Ok(())
}
