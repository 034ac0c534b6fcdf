//! Turns a cloud of a table into the tensors of the pick-and-place network. Training calls the very same
//! code.

use prehend_cloud::{Grouped, Grouping, SURFACE, clearances};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::bundle::SceneManifest;

/// Share of the points that are kept for what stands above the table.
const ABOVE: f64 = 0.75;
/// Where one looks closely: share of all points, radius (m), and share for what stands above there.
const FOCUS: f64 = 0.6;
const FOCUS_RADIUS: f32 = 0.09;
const FOCUS_ABOVE: f64 = 0.5;

/// What the network is fed with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SceneInputs {
    /// Base frame, m.
    pub points: Vec<[f32; 3]>,
    /// Unit normal, height above the table.
    pub features: Vec<[f32; 4]>,
    /// The pyramid over the points.
    pub grouped: Grouped,
    /// Points of the held object along the base's axes, from its bottom centre, m; zeros if nothing is
    /// held.
    pub held: Vec<[f32; 3]>,
    /// For each point, for each turn: see [`clearances`].
    pub clearances: Vec<f32>,
}

impl SceneInputs {
    /// Which `n` of the points are kept, those first in `order` first: three quarters above the table,
    /// one quarter on it. What one side lacks the other gives. With a `focus` (x and y, m) most of them lie
    /// around it. They are listed in the order of `order`, which should be random: neighbours are sampled
    /// by it. If there are too few in all, they are repeated.
    #[must_use]
    pub fn choose(
        points: &[[f32; 3]],
        order: &[usize],
        n: usize,
        focus: Option<[f32; 2]>,
    ) -> Vec<usize> {
        let is_near = |rank: &usize| {
            let [x, y, _] = points[order[*rank]];
            focus.is_some_and(|at| libm::hypotf(x - at[0], y - at[1]) < FOCUS_RADIUS)
        };
        let (near, far): (Vec<usize>, Vec<usize>) = (0..order.len()).partition(is_near);
        let is_above = |rank: &usize| points[order[*rank]][2] > SURFACE;
        let take = |ranks: Vec<usize>, n: usize, share: f64| {
            let (above, below): (Vec<usize>, Vec<usize>) = ranks.into_iter().partition(is_above);
            let wanted = ((n as f64 * share) as usize).min(above.len());
            let n_below = below.len().min(n - wanted);
            let n_above = above.len().min(n - n_below);
            let above = above.into_iter().take(n_above);
            above
                .chain(below.into_iter().take(n_below))
                .collect::<Vec<usize>>()
        };
        let n_focus = ((n as f64 * FOCUS) as usize).max(n.saturating_sub(far.len()));
        let mut ranks = take(near, n_focus, FOCUS_ABOVE);
        ranks.extend(take(far, n - ranks.len(), ABOVE));
        ranks.sort_unstable();
        let once = ranks.iter().map(|rank| order[*rank]);
        let n = if ranks.is_empty() { 0 } else { n };
        once.cycle().take(n).collect()
    }

    /// One look at a cloud: the inputs for a random choice of its points, and which they are. `normal` is asked
    /// for those alone. With a `focus` (x and y, m) most of them lie around it.
    #[must_use]
    pub fn look(
        manifest: &SceneManifest,
        cloud: &[[f32; 3]],
        normal: impl Fn(usize) -> [f32; 3],
        held: &[[f32; 3]],
        focus: Option<[f32; 2]>,
        seed: u64,
    ) -> (Self, Vec<usize>) {
        let mut order: Vec<usize> = (0..cloud.len()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let chosen = Self::choose(cloud, &order, manifest.grouping.n_points, focus);
        let points = chosen.iter().map(|index| cloud[*index]).collect();
        let normals: Vec<[f32; 3]> = chosen.iter().map(|index| normal(*index)).collect();
        let inputs = Self::new(&manifest.grouping, points, &normals, held, manifest.n_held);
        (inputs, chosen)
    }

    /// The inputs for chosen points with their normals; `held` may be empty, or of any length.
    #[must_use]
    pub fn new(
        grouping: &Grouping,
        points: Vec<[f32; 3]>,
        normals: &[[f32; 3]],
        held: &[[f32; 3]],
        n_held: usize,
    ) -> Self {
        let features = points.iter().zip(normals);
        let features = features.map(|(p, [x, y, z])| [*x, *y, *z, p[2]]).collect();
        let held = (0..n_held).map(|row| match held.len() {
            0 => [0.0; 3],
            n => held[row * n.max(n_held) / n_held % n],
        });
        let held: Vec<[f32; 3]> = held.collect();
        Self {
            features,
            grouped: grouping.build(&points),
            clearances: clearances(&points, &held),
            held,
            points,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_and_gaps_filled() {
        let cloud = |above: usize, below: usize| -> Vec<[f32; 3]> {
            let high = (0..above).map(|i| [i as f32, 0.0, 0.1]);
            high.chain((0..below).map(|i| [i as f32, 0.0, 0.0]))
                .collect()
        };
        let count = |above: usize, below: usize| {
            let points = cloud(above, below);
            let order: Vec<usize> = (0..points.len()).collect();
            let chosen = SceneInputs::choose(&points, &order, 16, None);
            assert!(chosen.len() == 16 || points.is_empty());
            chosen.iter().filter(|i| points[**i][2] > 0.01).count()
        };
        assert_eq!(count(100, 100), 12);
        assert_eq!(count(100, 2), 14);
        assert_eq!(count(5, 100), 5);
        assert_eq!(count(3, 3), 9, "repeated");
        assert_eq!(count(0, 0), 0);
    }

    #[test]
    fn a_focus_takes_most_of_the_points_and_the_order_is_kept() {
        let mut points: Vec<[f32; 3]> = (0..100).map(|i| [i as f32 * 0.1, 0.0, 0.0]).collect();
        points.extend((0..100).map(|i| [1.0 + i as f32 * 0.0005, 0.5, 0.0]));
        let order: Vec<usize> = (0..200).map(|i| i * 77 % 200).collect();
        let chosen = SceneInputs::choose(&points, &order, 40, Some([1.02, 0.5]));
        assert_eq!(chosen.iter().filter(|i| **i >= 100).count(), 24);
        let rank = |index: &usize| order.iter().position(|own| own == index);
        assert!(chosen.is_sorted_by_key(rank));
        let few = SceneInputs::choose(&points[100..], &order[..0], 8, None);
        assert!(few.is_empty());
    }
}
