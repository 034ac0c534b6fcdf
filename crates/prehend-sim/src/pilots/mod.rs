//! Scripted pilots: one that uses the simulator's state, one that uses only the cloud.

mod depth_heuristic;
mod expert;
pub(crate) mod rule;

pub use depth_heuristic::DepthHeuristic;
pub use expert::Expert;
