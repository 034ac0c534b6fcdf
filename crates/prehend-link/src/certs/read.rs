//! Turns certificate files into what people and the link have to know of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;

use super::{CertsError, store};
use crate::Role;

/// Most certificates of a folder that are looked at.
const MAX_FILES: usize = 256;

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateInfo {
    /// Its file.
    pub path: PathBuf,
    /// Its whole subject, as `CN=viewer`, with every character that could fool a terminal written out.
    pub subject: String,
    /// What it lets its owner do; `None` for an authority, and for a name that is no role.
    pub role: Option<Role>,
    /// Whether it signs others.
    pub is_authority: bool,
    /// First moment that it holds, seconds since 1970.
    pub not_before: i64,
    /// Last moment that it holds, seconds since 1970.
    pub not_after: i64,
}

impl CertificateInfo {
    /// Reads the first certificate of a PEM file.
    ///
    /// # Errors
    /// [`CertsError::Read`], [`CertsError::Content`].
    pub fn read(path: &Path) -> Result<Self, CertsError> {
        let text = store::read(path)?;
        let content = |message: String| CertsError::Content {
            path: path.to_owned(),
            message,
        };
        let pem = Pem::iter_from_buffer(text.as_bytes()).next();
        let pem = pem
            .and_then(Result::ok)
            .filter(|pem| pem.label == "CERTIFICATE")
            .ok_or_else(|| content("holds no certificate in PEM form".to_owned()))?;
        let certificate = pem
            .parse_x509()
            .map_err(|error| content(format!("its certificate cannot be read: {error}")))?;
        Ok(Self::of(path, &certificate))
    }

    fn of(path: &Path, certificate: &X509Certificate<'_>) -> Self {
        let subject = certificate.subject();
        let common_name = subject.iter_common_name().next();
        let common_name = common_name.and_then(|name| name.as_str().ok());
        let is_authority = certificate.is_ca();
        Self {
            path: path.to_owned(),
            subject: subject.to_string().escape_debug().to_string(),
            role: common_name.and_then(Role::named).filter(|_| !is_authority),
            is_authority,
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
        }
    }

    /// Why it does not hold now, if it does not.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since_1970.unwrap_or(Duration::ZERO).as_secs() as i64;
        if now > self.not_after {
            return Some("has expired");
        }
        (now < self.not_before).then_some("does not hold yet; is the clock of this machine right?")
    }
}

/// Every certificate of a folder (`*.pem`), by name.
///
/// # Errors
/// [`CertsError::Read`]; [`CertsError::Content`] if one of them is none.
pub fn read_certificates(folder: &Path) -> Result<Vec<CertificateInfo>, CertsError> {
    let failed = |source| CertsError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.len() > MAX_FILES {
        return Err(CertsError::Content {
            path: folder.to_owned(),
            message: format!("{} certificates, at most {MAX_FILES}", paths.len()),
        });
    }
    paths
        .iter()
        .map(|path| CertificateInfo::read(path))
        .collect()
}
