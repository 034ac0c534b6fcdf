//! What the crate promises, checked from outside.
//!
//! `cargo test --release -p prehend-robot inverse -- --nocapture` shows the rate of solved poses.

mod allocation;
mod bad_files;
mod dynamics;
mod envelope;
mod forward;
mod forward_dynamics;
mod golden;
mod inverse;
mod loading;
mod other_arm;
mod shipped;

use std::path::PathBuf;

use prehend_robot::Robot;
use prehend_types::{JointPositions, Stream, derive_seed};

/// The folder of the shipped robots, wherever the tests were started.
fn robots_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../robots")
}

fn fr3_folder() -> PathBuf {
    robots_folder().join("fr3")
}

fn shipped(name: &str) -> Robot {
    Robot::load(&robots_folder().join(name))
        .unwrap_or_else(|error| panic!("robots/{name}: {error}"))
}

fn fr3() -> Robot {
    shipped("fr3")
}

fn q(values: &[f64]) -> JointPositions {
    JointPositions::from_slice(values).expect("at most eight")
}

/// Uniform inside the limits; sample `idx` is the same on every machine.
fn random_q(robot: &Robot, idx: u64) -> JointPositions {
    let mut q = *robot.home();
    for (joint_idx, q) in q.iter_mut().enumerate() {
        let bits = derive_seed(0x7e57 + idx, Stream::Scene, joint_idx as u64);
        let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        let (min, max) = (
            robot.limits().q_min[joint_idx],
            robot.limits().q_max[joint_idx],
        );
        *q = min + unit * (max - min);
    }
    q
}
