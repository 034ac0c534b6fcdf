//! Precision of proposals over how much of what is allowed they cover.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Executed;

/// Precision against coverage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Curve {
    /// Area under precision over coverage, which ends at one: what is never covered counts as nothing.
    pub auc: f64,
    /// Share of the allowed ones that is covered by any proposal.
    pub max_coverage: f64,
    /// Precision where a tenth and four tenths are covered; `None` if coverage never gets there.
    pub precision_at_10: Option<f64>,
    /// See above.
    pub precision_at_40: Option<f64>,
    /// Proposals.
    pub n: usize,
}

pub(super) fn curve(mut executed: Vec<&Executed>, n_allowed: u64) -> Curve {
    executed.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let mut covered = BTreeSet::new();
    let (mut good, mut auc, mut before) = (0_u64, 0.0, 0.0);
    let mut at = [None; 2];
    for (index, proposal) in executed.iter().enumerate() {
        good += u64::from(proposal.is_good);
        covered.extend(
            proposal
                .covers
                .iter()
                .map(|allowed| (proposal.scene, *allowed)),
        );
        let precision = good as f64 / (index + 1) as f64;
        let coverage = covered.len() as f64 / n_allowed.max(1) as f64;
        auc += precision * (coverage - before);
        before = coverage;
        for (slot, level) in at.iter_mut().zip([0.1, 0.4]) {
            if slot.is_none() && coverage >= level {
                *slot = Some(precision);
            }
        }
    }
    Curve {
        auc,
        max_coverage: before,
        precision_at_10: at[0],
        precision_at_40: at[1],
        n: executed.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_counts_what_is_covered_and_true() {
        let executed = |confidence: f64, is_good: bool, covers: Vec<u32>| Executed {
            confidence,
            is_good,
            covers,
            scene: 1,
        };
        let all = [
            executed(0.9, true, vec![0, 1]),
            executed(0.5, false, vec![1, 2]),
            executed(0.7, true, vec![]),
        ];
        let found = curve(all.iter().collect(), 4);
        // Half covered at precision 1, a further quarter at 2/3.
        assert!(
            (found.auc - (0.5 + 0.25 * 2.0 / 3.0)).abs() < 1e-12,
            "{found:?}"
        );
        assert!((found.max_coverage - 0.75).abs() < 1e-12);
        assert_eq!(found.precision_at_10, Some(1.0));
    }
}
