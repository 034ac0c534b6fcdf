//! Turns a user's robot file into a robot folder and a list of what was guessed and lost.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use prehend_robot::import::{self, ImportOptions};

use crate::exit::{Failure, Verdict};
use crate::session::Session;

const EXAMPLES: &str = "Examples:
  prehend robot import my_arm.urdf
  prehend robot import my_arm.xml --out robots/my_arm";

const IMPORT_EXAMPLES: &str = "Examples:
  prehend robot import my_arm.urdf
  prehend robot import my_arm.urdf --root meshes --out robots/my_arm
  prehend robot import scene.xml --tcp-link grasp_site --strict --json

Without --out nothing is written: the report tells what would be kept, guessed and lost. With it, read the
written robot.toml before the arm moves: what was guessed is marked there. Existing files are never
overwritten.";

/// Arguments of `prehend robot`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Robot {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Read a URDF or MJCF file and make a robot folder of it.
    Import(Import),
}

#[derive(Debug, Args)]
#[command(after_help = IMPORT_EXAMPLES)]
struct Import {
    /// The URDF or MJCF file; which of the two is read from it.
    file: PathBuf,
    /// Folder to write robot.urdf, robot.toml and meshes to.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Refuse the file at the first thing that would be lost.
    #[arg(long)]
    strict: bool,
    /// One more folder that meshes and included files may come from; may be given several times.
    #[arg(long = "root", value_name = "FOLDER")]
    roots: Vec<PathBuf>,
    /// The robot's name; the one in the file by default.
    #[arg(long)]
    name: Option<String>,
    /// The link whose frame is the base.
    #[arg(long, value_name = "LINK")]
    base_link: Option<String>,
    /// The link or site whose frame is the tool centre point.
    #[arg(long, value_name = "LINK")]
    tcp_link: Option<String>,
    /// Lower moments of inertia that no body can have, instead of refusing them.
    #[arg(long)]
    repair_inertias: bool,
    /// About how many convex pieces a concave mesh of a URDF may become.
    #[arg(long, value_name = "N", default_value_t = ImportOptions::default().max_pieces,
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    max_pieces: u32,
}

impl Robot {
    /// Runs what was asked for.
    ///
    /// # Errors
    /// The file was refused, or the folder could not be written.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        match &self.what {
            What::Import(args) => args.run(session),
        }
    }
}

impl Import {
    fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let options = ImportOptions {
            strict: self.strict,
            roots: self.roots.clone(),
            name: self.name.clone(),
            base_link: self.base_link.clone(),
            tcp_link: self.tcp_link.clone(),
            repair_inertias: self.repair_inertias,
            max_pieces: self.max_pieces,
            ..ImportOptions::default()
        };
        let report = import::run(&self.file, &options, self.out.as_deref())?;
        session.report(None, &report, &report)?;
        Ok(Verdict::Passed)
    }
}
