//! The second stage: scorers that learn from grasps and placements which the network proposed and physics tried.
//!
//! 1. A [`Trier`] tries them; [`Tried`] keeps close-ups of them, and whether they held what hangs as it lay, or stood.
//! 2. [`ScorerRun`] fits a [`prehend_nets::pick_place::CloseUpScorer`] to them.
//! 3. [`add_scorer`] puts it into the network's bundle.

mod checkpoint;
mod config;
mod export;
mod metrics;
mod trainer;
mod tried;
mod trier;
mod try_grasps;
mod try_places;

pub use checkpoint::ScorerCheckpoint;
pub use config::ScorerTraining;
pub use export::{add_scorer, scorer_says};
pub use metrics::ScorerLine;
pub use trainer::{ScorerReport, ScorerRun};
pub use tried::{Trial, Tried, TriedScene};
pub use trier::Trier;
