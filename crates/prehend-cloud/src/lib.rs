//! Turns depth images into cropped, sampled point clouds. Pure functions.
//!
//! This crate knows nothing of simulation, robots, networks or files: the same functions serve a
//! simulated camera and a real one.

#![forbid(unsafe_code)]

mod crop;
mod depth;
mod sample;

pub use crop::Crop;
pub use depth::{DepthImage, Intrinsics, back_project, deproject};
pub use sample::{Quotas, sample_by_role};
