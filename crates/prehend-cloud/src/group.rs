//! Which points stand for others, and which are near them: what PointNet++ (Qi et al. 2017) needs to
//! know of a cloud. All choices are functions of the input alone.

/// `n` points, each the farthest from those before it; the first is point 0. Where points run out, the
/// last ones are repeated.
#[must_use]
pub fn farthest_points(points: &[[f32; 3]], n: usize) -> Vec<u32> {
    let mut chosen = Vec::with_capacity(n);
    if points.is_empty() {
        return chosen;
    }
    let mut distances = vec![f32::INFINITY; points.len()];
    let mut next = 0;
    for _ in 0..n {
        chosen.push(next as u32);
        let from = points[next];
        let mut farthest = 0.0;
        for (index, (point, distance)) in points.iter().zip(&mut distances).enumerate() {
            *distance = distance.min(square(point, &from));
            if *distance > farthest {
                farthest = *distance;
                next = index;
            }
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
    for centre in centres {
        let start = out.len();
        let (mut nearest, mut least) = (0, f32::INFINITY);
        out.push(0);
        for (index, point) in points.iter().enumerate() {
            let distance = square(point, centre);
            if distance < least {
                (nearest, least) = (index as u32, distance);
            }
            if distance < radius * radius && out.len() - start < k {
                out.push(index as u32);
            }
        }
        out[start] = nearest;
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
    for point in points {
        let mut best = [(f32::INFINITY, 0_u32); 3];
        for (index, centre) in centres.iter().enumerate() {
            let distance = square(point, centre);
            if distance < best[2].0 {
                best[2] = (distance, index as u32);
                best.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            }
        }
        let near = best.map(|(distance, _)| 1.0 / (distance + 1e-8));
        let sum: f32 = near.iter().sum();
        indices.extend(best.map(|(_, index)| index));
        weights.extend(near.map(|near| near / sum));
    }
}

fn square(a: &[f32; 3], b: &[f32; 3]) -> f32 {
    let [x, y, z] = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    x * x + y * y + z * z
}

#[cfg(test)]
mod tests {
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
