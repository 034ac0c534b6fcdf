//! The pick-and-place network: grasps and placements from a raw cloud, in the manner of M2T2 (Yuan et
//! al. 2023, "M2T2: Multi-Task Masked Transformer for Object-centric Pick and Place"), small enough for
//! two cores.
//!
//! Every action is a point that is touched, with the pose parameters at that point. One encoder gives
//! each point a feature; tokens of one transformer decoder become masks over the points: a grasp token
//! stands for an object and the points it can be grasped at, a place token for one of eight turns of the
//! held object and the points its bottom may go to.
//!
//! Which points are neighbours is decided outside the graph ([`prehend_cloud::Grouping`] says in which order), because
//! farthest-point sampling and ball queries neither export nor run well as tensors.

mod attention;
mod decoder;
mod encoder;
mod heads;
mod net;
mod ops;
mod scorer;

pub use heads::touch_frames;
pub use net::{PickPlaceConfig, PickPlaceNet, Prediction, SceneBatch, Stage};
pub use scorer::CloseUpScorer;

use prehend_types::N_WIDTHS;

/// Columns of `features`: unit normal (3, zero where it is unknown), height above the support (1, m).
pub const FEATURE_DIM: usize = 4;
/// Columns of `touch`: raw closing direction (3), raw approach direction (3), width classes.
pub const TOUCH_DIM: usize = 6 + N_WIDTHS;
