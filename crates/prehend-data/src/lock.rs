//! Turns a folder into one that only this process writes to.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
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
        // What it writes must not go elsewhere: a folder may come from anybody.
        if let Ok(about) = std::fs::symlink_metadata(&path)
            && (!about.is_file() || about.nlink() > 1)
        {
            let reason = "it is a link, or no file: remove it";
            return Err(fail(io::Error::other(reason)));
        }
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

    #[test]
    fn a_lock_that_is_a_link_is_refused_and_leaves_what_it_leads_to() {
        let elsewhere = tempfile::tempdir().expect("temporary folder");
        let precious = elsewhere.path().join("precious");
        std::fs::write(&precious, "precious").expect("writes");
        let links: [fn(&Path, &Path) -> io::Result<()>; 2] = [
            |of, at| std::os::unix::fs::symlink(of, at),
            |of, at| std::fs::hard_link(of, at),
        ];
        for link in links {
            let folder = tempfile::tempdir().expect("temporary folder");
            link(&precious, &folder.path().join(".lock")).expect("links");
            let error = FolderLock::acquire(folder.path()).expect_err("must be refused");
            assert!(error.to_string().contains("it is a link"), "{error}");
            let left = std::fs::read_to_string(&precious).expect("still there");
            assert_eq!(left, "precious");
        }
    }
}
