//! Makes and reads the certificates by which processes of an encrypted link know each other.

mod make;
mod read;
mod store;

pub use make::{NewCertificates, new_certificates};
pub use read::{CertificateInfo, read_certificates};

/// Name of the authority's files, and its common name.
pub(crate) const AUTHORITY: &str = "ca";

/// What is wrong with certificates, or with their files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertsError {
    /// A file is there already.
    #[error("{path:?} is there already; give another folder, or --force to replace it")]
    Exists {
        /// Which one.
        path: std::path::PathBuf,
    },
    /// A file cannot be written.
    #[error("cannot write {path:?}: {source}")]
    Write {
        /// Which one.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {path:?}: {source}; `prehend certs new` makes certificates")]
    Read {
        /// Which one.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What was asked for makes no sense.
    #[error("{field}: {message}")]
    Config {
        /// What was asked for.
        field: &'static str,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A file does not hold what it should.
    #[error("{path:?}: {message}")]
    Content {
        /// Which one.
        path: std::path::PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// The library that makes certificates gave up.
    #[error("cannot make certificates: {0}")]
    Make(#[from] rcgen::Error),
}
