//! Turns an installed system into a list of files that may be ONNX Runtime, in a fixed order.

use std::cmp::Reverse;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::RuntimeError;
use crate::install::{check_installed, installed_dir};
use crate::library::{Library, check_library};

/// Where a candidate was found; also the order of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LibrarySource {
    /// Named by an argument, a launch file or `PREHEND_ONNXRUNTIME`.
    Explicit,
    /// Installed by prehend itself.
    Cache,
    /// Known to the system: `ORT_DYLIB_PATH`, the loader's cache, the usual folders.
    System,
    /// Inside an installed Python package `onnxruntime`.
    Python,
}

impl LibrarySource {
    /// All sources, first to last.
    pub const ORDER: [Self; 4] = [Self::Explicit, Self::Cache, Self::System, Self::Python];
}

/// One file that may be ONNX Runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it was found.
    pub source: LibrarySource,
    /// The file.
    pub path: PathBuf,
}

/// Where to look. [`SearchPlaces::from_env`] fills it for this machine.
#[derive(Debug, Clone, Default)]
pub struct SearchPlaces {
    /// A library, or a folder that holds one.
    pub explicit: Option<PathBuf>,
    /// prehend's cache folder.
    pub cache: Option<PathBuf>,
    /// `ORT_DYLIB_PATH`: a library.
    pub system_file: Option<PathBuf>,
    /// Folders of libraries.
    pub system_dirs: Vec<PathBuf>,
    /// Whether to ask `ldconfig` for its cache.
    pub ask_ldconfig: bool,
    /// The Python interpreter to ask for its package.
    pub python: Option<OsString>,
}

impl SearchPlaces {
    /// The places of this machine and environment; `explicit` comes before `PREHEND_ONNXRUNTIME`.
    #[must_use]
    pub fn from_env(explicit: Option<&Path>) -> Self {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let mut system_dirs: Vec<PathBuf> = var("LD_LIBRARY_PATH")
            .map(|paths| std::env::split_paths(&paths).collect())
            .unwrap_or_default();
        let arch = std::env::consts::ARCH;
        system_dirs.extend(
            [
                "/usr/local/lib",
                "/usr/lib",
                "/usr/lib64",
                "/opt/onnxruntime/lib",
            ]
            .map(PathBuf::from),
        );
        system_dirs.push(format!("/usr/lib/{arch}-linux-gnu").into());
        system_dirs.push(format!("/usr/local/lib/{arch}-linux-gnu").into());
        Self {
            explicit: explicit
                .map(Path::to_owned)
                .or_else(|| var("PREHEND_ONNXRUNTIME").map(PathBuf::from)),
            cache: cache_dir(),
            system_file: var("ORT_DYLIB_PATH").map(PathBuf::from),
            system_dirs,
            ask_ldconfig: true,
            python: Some("python3".into()),
        }
    }

    /// The candidates of one source, best first. They may be missing or broken.
    #[must_use]
    pub fn candidates(&self, source: LibrarySource) -> Vec<Candidate> {
        let paths = match source {
            LibrarySource::Explicit => self.explicit.iter().flat_map(|p| file_or_dir(p)).collect(),
            LibrarySource::Cache => {
                let dir = self.cache.as_deref().map(installed_dir);
                dir.iter().flat_map(|dir| libraries_in(dir)).collect()
            }
            LibrarySource::System => {
                let mut paths: Vec<PathBuf> = self.system_file.iter().cloned().collect();
                if self.ask_ldconfig {
                    paths.extend(ldconfig_libraries());
                }
                paths.extend(self.system_dirs.iter().flat_map(|dir| libraries_in(dir)));
                paths
            }
            LibrarySource::Python => {
                let dir = self.python.as_ref().and_then(python_package_dir);
                dir.iter()
                    .flat_map(|dir| libraries_in(&dir.join("capi")))
                    .collect()
            }
        };
        let mut seen = Vec::new();
        for path in paths {
            // Links to one file are one candidate.
            let path = path.canonicalize().unwrap_or(path);
            if !seen.contains(&path) {
                seen.push(path);
            }
        }
        seen.into_iter()
            .map(|path| Candidate { source, path })
            .collect()
    }

    /// The first usable library, and one message for every candidate before it that is not.
    ///
    /// Later sources are only asked when the earlier ones gave nothing.
    #[must_use]
    pub fn find(&self) -> (Option<(LibrarySource, Library)>, Vec<RuntimeError>) {
        let mut refused = Vec::new();
        for source in LibrarySource::ORDER {
            for candidate in self.candidates(source) {
                // What prehend installed is compared with the pinned hash on every use.
                let checked = match source {
                    LibrarySource::Cache => check_installed(&candidate.path),
                    _ => Ok(()),
                };
                match checked.and_then(|()| check_library(&candidate.path)) {
                    Ok(library) => return (Some((source, library)), refused),
                    Err(error) => refused.push(error),
                }
            }
        }
        (None, refused)
    }
}

/// prehend's cache folder after the XDG base directory rules, if there is a home.
pub(crate) fn cache_dir() -> Option<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    // The XDG specification tells programs to ignore relative paths.
    let xdg = var("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || var("HOME").map(|home| PathBuf::from(home).join(".cache"));
    xdg.or_else(home).map(|root| root.join("prehend"))
}

fn file_or_dir(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() {
        let inside = libraries_in(path);
        if !inside.is_empty() {
            return inside;
        }
    }
    vec![path.to_owned()]
}

/// Files `libonnxruntime.so*` of one folder, highest version first.
fn libraries_in(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| version_of(path).is_some())
        .collect();
    found.sort_by_cached_key(|path| (Reverse(version_of(path)), path.clone()));
    found
}

/// The numbers after `libonnxruntime.so` in a file name; `None` for any other file.
fn version_of(path: &Path) -> Option<Vec<u32>> {
    let rest = path
        .file_name()?
        .to_str()?
        .strip_prefix("libonnxruntime.so")?;
    if rest.is_empty() {
        return Some(Vec::new());
    }
    rest.strip_prefix('.')?
        .split('.')
        .map(|part| part.parse().ok())
        .collect()
}

fn ldconfig_libraries() -> Vec<PathBuf> {
    let listing = ["ldconfig", "/sbin/ldconfig"]
        .iter()
        .find_map(|program| output_of(Command::new(program).arg("-p")))
        .unwrap_or_default();
    let mut found: Vec<PathBuf> = listing
        .lines()
        .filter_map(|line| line.split_once("=>"))
        .map(|(_, path)| PathBuf::from(path.trim()))
        .filter(|path| version_of(path).is_some())
        .collect();
    found.sort_by_cached_key(|path| (Reverse(version_of(path)), path.clone()));
    found
}

/// Asks an interpreter where its `onnxruntime` lies, without importing it: importing takes seconds
/// and runs the package's code. The working folder is left out of the search, so that a folder that
/// happens to be called onnxruntime is not taken for the package.
fn python_package_dir(python: &OsString) -> Option<PathBuf> {
    const ASK: &str = "import sys; sys.path = [p for p in sys.path if p]\n\
        import importlib.util as u\n\
        s = u.find_spec('onnxruntime')\n\
        print(list(s.submodule_search_locations)[0] if s and s.submodule_search_locations else '')";
    let dir = output_of(Command::new(python).args(["-c", ASK]))?;
    Some(PathBuf::from(dir.trim())).filter(|dir| dir.is_absolute())
}

fn output_of(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).ok())
        .flatten()
}
