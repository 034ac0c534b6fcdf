//! Training of the pick-and-place network on labelled scenes.
//!
//! 1. [`SceneStore`] keeps labelled views on disk, one file per scene, the same bytes for the same seed.
//! 2. [`PickPlaceRun`] fits a [`prehend_nets::pick_place::PickPlaceNet`] to them.
//! 3. [`ScorerRun`] fits a scorer to grasps of its that were tried.

mod checkpoint;
mod config;
mod export;
mod hard;
mod loss;
mod matching;
mod metrics;
mod sample;
mod scorer;
mod store;
mod touch;
mod trainer;

pub use checkpoint::PickPlaceCheckpoint;
pub use config::PickPlaceTraining;
pub use export::{burn_says, export_scene, scene_graph, scene_inputs};
pub use metrics::PickPlaceLine;
pub use scorer::{
    ScorerCheckpoint, ScorerLine, ScorerReport, ScorerRun, ScorerTraining, Trial, Tried,
    TriedScene, Trier, add_scorer, scorer_says,
};
pub use store::{SceneStore, SceneWriter, StoredScene};
pub use trainer::{PickPlaceReport, PickPlaceRun};
