//! Objects to grasp: made by number or read from meshes, each with grasps that were tried by physics.

mod generate;
mod import;
mod meshes;
mod open;
mod record;
mod restore;
mod store;
mod summary;
mod verify;

use clap::{Args, Subcommand};

pub use generate::library;
pub use open::{Opened, open};
pub use summary::Unverified;
pub use verify::check_gripper;

use crate::exit::{Failure, Verdict};
use crate::session::Session;

const EXAMPLES: &str = "Examples:
  prehend objects generate --split train --out datasets/objects/train
  prehend objects generate --split test-families --out so101 --gripper robots/grippers/so101_jaw.toml
  prehend objects import my_meshes --out my_objects --scale 0.001 --json

Every object is dropped to find how it comes to rest; there, grasps that geometry allows are tried: a free
hand comes in, closes with limited force, lifts and shakes. What failed is kept beside what held. An object
that is stored already is left alone: the same command goes on where it was stopped. The files are the same
whatever the number of threads.";

/// Arguments of `prehend objects`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Objects {
    /// What to do.
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Make the library's objects and try grasps on them.
    Generate(generate::Generate),
    /// Turn a folder of OBJ and STL files into objects and try grasps on them.
    Import(import::Import),
}

impl Objects {
    /// Does it.
    ///
    /// # Errors
    /// Whatever ended it, with its class.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        match &self.kind {
            Kind::Generate(args) => args.run(session),
            Kind::Import(args) => args.run(session),
        }
    }
}
