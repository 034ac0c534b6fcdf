//! A bundle's folder: what may be read of it, and how it is replaced, all or nothing.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use prehend_types::files::{self, FileError};
use sha2::{Digest, Sha256};

use crate::error::BundleError;
use crate::manifest::FileEntry;

/// Name of the manifest inside a bundle.
pub(crate) const MANIFEST_FILE: &str = "policy.toml";

/// SHA-256 as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// A bundle's folder without symbolic links, and its manifest, which must lie in it.
pub(crate) fn open(dir: &Path) -> Result<(PathBuf, PathBuf), BundleError> {
    let path = dir.join(MANIFEST_FILE);
    let root = dir.canonicalize().map_err(io(dir))?;
    if path.canonicalize().map_err(io(&path))?.parent() != Some(&root) {
        return Err(escape(
            &path,
            MANIFEST_FILE,
            "is a symbolic link that leads out",
        ));
    }
    Ok((root, path))
}

/// The rules for names inside a bundle, before the file system is asked.
pub(crate) fn check_name(manifest: &Path, named: &str) -> Result<(), BundleError> {
    let mut n_parts = 0;
    for part in Path::new(named).components() {
        match part {
            Component::Normal(_) => n_parts += 1,
            Component::ParentDir => return Err(escape(manifest, named, "`..` leads out")),
            Component::RootDir | Component::Prefix(_) => {
                return Err(escape(manifest, named, "the path is absolute"));
            }
            Component::CurDir => return Err(escape(manifest, named, "write it without `.`")),
        }
    }
    if n_parts == 0 {
        return Err(escape(manifest, named, "the name is empty"));
    }
    if named == MANIFEST_FILE {
        return Err(escape(manifest, named, "the manifest cannot list itself"));
    }
    Ok(())
}

/// A file of a bundle, if it lies in the folder `root`, has at most `limit` bytes, and is what its entry
/// in the manifest says.
pub(crate) fn read_checked(
    manifest: &Path,
    root: &Path,
    entry: &FileEntry,
    limit: u64,
) -> Result<Vec<u8>, BundleError> {
    check_name(manifest, &entry.path)?;
    let path = root.join(&entry.path);
    let real = path.canonicalize().map_err(io(&path))?;
    if !real.starts_with(root) {
        return Err(escape(
            manifest,
            &entry.path,
            "is a symbolic link that leads out",
        ));
    }
    let content = files::read(&real, limit).map_err(|error| match error {
        FileError::Io(source) => io(&path)(source),
        FileError::TooLong { bytes, limit } => BundleError::TooLarge {
            path: path.clone(),
            bytes,
            limit,
        },
    })?;
    let bytes = content.len() as u64;
    if bytes != entry.bytes {
        return Err(BundleError::WrongSize {
            path,
            got: bytes,
            expected: entry.bytes,
        });
    }
    let got = sha256_hex(&content);
    if got != entry.sha256 {
        return Err(BundleError::WrongHash {
            path,
            got,
            expected: entry.sha256.clone(),
        });
    }
    Ok(content)
}

/// What the manifest says of some files.
pub(crate) fn entries(files: &[(String, Vec<u8>)]) -> Vec<FileEntry> {
    let entry = |(name, bytes): &(String, Vec<u8>)| FileEntry {
        path: name.clone(),
        sha256: sha256_hex(bytes),
        bytes: bytes.len() as u64,
    };
    files.iter().map(entry).collect()
}

/// Makes these files and the manifest the folder `dir`, in place of an older bundle: they are written
/// beside it, flushed to the disk, found good by `check`, and only then renamed.
///
/// # Errors
/// [`BundleError`]; `dir` is then as it was before.
pub(crate) fn replace(
    dir: &Path,
    files: &[(String, Vec<u8>)],
    manifest: &str,
    check: impl FnOnce(&Path) -> Result<(), BundleError>,
) -> Result<(), BundleError> {
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let is_occupied = |dir: &Path| {
        fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
            && !dir.join(MANIFEST_FILE).is_file()
    };
    if is_occupied(dir) || dir.is_file() {
        return Err(BundleError::NotABundle {
            path: dir.to_owned(),
        });
    }
    fs::create_dir_all(parent).map_err(io(parent))?;
    let temp = tempfile::Builder::new()
        .prefix(".bundle-")
        .tempdir_in(parent)
        .map_err(io(parent))?;
    let staged = temp.path().join("new");
    fs::create_dir(&staged).map_err(io(&staged))?;
    for (name, bytes) in files {
        check_name(&dir.join(MANIFEST_FILE), name)?;
        write_synced(&staged.join(name), bytes)?;
    }
    write_synced(&staged.join(MANIFEST_FILE), manifest.as_bytes())?;
    check(&staged)?;
    sync(&staged)?;

    let old = temp.path().join("old");
    let had_old = dir.exists();
    if had_old {
        fs::rename(dir, &old).map_err(io(dir))?;
    }
    if let Err(source) = fs::rename(&staged, dir) {
        if had_old {
            fs::rename(&old, dir).map_err(io(dir))?;
        }
        return Err(io(dir)(source));
    }
    sync(parent)
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), BundleError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io(path))?;
    }
    let mut file = File::create_new(path).map_err(io(path))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(io(path))
}

fn sync(folder: &Path) -> Result<(), BundleError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io(folder))
}

fn escape(manifest: &Path, named: &str, reason: &'static str) -> BundleError {
    BundleError::PathEscape {
        manifest: manifest.to_owned(),
        named: named.to_owned(),
        reason,
    }
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> BundleError {
    let path = path.to_owned();
    move |source| BundleError::Io {
        path: path.clone(),
        source,
    }
}
