//! Reading files of users, with errors that say what a robot's files should be.

use std::path::Path;

use prehend_types::files::{self, FileError};

use crate::RobotError;

/// Reads at most `limit` bytes.
pub(crate) fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, RobotError> {
    files::read(path, limit).map_err(|error| match error {
        FileError::Io(source) => RobotError::Read {
            path: path.to_owned(),
            source,
        },
        FileError::TooLong { bytes, limit } => RobotError::TooLarge {
            path: path.to_owned(),
            bytes,
            limit,
        },
    })
}

/// Reads UTF-8 text of at most `limit` bytes; a byte order mark is skipped.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String, RobotError> {
    let bytes = read_bytes(path, limit)?;
    let refuse = |line: u32, message: &str| {
        Err(RobotError::Xml {
            path: path.to_owned(),
            line,
            message: message.to_owned(),
        })
    };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return refuse(1, "the file is UTF-16; save it as UTF-8");
    }
    let line_of =
        |end: usize| 1 + bytes[..end].iter().filter(|byte| **byte == b'\n').count() as u32;
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return refuse(line_of(at), "a NUL byte; save the file as UTF-8 text");
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned()),
        Err(error) => refuse(
            line_of(error.valid_up_to()),
            "a byte that is not UTF-8; save the file as UTF-8",
        ),
    }
}
