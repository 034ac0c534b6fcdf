//! Turns `--connect`, `--launch` or the newest run folder into links to the nodes of a run.

use std::path::{Path, PathBuf};

use clap::Args;
use prehend_link::{Role, TlsConfig};
use prehend_runtime::{LaunchFile, Visit};

use crate::exit::Failure;

/// Where run folders are made by default.
const RUNS: &str = "runs";
/// What is looked for when there is no run folder: a launch file with fixed ports.
const FIXED_PORTS: &str = "launch/fr3_sim.toml";

/// Which run is meant.
#[derive(Debug, Args)]
pub struct Attach {
    /// Endpoint that a node listens on, for example tcp/127.0.0.1:7450; may be given several times.
    #[arg(long, value_name = "ENDPOINT", conflicts_with = "launch")]
    connect: Vec<String>,
    /// Launch file of the run. One whose ports the system chose is in the run's folder; by default the
    /// newest of those in runs/ is taken.
    #[arg(long, value_name = "FILE")]
    launch: Option<PathBuf>,
    /// Name of the robot, with --connect; a launch file says it.
    #[arg(long, default_value = "fr3", conflicts_with = "launch")]
    robot: String,
    /// Folder with ca.pem and viewer.pem and viewer.key (operator.* to change something), with --connect to an encrypted link; a launch file
    /// says it.
    #[arg(long, value_name = "FOLDER", requires = "connect")]
    certs: Option<PathBuf>,
}

/// A visited run.
#[derive(Debug)]
pub struct Attached {
    /// Links to its nodes.
    pub visit: Visit,
    /// What its launch file says, unless only endpoints are known.
    pub launch: Option<LaunchFile>,
}

impl Attach {
    /// Attaches to the nodes that answer.
    ///
    /// # Errors
    /// The launch file was refused, an endpoint makes no sense, or no node answers.
    pub fn visit(&self) -> Result<Attached, Failure> {
        self.visit_as(Role::Viewer)
    }

    /// As [`Self::visit`], with the certificate of a role that may do more than look.
    ///
    /// # Errors
    /// As [`Self::visit`].
    pub fn visit_as(&self, role: Role) -> Result<Attached, Failure> {
        if !self.connect.is_empty() {
            let folder = self.certs.as_deref();
            let tls = folder.map(|folder| TlsConfig::of_folder(folder, role));
            let visit = Visit::of_endpoints(&self.robot, &self.connect, tls)?;
            let launch = None;
            return Ok(Attached { visit, launch });
        }
        let file = match &self.launch {
            Some(file) => file.clone(),
            None => newest_run(Path::new(RUNS)).unwrap_or_else(|| FIXED_PORTS.into()),
        };
        tracing::info!("looking for the run of {}", file.display());
        let launch = LaunchFile::load(&file)?;
        let visit = Visit::of_launch(&launch, role).map_err(|error| {
            let file = file.display();
            let failure = Failure::from(error);
            failure.context(format!(
                "cannot attach to the run of {file}; --launch or --connect name another"
            ))
        })?;
        let launch = Some(launch);
        Ok(Attached { visit, launch })
    }
}

/// The frozen launch file of the newest run: folders are named by their time.
fn newest_run(runs: &Path) -> Option<PathBuf> {
    let folders = std::fs::read_dir(runs).ok()?.flatten();
    let files = folders.map(|folder| folder.path().join("launch.toml"));
    files.filter(|file| file.is_file()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_run_with_a_launch_file_is_taken() {
        let runs = tempfile::tempdir().expect("temporary folder");
        assert_eq!(newest_run(runs.path()), None);
        for name in ["20261201T120000Z-demo", "20261201T130000Z-run"] {
            let folder = runs.path().join(name);
            std::fs::create_dir(&folder).expect("writable");
            std::fs::write(folder.join("launch.toml"), "").expect("writable");
        }
        std::fs::create_dir(runs.path().join("20261201T140000Z-train")).expect("writable");
        let newest = newest_run(runs.path()).expect("there are two");
        assert!(
            newest.ends_with("20261201T130000Z-run/launch.toml"),
            "{newest:?}"
        );
        assert_eq!(newest_run(Path::new("no/such/folder")), None);
    }
}
