//! What many scenes say together.

use std::collections::BTreeMap;

use prehend_types::Tally;
use prehend_types::stats::SuccessRate;
use serde::Serialize;

use super::curve::curve;
use super::{Curve, PickThenPlace, Proposer, SceneResult, Stratum};

/// All figures of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Scenes.
    pub scenes: usize,
    /// First grasps that held, by proposer.
    pub top_grasp: BTreeMap<Proposer, SuccessRate>,
    /// The same, apart for scenes that show less and more of their objects.
    pub top_grasp_by_visibility: BTreeMap<Stratum, BTreeMap<Proposer, SuccessRate>>,
    /// Precision and coverage of grasps as they are carried out, in the order of their confidence.
    pub ranked_grasp_curve: Curve,
    /// The same as the network says them, without filter and scorer.
    pub grasp_curve: Curve,
    /// First placements that stood, by proposer: anywhere; with `slot_`, between walls where the object
    /// also fits as it is; with `reorient_`, between walls where it has to be turned, and these again by the
    /// room between walls and object, both sides together.
    pub top_place: BTreeMap<String, SuccessRate>,
    /// Precision and coverage of the network's placements.
    pub place_curve: Curve,
    /// Objects taken up and put down elsewhere; the geometric pair goes by its grasp's name.
    pub pick_then_place: BTreeMap<Proposer, SuccessRate>,
    /// Scenes in which one of network and geometric rule succeeded and the other did not: what McNemar's test
    /// is about.
    pub paired: BTreeMap<&'static str, Paired>,
    /// How these ended, counted.
    pub pick_then_place_ends: BTreeMap<Proposer, BTreeMap<PickThenPlace, u64>>,
    /// Why proposals were refused, counted, as far as they were looked into.
    pub refused: Tally,
    /// Objects taken off tables of five.
    pub cleared: BTreeMap<Proposer, SuccessRate>,
    /// Mean difference between confidence and success of first grasps, over 15 bins.
    pub calibration_error: f64,
    /// From a cloud to ranked grasps, or to places, with normals, neighbour search, filter and scorer, ms.
    pub latency_ms: Latency,
    /// The same apart: looks with nothing in the hand, and with something.
    pub latency_empty_ms: Latency,
    /// See above.
    pub latency_held_ms: Latency,
}

/// Two proposers on the same scenes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Paired {
    /// The network alone succeeded.
    pub network_only: u64,
    /// The rule from above alone did.
    pub centroid_only: u64,
}

/// Quantiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 99 of 100 are faster.
    pub p99: f64,
    /// How many.
    pub n: usize,
}

impl Latency {
    fn of(mut ms: Vec<f64>) -> Self {
        ms.sort_by(f64::total_cmp);
        let quantile = |q: f64| {
            let index = ((ms.len() as f64 * q) as usize).min(ms.len().saturating_sub(1));
            ms.get(index).copied().unwrap_or(f64::NAN)
        };
        Self {
            p50: quantile(0.5),
            p99: quantile(0.99),
            n: ms.len(),
        }
    }
}

impl Summary {
    /// Of all scenes.
    #[must_use]
    pub fn new(results: &[SceneResult]) -> Self {
        let looks = |of: fn(&SceneResult) -> &Vec<f64>| -> Vec<f64> {
            results.iter().flat_map(|r| of(r).iter().copied()).collect()
        };
        let [empty, held] = [looks(|r| &r.empty_looks_ms), looks(|r| &r.held_looks_ms)];
        Self {
            scenes: results.len(),
            top_grasp: rates(results.iter().flat_map(|r| &r.top_grasp)),
            top_grasp_by_visibility: by_visibility(results),
            ranked_grasp_curve: curve(
                results.iter().flat_map(|r| &r.executed).collect(),
                results.iter().map(|r| r.n_allowed).sum(),
            ),
            grasp_curve: curve(
                results.iter().flat_map(|r| &r.said).collect(),
                results.iter().map(|r| r.n_allowed).sum(),
            ),
            top_place: rates(
                results
                    .iter()
                    .flat_map(|r| r.top_place.iter().map(|(name, is_good)| (name, is_good))),
            ),
            place_curve: curve(
                results.iter().flat_map(|r| &r.placed).collect(),
                results.iter().map(|r| r.n_allowed_places).sum(),
            ),
            pick_then_place: stands(results),
            paired: BTreeMap::from([
                (
                    "first_grasp",
                    paired(results, |r| &r.top_grasp, |held| *held),
                ),
                (
                    "pick_then_place",
                    paired(
                        results,
                        |r| &r.pick_then_place,
                        |end| *end == PickThenPlace::Stands,
                    ),
                ),
            ]),
            pick_then_place_ends: ends(results),
            refused: refused(results),
            cleared: counts(results),
            calibration_error: calibration(results),
            latency_ms: Latency::of([&empty[..], &held].concat()),
            latency_empty_ms: Latency::of(empty),
            latency_held_ms: Latency::of(held),
        }
    }
}

fn by_visibility(results: &[SceneResult]) -> BTreeMap<Stratum, BTreeMap<Proposer, SuccessRate>> {
    let strata = [Stratum::Under50, Stratum::From50To80, Stratum::Over80];
    let of = |stratum: Stratum| {
        let own = results.iter().filter(|r| r.stratum == Some(stratum));
        (stratum, rates(own.flat_map(|r| &r.top_grasp)))
    };
    strata.into_iter().map(of).collect()
}

fn rates<'a, K: Ord + Clone + 'a>(
    outcomes: impl Iterator<Item = (&'a K, &'a bool)>,
) -> BTreeMap<K, SuccessRate> {
    let mut sums: BTreeMap<K, [u64; 2]> = BTreeMap::new();
    for (name, is_good) in outcomes {
        let sum = sums.entry(name.clone()).or_default();
        sum[0] += u64::from(*is_good);
        sum[1] += 1;
    }
    to_rates(sums)
}

fn stands(results: &[SceneResult]) -> BTreeMap<Proposer, SuccessRate> {
    let mut sums: BTreeMap<Proposer, [u64; 2]> = BTreeMap::new();
    for (proposer, end) in results.iter().flat_map(|r| &r.pick_then_place) {
        let sum = sums.entry(*proposer).or_default();
        sum[0] += u64::from(*end == PickThenPlace::Stands);
        sum[1] += 1;
    }
    to_rates(sums)
}

fn paired<T>(
    results: &[SceneResult],
    of: impl Fn(&SceneResult) -> &BTreeMap<Proposer, T>,
    is_good: impl Fn(&T) -> bool,
) -> Paired {
    let mut sum = Paired::default();
    for result in results {
        let said = |who| of(result).get(&who).map(&is_good);
        match [Proposer::Network, Proposer::Centroid].map(said) {
            [Some(true), Some(false)] => sum.network_only += 1,
            [Some(false), Some(true)] => sum.centroid_only += 1,
            _ => {}
        }
    }
    sum
}

fn ends(results: &[SceneResult]) -> BTreeMap<Proposer, BTreeMap<PickThenPlace, u64>> {
    let mut ends: BTreeMap<Proposer, BTreeMap<PickThenPlace, u64>> = BTreeMap::new();
    for (proposer, end) in results.iter().flat_map(|r| &r.pick_then_place) {
        *ends.entry(*proposer).or_default().entry(*end).or_default() += 1;
    }
    ends
}

fn refused(results: &[SceneResult]) -> Tally {
    let mut sum = Tally::new();
    for (name, n) in results.iter().flat_map(|r| &r.refused) {
        *sum.entry(name).or_default() += n;
    }
    sum
}

fn to_rates<K: Ord>(sums: BTreeMap<K, [u64; 2]>) -> BTreeMap<K, SuccessRate> {
    sums.into_iter()
        .map(|(name, [good, n])| (name, SuccessRate::new(good, n)))
        .collect()
}

fn counts(results: &[SceneResult]) -> BTreeMap<Proposer, SuccessRate> {
    let mut sums: BTreeMap<Proposer, [u64; 2]> = BTreeMap::new();
    for (proposer, [cleared, n]) in results.iter().flat_map(|r| &r.cleared) {
        let sum = sums.entry(*proposer).or_default();
        sum[0] += cleared;
        sum[1] += n;
    }
    to_rates(sums)
}

/// Expected calibration error (Guo et al. 2017).
fn calibration(results: &[SceneResult]) -> f64 {
    let mut bins = [[0.0_f64; 3]; 15];
    for (confidence, is_good) in results.iter().filter_map(|r| r.calibration) {
        let bin = &mut bins[((confidence * 15.0) as usize).min(14)];
        bin[0] += confidence;
        bin[1] += f64::from(u8::from(is_good));
        bin[2] += 1.0;
    }
    let n: f64 = bins.iter().map(|bin| bin[2]).sum();
    bins.iter().map(|bin| (bin[0] - bin[1]).abs()).sum::<f64>() / n.max(1.0)
}
