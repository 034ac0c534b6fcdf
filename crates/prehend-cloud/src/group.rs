//! Which points stand for others, and which are near them: what PointNet++ (Qi et al. 2017) needs to
//! know of a cloud. All choices are functions of the input alone.

use wide::f32x8;

/// Points by coordinate, eight at once: to compare one point with all of them.
struct Eights {
    coordinates: Vec<[f32x8; 3]>,
}

impl Eights {
    /// What is missing in the last eight is nowhere.
    fn new(points: &[[f32; 3]]) -> Self {
        let chunks = points.chunks(8);
        let filled = |chunk: &[[f32; 3]], axis: usize| {
            let lane = |lane: usize| chunk.get(lane).map_or(f32::INFINITY, |point| point[axis]);
            f32x8::from(std::array::from_fn::<f32, 8, _>(lane))
        };
        Self {
            coordinates: chunks
                .map(|chunk| [0, 1, 2].map(|axis| filled(chunk, axis)))
                .collect(),
        }
    }

    /// Squares of the distances to a point.
    fn squares(&self, to: &[f32; 3]) -> impl Iterator<Item = f32x8> {
        let to = to.map(f32x8::splat);
        self.coordinates.iter().map(move |own| {
            let [x, y, z] = [own[0] - to[0], own[1] - to[1], own[2] - to[2]];
            x * x + y * y + z * z
        })
    }
}

/// Index of the first that is equal; 0 if there is none.
fn first_equal(all: &[f32x8], value: f32) -> usize {
    let wanted = f32x8::splat(value);
    let masks = all.iter().map(|own| own.simd_eq(wanted).to_bitmask());
    let found = masks.enumerate().find(|(_, mask)| *mask != 0);
    found.map_or(0, |(block, mask)| {
        8 * block + mask.trailing_zeros() as usize
    })
}

/// Indices of those that are less, in order.
fn less(all: &[f32x8], than: f32) -> impl Iterator<Item = usize> {
    let than = f32x8::splat(than);
    all.iter().enumerate().flat_map(move |(block, own)| {
        let mut mask = own.simd_lt(than).to_bitmask();
        std::iter::from_fn(move || {
            let lane = (mask != 0).then(|| mask.trailing_zeros() as usize)?;
            mask &= mask - 1;
            Some(8 * block + lane)
        })
    })
}

/// `n` points, each the farthest from those before it; the first is point 0. Where points run out, the
/// last ones are repeated.
#[must_use]
pub fn farthest_points(points: &[[f32; 3]], n: usize) -> Vec<u32> {
    let mut chosen = Vec::with_capacity(n);
    if points.is_empty() {
        return chosen;
    }
    let eights = Eights::new(points);
    // What is missing in the last eight is never far.
    let mut distances: Vec<f32x8> = (0..eights.coordinates.len())
        .map(|block| {
            let is_there = |lane: usize| 8 * block + lane < points.len();
            let far = |lane| if is_there(lane) { f32::INFINITY } else { 0.0 };
            f32x8::from(std::array::from_fn::<f32, 8, _>(far))
        })
        .collect();
    let mut next = 0;
    for _ in 0..n {
        chosen.push(next as u32);
        let mut most = f32x8::ZERO;
        for (distance, square) in distances.iter_mut().zip(eights.squares(&points[next])) {
            *distance = distance.fast_min(square);
            most = most.fast_max(*distance);
        }
        let farthest = most.to_array().into_iter().fold(0.0, f32::max);
        if farthest > 0.0 {
            next = first_equal(&distances, farthest);
        }
    }
    chosen
}

/// For each centre, the point nearest to it, then the first points within `radius` in the cloud's order, `k`
/// in all; the nearest one is repeated where there are fewer. A cloud in random order is sampled fairly.
pub fn ball_query(
    points: &[[f32; 3]],
    centres: &[[f32; 3]],
    radius: f32,
    k: usize,
    out: &mut Vec<u32>,
) {
    let eights = Eights::new(points);
    let mut squares = Vec::with_capacity(eights.coordinates.len());
    for centre in centres {
        squares.clear();
        squares.extend(eights.squares(centre));
        let least = squares.iter().copied().reduce(f32x8::fast_min);
        let least = least.map_or([0.0; 8], f32x8::to_array);
        let least = least.into_iter().fold(f32::INFINITY, f32::min);
        let is_any = least < f32::INFINITY;
        let nearest = if is_any {
            first_equal(&squares, least) as u32
        } else {
            0
        };
        let start = out.len();
        out.push(nearest);
        let inside = less(&squares, radius * radius).map(|index| index as u32);
        out.extend(inside.take(k.saturating_sub(1)));
        out.resize(start + k, nearest);
    }
}

/// For each point, the three nearest centres, and weights that fall with the distance and sum to one.
pub fn three_nearest(
    points: &[[f32; 3]],
    centres: &[[f32; 3]],
    indices: &mut Vec<u32>,
    weights: &mut Vec<f32>,
) {
    let eights = Eights::new(centres);
    for point in points {
        let mut best = [(f32::INFINITY, 0_u32); 3];
        for (block, squares) in eights.squares(point).enumerate() {
            for lane in less(&[squares], best[2].0) {
                let square = squares.as_array()[lane];
                if square < best[2].0 {
                    best[2] = (square, (8 * block + lane) as u32);
                    best.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
                }
            }
        }
        let near = best.map(|(distance, _)| 1.0 / (distance + 1e-8));
        let sum: f32 = near.iter().sum();
        indices.extend(best.map(|(_, index)| index));
        weights.extend(near.map(|near| near / sum));
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn line(n: usize) -> Vec<[f32; 3]> {
        (0..n).map(|i| [i as f32, 0.0, 0.0]).collect()
    }

    #[test]
    fn farthest_points_spread_out_and_repeat_when_they_run_out() {
        assert_eq!(farthest_points(&line(11), 3), [0, 10, 5]);
        assert_eq!(farthest_points(&line(2), 4).len(), 4);
        assert!(farthest_points(&[], 4).is_empty());
    }

    /// One point after the other, in no hurry.
    fn slow_ball(points: &[[f32; 3]], centre: &[f32; 3], radius: f32, k: usize) -> Vec<u32> {
        let square = |p: &[f32; 3]| -> f32 {
            let [x, y, z] = std::array::from_fn(|axis| p[axis] - centre[axis]);
            x * x + y * y + z * z
        };
        let all = || 0..points.len() as u32;
        let of = |index: &u32| square(&points[*index as usize]);
        let nearest = all().min_by(|a, b| of(a).total_cmp(&of(b))).unwrap_or(0);
        let inside = all().filter(|index| of(index) < radius * radius);
        let some = std::iter::once(nearest).chain(inside).take(k);
        some.chain(std::iter::repeat(nearest)).take(k).collect()
    }

    #[test]
    fn eight_at_once_find_what_one_by_one_finds() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for n in [1, 7, 8, 9, 64, 203] {
            // On a grid: many are equally far.
            let mut place = || rng.random_range(0..6_u8);
            let mut point = || [place(), place(), place()].map(|v| 0.01 * f32::from(v));
            let points: Vec<[f32; 3]> = (0..n).map(|_| point()).collect();
            let centres: Vec<[f32; 3]> = (0..20).map(|_| point()).collect();
            let mut found = Vec::new();
            ball_query(&points, &centres, 0.015, 6, &mut found);
            let slow = centres.iter().map(|c| slow_ball(&points, c, 0.015, 6));
            assert_eq!(found, slow.flatten().collect::<Vec<u32>>(), "{n} points");

            let (mut indices, mut weights) = (Vec::new(), Vec::new());
            three_nearest(&centres, &points, &mut indices, &mut weights);
            for (centre, own) in centres.iter().zip(indices.chunks_exact(3)) {
                assert_eq!(own[0], slow_ball(&points, centre, 0.0, 1)[0], "{n} points");
            }
            let chosen = farthest_points(&points, n);
            assert!(chosen.iter().all(|index| (*index as usize) < n));
        }
    }

    #[test]
    fn nothing_strange_makes_it_panic_or_point_beyond_the_cloud() {
        let strange = [[f32::NAN, 0.0, 0.0], [f32::INFINITY; 3], [1e30, 0.0, 0.0]];
        let (mut indices, mut weights) = (Vec::new(), Vec::new());
        ball_query(&strange, &strange, 0.1, 4, &mut indices);
        ball_query(&strange, &strange, 0.1, 0, &mut indices);
        three_nearest(&strange, &strange, &mut indices, &mut weights);
        indices.extend(farthest_points(&strange, 5));
        assert_eq!(indices.len(), 12 + 9 + 5);
        assert!(indices.iter().all(|index| *index < 3), "{indices:?}");
    }

    #[test]
    fn a_ball_holds_what_is_in_it() {
        let mut out = Vec::new();
        ball_query(
            &line(10),
            &[[4.0, 0.0, 0.0], [50.0, 0.0, 0.0]],
            1.5,
            4,
            &mut out,
        );
        assert_eq!(out, [4, 3, 4, 5, 9, 9, 9, 9]);
    }

    #[test]
    fn weights_sum_to_one_and_the_nearest_weighs_most() {
        let (mut indices, mut weights) = (Vec::new(), Vec::new());
        three_nearest(&[[4.2, 0.0, 0.0]], &line(10), &mut indices, &mut weights);
        assert_eq!(indices, [4, 5, 3]);
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(weights[0] > weights[1] && weights[1] > weights[2]);
    }
}
