//! The second stage: a scorer that learns from grasps which the network proposed and physics tried.
//!
//! 1. [`TriedGrasps`] keeps close-ups of grasps and whether they held.
//! 2. [`ScorerRun`] fits a [`prehend_nets::pick_place::GraspScorer`] to them.
//! 3. [`add_scorer`] puts it into the network's bundle.

mod checkpoint;
mod config;
mod export;
mod metrics;
mod trainer;
mod tried;

pub use checkpoint::ScorerCheckpoint;
pub use config::ScorerTraining;
pub use export::{add_scorer, scorer_says};
pub use metrics::ScorerLine;
pub use trainer::{ScorerReport, ScorerRun};
pub use tried::{TriedGrasp, TriedGrasps, TriedScene, Trier};
