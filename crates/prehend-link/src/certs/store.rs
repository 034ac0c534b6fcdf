//! Files that appear whole or not at all, readable by their owner alone.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use super::CertsError;

/// Far above what a certificate or a key takes.
const MAX_BYTES: u64 = 64 << 10;

/// Writes a file of mode 0600, and another one in its place only if told to.
pub(super) fn write(path: &Path, content: &str, replace: bool) -> Result<(), CertsError> {
    let failed = |source| CertsError::Write {
        path: path.to_owned(),
        source,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    // Made with mode 0600 by the library.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(content.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    let put = if replace {
        file.persist(path)
    } else {
        file.persist_noclobber(path)
    };
    put.map(|_| ()).map_err(|error| match error.error.kind() {
        ErrorKind::AlreadyExists => CertsError::Exists {
            path: path.to_owned(),
        },
        _ => failed(error.error),
    })
}

/// Reads a small text file.
pub(super) fn read(path: &Path) -> Result<String, CertsError> {
    let failed = |source| CertsError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(failed)?;
    let bytes = file
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if bytes as u64 > MAX_BYTES {
        return Err(CertsError::Content {
            path: path.to_owned(),
            message: format!("more than {MAX_BYTES} bytes, which is no certificate"),
        });
    }
    Ok(text)
}
