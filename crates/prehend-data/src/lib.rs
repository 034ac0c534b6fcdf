//! Turns episodes and reports into durable files, and back.
//!
//! An [`EpisodeStore`] is a folder of recorded episodes, a [`RunDir`] is the folder that one run of a
//! program leaves behind. Every file appears whole or not at all ([`write_atomic`]), but for one that grows while
//! something runs ([`RecordingWriter`]), whose whole part is kept; a folder has one writer at a time, and whatever
//! is read back is checked before it is believed.
//!
//! This crate must not know control, simulation or networks: a world's state is a row of numbers here.

#![forbid(unsafe_code)]

mod atomic;
mod codec;
mod episode;
mod error;
mod lock;
mod recording;
mod run_dir;
mod store;
mod writer;

pub use atomic::{remove_unfinished, write_atomic};
pub use codec::{decode, encode, fingerprint};
pub use episode::{EpisodeRecord, StepRecord};
pub use error::DataError;
pub use lock::FolderLock;
pub use recording::{RecordingReader, RecordingWriter};
pub use run_dir::RunDir;
pub use store::{EpisodeStore, SeedRange, StoreManifest, StoreSummary};
pub use writer::StoreWriter;
