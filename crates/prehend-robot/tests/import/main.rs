//! Importing users' models: same arm from both formats, meshes, what is listed, and what is refused.
//!
//! `tests/corpus/good` holds models that load, `tests/corpus/bad` one defect each; beside each bad file
//! stand the words that its error must hold, one line each.

#![expect(
    clippy::print_stdout,
    reason = "figures that a person reads with --nocapture"
)]

mod arms;
mod corpus;
mod hostile;
mod listed;
mod meshes;
mod mutation;
mod written;

use std::path::PathBuf;

use prehend_robot::import::{ImportOptions, Imported, load};
use prehend_robot::{Robot, RobotError};
use prehend_types::{JointPositions, Stream, derive_seed};

fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name)
}

fn import(name: &str) -> Result<Imported, RobotError> {
    load(&corpus(name), &ImportOptions::default())
}

fn good(name: &str) -> Imported {
    let path = format!("good/{name}");
    import(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Uniform inside the limits; sample `idx` is the same on every machine.
fn random_q(robot: &Robot, idx: u64) -> JointPositions {
    let mut q = *robot.home();
    for (joint_idx, q) in q.iter_mut().enumerate() {
        let bits = derive_seed(0x1390 + idx, Stream::Scene, joint_idx as u64);
        let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        let (min, max) = (
            robot.limits().q_min[joint_idx],
            robot.limits().q_max[joint_idx],
        );
        *q = min + unit * (max - min);
    }
    q
}

/// Writes a model into a fresh folder and imports it.
fn import_text(name: &str, text: &str, options: &ImportOptions) -> Result<Imported, RobotError> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("temporary file");
    load(&path, options)
}
