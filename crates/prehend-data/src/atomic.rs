//! Turns bytes into a file that is either whole or not there.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use tempfile::Builder;

use crate::DataError;

/// Unfinished files start with this, and only with this.
pub(crate) const UNFINISHED_PREFIX: &str = ".unfinished-";

/// Writes a file so that a reader, a crash or a power cut sees the old content or the new, never a
/// part: a temporary file in the same folder is written, flushed to the disk and renamed, then the
/// folder itself is flushed. A device or a pipe that stands there is written to, not replaced.
///
/// # Errors
/// [`DataError::DiskFull`] or [`DataError::Write`]; the old content, if any, is untouched.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let fail = |source| DataError::write(path, source);
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return std::fs::write(path, bytes).map_err(fail);
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = Builder::new()
        .prefix(UNFINISHED_PREFIX)
        .permissions(permissions())
        .tempfile_in(folder)
        .map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    sync_folder(folder)
}

/// Flushes a folder's list of names, so that a rename survives a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), DataError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| DataError::write(folder, source))
}

/// Removes what an interrupted [`write_atomic`] left in a folder. Call it only as its one writer.
///
/// # Errors
/// [`DataError::Read`] or [`DataError::Write`].
pub fn remove_unfinished(folder: &Path) -> Result<(), DataError> {
    let fail = |source| DataError::read(folder, source);
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(UNFINISHED_PREFIX)
        {
            let path = entry.path();
            std::fs::remove_file(&path).map_err(|source| DataError::write(&path, source))?;
        }
    }
    Ok(())
}

/// As for any other file (0666 less the umask): a temporary file's default of 0600 would hide shared
/// data from colleagues.
fn permissions() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o666)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.bin");
        write_atomic(&path, b"first, and longer").expect("writes");
        write_atomic(&path, b"second").expect("writes");
        assert_eq!(std::fs::read(&path).expect("reads"), b"second");
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 1);
    }

    #[test]
    fn a_device_is_written_to_and_stays() {
        use std::os::unix::fs::FileTypeExt as _;
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &path).expect("links");
        write_atomic(&path, b"x").expect("writes");
        let there = std::fs::metadata(&path).expect("is there");
        assert!(there.file_type().is_char_device());
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 1);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("nowhere/a.bin");
        let error = write_atomic(&path, b"x").expect_err("must be refused");
        assert!(error.to_string().contains("nowhere/a.bin"), "{error}");
    }

    #[test]
    fn leftovers_are_removed_and_data_is_not() {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join(".unfinished-x"), b"half").expect("writes");
        std::fs::write(folder.path().join("7.episode"), b"whole").expect("writes");
        remove_unfinished(folder.path()).expect("cleans");
        assert!(!folder.path().join(".unfinished-x").exists());
        assert!(folder.path().join("7.episode").exists());
    }
}
