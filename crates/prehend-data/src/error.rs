//! What can go wrong with a folder of episodes or a run folder; always names the file.

use std::io;
use std::path::{Path, PathBuf};

use prehend_types::config::ConfigError;

/// Why a file or folder of data was refused, or could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The system refused to read.
    #[error("cannot read {path:?}: {source}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused to write, for another reason than a full disk.
    #[error("cannot write {path:?}: {source}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No space is left, or a quota or size limit is reached. Nothing half-written stays behind.
    #[error(
        "no space left while writing {path:?} ({source}); every file completed before it is kept: \
         free some space and run the same command again"
    )]
    DiskFull {
        /// The file that did not fit.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process writes to this folder.
    #[error(
        "{path:?} is being written by another process{holder}; \
         wait until it ends or choose another folder"
    )]
    Locked {
        /// The folder.
        path: PathBuf,
        /// Who holds it, if that is known: starts with a space or is empty.
        holder: String,
    },
    /// The file is not an episode at all.
    #[error("{path:?} is not an episode file: {reason}")]
    NotAnEpisode {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The file was an episode, but bytes are missing or changed.
    #[error("{path:?} is damaged: {reason}; delete it and collect its seed again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The file is not a recording, or one of another version.
    #[error("{path:?} is not a recording: {reason}")]
    NotARecording {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The file is a recording whose beginning is damaged: nothing of it can be read.
    #[error("{path:?} is damaged from its beginning on: {reason}; nothing of it can be read")]
    BrokenRecording {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The bytes are whole, but a value makes no sense.
    #[error("{path:?}: field `{field}`: {message}")]
    Value {
        /// The file.
        path: PathBuf,
        /// Dotted name of the field.
        field: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The folder holds episodes that were collected with something else.
    #[error(
        "{path:?} was collected with {field} = {stored}, now it is {given}; \
         give another folder, or the settings it was collected with"
    )]
    OtherOrigin {
        /// The store's manifest.
        path: PathBuf,
        /// What differs.
        field: &'static str,
        /// Its value in the manifest.
        stored: String,
        /// Its value now.
        given: String,
    },
    /// The manifest could not be read.
    #[error(transparent)]
    Manifest(#[from] ConfigError),
    /// A value has no fingerprint; a mistake in the program, not in an input.
    #[error("cannot form a fingerprint: {reason}")]
    Fingerprint {
        /// What the encoder said.
        reason: String,
    },
    /// A value could not be turned into a file's text; a mistake in the program, not in an input.
    #[error("cannot write {path:?}: {reason}")]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the encoder said.
        reason: String,
    },
}

impl DataError {
    /// A file that could not be read.
    #[must_use]
    pub fn read(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Read {
            path: path.to_owned(),
            source: source.into(),
        }
    }

    /// A file that could not be written: a full disk is told apart.
    #[must_use]
    pub fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::DiskFull { path, source },
            _ => Self::Write { path, source },
        }
    }

    /// What a file should hold has no form there.
    #[must_use]
    pub fn encode(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Encode {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}
