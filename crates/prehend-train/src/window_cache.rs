//! Keeps the windows of a store in a file beside its episodes, so that the next run need not rebuild
//! their clouds. Whatever does not fit is rebuilt: the file may be deleted at any time.

use std::path::PathBuf;

use prehend_data::{DataError, EpisodeStore, fingerprint, write_atomic};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::checkpoint::{read_sealed, seal};
use crate::dataset::WindowOptions;
use crate::windows::Window;

/// Kept episodes that are rebuilt to see whether the others can be believed.
const N_SAMPLES: usize = 16;

/// Windows of one episode.
pub(crate) type EpisodeWindows = (u64, Vec<Window>);

/// Where the windows of a store are kept, and what they must have been made from.
pub(crate) struct WindowCache {
    path: PathBuf,
    key: u64,
}

#[derive(Serialize, Deserialize)]
struct Content {
    key: u64,
    episodes: Vec<EpisodeWindows>,
}

impl WindowCache {
    /// `digest` is the store's own.
    pub fn new(
        store: &EpisodeStore,
        digest: u64,
        options: &WindowOptions,
    ) -> Result<Self, DataError> {
        let WindowOptions {
            n_points,
            chunk,
            stride,
            choice,
            validation_share,
            ..
        } = *options;
        let folder = store.folder().join("cache");
        let content = (digest, env!("CARGO_PKG_VERSION"));
        let shape = (n_points, chunk, stride, choice, validation_share.to_bits());
        Ok(Self {
            path: folder.join(format!("{}.windows", choice.name())),
            key: fingerprint(&(content, shape))?,
        })
    }

    /// The kept windows, if they are of these episodes and options. That they are also what the camera
    /// would see today, `rebuild` must show on a few episodes.
    pub fn load(
        &self,
        rebuild: impl Fn(u64) -> Result<Vec<Window>, TrainError>,
    ) -> Result<Option<Vec<EpisodeWindows>>, TrainError> {
        if !self.path.exists() {
            return Ok(None);
        }
        let content: Content = match read_sealed(&self.path) {
            Ok(content) => content,
            Err(error) => {
                tracing::warn!("{error}: the clouds are rebuilt");
                return Ok(None);
            }
        };
        let episodes = content.episodes;
        if content.key != self.key {
            return Ok(None);
        }
        let full: Vec<&EpisodeWindows> = episodes.iter().filter(|e| !e.1.is_empty()).collect();
        for (seed, windows) in full.iter().step_by(full.len().div_ceil(N_SAMPLES).max(1)) {
            if rebuild(*seed)? != *windows {
                return Ok(None);
            }
        }
        Ok(Some(episodes))
    }

    /// Keeps windows for the next run. A full disk costs time then, nothing now.
    pub fn save(&self, episodes: Vec<EpisodeWindows>) -> Vec<EpisodeWindows> {
        let content = Content {
            key: self.key,
            episodes,
        };
        let kept = seal(&content, &self.path).and_then(|bytes| {
            if let Some(folder) = self.path.parent() {
                std::fs::create_dir_all(folder).map_err(|error| DataError::write(folder, error))?;
            }
            Ok(write_atomic(&self.path, &bytes)?)
        });
        if let Err(error) = kept {
            tracing::warn!("{error}: the next run rebuilds the clouds");
        }
        content.episodes
    }
}
