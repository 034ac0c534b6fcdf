//! Turns a list of roles into an authority and one signed certificate for each.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use super::{AUTHORITY, CertsError, store};
use crate::Role;

/// Most hosts that a certificate is made for.
const MAX_HOSTS: usize = 16;
/// Longest time that certificates may hold, days.
const MAX_DAYS: u32 = 3650;
/// Machines of a cell may differ in their clocks by this much.
const CLOCK_SKEW: Duration = Duration::hours(1);

/// What certificates are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCertificates {
    /// Roles that get one. Default all.
    pub roles: Vec<Role>,
    /// Names and addresses of the machines on which driver, policy and controller listen. This machine's own loopback
    /// is always among them.
    pub hosts: Vec<String>,
    /// How long they hold, days. Default 365.
    pub days: u32,
    /// Whether files that are there are replaced. Default false.
    pub replace: bool,
}

impl Default for NewCertificates {
    fn default() -> Self {
        Self {
            roles: Role::ALL.to_vec(),
            hosts: Vec::new(),
            days: 365,
            replace: false,
        }
    }
}

/// Makes an authority and signs a certificate per role, as `ca.pem`, `ca.key`, `<role>.pem` and `<role>.key`
/// in `folder`, which is made if it is not there. Returns the files.
///
/// The authority's key signs who may move the arm: nobody but its owner should have it, and no running
/// process needs it.
///
/// # Errors
/// [`CertsError`]; nothing was written if a file is in the way.
pub fn new_certificates(
    folder: &Path,
    wanted: &NewCertificates,
) -> Result<Vec<PathBuf>, CertsError> {
    wanted.check()?;
    let mut files = Vec::new();
    let authority_key = KeyPair::generate()?;
    let authority = authority(wanted.days)?;
    let certificate = authority.self_signed(&authority_key)?;
    files.push((format!("{AUTHORITY}.pem"), certificate.pem()));
    files.push((format!("{AUTHORITY}.key"), authority_key.serialize_pem()));
    let issuer = Issuer::new(authority, authority_key);
    for role in &wanted.roles {
        let key = KeyPair::generate()?;
        let certificate = of_role(*role, &wanted.hosts, wanted.days)?.signed_by(&key, &issuer)?;
        files.push((format!("{role}.pem"), certificate.pem()));
        files.push((format!("{role}.key"), key.serialize_pem()));
    }
    fs::create_dir_all(folder).map_err(|source| CertsError::Write {
        path: folder.to_owned(),
        source,
    })?;
    if !wanted.replace {
        // All of them first: half a set beside half of another one would fit nobody.
        let mut there = files.iter().map(|(name, _)| folder.join(name));
        if let Some(path) = there.find(|path| path.symlink_metadata().is_ok()) {
            return Err(CertsError::Exists { path });
        }
    }
    if let Some(role) = wanted.left_behind(folder) {
        let message = format!(
            "{role}.pem in {folder:?} was signed by the authority that would be replaced, and would fit \
             nobody; make all roles anew, or give another folder"
        );
        return Err(CertsError::Config {
            field: "node",
            message,
        });
    }
    // Nothing is put anywhere before all of it is on the disk, and the authority last: until then the one that
    // is there can still sign.
    let staged = (files.iter().rev())
        .map(|(name, content)| store::stage(folder.join(name), content))
        .collect::<Result<Vec<_>, _>>()?;
    (staged.into_iter())
        .map(|staged| staged.put(wanted.replace))
        .collect()
}

impl NewCertificates {
    /// A role whose certificate is there and is not made anew.
    fn left_behind(&self, folder: &Path) -> Option<Role> {
        let mut others = Role::ALL
            .into_iter()
            .filter(|role| !self.roles.contains(role));
        let is_there = |role: &Role| {
            let path = folder.join(format!("{role}.pem"));
            path.symlink_metadata().is_ok()
        };
        others.find(is_there)
    }

    fn check(&self) -> Result<(), CertsError> {
        let refuse = |field, message| Err(CertsError::Config { field, message });
        if self.roles.is_empty() {
            return refuse("node", "none; name at least one role".to_owned());
        }
        for (index, role) in self.roles.iter().enumerate() {
            if self.roles[..index].contains(role) {
                return refuse("node", format!("`{role}` is written twice"));
            }
        }
        if !(1..=MAX_DAYS).contains(&self.days) {
            let message = format!("is {}, must be from 1 to {MAX_DAYS}", self.days);
            return refuse("days", message);
        }
        if self.hosts.len() > MAX_HOSTS {
            let message = format!("{} of them, at most {MAX_HOSTS}", self.hosts.len());
            return refuse("host", message);
        }
        for host in &self.hosts {
            let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
            let is_name = (1..=253).contains(&host.len()) && host.chars().all(letters);
            let message = match host.parse::<IpAddr>() {
                Ok(address) if address.is_unspecified() => {
                    "is no machine's address; name the one that the others call"
                }
                Err(_) if !is_name => "is neither an address nor a host's name",
                _ => continue,
            };
            return refuse("host", format!("{host:?} {message}"));
        }
        Ok(())
    }
}

fn authority(days: u32) -> Result<CertificateParams, rcgen::Error> {
    let mut params = params("prehend authority", Vec::new(), days)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn of_role(role: Role, hosts: &[String], days: u32) -> Result<CertificateParams, rcgen::Error> {
    let mut names = Vec::new();
    if role.listens() {
        names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        names.extend(hosts.iter().cloned());
    }
    let mut params = params(role.name(), names, days)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if role.listens() {
        params
            .extended_key_usages
            .push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    Ok(params)
}

fn params(
    common_name: &str,
    names: Vec<String>,
    days: u32,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.use_authority_key_identifier_extension = true;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - CLOCK_SKEW;
    params.not_after = now + Duration::days(days.into());
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_stays_until_everything_else_is_replaced() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let folder = folder.path();
        let mut wanted = NewCertificates::default();
        new_certificates(folder, &wanted).expect("writable");
        let key = || fs::read(folder.join("ca.key")).expect("readable");
        let before = key();
        new_certificates(folder, &wanted).expect_err("in the way");
        assert_eq!(key(), before);
        // One that cannot be replaced.
        let stuck = folder.join(format!("{}.key", wanted.roles[0]));
        fs::remove_file(&stuck).expect("ours");
        fs::create_dir(&stuck).expect("writable");
        wanted.replace = true;
        new_certificates(folder, &wanted).expect_err("a folder is no key");
        assert_eq!(key(), before);
        fs::remove_dir(&stuck).expect("empty");
        new_certificates(folder, &wanted).expect("writable");
        assert_ne!(key(), before);
        let n_files = fs::read_dir(folder).expect("readable").count();
        assert_eq!(n_files, 2 + 2 * Role::ALL.len(), "nothing is left over");
    }
}
