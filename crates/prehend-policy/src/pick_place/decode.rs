//! From the network's numbers to grasps and placements.

use nalgebra::{Point3, Vector3};
use prehend_cloud::N_TURNS;
use prehend_types::{N_WIDTHS, TableGrasp, WIDTH_CLASS_M};
use serde::{Deserialize, Serialize};

use super::inputs::SceneInputs;

/// Shorter than this a direction is none.
const SHORTEST: f64 = 0.05;

/// The network's output for one scene, unchecked.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawScene {
    /// For each grasp token, the probability that it stands for an object.
    pub objectness: Vec<f32>,
    /// Point by point: for each grasp token, the probability that its object can be grasped there.
    pub grasps: Vec<f32>,
    /// Point by point: for each of the eight turns, the probability that the held object fits.
    pub places: Vec<f32>,
    /// Point by point: closing direction (3), approach direction (3), of any length and not yet at right angles,
    /// and shares of the width classes (10).
    pub touch: Vec<f32>,
}

/// A grasp that the network proposes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProposedGrasp {
    /// How.
    pub grasp: TableGrasp,
    /// How sure it is, 0 to 1.
    pub confidence: f64,
    /// Token of the object.
    pub object: usize,
    /// Index of the point that is touched.
    pub point: usize,
}

/// A placement that the network proposes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProposedPlace {
    /// Where the held object's bottom centre goes, base frame, m.
    pub point: Point3<f64>,
    /// How many eighths of a full turn the object is turned about the vertical.
    pub turn: usize,
    /// How sure the network is, 0 to 1.
    pub confidence: f64,
}

/// Grasps of all objects whose token and mask are at least this sure, surest first. A point belongs to
/// the token that is surest of it.
#[must_use]
pub fn grasps(raw: &RawScene, inputs: &SceneInputs, least: f64) -> Vec<ProposedGrasp> {
    let n_tokens = raw.objectness.len();
    let is_sure = |token: usize| f64::from(raw.objectness[token]) >= least;
    let rows = raw.grasps.chunks_exact(n_tokens.max(1));
    let touches = raw.touch.chunks_exact(6 + N_WIDTHS);
    let mut proposed: Vec<ProposedGrasp> = Vec::new();
    for (point, ((row, touch), at)) in rows.zip(touches).zip(&inputs.points).enumerate() {
        if !touch.iter().all(|value| value.is_finite()) {
            continue;
        }
        let of_token = row.iter().enumerate().filter(|(token, _)| is_sure(*token));
        let Some((object, confidence)) = of_token.max_by(|a, b| a.1.total_cmp(b.1)) else {
            continue;
        };
        let confidence = f64::from(*confidence);
        let wide = |v: &[f32]| Vector3::new(v[0], v[1], v[2]).cast::<f64>();
        let (closing, approach) = (wide(&touch[..3]), wide(&touch[3..6]));
        let Some([closing, approach]) = frame(closing, approach).filter(|_| confidence >= least)
        else {
            continue;
        };
        proposed.push(ProposedGrasp {
            grasp: TableGrasp {
                contact: Point3::from(wide(at)),
                closing,
                approach,
                width: width(&touch[6..]),
                retreat: 0.0,
            },
            confidence,
            object,
            point,
        });
    }
    proposed.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    proposed
}

/// Unit vectors at right angles; `None` where the network hardly has a direction, or no number.
fn frame(closing: Vector3<f64>, approach: Vector3<f64>) -> Option<[Vector3<f64>; 2]> {
    let closing = closing.try_normalize(SHORTEST)?;
    let across = approach - closing * approach.dot(&closing);
    Some([closing, across.try_normalize(SHORTEST)?])
}

/// Mean of the classes' middles, weighted by their shares.
fn width(shares: &[f32]) -> f64 {
    let classes = shares.iter().enumerate();
    let middles = classes.map(|(class, share)| f64::from(*share) * (class as f64 + 0.5));
    middles.sum::<f64>() * WIDTH_CLASS_M
}

/// Placements that are at least this sure, surest first.
#[must_use]
pub fn places(raw: &RawScene, inputs: &SceneInputs, least: f64) -> Vec<ProposedPlace> {
    let rows = raw.places.chunks_exact(N_TURNS).zip(&inputs.points);
    let mut proposed: Vec<ProposedPlace> = rows
        .flat_map(|(row, at)| {
            let point = Point3::from(Vector3::from(*at).cast::<f64>());
            row.iter()
                .enumerate()
                .map(move |(turn, confidence)| ProposedPlace {
                    point,
                    turn,
                    confidence: f64::from(*confidence),
                })
        })
        .filter(|place| place.confidence >= least)
        .collect();
    proposed.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    proposed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> (RawScene, SceneInputs) {
        let touch = |class: usize| {
            let mut row = vec![0.0, 1.0, 0.0, 0.0, 0.0, -1.0];
            row.extend((0..N_WIDTHS).map(|i| if i == class { 1.0 } else { 0.0 }));
            row
        };
        let raw = RawScene {
            objectness: vec![0.98, 0.02],
            grasps: vec![0.95, 0.99, 0.99, 0.01, 0.05, 0.99],
            places: [vec![0.0; 23], vec![1.0]].concat(),
            touch: [touch(2), touch(4), touch(4)].concat(),
        };
        let inputs = SceneInputs {
            points: vec![[0.4, 0.0, 0.05], [0.4, 0.1, 0.05], [0.4, 0.2, 0.05]],
            ..SceneInputs::default()
        };
        (raw, inputs)
    }

    #[test]
    fn sure_tokens_propose_and_the_surest_comes_first() {
        let (raw, inputs) = scene();
        let found = grasps(&raw, &inputs, 0.5);
        let points: Vec<usize> = found.iter().map(|g| g.point).collect();
        assert_eq!(
            points,
            [1, 0],
            "token 1 is no object, point 2 no grasp of token 0"
        );
        assert!((found[0].grasp.width - 0.036).abs() < 1e-6);
        assert!((found[1].grasp.width - 0.020).abs() < 1e-6);
        let placed = places(&raw, &inputs, 0.5);
        assert_eq!((placed.len(), placed[0].turn), (1, 7));
        assert_eq!(placed[0].point.y, f64::from(0.2_f32));
    }

    #[test]
    fn numbers_that_are_none_propose_nothing() {
        let (whole, inputs) = scene();
        assert!(!grasps(&whole, &inputs, 0.5).is_empty());
        let touches = 6 + N_WIDTHS;
        for column in 0..touches {
            let mut raw = whole.clone();
            for row in raw.touch.chunks_exact_mut(touches) {
                row[column] = f32::NAN;
            }
            assert!(grasps(&raw, &inputs, 0.5).is_empty(), "{column}");
        }
        let mut raw = whole.clone();
        raw.grasps.fill(f32::NAN);
        assert!(grasps(&raw, &inputs, 0.5).is_empty());
        let mut raw = whole.clone();
        raw.objectness.fill(f32::NAN);
        assert!(grasps(&raw, &inputs, 0.5).is_empty());
        let mut raw = whole;
        raw.places.fill(f32::NAN);
        assert!(places(&raw, &inputs, 0.5).is_empty());
    }
}
