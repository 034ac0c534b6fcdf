//! A baseline: from above, across the narrow side of each lump of points.

use nalgebra::{Matrix2, Point3, Vector2, Vector3};
use prehend_cloud::SURFACE;
use prehend_types::TableGrasp;

use super::lumps::lumps;

/// Fewest points of a lump.
const FEWEST: usize = 12;
/// How far below a lump's top the tool goes at most, and how near to the table, m.
const DEPTH: f64 = 0.030;
const LOWEST: f64 = 0.014;

/// One grasp from above for each lump higher than the table, highest first: the middle of its extent,
/// closing along the direction of least spread.
#[must_use]
pub fn centroid_grasps(points: &[[f32; 3]]) -> Vec<TableGrasp> {
    let above: Vec<[f32; 3]> = points.iter().copied().filter(|p| p[2] > SURFACE).collect();
    let mut found: Vec<(f32, TableGrasp)> = lumps(&above)
        .iter()
        .filter(|lump| lump.len() >= FEWEST)
        .filter_map(|lump| {
            let top = lump.iter().map(|i| above[*i][2]).fold(f32::MIN, f32::max);
            Some((top, across(&above, lump)?))
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().map(|(_, grasp)| grasp).collect()
}

fn across(points: &[[f32; 3]], lump: &[usize]) -> Option<TableGrasp> {
    let wide = |index: &usize| Vector3::from(points[*index]).cast::<f64>();
    let n = lump.len() as f64;
    let mean: Vector2<f64> = lump.iter().map(|i| wide(i).xy()).sum::<Vector2<f64>>() / n;
    let spread: Matrix2<f64> = lump
        .iter()
        .map(|i| {
            let off = wide(i).xy() - mean;
            off * off.transpose()
        })
        .sum();
    let eigen = spread.symmetric_eigen();
    let narrow = eigen
        .eigenvectors
        .column(eigen.eigenvalues.imin())
        .into_owned();
    let along = lump.iter().map(|i| (wide(i).xy() - mean).dot(&narrow));
    let (low, high) = along.fold((f64::MAX, f64::MIN), |(low, high), x| {
        (low.min(x), high.max(x))
    });
    let top = lump.iter().map(|i| wide(i).z).fold(f64::MIN, f64::max);
    let height = (top - DEPTH).max(0.5 * top).max(LOWEST);
    let edge = mean + narrow * low;
    (high > low).then(|| TableGrasp {
        contact: Point3::new(edge.x, edge.y, height),
        closing: Vector3::new(narrow.x, narrow.y, 0.0),
        approach: -Vector3::z(),
        width: high - low,
        retreat: 0.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_grasped_across_and_the_higher_lump_comes_first() {
        let bar = |y: f32, z: f32| {
            (0..80_u8).map(move |i| {
                let (a, b) = (f32::from(i % 20), f32::from(i / 20));
                [0.4 + 0.005 * a, y + 0.005 * b, z]
            })
        };
        let points: Vec<[f32; 3]> = bar(0.0, 0.04).chain(bar(0.2, 0.08)).collect();
        let found = centroid_grasps(&points);
        assert_eq!(found.len(), 2);
        assert!(found[0].contact.y > 0.1, "the higher one");
        assert!(found[0].closing.y.abs() > 0.99 && (found[0].width - 0.015).abs() < 1e-3);
        assert!(centroid_grasps(&[]).is_empty());
    }
}
