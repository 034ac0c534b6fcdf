//! Appends records to a file, a frame at a time.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::frame::{self, Kind, MAGIC, VERSION};
use crate::DataError;

/// A recording that is being made.
#[derive(Debug)]
pub struct RecordingWriter {
    path: PathBuf,
    file: File,
    /// Records that are not in the file yet.
    pending: Vec<u8>,
    frames: u64,
    bytes: u64,
}

impl RecordingWriter {
    /// Makes a new file that begins with `header`.
    ///
    /// # Errors
    /// [`DataError::Write`], also if there is a file already; [`DataError::DiskFull`].
    pub fn create(path: &Path, header: &str) -> Result<Self, DataError> {
        let fail = |source| DataError::write(path, source);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(fail)?;
        let start = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
        file.write_all(&start).map_err(fail)?;
        let mut this = Self {
            path: path.to_owned(),
            file,
            pending: Vec::new(),
            frames: 0,
            bytes: start.len() as u64,
        };
        this.write(Kind::Header, header.as_bytes())?;
        Ok(this)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes in the file so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a record, in memory.
    ///
    /// # Errors
    /// [`DataError::Encode`] for types that postcard cannot write.
    pub fn push(&mut self, record: &impl Serialize) -> Result<(), DataError> {
        let pending = std::mem::take(&mut self.pending);
        self.pending = postcard::to_extend(record, pending)
            .map_err(|error| DataError::encode(&self.path, error))?;
        Ok(())
    }

    /// Hands what was pushed to the system as one frame: from then on a kill does not take it away.
    ///
    /// # Errors
    /// [`DataError::DiskFull`], [`DataError::Write`].
    pub fn flush(&mut self) -> Result<(), DataError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let body = std::mem::take(&mut self.pending);
        let written = self.write(Kind::Records, &body);
        self.pending = body;
        self.pending.clear();
        written
    }

    /// Ends it, on the disk; `cut_short` says why if the records end before what they are records of.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn finish(mut self, cut_short: Option<&str>) -> Result<u64, DataError> {
        self.flush()?;
        self.write(Kind::End, cut_short.unwrap_or_default().as_bytes())?;
        let synced = self.file.sync_all();
        synced.map_err(|source| DataError::write(&self.path, source))?;
        Ok(self.bytes)
    }

    fn write(&mut self, kind: Kind, body: &[u8]) -> Result<(), DataError> {
        let bytes = frame::encode(kind, self.frames, body).ok_or_else(|| {
            DataError::encode(&self.path, format!("{} bytes in one frame", body.len()))
        })?;
        let written = self.file.write_all(&bytes);
        written.map_err(|source| DataError::write(&self.path, source))?;
        self.frames += 1;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}
