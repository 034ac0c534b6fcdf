//! Turns a folder of episode files into episodes.
//!
//! ```text
//! <store>/store.toml                   what the episodes were collected with
//! <store>/episodes/00000042.episode    one file per episode, named by its seed
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use prehend_types::{config, files};
use serde::{Deserialize, Serialize};

use crate::codec::{self, HEADER_BYTES, MAX_BODY_BYTES};
use crate::{DataError, EpisodeRecord};

/// What a store's episodes were collected with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreManifest {
    /// Name of the scene.
    pub scene: String,
    /// Hash of the scene's file.
    #[serde(with = "hex")]
    pub scene_hash: u64,
    /// Fingerprint of the robot's description.
    pub robot: String,
    /// The seeds asked for so far; which of them are there, the folder says.
    pub seeds: SeedRange,
    /// The collector's settings, as it wrote them.
    pub config: toml::Table,
}

/// A range of consecutive seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedRange {
    /// The first one, at most `i64::MAX` (TOML has no larger whole numbers).
    pub first: u64,
    /// How many.
    pub count: u64,
}

impl SeedRange {
    /// The smallest range that holds both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        let first = self.first.min(other.first);
        let end = |range: Self| range.first.saturating_add(range.count);
        Self {
            first,
            count: end(self).max(end(other)) - first,
        }
    }
}

/// What [`EpisodeStore::validate`] found in a store whose every file is whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct StoreSummary {
    /// Episodes.
    pub episodes: u64,
    /// Episodes that did the task.
    pub successes: u64,
    /// Control steps of all episodes.
    pub steps: u64,
    /// How often each class of failure occurred.
    pub failures: BTreeMap<String, u64>,
}

/// A folder of episodes, open for reading. Its list of seeds is that of the moment it was opened.
#[derive(Debug, Clone)]
pub struct EpisodeStore {
    folder: PathBuf,
    manifest: StoreManifest,
    seeds: Vec<u64>,
}

impl EpisodeStore {
    /// Opens a store and lists its episodes, without reading them.
    ///
    /// # Errors
    /// [`DataError::Manifest`] or [`DataError::Read`] if this is not a store.
    pub fn open(folder: &Path) -> Result<Self, DataError> {
        let manifest: StoreManifest = config::load(&manifest_path(folder))?;
        let seeds = list_seeds(&episodes_folder(folder))?;
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
            seeds,
        })
    }

    /// The store's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the episodes were collected with.
    #[must_use]
    pub fn manifest(&self) -> &StoreManifest {
        &self.manifest
    }

    /// Seeds of the stored episodes, ascending.
    #[must_use]
    pub fn seeds(&self) -> &[u64] {
        &self.seeds
    }

    /// The file of a seed's episode, whether or not it exists.
    #[must_use]
    pub fn episode_path(&self, seed: u64) -> PathBuf {
        episode_path(&self.folder, seed)
    }

    /// A digest of the manifest and of every episode's checksum: another one means other episodes.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn digest(&self) -> Result<u64, DataError> {
        let headers = self
            .seeds
            .iter()
            .map(|&seed| {
                let path = self.episode_path(seed);
                let mut header = [0; HEADER_BYTES];
                File::open(&path)
                    .and_then(|mut file| file.read_exact(&mut header))
                    .map_err(|source| DataError::read(&path, source))?;
                Ok((seed, header))
            })
            .collect::<Result<Vec<_>, DataError>>()?;
        codec::fingerprint(&(&self.manifest, headers))
    }

    /// Reads one episode and checks that it belongs here.
    ///
    /// # Errors
    /// Any [`DataError`] about its file, which is named.
    pub fn read(&self, seed: u64) -> Result<EpisodeRecord, DataError> {
        let path = self.episode_path(seed);
        let bytes = files::read(&path, MAX_BODY_BYTES + 64);
        let bytes = bytes.map_err(|error| DataError::read(&path, error))?;
        let episode = codec::decode(&bytes, &path)?;
        let wrong = |field: &str, message: String| {
            Err(DataError::Value {
                path: path.clone(),
                field: field.to_owned(),
                message,
            })
        };
        if episode.seed != seed {
            return wrong(
                "seed",
                format!("{}, the file's name says {seed}", episode.seed),
            );
        }
        if episode.scene_hash != self.manifest.scene_hash {
            return wrong("scene_hash", "not that of store.toml".to_owned());
        }
        if episode.robot != self.manifest.robot {
            return wrong(
                "robot",
                format!("{:?}, not that of store.toml", episode.robot),
            );
        }
        Ok(episode)
    }

    /// Reads all episodes in order of their seeds.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Result<EpisodeRecord, DataError>> + '_ {
        self.seeds.iter().map(|&seed| self.read(seed))
    }

    /// Reads and checks every file.
    ///
    /// # Errors
    /// The first file that is damaged or does not belong here.
    pub fn validate(&self) -> Result<StoreSummary, DataError> {
        let mut summary = StoreSummary::default();
        for episode in self.iter() {
            let episode = episode?;
            summary.episodes += 1;
            summary.successes += u64::from(episode.success);
            summary.steps += episode.steps.len() as u64;
            if let Some(class) = episode.failure {
                *summary.failures.entry(class).or_default() += 1;
            }
        }
        Ok(summary)
    }
}

pub(crate) fn manifest_path(folder: &Path) -> PathBuf {
    folder.join("store.toml")
}

pub(crate) fn episodes_folder(folder: &Path) -> PathBuf {
    folder.join("episodes")
}

pub(crate) fn episode_path(folder: &Path, seed: u64) -> PathBuf {
    episodes_folder(folder).join(format!("{seed:08}.episode"))
}

/// Seeds of all episode files in a folder, ascending; other files are left alone.
pub(crate) fn list_seeds(folder: &Path) -> Result<Vec<u64>, DataError> {
    let fail = |source| DataError::read(folder, source);
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let name = entry.map_err(fail)?.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".episode")) else {
            continue;
        };
        match name.parse::<u64>() {
            // One spelling per seed: `7.episode` and `00000007.episode` must not both count.
            Ok(seed) if format!("{seed:08}") == name => seeds.push(seed),
            _ => {
                return Err(DataError::NotAnEpisode {
                    path: folder.join(format!("{name}.episode")),
                    reason: "its name is not a seed".to_owned(),
                });
            }
        }
    }
    seeds.sort_unstable();
    Ok(seeds)
}

/// A u64 as text: TOML's whole numbers end at `i64::MAX`.
mod hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{value:016x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16)
            .map_err(|_| D::Error::custom(format!("{text:?} is not a hexadecimal number")))
    }
}
