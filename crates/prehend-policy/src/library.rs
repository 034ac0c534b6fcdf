//! Turns a file that claims to be ONNX Runtime into a loaded library, or a reason why not.
//!
//! A file is read as ELF before the system's loader touches it: the loader runs code of whatever it
//! is given, and a truncated library makes it crash the whole process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use object::read::elf::ElfFile64;
use object::{Architecture, Object, ObjectKind, ObjectSegment, ObjectSymbol};
use ort::environment::Environment;
use ort::logging::LogLevel;
use prehend_types::files;

use crate::error::RuntimeError;

/// Larger than any build of ONNX Runtime, GPU builds included.
pub(crate) const MAX_LIBRARY_BYTES: u64 = 2 << 30;

/// An ONNX Runtime library that can be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The file, symbolic links resolved.
    pub path: PathBuf,
    /// y of its version 1.y.
    pub minor_version: u32,
}

/// A process can hold one ONNX Runtime and one environment; both stay until it ends.
static LOADED: Mutex<Option<(Library, Environment)>> = Mutex::new(None);

/// Checks that a file is an ONNX Runtime that this build can use.
///
/// # Errors
/// [`RuntimeError::BadLibrary`] saying what it is instead.
pub fn check_library(path: &Path) -> Result<Library, RuntimeError> {
    let bad = |reason: String| RuntimeError::BadLibrary {
        path: path.to_owned(),
        reason,
    };
    let real = path.canonicalize().map_err(|e| bad(e.to_string()))?;
    let bytes = files::read(&real, MAX_LIBRARY_BYTES).map_err(|e| bad(e.to_string()))?;
    check_elf(&bytes).map_err(bad)?;
    let minor_version = catch_unwind(|| ort::util::probe(&real))
        .map_err(|_| bad("it offers no ONNX Runtime interface".into()))?
        .ok_or_else(|| {
            bad(
                "the system's loader refuses it (a library it needs may be missing: try `ldd`), \
                 or its version is not 1.x"
                    .into(),
            )
        })?;
    if minor_version < ort::MINOR_VERSION {
        return Err(bad(format!(
            "it is version 1.{minor_version}, at least 1.{} is needed",
            ort::MINOR_VERSION
        )));
    }
    Ok(Library {
        path: real,
        minor_version,
    })
}

/// Whether the bytes are a complete shared library for this machine that exports ONNX Runtime's
/// entry point.
fn check_elf(bytes: &[u8]) -> Result<(), String> {
    if cfg!(not(target_os = "linux")) {
        return Ok(());
    }
    let elf = ElfFile64::<object::Endianness>::parse(bytes)
        .map_err(|_| "it is not a 64-bit ELF shared library".to_owned())?;
    let expected = match std::env::consts::ARCH {
        "x86_64" => Architecture::X86_64,
        "aarch64" => Architecture::Aarch64,
        other => return Err(format!("ONNX Runtime is not looked for on {other}")),
    };
    if elf.architecture() != expected {
        return Err(format!(
            "it is for {:?}, this machine is {expected:?}",
            elf.architecture()
        ));
    }
    if elf.kind() != ObjectKind::Dynamic {
        return Err("it is not a shared library".into());
    }
    if elf.segments().any(|segment| segment.data().is_err()) {
        return Err("it is truncated".into());
    }
    let is_entry = |symbol: object::read::elf::ElfSymbol<'_, '_, _>| {
        symbol.is_definition() && symbol.name() == Ok("OrtGetApiBase")
    };
    if !elf.dynamic_symbols().any(is_entry) {
        return Err("it does not export OrtGetApiBase, so it is some other library".into());
    }
    Ok(())
}

/// The library that this process already runs, if any.
pub(crate) fn loaded() -> Option<(Library, Environment)> {
    LOADED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// Loads a checked library for the rest of the process's life.
///
/// # Errors
/// [`RuntimeError::AlreadyLoaded`] if another one is in use, [`RuntimeError::BadLibrary`].
pub(crate) fn load(library: &Library) -> Result<Environment, RuntimeError> {
    let mut slot = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((held, environment)) = slot.as_ref() {
        if held.path == library.path {
            return Ok(environment.clone());
        }
        return Err(RuntimeError::AlreadyLoaded {
            loaded: held.path.clone(),
            wanted: library.path.clone(),
        });
    }
    let bad = |reason: String| RuntimeError::BadLibrary {
        path: library.path.clone(),
        reason,
    };
    // ort panics where a library loads but lacks the interface; that is the library's fault.
    let built = catch_unwind(AssertUnwindSafe(|| {
        let builder = ort::init_from(&library.path).map_err(|e| e.to_string())?;
        let builder = builder.with_name("prehend").with_telemetry(false);
        builder
            .with_logger(Arc::new(forward_log))
            .build()
            .map_err(|e| e.to_string())
    }));
    let environment = built
        .map_err(|_| bad("it offers no ONNX Runtime interface".into()))?
        .map_err(bad)?;
    environment.set_log_level(LogLevel::Warning);
    *slot = Some((library.clone(), environment.clone()));
    Ok(environment)
}

fn forward_log(level: LogLevel, _category: &str, _id: &str, location: &str, message: &str) {
    match level {
        LogLevel::Error | LogLevel::Fatal => tracing::error!(location, "{message}"),
        LogLevel::Warning => tracing::debug!(location, "{message}"),
        LogLevel::Info | LogLevel::Verbose => tracing::trace!(location, "{message}"),
    }
}
