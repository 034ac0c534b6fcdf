//! Makes the certificates by which the processes of an encrypted link know each other, and shows them.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use prehend_link::{CertificateInfo, NewCertificates, Role, new_certificates, read_certificates};
use serde::Serialize;

use crate::exit::{Failure, Verdict};
use crate::session::Session;

const EXAMPLES: &str = "Examples:
  prehend certs new --out certs
  prehend certs show certs";

const NEW_EXAMPLES: &str = "Examples:
  prehend certs new --out certs
  prehend certs new --out certs --host cell.local --host 10.0.0.5 --days 90

Name the folder in a launch file, `[link]` `tls = { folder = \"certs\" }`, and write its endpoints as
tls/127.0.0.1:7450. On every machine leave only ca.pem and the two files of the roles that run there; ca.key
signs who may move the arm: no process needs it, keep it elsewhere. A lost key is answered by a new set: there is
no list of revoked certificates.";

/// Arguments of `prehend certs`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Certs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make an authority and a certificate for every role.
    New(New),
    /// Show what the certificates of a folder say, and whether they hold.
    Show(Show),
}

#[derive(Debug, Args)]
#[command(after_help = NEW_EXAMPLES)]
struct New {
    /// Folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Role to make a certificate for: controller, driver, policy, operator or viewer; may be given several
    /// times. All of them by default.
    #[arg(long = "node", value_name = "NAME")]
    nodes: Vec<Role>,
    /// Name or address of a machine on which driver or policy listen, beside this machine's own loopback;
    /// may be given several times.
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// How long they hold.
    #[arg(long, default_value_t = NewCertificates::default().days)]
    days: u32,
    /// Replace files that are there.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct Show {
    /// Folder with certificates.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Certs {
    /// Runs what was asked for.
    ///
    /// # Errors
    /// A file is in the way, cannot be written, or is no certificate.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        match &self.what {
            What::New(args) => args.run(session),
            What::Show(args) => args.run(session),
        }
    }
}

impl New {
    fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let mut wanted = NewCertificates {
            hosts: self.hosts.clone(),
            days: self.days,
            replace: self.force,
            ..NewCertificates::default()
        };
        if !self.nodes.is_empty() {
            wanted.roles.clone_from(&self.nodes);
        }
        let files = new_certificates(&self.out, &wanted)?;
        let report = Written { files };
        session.report(None, &report, &report)?;
        Ok(Verdict::Passed)
    }
}

impl Show {
    fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let read = read_certificates(&self.folder)?;
        if read.is_empty() {
            let folder = self.folder.display();
            let message =
                format!("{folder} holds no certificate (*.pem); `prehend certs new` makes some");
            return Err(Failure::bad_input(message));
        }
        let certificates: Vec<Row> = read.into_iter().map(Row::of).collect();
        let faults: Vec<String> = certificates
            .iter()
            .filter_map(|row| Some(format!("{} {}", row.info.path.display(), row.fault?)))
            .collect();
        let report = Shown { certificates };
        session.report(None, &report, &report)?;
        Ok(Verdict::from_shortfall(
            (!faults.is_empty()).then(|| faults.join("; ")),
        ))
    }
}

#[derive(Debug, Serialize)]
struct Written {
    files: Vec<PathBuf>,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            writeln!(f, "{}", file.display())?;
        }
        write!(
            f,
            "ca.key signs who may move the arm: no process needs it, keep it elsewhere"
        )
    }
}

#[derive(Debug, Serialize)]
struct Shown {
    certificates: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    info: CertificateInfo,
    /// Last day on which it holds, RFC 3339.
    expires: String,
    /// Why it does not hold now.
    fault: Option<&'static str>,
}

impl Row {
    fn of(info: CertificateInfo) -> Self {
        let expires = jiff::Timestamp::from_second(info.not_after);
        Self {
            // A certificate may name a year that no calendar here has.
            expires: expires.map_or_else(|_| info.not_after.to_string(), |at| at.to_string()),
            fault: info.fault(),
            info,
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:24} {:24} {:12} expires", "file", "subject", "role")?;
        for Row {
            info,
            expires,
            fault,
        } in &self.certificates
        {
            let name = info.path.file_name().unwrap_or_default();
            let name = name.to_string_lossy().escape_debug().to_string();
            let role = match (info.is_authority, info.role) {
                (true, _) => "authority",
                (false, Some(role)) => role.name(),
                (false, None) => "none",
            };
            write!(f, "\n{name:24} {:24} {role:12} {expires}", info.subject)?;
            if let Some(fault) = fault {
                write!(f, ", {fault}")?;
            }
        }
        Ok(())
    }
}
