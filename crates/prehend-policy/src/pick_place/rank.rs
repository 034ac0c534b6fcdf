//! Which of the proposed grasps, or placements, comes first: of those that the hand can carry out, the one that
//! looks best from close by.
//!
//! The network is sure of points it has seen the like of, and proposes well what it ranks badly (M2T2's
//! authors say so of theirs). What holds is judged by a second, small network that knows nothing but what
//! is around the fingers, or the object, and has learned it from grasps and placements that were tried.

use std::cmp::Ordering;

use prehend_cloud::{CloseUp, PlaceSight, close_up, mirrored};

use super::decode::{ProposedGrasp, ProposedPlace};
use super::filter::{HandFilter, Refusal};
use super::network::SceneNetwork;
use super::scorer::{Judged, MOST_SCORED};
use crate::error::InferenceError;

/// Two grasps nearer to each other than this are one, m.
const APART: f64 = 0.01;
/// The same of two placements: a slot may have a centimetre of room.
const PLACES_APART: f64 = 0.006;
/// Surer than this a placement is proposed at all. The network is sure of nothing in a narrow slot that it has
/// not seen the like of, and has its surest points there all the same: the scorer has to choose among some.
pub const LEAST_PLACE: f64 = 0.002;
/// Of those that were scored, so many are looked at again: their mirror images are scored at once.
const MOST_MIRRORED: usize = MOST_SCORED / MIRRORS.len();
/// A close-up may be mirrored along, across, or both.
const MIRRORS: [[f32; 2]; 3] = [[-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]];
/// Placements that are looked into.
pub const MOST_TRIED: usize = 400;

/// Times that less sure grasps are ranked too, as long as none is good enough.
pub(super) const MOST_ROUNDS: usize = 4;
/// A grasp worth more than this is taken without looking at less sure proposals.
pub(super) const GOOD_ENOUGH: f64 = 0.5;

/// Proposals in the order in which they are worth carrying out.
#[derive(Debug, Clone, Default)]
pub struct Ranked {
    /// Those that the hand can carry out, as it would; confidences are the scorer's, if there is one.
    pub grasps: Vec<ProposedGrasp>,
    /// Why others were left out.
    pub refused: Vec<Refusal>,
    /// Less sure ones that were not looked into, apart from all that were: for another call, if none of these
    /// is any good.
    pub rest: Vec<ProposedGrasp>,
}

/// The surest of some proposals, surest first, none next to a surer one; and those that are next to none of
/// them.
#[must_use]
pub fn surest_apart(proposed: &[ProposedGrasp]) -> [Vec<ProposedGrasp>; 2] {
    let (mut kept, mut rest): (Vec<ProposedGrasp>, _) = (Vec::new(), Vec::new());
    let at = |proposal: &ProposedGrasp| proposal.grasp.base_from_tool().translation.vector;
    for proposal in proposed {
        let is_known = |other: &ProposedGrasp| (at(other) - at(proposal)).norm() < APART;
        if kept.iter().any(is_known) {
            continue;
        }
        let list = if kept.len() < MOST_SCORED {
            &mut kept
        } else {
            &mut rest
        };
        list.push(*proposal);
    }
    [kept, rest]
}

/// Placements in the order in which they are worth carrying out.
#[derive(Debug, Clone, Default)]
pub struct RankedPlaces {
    /// Those that the hand can carry out; confidences are the scorer's, if there is one.
    pub places: Vec<ProposedPlace>,
    /// Why others were left out.
    pub refused: Vec<Refusal>,
}

/// As many placements as can be scored, surest first, none next to a surer one with the same turn.
fn surest_places_apart(
    proposed: &[ProposedPlace],
    mut is_possible: impl FnMut(&ProposedPlace) -> bool,
) -> Vec<ProposedPlace> {
    let mut kept: Vec<ProposedPlace> = Vec::new();
    for place in proposed {
        let is_known = |other: &ProposedPlace| {
            other.turn == place.turn && (other.point - place.point).norm() < PLACES_APART
        };
        if kept.iter().any(is_known) || !is_possible(place) {
            continue;
        }
        kept.push(*place);
        if kept.len() == MOST_SCORED {
            break;
        }
    }
    kept
}

impl SceneNetwork {
    /// For each of at most [`MOST_SCORED`] close-ups, the probability that the grasp holds, or the placement
    /// stands; `None` without a scorer.
    ///
    /// # Errors
    /// [`InferenceError`] if the scorer fails.
    pub fn score(
        &mut self,
        judged: Judged,
        close_ups: &[CloseUp],
    ) -> Result<Option<Vec<f32>>, InferenceError> {
        let scorer = match judged {
            Judged::Grasps => self.grasp_scorer.as_mut(),
            Judged::Places => self.place_scorer.as_mut(),
        };
        scorer.map(|scorer| scorer.score(close_ups)).transpose()
    }

    /// Ranks grasps that were proposed, surest first, for the cloud that shows them (base frame, m).
    ///
    /// # Errors
    /// [`InferenceError`] if the scorer fails.
    pub fn rank(
        &mut self,
        proposed: &[ProposedGrasp],
        cloud: &[[f32; 3]],
        filter: &HandFilter<'_>,
    ) -> Result<Ranked, InferenceError> {
        let [surest, rest] = surest_apart(proposed);
        let mut ranked = Ranked {
            rest,
            ..Ranked::default()
        };
        for proposal in surest {
            match filter.check(&proposal.grasp, |_| true) {
                Ok(grasp) => ranked.grasps.push(ProposedGrasp { grasp, ..proposal }),
                Err(refusal) => ranked.refused.push(refusal),
            }
        }
        let grasps = ranked.grasps.iter();
        let close_ups: Vec<_> = grasps
            .map(|proposal| close_up(cloud, &proposal.grasp))
            .collect();
        if let Some(scores) = self.score(Judged::Grasps, &close_ups)? {
            for (proposal, score) in ranked.grasps.iter_mut().zip(scores) {
                proposal.confidence = f64::from(score);
            }
        }
        ranked
            .grasps
            .sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        Ok(ranked)
    }

    /// As [`Self::rank`]; as long as none of them is good enough, less sure ones are ranked too.
    ///
    /// # Errors
    /// [`InferenceError`] if the scorer fails.
    pub fn rank_until_good(
        &mut self,
        proposed: &[ProposedGrasp],
        cloud: &[[f32; 3]],
        filter: &HandFilter<'_>,
    ) -> Result<Ranked, InferenceError> {
        let mut all = self.rank(proposed, cloud, filter)?;
        for _ in 1..MOST_ROUNDS {
            let is_good = all.grasps.iter().any(|own| own.confidence > GOOD_ENOUGH);
            if is_good || all.rest.is_empty() {
                break;
            }
            let next = self.rank(&all.rest, cloud, filter)?;
            all.grasps.extend(next.grasps);
            all.refused.extend(next.refused);
            all.rest = next.rest;
        }
        all.grasps
            .sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        Ok(all)
    }

    /// Ranks placements that were proposed, surest first, for what `held` (along the base's axes from its bottom
    /// centre, m) is put onto: a cloud in the base frame, m. `lets_go` says whether the hand gets there.
    ///
    /// # Errors
    /// [`InferenceError`] if the scorer fails.
    pub fn rank_places(
        &mut self,
        proposed: &[ProposedPlace],
        cloud: &[[f32; 3]],
        held: &[[f32; 3]],
        mut lets_go: impl FnMut(&ProposedPlace) -> Result<(), Refusal>,
    ) -> Result<RankedPlaces, InferenceError> {
        let mut refused = Vec::new();
        let proposed = &proposed[..MOST_TRIED.min(proposed.len())];
        let mut places = surest_places_apart(proposed, |place| {
            lets_go(place)
                .map_err(|refusal| refused.push(refusal))
                .is_ok()
        });
        let sight = PlaceSight::new(cloud, held);
        let look =
            |place: &ProposedPlace| sight.close_up(&place.point.cast::<f32>().into(), place.turn);
        let close_ups: Vec<_> = places.iter().map(look).collect();
        if let Some(scores) = self.score(Judged::Places, &close_ups)? {
            for (place, score) in places.iter_mut().zip(scores) {
                place.confidence = f64::from(score);
            }
            places.sort_by(surer);
            let n = MOST_MIRRORED.min(places.len());
            self.look_again(&mut places[..n], look)?;
        }
        Ok(RankedPlaces { places, refused })
    }

    /// What stands also stands in a mirror, and a scorer that learned from so much does not quite know: the mean over
    /// a placement and its mirror images ranks better than the one score that each has.
    fn look_again(
        &mut self,
        places: &mut [ProposedPlace],
        look: impl Fn(&ProposedPlace) -> CloseUp,
    ) -> Result<(), InferenceError> {
        let images = places.iter().flat_map(|place| {
            let seen = look(place);
            MIRRORS.map(|sides| mirrored(&seen, sides))
        });
        let images: Vec<CloseUp> = images.collect();
        let scores = self.score(Judged::Places, &images)?.unwrap_or_default();
        for (place, scores) in places.iter_mut().zip(scores.chunks(MIRRORS.len())) {
            let sum: f64 = scores.iter().copied().map(f64::from).sum();
            place.confidence = (place.confidence + sum) / (1 + scores.len()) as f64;
        }
        places.sort_by(surer);
        Ok(())
    }
}

/// The surer one first.
fn surer(a: &ProposedPlace, b: &ProposedPlace) -> Ordering {
    b.confidence.total_cmp(&a.confidence)
}

#[cfg(test)]
mod tests {
    use nalgebra::{Point3, Vector3};
    use prehend_types::TableGrasp;

    use super::*;

    #[test]
    fn of_proposals_side_by_side_the_surest_is_kept_and_no_more_than_can_be_scored() {
        let proposal = |index: usize| ProposedGrasp {
            grasp: TableGrasp {
                contact: Point3::new(0.4, 0.004 * index as f64, 0.05),
                closing: Vector3::y(),
                approach: -Vector3::z(),
                width: 0.04,
                retreat: 0.0,
            },
            confidence: 1.0 - 0.001 * index as f64,
            object: 0,
            point: index,
        };
        let all: Vec<ProposedGrasp> = (0..400).map(proposal).collect();
        let [kept, rest] = surest_apart(&all);
        assert_eq!(kept.len(), MOST_SCORED);
        assert_eq!(rest[0].point, 3 * MOST_SCORED);
        assert_eq!(rest.len(), all.len() - 3 * MOST_SCORED);
        let points: Vec<usize> = kept.iter().map(|p| p.point).collect();
        assert_eq!(points[..4], [0, 3, 6, 9]);
        assert_eq!(surest_apart(&[]), [[], []]);
    }
}
