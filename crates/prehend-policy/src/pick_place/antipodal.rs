//! A baseline: pairs of measured points whose normals face each other (as in GPD, ten Pas et al. 2017,
//! without its network).

use nalgebra::{Point3, Rotation3, Unit, Vector3};
use prehend_cloud::SURFACE;
use prehend_types::TableGrasp;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Largest angle between a normal and the line between both points, rad.
const CONE: f64 = 0.30;
/// Thinnest pair, m.
const THINNEST: f64 = 0.005;
/// Ways about the closing axis from which the hand may come.
const N_APPROACHES: usize = 12;

/// Grasps between points above the table that face each other, at most `max_width` apart, best first. At
/// most `n_pairs` pairs, each from twelve sides.
#[must_use]
pub fn antipodal_grasps(
    points: &[[f32; 3]],
    normals: &[[f32; 3]],
    max_width: f64,
    n_pairs: usize,
    seed: u64,
) -> Vec<TableGrasp> {
    let wide = |v: &[f32; 3]| Vector3::from(*v).cast::<f64>();
    let mut above: Vec<usize> = (0..points.len())
        .filter(|i| points[*i][2] > SURFACE)
        .collect();
    above.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (rank, &first) in above.iter().enumerate() {
        let (p, n) = (wide(&points[first]), wide(&normals[first]));
        for &second in &above[rank + 1..] {
            let way = wide(&points[second]) - p;
            let width = way.norm();
            if !(THINNEST..max_width).contains(&width) {
                continue;
            }
            let closing = way / width;
            let facing = (-closing.dot(&n)).min(closing.dot(&wide(&normals[second])));
            if facing > libm::cos(CONE) {
                pairs.push((facing, first, second));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    pairs.truncate(n_pairs);
    let grasps = pairs.into_iter().flat_map(|(_, first, second)| {
        let contact = Point3::from(wide(&points[first]));
        let way = wide(&points[second]) - contact.coords;
        let closing = Unit::new_normalize(way);
        let level = Unit::try_new(closing.cross(&Vector3::z()), 0.1);
        let start = level.unwrap_or_else(|| Unit::new_normalize(closing.cross(&Vector3::x())));
        // From above first: that is where there is room.
        let down = closing.cross(&start);
        let down = if down.z > 0.0 { -down } else { down };
        (0..N_APPROACHES).map(move |turn| {
            let sign = if turn % 2 == 0 { 1.0 } else { -1.0 };
            let step = turn.div_ceil(2) as f64;
            let angle = sign * step * std::f64::consts::TAU / N_APPROACHES as f64;
            TableGrasp {
                contact,
                closing: *closing,
                approach: Rotation3::from_axis_angle(&closing, angle) * down,
                width: way.norm(),
                retreat: 0.0,
            }
        })
    });
    grasps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facing_sides_make_a_pair_and_the_first_way_is_from_above() {
        let points = [[0.4, -0.02, 0.05], [0.4, 0.02, 0.05], [0.5, 0.0, 0.05]];
        let normals = [[0.0, -1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let found = antipodal_grasps(&points, &normals, 0.08, 10, 1);
        assert_eq!(found.len(), N_APPROACHES);
        assert!((found[0].width - 0.04).abs() < 1e-6);
        assert!((found[0].approach + Vector3::z()).norm() < 1e-6);
        assert!(
            found
                .iter()
                .all(|g| g.approach.dot(&g.closing).abs() < 1e-6)
        );
    }
}
