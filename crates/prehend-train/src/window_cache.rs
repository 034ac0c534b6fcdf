//! Keeps the windows of a store in a file beside its episodes, so that the next run need not rebuild
//! their clouds. Whatever does not fit is rebuilt: the file may be deleted at any time.

use std::path::PathBuf;

use prehend_data::{DataError, EpisodeStore, fingerprint, write_atomic};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::checkpoint::{read_sealed, seal};
use crate::dataset::{StepChoice, WindowOptions};
use crate::windows::Window;

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
    pub fn new(store: &EpisodeStore, options: &WindowOptions) -> Result<Self, DataError> {
        let WindowOptions {
            n_points,
            chunk,
            stride,
            choice,
            validation_share,
            ..
        } = *options;
        let shape = (n_points, chunk, stride, choice, validation_share.to_bits());
        Ok(Self {
            path: store
                .folder()
                .join(format!("windows_{}.cache", name(options.choice))),
            key: fingerprint(&(store.manifest(), store.seeds(), shape))?,
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
        let last = episodes.len().saturating_sub(1);
        let samples = [0, last / 2, last];
        let is_known = content.key == self.key && !episodes.is_empty();
        if is_known && holds(samples.map(|i| &episodes[i]), rebuild)? {
            return Ok(Some(episodes));
        }
        Ok(None)
    }

    /// Keeps windows for the next run. A full disk costs time then, nothing now.
    pub fn save(&self, episodes: Vec<EpisodeWindows>) -> Vec<EpisodeWindows> {
        let content = Content {
            key: self.key,
            episodes,
        };
        let kept =
            seal(&content, &self.path).and_then(|bytes| Ok(write_atomic(&self.path, &bytes)?));
        if let Err(error) = kept {
            tracing::warn!("{error}: the next run rebuilds the clouds");
        }
        content.episodes
    }
}

fn name(choice: StepChoice) -> &'static str {
    match choice {
        StepChoice::Expert => "expert",
        StepChoice::Seen => "seen",
    }
}

fn holds(
    samples: [&EpisodeWindows; 3],
    rebuild: impl Fn(u64) -> Result<Vec<Window>, TrainError>,
) -> Result<bool, TrainError> {
    for (seed, windows) in samples {
        if rebuild(*seed)? != *windows {
            return Ok(false);
        }
    }
    Ok(true)
}
