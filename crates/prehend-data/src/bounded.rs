//! Reads files that may be hostile.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::DataError;

/// Reads a regular file of at most `limit` bytes, whatever the file system says of its size: it may be made longer
/// meanwhile.
///
/// # Errors
/// [`DataError::Read`], also for what is longer, and for what is no regular file: a pipe would be waited for, a
/// device may never end.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    let fail = |source| DataError::read(path, source);
    let about = std::fs::metadata(path).map_err(fail)?;
    if !about.is_file() {
        return Err(fail(io::Error::other("it is not a regular file")));
    }
    let too_long = |n: u64| {
        let reason = format!("it has {n} bytes, at most {limit} make sense");
        fail(io::Error::other(reason))
    };
    if about.len() > limit {
        return Err(too_long(about.len()));
    }
    let mut bytes = Vec::with_capacity(about.len() as usize);
    let file = File::open(path).map_err(fail)?;
    let read = file.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(fail)?;
    let n = bytes.len() as u64;
    if n > limit {
        return Err(too_long(n));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_or_never_ends_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, b"12345").expect("writes");
        assert_eq!(read_bounded(&path, 5).expect("short enough"), b"12345");
        let said = |path: &Path, limit| match read_bounded(path, limit) {
            Ok(_) => "read".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(said(&path, 4).contains("5 bytes"), "{}", said(&path, 4));
        for strange in [folder.path(), Path::new("/dev/zero")] {
            assert!(said(strange, 4).contains("not a regular file"));
        }
    }
}
