//! Turns one run of a program into a folder that says what happened.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{DataError, FolderLock, write_atomic};

/// The folder of one run, `<root>/<UTC time>-<name>/`, written by this process alone.
#[derive(Debug)]
pub struct RunDir {
    lock: FolderLock,
}

impl RunDir {
    /// Makes a new folder under `root`, named by the time and what is run, and takes its lock.
    ///
    /// # Errors
    /// [`DataError::Write`] or [`DataError::DiskFull`] naming the folder.
    pub fn create(root: &Path, name: &str) -> Result<Self, DataError> {
        std::fs::create_dir_all(root).map_err(|source| DataError::write(root, source))?;
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let stem = format!("{time}-{}", sanitise(name));
        // Two runs may start within one second: the second one gets a number.
        for attempt in 1..=100 {
            let path = match attempt {
                1 => root.join(&stem),
                _ => root.join(format!("{stem}-{attempt}")),
            };
            match std::fs::create_dir(&path) {
                Ok(()) => return Self::open(&path),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(DataError::write(&path, source)),
            }
        }
        let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        Err(DataError::write(&root.join(stem), source))
    }

    /// Takes an existing run folder, to go on where an earlier run stopped.
    ///
    /// # Errors
    /// [`DataError::Locked`] while another process writes to it, [`DataError::Read`] if it is not there.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        std::fs::read_dir(path).map_err(|source| DataError::read(path, source))?;
        Ok(Self {
            lock: FolderLock::acquire(path)?,
        })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.lock.folder()
    }

    /// Where the run's log is.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.path().join("run.log")
    }

    /// The run's log, `run.log`, open for appending.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn log_file(&self) -> Result<File, DataError> {
        let path = self.log_path();
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|source| DataError::write(&path, source))
    }

    /// Writes `summary.json`, whole or not at all, and returns where.
    ///
    /// # Errors
    /// [`DataError::DiskFull`], [`DataError::Write`], or [`DataError::Encode`] if `summary` has no JSON form.
    pub fn write_summary(&self, summary: &impl Serialize) -> Result<PathBuf, DataError> {
        let path = self.path().join("summary.json");
        let mut text =
            serde_json::to_vec_pretty(summary).map_err(|error| DataError::encode(&path, error))?;
        text.push(b'\n');
        write_atomic(&path, &text)?;
        Ok(path)
    }
}

/// Letters, digits, `_` and `-` of a name; the rest could leave the folder or surprise a shell.
fn sanitise(name: &str) -> String {
    let keep = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        }
    };
    name.chars().take(64).map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_second_do_not_collide() {
        let root = tempfile::tempdir().expect("temporary folder");
        let first = RunDir::create(root.path(), "demo").expect("makes a folder");
        let second = RunDir::create(root.path(), "demo").expect("makes another");
        assert_ne!(first.path(), second.path());
    }

    #[test]
    fn a_run_folder_has_one_writer() {
        let root = tempfile::tempdir().expect("temporary folder");
        let run = RunDir::create(root.path(), "train flow").expect("makes a folder");
        assert!(run.path().to_string_lossy().ends_with("Z-train-flow"));
        let error = RunDir::open(run.path()).expect_err("must be refused");
        assert!(matches!(error, DataError::Locked { .. }), "{error}");
    }

    #[test]
    fn a_name_cannot_leave_the_root() {
        let root = tempfile::tempdir().expect("temporary folder");
        let run = RunDir::create(root.path(), "../../x").expect("makes a folder");
        assert_eq!(run.path().parent(), Some(root.path()));
    }

    #[test]
    fn the_summary_is_json() {
        let root = tempfile::tempdir().expect("temporary folder");
        let run = RunDir::create(root.path(), "demo").expect("makes a folder");
        let path = run.write_summary(&[1, 2]).expect("writes");
        assert_eq!(
            std::fs::read_to_string(path).expect("reads"),
            "[\n  1,\n  2\n]\n"
        );
    }
}
