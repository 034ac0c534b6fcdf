//! What a depth camera gets wrong.

use prehend_cloud::Intrinsics;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::Hit;
use crate::config::NoiseConfig;

/// Turns true depths into measured ones: noise that grows with the distance squared, holes at depth
/// edges, drop-outs. 0 where nothing is measured. Equal seeds give equal images.
pub(super) fn measure(
    intrinsics: &Intrinsics,
    hits: &[Hit],
    noise: &NoiseConfig,
    rng: &mut ChaCha8Rng,
    depth: &mut Vec<f32>,
) {
    depth.clear();
    for (index, hit) in hits.iter().enumerate() {
        // Every pixel draws the same number of times, so that one pixel's fate moves no other's.
        let [lost, first, second]: [f32; 3] = rng.random();
        let true_depth = hit.depth;
        let share_lost = if is_edge(intrinsics, hits, index, noise.edge_step_m as f32) {
            noise.edge_holes + noise.dropout
        } else {
            noise.dropout
        };
        if !true_depth.is_finite() || lost < share_lost as f32 {
            depth.push(0.0);
            continue;
        }
        let sigma = noise.sigma_m as f32 + noise.sigma_per_m2 as f32 * true_depth * true_depth;
        depth.push((true_depth + sigma * standard_normal(first, second)).max(0.0));
    }
}

/// Box and Muller's transform of two uniform numbers in [0, 1).
fn standard_normal(first: f32, second: f32) -> f32 {
    (-2.0 * (1.0 - first).ln()).sqrt() * (std::f32::consts::TAU * second).cos()
}

/// Whether a direct neighbour is further away or nearer by more than `step`.
fn is_edge(intrinsics: &Intrinsics, hits: &[Hit], index: usize, step: f32) -> bool {
    let (column, row) = (index % intrinsics.width, index / intrinsics.width);
    let here = hits[index].depth;
    let differs = |other: usize| (hits[other].depth - here).abs() > step;
    (column > 0 && differs(index - 1))
        || (column + 1 < intrinsics.width && differs(index + 1))
        || (row > 0 && differs(index - intrinsics.width))
        || (row + 1 < intrinsics.height && differs(index + intrinsics.width))
}
