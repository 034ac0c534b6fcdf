//! Measures proposers of grasps and placements on labelled scenes, each with a free-flying gripper.

mod curve;
mod evaluator;
mod summary;

use std::collections::BTreeMap;

use prehend_types::Tally;
use serde::{Deserialize, Serialize};

pub use curve::Curve;
pub use evaluator::Evaluator;
pub use summary::Summary;

/// Who proposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proposer {
    /// The network, with the filter and, if the bundle has one, the scorer behind it.
    Network,
    /// The network with the filter behind it: its own confidence ranks.
    NetworkUnscored,
    /// The network alone.
    NetworkUnfiltered,
    /// The labels: what cannot be beaten.
    Oracle,
    /// From above across each lump.
    Centroid,
    /// Measured points that face each other.
    Antipodal,
}

/// How much of its objects a scene shows, each compared to itself alone on the table; the mean over all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stratum {
    /// Less than half.
    Under50,
    /// Half to four fifths.
    From50To80,
    /// More.
    Over80,
}

impl Stratum {
    fn of(visible_share: f64) -> Self {
        match visible_share {
            share if share < 0.5 => Self::Under50,
            share if share < 0.8 => Self::From50To80,
            _ => Self::Over80,
        }
    }
}

/// How picking an object and placing it elsewhere ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PickThenPlace {
    /// It stands where it was put.
    Stands,
    /// No grasp was proposed that the hand can carry out.
    NoGrasp,
    /// The grasp did not hold.
    NotHeld,
    /// Too little was seen of it in the hand.
    NotSeen,
    /// No place was proposed that the hand can carry out.
    NoPlace,
    /// See [`prehend_sim::tabletop::PlaceOutcome`].
    Collided,
    /// See there.
    Fell,
    /// See there.
    Disturbed,
}

/// One executed proposal.
#[derive(Debug, Clone)]
struct Executed {
    confidence: f64,
    is_good: bool,
    /// Which of the scene's allowed ones it covers.
    covers: Vec<u32>,
    scene: u64,
}

/// What one scene says.
#[derive(Debug, Clone, Default)]
pub struct SceneResult {
    top_grasp: BTreeMap<Proposer, bool>,
    /// How much is hidden.
    stratum: Option<Stratum>,
    /// Grasps as they are carried out, and as the network says them, without filter and scorer.
    executed: Vec<Executed>,
    said: Vec<Executed>,
    n_allowed: u64,
    top_place: Vec<(String, bool)>,
    placed: Vec<Executed>,
    n_allowed_places: u64,
    /// Looks with nothing in the hand, and with something, ms.
    empty_looks_ms: Vec<f64>,
    held_looks_ms: Vec<f64>,
    /// Confidence and success of the first grasp.
    calibration: Option<(f64, bool)>,
    /// What became of taking one object up and putting it down elsewhere.
    pick_then_place: BTreeMap<Proposer, PickThenPlace>,
    cleared: BTreeMap<Proposer, [u64; 2]>,
    /// Why proposals were not carried out.
    refused: Tally,
}
