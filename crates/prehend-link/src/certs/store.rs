//! Files that appear whole or not at all, readable by their owner alone.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use prehend_types::files::{self, FileError};
use tempfile::NamedTempFile;

use super::CertsError;

/// Far above what a certificate or a key takes.
const MAX_BYTES: u64 = 64 << 10;

/// A file of mode 0600 that is whole on the disk, and not yet where it is meant to be.
pub(super) struct Staged {
    file: NamedTempFile,
    path: PathBuf,
}

/// Writes a file beside `path`.
pub(super) fn stage(path: PathBuf, content: &str) -> Result<Staged, CertsError> {
    let failed = |source| CertsError::Write {
        path: path.clone(),
        source,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    // Made with mode 0600 by the library.
    let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(content.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    Ok(Staged { file, path })
}

impl Staged {
    /// Puts it where it is meant to be, in the place of another one only if told to.
    pub fn put(self, replace: bool) -> Result<PathBuf, CertsError> {
        let Self { file, path } = self;
        let put = if replace {
            file.persist(&path)
        } else {
            file.persist_noclobber(&path)
        };
        match put {
            Ok(_) => Ok(path),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                Err(CertsError::Exists { path })
            }
            Err(error) => Err(CertsError::Write {
                path,
                source: error.error,
            }),
        }
    }
}

/// Reads a small text file.
pub(super) fn read(path: &Path) -> Result<String, CertsError> {
    files::read_text(path, MAX_BYTES).map_err(|error| match error {
        FileError::Io(source) => CertsError::Read {
            path: path.to_owned(),
            source,
        },
        FileError::TooLong { limit, .. } => CertsError::Content {
            path: path.to_owned(),
            message: format!("more than {limit} bytes, which is no certificate"),
        },
    })
}
