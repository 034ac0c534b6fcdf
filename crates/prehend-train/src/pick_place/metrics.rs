//! One line of a run's log.

use serde::{Deserialize, Serialize};

use super::loss::Parts;
use crate::metrics::LogLine;
use crate::plot::{Chart, Curve};

/// What a run was like at a step.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PickPlaceLine {
    /// Steps done.
    pub step: u64,
    /// Training time, s.
    pub elapsed_s: f64,
    /// Mean loss since the last line.
    pub loss: Option<f64>,
    /// Learning rate.
    pub learning_rate: f64,
    /// Views per second since the last line.
    pub samples_per_s: Option<f64>,
    /// On validation scenes with averaged weights.
    pub validation: Option<PickPlaceValidation>,
}

/// How well a network does on views that it was not trained on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PickPlaceValidation {
    /// Loss.
    pub loss: f64,
    /// Mean angle from a predicted orientation to the nearest allowed one, rad.
    pub angle_rad: f64,
    /// The same of uniformly random orientations.
    pub random_angle_rad: f64,
    /// Mean confidence at graspable points.
    pub confidence: f64,
    /// Objects whose token is sure and whose mask overlaps theirs by half; of all objects.
    pub object_recall: f64,
    /// The same, of all sure tokens.
    pub object_precision: f64,
    /// Points in both masks over points in either: grasps of matched tokens.
    pub grasp_overlap: f64,
    /// The same for places over all turns.
    pub place_overlap: f64,
}

impl LogLine for PickPlaceLine {
    fn step(&self) -> u64 {
        self.step
    }

    fn is_milestone(&self) -> bool {
        self.validation.is_some()
    }

    fn charts() -> Vec<Chart<Self>> {
        let losses = vec![
            Curve {
                name: "training loss",
                colour: "#6b7c93",
                value: |l: &Self| l.loss,
            },
            Curve {
                name: "validation loss",
                colour: "#c2410c",
                value: |l| Some(l.validation?.loss),
            },
        ];
        let angles = vec![
            Curve {
                name: "said by the network, rad",
                colour: "#1d4ed8",
                value: |l: &Self| Some(l.validation?.angle_rad),
            },
            Curve {
                name: "at random, rad",
                colour: "#6b7c93",
                value: |l| Some(l.validation?.random_angle_rad),
            },
        ];
        let objects = vec![
            Curve {
                name: "recall",
                colour: "#047857",
                value: |l: &Self| Some(l.validation?.object_recall),
            },
            Curve {
                name: "precision",
                colour: "#7e22ce",
                value: |l| Some(l.validation?.object_precision),
            },
        ];
        let masks = vec![
            Curve {
                name: "grasps",
                colour: "#c2410c",
                value: |l: &Self| Some(l.validation?.grasp_overlap),
            },
            Curve {
                name: "places",
                colour: "#1d4ed8",
                value: |l| Some(l.validation?.place_overlap),
            },
        ];
        vec![
            Chart {
                title: "Loss (logarithmic)",
                curves: losses,
                is_logarithmic: true,
            },
            Chart {
                title: "Angle to the nearest allowed grasp (logarithmic)",
                curves: angles,
                is_logarithmic: true,
            },
            Chart {
                title: "Objects found on validation scenes",
                curves: objects,
                is_logarithmic: false,
            },
            Chart {
                title: "Overlap of masks on validation scenes",
                curves: masks,
                is_logarithmic: false,
            },
        ]
    }
}

impl PickPlaceValidation {
    pub(super) fn new(parts: &Parts) -> Self {
        let share = |a: f64, b: f64| a / b.max(1.0);
        Self {
            loss: share(parts.loss[0], parts.loss[1]),
            angle_rad: share(parts.angles[0], parts.n_touches),
            random_angle_rad: share(parts.angles[1], parts.n_touches),
            confidence: share(parts.confidence[0], parts.confidence[1]),
            object_recall: share(parts.found[0], parts.found[1]),
            object_precision: share(parts.found[0], parts.found[2]),
            grasp_overlap: share(parts.masks[0], parts.masks[1]),
            place_overlap: share(parts.places[0], parts.places[1]),
        }
    }
}
