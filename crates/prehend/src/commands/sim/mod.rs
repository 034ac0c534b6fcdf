//! The simulator by itself: what it promises, and the noise of its cameras.

mod fit_camera;
mod verify;

use clap::{Args, Subcommand};

use crate::exit::{Failure, Verdict};
use crate::session::Session;

use fit_camera::FitCamera;
use verify::Verify;

const EXAMPLES: &str = "Examples:
  prehend sim verify
  prehend sim verify --only capsule --only critical
  prehend sim fit-camera recordings/d435 --columns 160";

/// Arguments of `prehend sim`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Sim {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Measure contacts, grasps, stacks and the arm's dynamics against what they must be.
    Verify(Verify),
    /// Find the noise of a scene file from a depth camera's recording of walls and a step.
    FitCamera(FitCamera),
}

impl Sim {
    /// Runs what was asked for.
    ///
    /// # Errors
    /// An input was refused, or a test could not be built.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        match &self.what {
            What::Verify(args) => args.run(session),
            What::FitCamera(args) => args.run(session),
        }
    }
}
