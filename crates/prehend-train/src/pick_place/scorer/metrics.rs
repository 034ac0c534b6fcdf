//! One line of a scorer's log.

use serde::{Deserialize, Serialize};

use crate::metrics::LogLine;
use crate::plot::{Chart, Curve};

/// What a run was like after a pass over its trials.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ScorerLine {
    /// Steps done.
    pub step: u64,
    /// Training time, s.
    pub elapsed_s: f64,
    /// Mean cross-entropy of the pass.
    pub loss: f64,
    /// The same on scenes that are left out.
    pub validation_loss: f64,
    /// How often, of a good and a bad one, the former scores higher there.
    pub validation_auc: Option<f64>,
}

impl LogLine for ScorerLine {
    fn step(&self) -> u64 {
        self.step
    }

    fn is_milestone(&self) -> bool {
        true
    }

    fn charts() -> Vec<Chart<Self>> {
        let losses = vec![
            Curve {
                name: "training loss",
                colour: "#6b7c93",
                value: |l: &Self| Some(l.loss),
            },
            Curve {
                name: "validation loss",
                colour: "#c2410c",
                value: |l| Some(l.validation_loss),
            },
        ];
        let ranks = vec![Curve {
            name: "a good one before a bad one",
            colour: "#047857",
            value: |l: &Self| l.validation_auc,
        }];
        vec![
            Chart {
                title: "Cross-entropy",
                curves: losses,
                is_logarithmic: true,
            },
            Chart {
                title: "Order on scenes that are left out",
                curves: ranks,
                is_logarithmic: false,
            },
        ]
    }
}

/// How often, of a pair of one that is good and one that is not, the former scores higher; ties count
/// half. `None` if there is no pair.
pub(super) fn rank_auc(scores: &[f32], is_good: &[bool]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut n_bad, mut n_good, mut won) = (0.0, 0.0, 0.0);
    for tied in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let good = tied.iter().filter(|index| is_good[**index]).count() as f64;
        let bad = tied.len() as f64 - good;
        won += good * (n_bad + 0.5 * bad);
        n_bad += bad;
        n_good += good;
    }
    (n_bad * n_good > 0.0).then(|| won / (n_bad * n_good))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_counts_once_and_ties_half() {
        let auc = rank_auc(&[0.1, 0.4, 0.4, 0.9], &[false, true, false, true]);
        // Of four pairs three are right and one is tied.
        assert_eq!(auc, Some(3.5 / 4.0));
        assert_eq!(rank_auc(&[0.3, 0.7], &[true, true]), None);
    }
}
