//! Which grasp token stands for which object: the assignment of least cost (Carion et al. 2020, DETR).

use pathfinding::kuhn_munkres::kuhn_munkres_min;
use pathfinding::matrix::Matrix;

/// Weights of objectness, mask cross-entropy and mask overlap (M2T2).
const OBJECTNESS: f64 = 2.0;
const MASK: f64 = 5.0;
const OVERLAP: f64 = 5.0;
/// Costs become whole numbers of this size.
const UNIT: f64 = 1e-6;

/// What tokens say of one view: logits.
pub(super) struct Said<'a> {
    /// One for each token.
    pub objectness: &'a [f32],
    /// Row by row: a point's logit for each token.
    pub masks: &'a [f32],
}

/// For each object, its token. `is_known` leaves points out that nothing is known of.
pub(super) fn assign(said: &Said<'_>, objects: &[Vec<u32>], is_known: &[bool]) -> Vec<usize> {
    let n_tokens = said.objectness.len();
    if objects.is_empty() {
        return Vec::new();
    }
    let n_known = is_known.iter().filter(|known| **known).count().max(1) as f64;
    let mut soft = vec![0.0_f64; n_tokens];
    let mut share = vec![0.0_f64; n_tokens];
    for (row, _) in is_known.iter().enumerate().filter(|(_, known)| **known) {
        for token in 0..n_tokens {
            let x = f64::from(said.masks[row * n_tokens + token]);
            soft[token] += softplus(x);
            share[token] += sigmoid(x);
        }
    }
    let costs = objects.iter().map(|rows| {
        let costs = (0..n_tokens).map(|token| {
            let own = |row: &u32| f64::from(said.masks[*row as usize * n_tokens + token]);
            let sum: f64 = rows.iter().map(own).sum();
            let hit: f64 = rows.iter().map(|row| sigmoid(own(row))).sum();
            let entropy = (soft[token] - sum) / n_known;
            let dice = 1.0 - (2.0 * hit + 1.0) / (share[token] + rows.len() as f64 + 1.0);
            let objectness = sigmoid(f64::from(said.objectness[token]));
            let cost = MASK * entropy + OVERLAP * dice - OBJECTNESS * objectness;
            (cost / UNIT) as i64
        });
        costs.collect::<Vec<i64>>()
    });
    let Ok(costs) = Matrix::from_rows(costs.take(n_tokens)) else {
        return Vec::new();
    };
    kuhn_munkres_min(&costs).1
}

pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// ln(1 + eˣ), without overflow.
pub(super) fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_object_gets_the_token_that_covers_it() {
        // Three tokens, four points; token 2 covers object 0, token 0 object 1.
        let masks = [
            -9.0, -9.0, 9.0, //
            -9.0, -9.0, 9.0, //
            9.0, -9.0, -9.0, //
            -9.0, -9.0, -9.0,
        ];
        let said = Said {
            objectness: &[0.0; 3],
            masks: &masks,
        };
        let objects = [vec![0, 1], vec![2]];
        assert_eq!(assign(&said, &objects, &[true; 4]), [2, 0]);
        assert!(assign(&said, &[], &[true; 4]).is_empty());
    }
}
