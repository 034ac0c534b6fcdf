//! A cloud as a pyramid: which points stand for others, which are their neighbours, and where those
//! indices stand in a network's flat inputs.

use serde::{Deserialize, Serialize};

use crate::group::{ball_query, farthest_points, three_nearest};

/// One step down the pyramid: centres chosen among the points above, each with neighbours at two radii.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Centres.
    pub n_centres: usize,
    /// Radii of the two balls, m.
    pub radii_m: [f32; 2],
    /// Neighbours kept in each ball.
    pub n_neighbours: [usize; 2],
}

/// The whole pyramid.
///
/// `indices` holds, level by level from the top: the centres, the neighbours in the small and in the
/// large ball, all as rows of the level above; then, from the top, the three nearest centres of every
/// point of the level above; then the anchors. `weights` holds the weights of those three, in the same order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grouping {
    /// Points of a cloud.
    pub n_points: usize,
    /// Three steps down.
    pub levels: [Level; 3],
    /// Points that stand for what may be objects: spread over all that is higher than `anchors_above_m`.
    pub n_anchors: usize,
    /// See above, m.
    pub anchors_above_m: f32,
}

/// A pyramid over one cloud; see [`Grouping`] for the order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Grouped {
    /// Rows of the level above.
    pub indices: Vec<u32>,
    /// Weights of the three nearest centres.
    pub weights: Vec<f32>,
}

/// Where something stands in a flat input.
pub type Span = std::ops::Range<usize>;

impl Default for Grouping {
    fn default() -> Self {
        let level = |n_centres, radii_m, n_neighbours| Level {
            n_centres,
            radii_m,
            n_neighbours,
        };
        Self {
            n_points: 1024,
            levels: [
                level(256, [0.025, 0.05], [16, 16]),
                level(64, [0.05, 0.10], [16, 16]),
                level(16, [0.10, 0.20], [8, 16]),
            ],
            n_anchors: 16,
            anchors_above_m: 0.005,
        }
    }
}

impl Grouping {
    /// Points of the level above `level`.
    #[must_use]
    pub fn n_above(&self, level: usize) -> usize {
        match level {
            0 => self.n_points,
            _ => self.levels[level - 1].n_centres,
        }
    }

    /// Numbers in `indices`.
    #[must_use]
    pub fn n_indices(&self) -> usize {
        self.anchors().end
    }

    /// The anchors, as rows of the cloud.
    #[must_use]
    pub fn anchors(&self) -> Span {
        let start = self.nearest(2).end;
        start..start + self.n_anchors
    }

    /// Numbers in `weights`.
    #[must_use]
    pub fn n_weights(&self) -> usize {
        3 * (0..3).map(|level| self.n_above(level)).sum::<usize>()
    }

    /// Builds the pyramid over a cloud of `n_points` points.
    #[must_use]
    pub fn build(&self, points: &[[f32; 3]]) -> Grouped {
        let mut grouped = Grouped {
            indices: Vec::with_capacity(self.n_indices()),
            weights: Vec::with_capacity(self.n_weights()),
        };
        let mut above = points.to_vec();
        let mut nearest = Vec::new();
        for level in &self.levels {
            let chosen = farthest_points(&above, level.n_centres);
            let centres: Vec<[f32; 3]> = chosen.iter().map(|i| above[*i as usize]).collect();
            grouped.indices.extend(&chosen);
            for (radius, k) in level.radii_m.iter().zip(level.n_neighbours) {
                ball_query(&above, &centres, *radius, k, &mut grouped.indices);
            }
            three_nearest(&above, &centres, &mut nearest, &mut grouped.weights);
            above = centres;
        }
        grouped.indices.extend(nearest);
        grouped.indices.extend(self.spread(points));
        grouped
    }

    /// Anchors over what stands above the table; over everything where nothing does.
    fn spread(&self, points: &[[f32; 3]]) -> Vec<u32> {
        let above: Vec<u32> = (0..points.len() as u32)
            .filter(|index| points[*index as usize][2] > self.anchors_above_m)
            .collect();
        if above.is_empty() {
            return farthest_points(points, self.n_anchors);
        }
        let own: Vec<[f32; 3]> = above.iter().map(|index| points[*index as usize]).collect();
        let chosen = farthest_points(&own, self.n_anchors);
        chosen
            .into_iter()
            .map(|index| above[index as usize])
            .collect()
    }

    /// The centres of a level.
    #[must_use]
    pub fn centres(&self, level: usize) -> Span {
        let before: usize = self.levels[..level].iter().map(Level::n_indices).sum();
        before..before + self.levels[level].n_centres
    }

    /// The neighbours of a level's centres in one of its two balls.
    #[must_use]
    pub fn neighbours(&self, level: usize, ball: usize) -> Span {
        let Level {
            n_centres,
            n_neighbours: [small, large],
            ..
        } = self.levels[level];
        let start = self.centres(level).end + ball * n_centres * small;
        start..start + n_centres * if ball == 0 { small } else { large }
    }

    /// The three nearest centres of the points above a level.
    #[must_use]
    pub fn nearest(&self, level: usize) -> Span {
        let before: usize = self.levels.iter().map(Level::n_indices).sum();
        let above = self.weights(level);
        before + above.start..before + above.end
    }

    /// The weights of [`Self::nearest`].
    #[must_use]
    pub fn weights(&self, level: usize) -> Span {
        let start = 3 * (0..level).map(|level| self.n_above(level)).sum::<usize>();
        start..start + 3 * self.n_above(level)
    }
}

impl Level {
    fn n_indices(&self) -> usize {
        self.n_centres * (1 + self.n_neighbours.iter().sum::<usize>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_has_the_announced_sizes() {
        let grouping = Grouping::default();
        let points: Vec<[f32; 3]> = (0..1024)
            .map(|i| [(i % 32) as f32 * 0.01, (i / 32) as f32 * 0.01, 0.0])
            .collect();
        let grouped = grouping.build(&points);
        assert_eq!(grouped.indices.len(), grouping.n_indices());
        assert_eq!(grouped.weights.len(), grouping.n_weights());
        let far = |span: Span, limit: usize| {
            grouped.indices[span]
                .iter()
                .all(|index| (*index as usize) < limit)
        };
        for level in 0..3 {
            assert!(far(grouping.neighbours(level, 1), grouping.n_above(level)));
            assert!(far(
                grouping.nearest(level),
                grouping.levels[level].n_centres
            ));
        }
    }

    #[test]
    fn spans_follow_each_other_without_gaps() {
        let grouping = Grouping::default();
        let mut end = 0;
        for level in 0..3 {
            for span in [
                grouping.centres(level),
                grouping.neighbours(level, 0),
                grouping.neighbours(level, 1),
            ] {
                assert_eq!(span.start, end);
                end = span.end;
            }
        }
        for level in 0..3 {
            assert_eq!(grouping.nearest(level).start, end);
            end = grouping.nearest(level).end;
        }
        assert_eq!(grouping.anchors().start, end);
        assert_eq!(grouping.anchors().end, grouping.n_indices());
        assert_eq!(grouping.weights(2).end, grouping.n_weights());
    }
}
