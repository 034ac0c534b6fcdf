//! Reading files of users: never more than a limit, never a pipe or device.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::RobotError;

/// Reads at most `limit` bytes.
pub(crate) fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, RobotError> {
    let refuse = |source| RobotError::Read {
        path: path.to_owned(),
        source,
    };
    let too_large = |bytes| RobotError::TooLarge {
        path: path.to_owned(),
        bytes,
        limit,
    };
    let metadata = std::fs::metadata(path).map_err(refuse)?;
    if !metadata.is_file() {
        // Opening a pipe waits for a writer; a device may never end.
        return Err(refuse(std::io::Error::other("it is not a regular file")));
    }
    if metadata.len() > limit {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(refuse)?
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(refuse)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
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
