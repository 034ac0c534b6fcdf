//! Turns a cloud of a table into the tensors of the pick-and-place network. Training calls the very same
//! code.

use prehend_cloud::{Grouped, Grouping};

/// Share of the points that are kept for what stands above the table.
const ABOVE: [usize; 2] = [3, 4];

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
}

impl SceneInputs {
    /// Which of the points, visited in `order`, are kept: three quarters above `surface` (m), one quarter
    /// below. What one side lacks the other gives; if there are too few in all, they are repeated.
    #[must_use]
    pub fn choose(points: &[[f32; 3]], order: &[usize], n: usize, surface: f32) -> Vec<usize> {
        let (above, below): (Vec<usize>, Vec<usize>) =
            order.iter().partition(|index| points[**index][2] > surface);
        let wanted = n * ABOVE[0] / ABOVE[1];
        let n_below = below.len().min(n - wanted.min(above.len()));
        let n_above = above.len().min(n - n_below);
        let mut chosen: Vec<usize> = above[..n_above].to_vec();
        chosen.extend(&below[..n_below]);
        let n_once = chosen.len();
        if n_once > 0 {
            for index in 0..n - n_once {
                chosen.push(chosen[index % n_once]);
            }
        }
        chosen
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
        Self {
            features,
            grouped: grouping.build(&points),
            held: held.collect(),
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
            let chosen = SceneInputs::choose(&points, &order, 16, 0.01);
            assert!(chosen.len() == 16 || points.is_empty());
            chosen.iter().filter(|i| points[**i][2] > 0.01).count()
        };
        assert_eq!(count(100, 100), 12);
        assert_eq!(count(100, 2), 14);
        assert_eq!(count(5, 100), 5);
        assert_eq!(count(3, 3), 9, "repeated");
        assert_eq!(count(0, 0), 0);
    }
}
