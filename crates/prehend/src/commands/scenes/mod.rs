//! Scenes for the pick-and-place network: made, learned from, and what a network does in them.

mod audit;
mod evaluate;
mod export;
mod export_scorer;
mod generate;
mod inspect;
mod objects;
mod try_proposals;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use prehend_robot::Jaw;
use prehend_sim::tabletop::Split;
use prehend_types::config::locate;

use crate::exit::{Failure, Verdict};
use crate::session::Session;

const EXAMPLES: &str = "Examples:
  prehend scenes generate --out datasets/tabletop --scenes 6000
  prehend scenes generate --out datasets/tabletop_validation --scenes 100 --split validation --seed 800000
  prehend scenes generate --out datasets/mine --scenes 100 --objects my_objects
  prehend scenes audit --scenes 200 --json
  prehend scenes inspect --seed 7 --out scene.png
  prehend scenes inspect --seed 900001 --split test --network models/pick-place --out said.png
  prehend scenes export runs/pick_place/latest.checkpoint --scenes datasets/tabletop_validation \
    --out models/pick-place
  prehend scenes try models/pick-place --out datasets/tried.bin
  prehend scenes export-scorer runs/scorer/latest.checkpoint --tried datasets/tried.bin --network models/pick-place
  prehend scenes evaluate models/pick-place --split test-families --json

A scene that is stored already is left alone: the same command goes on where it was stopped. The files
are the same whatever the number of threads.";

/// Arguments of `prehend scenes`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Scenes {
    /// What to do.
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Arrange objects, look at them, label every point, and store it.
    Generate(generate::Generate),
    /// Try labels by physics: do allowed placements stand, labelled grasps hold, forbidden placements fail?
    Audit(audit::Audit),
    /// Draw a scene with its labels, or with what a network says of it.
    Inspect(inspect::Inspect),
    /// Write a checkpoint as a bundle that runs through ONNX Runtime.
    Export(export::Export),
    /// Measure grasps and placements of a network, and of what it has to beat, on the same scenes.
    Evaluate(evaluate::Evaluate),
    /// Try grasps or placements that a network proposes, and some around them, for a scorer to learn from.
    Try(try_proposals::TryProposals),
    /// Put a trained scorer into the bundle of the network whose proposals it ranks.
    ExportScorer(export_scorer::ExportScorer),
}

/// Which gripper.
#[derive(Debug, Args)]
pub struct GripperArgs {
    /// The gripper that grasps are for.
    #[arg(
        long,
        default_value = "robots/grippers/franka_hand.toml",
        value_name = "FILE"
    )]
    gripper: PathBuf,
}

impl GripperArgs {
    /// Its file, as given.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.gripper
    }

    /// Reads and checks it.
    ///
    /// # Errors
    /// The file was refused.
    pub fn open(&self) -> Result<Jaw, Failure> {
        Ok(self.open_with_file()?.0)
    }

    /// As [`Self::open`], with the file that was found.
    ///
    /// # Errors
    /// The file was refused.
    pub fn open_with_file(&self) -> Result<(Jaw, PathBuf), Failure> {
        let file = locate(&self.gripper)?;
        Ok((Jaw::load(&file)?, file))
    }
}

/// Which objects of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Objects {
    /// Those that are trained on.
    Train,
    /// Others of the same families, to choose between networks.
    Validation,
    /// A family that neither training nor reports see, to choose between networks.
    ValidationFamilies,
    /// Further ones of the same families, for reports.
    Test,
    /// Families that no training sees, for reports.
    TestFamilies,
}

impl From<Objects> for Split {
    fn from(objects: Objects) -> Self {
        match objects {
            Objects::Train => Self::Train,
            Objects::Validation => Self::Validation,
            Objects::ValidationFamilies => Self::ValidationFamilies,
            Objects::Test => Self::Test,
            Objects::TestFamilies => Self::TestFamilies,
        }
    }
}

impl Scenes {
    /// Does it.
    ///
    /// # Errors
    /// Whatever ended it, with its class.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        match &self.kind {
            Kind::Generate(args) => args.run(session),
            Kind::Audit(args) => args.run(session),
            Kind::Inspect(args) => args.run(session),
            Kind::Export(args) => args.run(session),
            Kind::Evaluate(args) => args.run(session),
            Kind::Try(args) => args.run(session),
            Kind::ExportScorer(args) => args.run(session),
        }
    }
}
