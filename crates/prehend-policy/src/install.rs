//! Turns a pinned wheel of the Python package `onnxruntime` into a library in prehend's cache.
//!
//! Python's own installer fetches it, so mirrors, proxies and offline folders configured there are
//! used. Nothing is taken from the wheel before its SHA-256 equals the one pinned here.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use prehend_types::files;

use crate::error::RuntimeError;
use crate::folder::sha256_hex;
use crate::graph::one_line;
use crate::library::{Library, MAX_LIBRARY_BYTES, check_library};

/// The version of ONNX Runtime that [`install`] fetches.
pub const ONNXRUNTIME_VERSION: &str = "1.32.0";

/// The library inside the wheel and in the cache.
const LIBRARY_NAME: &str = "libonnxruntime.so.1.32.0";

/// What is pinned for one processor.
struct Pin {
    arch: &'static str,
    platform: &'static str,
    wheel_sha256: &'static str,
    library_sha256: &'static str,
}

/// Measured on the wheels for CPython 3.11; the library does not depend on Python, so any local
/// interpreter can fetch it.
const PINS: [Pin; 2] = [
    Pin {
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        wheel_sha256: "5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d",
        library_sha256: "6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f",
    },
    Pin {
        arch: "aarch64",
        platform: "manylinux_2_28_aarch64",
        wheel_sha256: "2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c",
        library_sha256: "49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a",
    },
];

fn pin() -> Result<&'static Pin, RuntimeError> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    PINS.iter()
        .find(|pin| os == "linux" && pin.arch == arch)
        .ok_or(RuntimeError::NoWheel { os, arch })
}

/// Whether `PREHEND_OFFLINE` is set to anything but nothing or 0.
#[must_use]
pub fn is_offline() -> bool {
    std::env::var_os("PREHEND_OFFLINE").is_some_and(|value| !value.is_empty() && value != "0")
}

/// The folder of the pinned version inside a cache folder.
pub(crate) fn installed_dir(cache: &Path) -> PathBuf {
    cache.join(format!("onnxruntime-{ONNXRUNTIME_VERSION}"))
}

/// Compares an installed library with the pinned hash.
pub(crate) fn check_installed(path: &Path) -> Result<(), RuntimeError> {
    let bad = |reason: String| RuntimeError::BadLibrary {
        path: path.to_owned(),
        reason,
    };
    let bytes = files::read(path, MAX_LIBRARY_BYTES).map_err(|e| bad(e.to_string()))?;
    let (got, expected) = (sha256_hex(&bytes), pin()?.library_sha256);
    if got == expected {
        return Ok(());
    }
    Err(bad(format!(
        "its SHA-256 is {got}, pinned is {expected}: damaged or changed in the cache"
    )))
}

/// Fetches the pinned wheel into `cache`, checks it and unpacks the library; 28 MB, a few seconds.
///
/// Several processes may do this at once: each works in a folder of its own and the first complete
/// one is renamed into place. A damaged earlier installation is replaced.
///
/// # Errors
/// [`RuntimeError::Offline`], [`RuntimeError::NoWheel`], [`RuntimeError::WheelHash`], or
/// [`RuntimeError::Install`] with what the failing step said.
pub fn install(cache: &Path) -> Result<Library, RuntimeError> {
    if is_offline() {
        return Err(RuntimeError::Offline {
            version: ONNXRUNTIME_VERSION,
        });
    }
    let pin = pin()?;
    let target = installed_dir(cache);
    let library = target.join(LIBRARY_NAME);
    if check_installed(&library).is_ok() {
        return check_library(&library);
    }
    let failed = |step| {
        move |error: std::io::Error| RuntimeError::Install {
            step,
            reason: error.to_string(),
        }
    };
    fs::create_dir_all(cache).map_err(failed("make the cache folder"))?;
    let temp = tempfile::Builder::new()
        .prefix(".install-")
        .tempdir_in(cache)
        .map_err(failed("make a folder in the cache"))?;
    let wheel = download(pin, temp.path())?;
    let staged = temp.path().join("staged");
    fs::create_dir(&staged).map_err(failed("make a folder in the cache"))?;
    unpack(&wheel, pin, &staged)?;
    let mut rename = fs::rename(&staged, &target);
    if rename.is_err() && check_installed(&library).is_err() {
        // Something is in the way and it is not what another process just installed.
        let moved = fs::rename(&target, temp.path().join("damaged"));
        rename = moved.and_then(|()| fs::rename(&staged, &target));
    }
    if check_installed(&library).is_err() {
        rename.map_err(failed("move the library into the cache"))?;
    }
    check_installed(&library)?;
    check_library(&library)
}

fn download(pin: &Pin, into: &Path) -> Result<Vec<u8>, RuntimeError> {
    let failed = |reason: String| RuntimeError::Install {
        step: "python3 -m pip download",
        reason,
    };
    let output = Command::new("python3")
        .args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
        ])
        .args([
            "--no-deps",
            "--only-binary=:all:",
            "--implementation",
            "cp",
            "--abi",
            "cp311",
        ])
        .args([
            "--python-version",
            "3.11",
            "--platform",
            pin.platform,
            "--dest",
        ])
        .arg(into)
        .arg(format!("onnxruntime=={ONNXRUNTIME_VERSION}"))
        .stdin(Stdio::null())
        .output()
        .map_err(|e| failed(format!("{e}; is python3 installed?")))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr
            .lines()
            .rfind(|line| line.contains("ERROR"))
            .unwrap_or(&stderr);
        return Err(failed(one_line(last)));
    }
    let entries = fs::read_dir(into).map_err(|e| failed(e.to_string()))?;
    let wheel = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == "whl"))
        .ok_or_else(|| failed("it left no wheel".into()))?;
    let bytes = fs::read(&wheel).map_err(|e| failed(e.to_string()))?;
    let got = sha256_hex(&bytes);
    if got == pin.wheel_sha256 {
        return Ok(bytes);
    }
    let name = wheel
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Err(RuntimeError::WheelHash {
        name,
        got,
        expected: pin.wheel_sha256,
    })
}

fn unpack(wheel: &[u8], pin: &Pin, into: &Path) -> Result<(), RuntimeError> {
    let failed = |reason: String| RuntimeError::Install {
        step: "unpack the wheel",
        reason,
    };
    let mut archive =
        zip::ZipArchive::new(std::io::Cursor::new(wheel)).map_err(|e| failed(e.to_string()))?;
    let mut entry = archive
        .by_name(&format!("onnxruntime/capi/{LIBRARY_NAME}"))
        .map_err(|e| failed(e.to_string()))?;
    let mut bytes = Vec::new();
    entry
        .read_to_end(&mut bytes)
        .map_err(|e| failed(e.to_string()))?;
    let write = |name: &str, bytes: &[u8]| {
        let mut file = File::create_new(into.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write(LIBRARY_NAME, &bytes).map_err(|e| failed(e.to_string()))?;
    // For people who look into the cache; what counts on use is the pinned hash above.
    let record = format!(
        "onnxruntime {ONNXRUNTIME_VERSION} {}\nwheel sha256 {}\nlibrary sha256 {}\n",
        pin.platform,
        pin.wheel_sha256,
        sha256_hex(&bytes)
    );
    write("installed.txt", record.as_bytes()).map_err(|e| failed(e.to_string()))
}
