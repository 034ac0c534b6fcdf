//! Turns a folder into one that only this process writes to.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::DataError;

/// The right to write to a folder, held until it is dropped or the process dies, however it dies.
#[derive(Debug)]
pub struct FolderLock {
    folder: PathBuf,
    // The operating system frees the lock when this is closed.
    _file: File,
}

impl FolderLock {
    /// Takes the folder's lock without waiting.
    ///
    /// # Errors
    /// [`DataError::Locked`] while another process holds it, [`DataError::Write`] if the lock file
    /// cannot be made.
    pub fn acquire(folder: &Path) -> Result<Self, DataError> {
        let path = folder.join(".lock");
        let fail = |source| DataError::write(&path, source);
        // Not truncated before it is ours: it says who holds the lock.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(DataError::Locked {
                    path: folder.to_owned(),
                    holder: holder(&file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
        // The process id only helps people; a full disk must not keep the lock from being taken.
        let _ = file.set_len(0);
        let _ = write!(file, "{}", std::process::id());
        Ok(Self {
            folder: folder.to_owned(),
            _file: file,
        })
    }

    /// The folder that is held.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

fn holder(file: &File) -> String {
    let mut text = String::new();
    match file.take(20).read_to_string(&mut text) {
        Ok(_) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
            format!(" (process {text})")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_refused_until_the_first_ends() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let first = FolderLock::acquire(folder.path()).expect("free");
        let error = FolderLock::acquire(folder.path()).expect_err("must be refused");
        let shown = error.to_string();
        assert!(shown.contains(&std::process::id().to_string()), "{shown}");
        assert!(shown.contains("choose another folder"), "{shown}");
        drop(first);
        FolderLock::acquire(folder.path()).expect("free again");
    }
}
