//! The section `[grid]` of a scene file: which part of the benchmark.

use std::path::Path;

use prehend_types::config::{self, ConfigError};
use serde::{Deserialize, Serialize};

use crate::config::needed;
use crate::tasks::TaskKind;

/// The part of the benchmark that a scene file asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridConfig {
    /// Middle of the square of cells, base frame, m.
    pub center_m: [f64; 2],
    /// Which receptacles.
    #[serde(default)]
    pub receptacles: Receptacles,
    /// What stands where.
    #[serde(default)]
    pub layout: Layout,
    /// Whether instructions come in sixteen other wordings.
    #[serde(default)]
    pub varied_wording: bool,
    /// Whether an episode's seed is the benchmark's number of its start; else the seed draws one.
    #[serde(default)]
    pub seed_is_id: bool,
}

/// Which receptacles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receptacles {
    /// All 17, as pi_RL trains.
    #[default]
    All,
    /// The plate alone, as RL4VLA trains.
    Plate,
    /// The 16 others: unseen after training on the plate alone.
    Others,
}

/// What stands where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Object and receptacle in two cells of the square.
    #[default]
    Square,
    /// In two cells of the ring around it, at yaws between those of training.
    Ring,
    /// With a second object.
    TwoObjects,
    /// With a second receptacle.
    TwoReceptacles,
    /// As `square`, but after a second the object is elsewhere.
    Moved,
}

impl GridConfig {
    /// Refuses squares that the arm cannot reach.
    pub(crate) fn check(section: Option<&Self>, path: &Path) -> Result<(), ConfigError> {
        let grid = needed(section, path, "grid", TaskKind::Grid)?;
        let [x, y] = grid.center_m;
        config::require(
            (0.4..=0.6).contains(&x) && (-0.3..=0.3).contains(&y),
            path,
            "grid.center_m",
            "needs x in 0.4 to 0.6 and y in -0.3 to 0.3: the arm must reach the whole square",
        )
    }
}
