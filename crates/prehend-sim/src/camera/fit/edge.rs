//! What a step edge tells: lateral noise and edge holes.

use super::simplex::minimum;
use super::{FitError, Recording, StepFrames, normal_below};

/// Columns on each side of the edge that are looked at.
const EDGE_COLUMNS: usize = 8;
/// Lateral noise is none if that explains the edge as well: log likelihoods within this of each other.
const INDIFFERENT: f64 = 2.0;
/// Stands for no lateral noise: rays keep to the pixel's centre, pixels.
const STILL: f64 = 1e-3;

/// What the edge tells.
pub(super) struct Edge {
    /// Pixels.
    pub lateral: f64,
    /// Share of edge pixels that measure nothing.
    pub holes: f64,
    /// See [`super::Residual`].
    pub residual: f64,
}

/// Lateral noise and edge holes, from the shares of near, far and empty pixels in each column.
pub(super) fn edge(recording: &Recording, dropout: f64) -> Result<Edge, FitError> {
    let StepFrames {
        near_m,
        far_m,
        frames,
    } = &recording.step;
    let width = recording.intrinsics.width;
    let middle = (0.5 * (near_m + far_m)) as f32;
    // Near, far, empty.
    let mut counts = vec![[0.0_f64; 3]; width];
    for row in frames.iter().flat_map(|frame| frame.chunks(width)) {
        for (count, z) in counts.iter_mut().zip(row) {
            let kind = if *z <= 0.0 {
                2
            } else {
                usize::from(*z > middle)
            };
            count[kind] += 1.0;
        }
    }
    let place = (1..width).find(|column| {
        let far = |count: &[f64; 3]| count[1] > count[0];
        counts[*column..].iter().take(EDGE_COLUMNS).all(far)
    });
    let place = place
        .filter(|place| *place >= EDGE_COLUMNS && place + EDGE_COLUMNS <= width)
        .ok_or(FitError::Step)?;
    let first = place - EDGE_COLUMNS;
    let counts = &counts[first..place + EDGE_COLUMNS];
    if counts[0][0] < 20.0 || far_m - near_m <= recording.edge_step_m {
        return Err(FitError::Step);
    }
    let model = |edge: f64, sigma: f64, holes: f64, column: usize| {
        // Share of rays that fall on the near side, in this column and its neighbours.
        let near = |column: f64| normal_below((edge - column - 0.5) / sigma);
        let column = column as f64;
        let (p, left, right) = (near(column), near(column - 1.0), near(column + 1.0));
        let kept = |p: f64, left: f64, right: f64| {
            p * (1.0 - dropout - holes * (1.0 - left * right * p * p)).max(0.0)
        };
        let (near, far) = (kept(p, left, right), kept(1.0 - p, 1.0 - left, 1.0 - right));
        [near, far, 1.0 - near - far]
    };
    let columns = || (first..).zip(counts);
    let cost = |[edge, log_sigma, holes]: [f64; 3]| {
        let (sigma, bounded) = (libm::exp(log_sigma.clamp(-7.0, 2.0)), holes.clamp(0.0, 1.0));
        let surprise = columns().map(|(column, count)| {
            let shares = model(edge, sigma, bounded, column);
            let terms = shares.iter().zip(count);
            terms.map(|(p, n)| -n * libm::log(p.max(1e-9))).sum::<f64>()
        });
        surprise.sum::<f64>() * (1.0 + (holes - bounded).abs())
    };
    let at = place as f64;
    let without = |[edge, holes]: [f64; 2]| cost([edge, libm::log(STILL), holes]);
    let still = minimum(&[[at, 0.3], [at, 0.7]], [0.1, 0.2], without);
    let starts = [
        [at, -3.0, 0.3],
        [at, -1.5, 0.3],
        [at, -0.5, 0.3],
        [at, 0.5, 0.3],
    ];
    let moved = minimum(&starts, [0.3, 0.5, 0.2], cost);
    let is_still = without(still) <= cost(moved) + INDIFFERENT;
    let [at, log_sigma, holes] = if is_still {
        [still[0], libm::log(STILL), still[1]]
    } else {
        moved
    };
    let (sigma, holes) = (libm::exp(log_sigma.clamp(-7.0, 2.0)), holes.clamp(0.0, 1.0));
    let errors = columns().flat_map(|(column, count)| {
        let total: f64 = count.iter().sum();
        let shares = model(at, sigma, holes, column);
        (0..3).map(move |kind| (shares[kind] - count[kind] / total).powi(2))
    });
    let residual = (errors.sum::<f64>() / (3 * counts.len()) as f64).sqrt();
    Ok(Edge {
        lateral: if is_still { 0.0 } else { sigma },
        holes,
        residual,
    })
}
