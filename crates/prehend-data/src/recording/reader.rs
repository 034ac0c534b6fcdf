//! Reads records for as long as they are whole.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::frame::{HEAD_BYTES, Head, Kind, MAGIC, VERSION};
use crate::DataError;

/// A recording that is being read: an iterator over its records, which ends at the first damage.
/// [`Self::loss`] then says what is missing.
#[derive(Debug)]
pub struct RecordingReader<T> {
    path: PathBuf,
    file: BufReader<File>,
    header: String,
    frames: u64,
    /// The frame that is being read, and how far its records were taken. They are made one at a time: as
    /// objects they may be a thousand times as large as their bytes.
    body: Vec<u8>,
    taken: usize,
    is_over: bool,
    loss: Option<String>,
    records: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> RecordingReader<T> {
    /// Opens a recording and reads its header.
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::NotARecording`], or [`DataError::BrokenRecording`] if not even
    /// the header is whole.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let fail = |source| DataError::read(path, source);
        let foreign = |reason: String| DataError::NotARecording {
            path: path.to_owned(),
            reason,
        };
        let mut file = BufReader::new(File::open(path).map_err(fail)?);
        let (mut magic, mut version) = ([0; 8], [0; 4]);
        let read = file.read_exact(&mut magic);
        let read = read.and_then(|()| file.read_exact(&mut version));
        match read {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(foreign("it ends inside the first twelve bytes".to_owned()));
            }
            Err(error) => return Err(fail(error)),
            Ok(()) if magic != *MAGIC => {
                return Err(foreign("it does not start with the mark of one".to_owned()));
            }
            Ok(()) => {}
        }
        let version = u32::from_le_bytes(version);
        if version != VERSION {
            return Err(foreign(format!(
                "version {version}, this program reads version {VERSION}"
            )));
        }
        let mut this = Self {
            path: path.to_owned(),
            file,
            header: String::new(),
            frames: 0,
            body: Vec::new(),
            taken: 0,
            is_over: false,
            loss: None,
            records: PhantomData,
        };
        let broken = |reason| DataError::BrokenRecording {
            path: path.to_owned(),
            reason,
        };
        this.header = match this.frame() {
            Ok(Some((Kind::Header, body))) => String::from_utf8(body)
                .map_err(|_| broken("its header is not in UTF-8".to_owned()))?,
            Ok(_) => return Err(broken("it does not begin with a header".to_owned())),
            Err(reason) => return Err(broken(reason)),
        };
        Ok(this)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was written in front of the records.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }

    /// What is missing after the last record, if anything is. Known once the records are over.
    #[must_use]
    pub fn loss(&self) -> Option<&str> {
        self.loss.as_deref()
    }

    /// The next frame, or `None` where the file ends between two.
    fn frame(&mut self) -> Result<Option<(Kind, Vec<u8>)>, String> {
        let mut bytes = Vec::new();
        self.take(HEAD_BYTES, &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let Ok(head) = <[u8; HEAD_BYTES]>::try_from(&bytes[..]) else {
            return Err("it ends inside a frame".to_owned());
        };
        let head = Head::new(head);
        let n_stored = head.stored()?;
        bytes.clear();
        self.take(n_stored, &mut bytes)?;
        if bytes.len() < n_stored {
            return Err("it ends inside a frame".to_owned());
        }
        let frame = head.decode(self.frames, &bytes)?;
        self.frames += 1;
        Ok(Some(frame))
    }

    /// At most `n` bytes; memory grows with what is really there.
    fn take(&mut self, n: usize, into: &mut Vec<u8>) -> Result<(), String> {
        let read = self.file.by_ref().take(n as u64).read_to_end(into);
        read.map(drop).map_err(|error| error.to_string())
    }

    /// The next record, or `None` after the last.
    fn record(&mut self) -> Result<Option<T>, String> {
        while self.taken == self.body.len() {
            match self.frame()? {
                None => {
                    return Err(
                        "it ends without saying so: the one who wrote it was killed, or the file \
                                was cut"
                            .to_owned(),
                    );
                }
                Some((Kind::Records, body)) => (self.body, self.taken) = (body, 0),
                Some((Kind::End, body)) if body.is_empty() => return Ok(None),
                Some((Kind::End, body)) => return Err(String::from_utf8_lossy(&body).into_owned()),
                Some((Kind::Header, _)) => return Err("a second header".to_owned()),
            }
        }
        let rest = &self.body[self.taken..];
        let (record, after) = postcard::take_from_bytes(rest)
            .map_err(|error| format!("a record cannot be parsed: {error}"))?;
        if after.len() == rest.len() {
            return Err("a record without a byte".to_owned());
        }
        self.taken = self.body.len() - after.len();
        Ok(Some(record))
    }
}

impl<T: DeserializeOwned> Iterator for RecordingReader<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.is_over {
            return None;
        }
        let record = self.record();
        self.is_over = !matches!(record, Ok(Some(_)));
        record.unwrap_or_else(|reason| {
            self.loss = Some(reason);
            None
        })
    }
}
