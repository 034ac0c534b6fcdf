//! Reads files that may be hostile: never a pipe, which would be waited for, nor a device, which may never end;
//! and never more than a limit, whatever the file system says of a file's size.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused, or it is no regular file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is longer than what it should hold could be.
    #[error("it has {bytes} bytes or more, at most {limit} make sense")]
    TooLong {
        /// Its size, or what was read of it.
        bytes: u64,
        /// The most that is read.
        limit: u64,
    },
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io(source) => source,
            too_long @ FileError::TooLong { .. } => {
                Self::new(io::ErrorKind::FileTooLarge, too_long)
            }
        }
    }
}

/// Opens a regular file.
///
/// # Errors
/// What the system says, or that it is none.
pub fn open(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    File::open(path)
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// [`FileError`].
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let file = open(path)?;
    let expected = file.metadata()?.len();
    if expected > limit {
        return Err(FileError::TooLong {
            bytes: expected,
            limit,
        });
    }
    // It may be made longer meanwhile.
    let mut content = Vec::with_capacity(expected as usize);
    file.take(limit + 1).read_to_end(&mut content)?;
    let bytes = content.len() as u64;
    if bytes > limit {
        return Err(FileError::TooLong { bytes, limit });
    }
    Ok(content)
}

/// Reads a regular file of at most `limit` bytes of UTF-8.
///
/// # Errors
/// [`FileError`].
pub fn read_text(path: &Path, limit: u64) -> Result<String, FileError> {
    let text = String::from_utf8(read(path, limit)?);
    Ok(text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_or_never_ends_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, b"12345").expect("writes");
        assert_eq!(read(&path, 5).expect("short enough"), b"12345");
        let said = |path: &Path, limit| match read(path, limit) {
            Ok(_) => "read".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(said(&path, 4).contains("5 bytes"), "{}", said(&path, 4));
        for strange in [folder.path(), Path::new("/dev/zero")] {
            assert!(said(strange, 4).contains("not a regular file"));
        }
        // Of these the system says that they are empty.
        assert!(said(Path::new("/proc/self/status"), 4).contains("5 bytes or more"));
    }

    #[test]
    fn text_is_utf_8() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "grün").expect("writes");
        assert_eq!(read_text(&path, 9).expect("text"), "grün");
        std::fs::write(&path, [0xff, b'a']).expect("writes");
        let error = read_text(&path, 9).expect_err("no text");
        assert!(error.to_string().contains("utf-8"), "{error}");
    }
}
