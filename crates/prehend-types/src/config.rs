//! Strict reading of TOML: what is unknown, missing or of the wrong kind is refused, and the message
//! names the file, the line, the field and the nearest known key.
//!
//! Structs read through [`load`] carry `#[serde(deny_unknown_fields)]`.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::files::{self, FileError};

/// Why a configuration file was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {path:?}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No such file here or above.
    #[error(
        "{path:?} is not in {cwd:?}, nor above it, nor under PREHEND_HOME; \
         run from the project's folder or set PREHEND_HOME to it"
    )]
    NotFound {
        /// What was looked for.
        path: PathBuf,
        /// Where the program runs.
        cwd: PathBuf,
    },
    /// The file is larger than any configuration could be.
    #[error("{path:?} has {bytes} bytes; a configuration file has at most {limit}")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The most that is read.
        limit: u64,
    },
    /// The text is not what the file should hold.
    #[error("{path}:{line}: {message}{hint}", path = path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
        /// What to write instead, if that is known; starts with a separator or is empty.
        hint: String,
    },
    /// The file was read, but a value makes no sense.
    #[error("{path}: field `{field}`: {message}", path = path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Dotted name of the field.
        field: String,
        /// What is wrong and what would be right.
        message: String,
    },
}

/// Whether this can be the name of a policy, a network or a gripper, and thus of a file: 1 to 64 of a-z,
/// A-Z, 0-9, _ or -.
#[must_use]
pub fn is_plain_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// Reads one TOML file into a typed struct.
///
/// # Errors
/// [`ConfigError`], always naming the file.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    parse(&read(path)?, path)
}

/// Reads the text of a configuration file, of at most 4 MiB.
///
/// # Errors
/// [`ConfigError::Read`], also for what is no regular file: a pipe would be waited for, a device may never end.
/// [`ConfigError::TooLarge`].
pub fn read(path: &Path) -> Result<String, ConfigError> {
    files::read_text(path, MAX_CONFIG_BYTES).map_err(|error| match error {
        FileError::Io(source) => ConfigError::Read {
            path: path.to_owned(),
            source,
        },
        FileError::TooLong { bytes, limit } => ConfigError::TooLarge {
            path: path.to_owned(),
            bytes,
            limit,
        },
    })
}

/// Reads TOML text into a typed struct; `path` is only named in errors.
///
/// # Errors
/// [`ConfigError::Parse`].
pub fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = 1 + text.as_bytes()[..start]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        ConfigError::Parse {
            path: path.to_owned(),
            line,
            hint: nearest_key_hint(error.message()),
            message: error.message().to_owned(),
        }
    })
}

/// Finds a file of the project, such as `robots/fr3`, from wherever the program was started: as given,
/// then under `PREHEND_HOME`, then in the working directory's ancestors.
///
/// # Errors
/// [`ConfigError::NotFound`], naming the places that were looked at.
pub fn locate(relative: impl AsRef<Path>) -> Result<PathBuf, ConfigError> {
    let relative = relative.as_ref();
    if relative.exists() {
        return Ok(relative.to_owned());
    }
    let cwd = std::env::current_dir().unwrap_or_default();
    let home = std::env::var_os("PREHEND_HOME").map(PathBuf::from);
    home.iter()
        .map(PathBuf::as_path)
        .chain(cwd.ancestors())
        .map(|root| root.join(relative))
        .find(|path| path.exists())
        .ok_or_else(|| ConfigError::NotFound {
            path: relative.to_owned(),
            cwd,
        })
}

/// Refuses a value that parsed but makes no sense, unless `holds`.
///
/// # Errors
/// [`ConfigError::Value`] if `holds` is false.
pub fn require(
    holds: bool,
    path: &Path,
    field: &str,
    message: impl Into<String>,
) -> Result<(), ConfigError> {
    if holds {
        return Ok(());
    }
    Err(ConfigError::Value {
        path: path.to_owned(),
        field: field.to_owned(),
        message: message.into(),
    })
}

/// serde lists what it expected between backticks; the first name is the one that was given.
fn nearest_key_hint(message: &str) -> String {
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return String::new();
    }
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let Some((given, known)) = names.split_first() else {
        return String::new();
    };
    known
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(given, a).total_cmp(&strsim::jaro_winkler(given, b)))
        .map_or_else(String::new, |best| format!("; did you mean `{best}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Limits {
        max_speed_rad_per_s: f64,
        max_jerk_rad_per_s3: f64,
    }

    #[test]
    fn a_misspelt_key_is_named_with_line_and_nearest_key() {
        let text = "max_jerk_rad_per_s3 = 1.0\nmax_sped_rad_per_s = 2.0\n";
        let error = parse::<Limits>(text, Path::new("arm.toml")).expect_err("must be refused");
        let shown = error.to_string();
        assert!(shown.starts_with("arm.toml:2: "), "{shown}");
        assert!(
            shown.ends_with("did you mean `max_speed_rad_per_s`?"),
            "{shown}"
        );
    }

    #[test]
    fn what_never_ends_is_not_read() {
        for path in ["/dev/zero", "/proc"] {
            let error = read(Path::new(path)).expect_err("must be refused");
            assert!(error.to_string().contains(path), "{error}");
        }
    }

    #[test]
    fn a_missing_key_is_named() {
        let error = parse::<Limits>("max_jerk_rad_per_s3 = 1.0", Path::new("arm.toml"))
            .expect_err("must be refused");
        assert!(error.to_string().contains("max_speed_rad_per_s"), "{error}");
    }
}
