//! Turns a role's files into an encrypted link on which both ends show who they are.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use prehend_types::files;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::certs::AUTHORITY;
use crate::{CertificateInfo, CertsError, LinkError, Role};

/// Who a process is on an encrypted link, and whose certificates it believes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Its role, which its certificate has to name.
    pub role: Role,
    /// Certificate of the authority that signed everybody's, PEM.
    pub ca: PathBuf,
    /// Its own certificate, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM, readable by its owner alone.
    pub key: PathBuf,
}

impl TlsConfig {
    /// The files of a role in a folder as [`new_certificates`](crate::new_certificates) fills it. A process
    /// needs only its own and `ca.pem` there.
    #[must_use]
    pub fn of_folder(folder: &Path, role: Role) -> Self {
        Self {
            role,
            ca: folder.join(format!("{AUTHORITY}.pem")),
            certificate: folder.join(format!("{role}.pem")),
            key: folder.join(format!("{role}.key")),
        }
    }

    /// Looks at the files: whether they are there, are what they should be, and hold now.
    ///
    /// # Errors
    /// [`LinkError::Certificates`] naming the file and the remedy.
    pub fn check(&self) -> Result<(), LinkError> {
        for path in [&self.ca, &self.certificate, &self.key] {
            if path.to_str().is_none() {
                let path = path.clone();
                let message = "the path is no UTF-8; rename it".to_owned();
                return Err(CertsError::Content { path, message }.into());
            }
        }
        for (path, is_own) in [(&self.ca, false), (&self.certificate, true)] {
            let info = CertificateInfo::read(path)?;
            let refuse = |message: String| CertsError::Content {
                path: path.clone(),
                message,
            };
            if let Some(fault) = info.fault() {
                let remedy = "`prehend certs new` makes certificates";
                return Err(refuse(format!("the certificate {fault}; {remedy}")).into());
            }
            if is_own && info.role != Some(self.role) {
                let (subject, role) = (info.subject, self.role);
                let message = format!("is for {subject}, this process is {role}");
                return Err(refuse(message).into());
            }
            if !is_own && !info.is_authority {
                let message = "is no authority's certificate; take `ca.pem`".to_owned();
                return Err(refuse(message).into());
            }
        }
        self.check_key()
    }

    fn check_key(&self) -> Result<(), LinkError> {
        let path = self.key.clone();
        let mode = files::open(&path).and_then(|file| Ok(file.metadata()?.permissions().mode()));
        match mode {
            Err(source) => Err(CertsError::Read { path, source }.into()),
            Ok(mode) if mode & 0o077 != 0 => {
                let mode = mode & 0o777;
                let message =
                    format!("others may read this private key (mode {mode:o}); `chmod 600` it");
                Err(CertsError::Content { path, message }.into())
            }
            Ok(_) => Ok(()),
        }
    }

    /// For zenoh's `transport/link/tls`. It takes the link down when the other end's certificate expires.
    pub(crate) fn to_zenoh(&self) -> [(&'static str, Value); 8] {
        let (certificate, key) = (json!(self.certificate), json!(self.key));
        [
            ("root_ca_certificate", json!(self.ca)),
            ("listen_certificate", certificate.clone()),
            ("listen_private_key", key.clone()),
            ("connect_certificate", certificate),
            ("connect_private_key", key),
            ("enable_mtls", json!(true)),
            ("verify_name_on_connect", json!(true)),
            ("close_link_on_expiration", json!(true)),
        ]
    }
}
