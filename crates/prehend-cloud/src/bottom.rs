//! Where a held object ends below.

use nalgebra::Point3;

/// Middle of the squares of 1 cm that an object's points fall into, at the height of its lowest points:
/// which side was seen best hardly shifts it (M2T2's grid mean). `None` without points.
#[must_use]
pub fn bottom_centre(points: &[[f32; 3]]) -> Option<Point3<f64>> {
    let mut cells: Vec<[i32; 2]> = points
        .iter()
        .map(|p| [p[0], p[1]].map(|v| (v * 100.0).floor() as i32))
        .collect();
    cells.sort_unstable();
    cells.dedup();
    let n = cells.len() as f64;
    let mean = |axis: usize| {
        let sum: f64 = cells.iter().map(|cell| f64::from(cell[axis]) + 0.5).sum();
        0.01 * sum / n
    };
    let mut heights: Vec<f32> = points.iter().map(|p| p[2]).collect();
    heights.sort_unstable_by(f32::total_cmp);
    // The lowest few may be noise.
    let low = heights.get(heights.len() / 50)?;
    Some(Point3::new(mean(0), mean(1), f64::from(*low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bottom_centre_does_not_follow_the_density() {
        let mut points: Vec<[f32; 3]> = (0..100)
            .map(|i| {
                [
                    (i % 10) as f32 * 0.01 + 0.005,
                    (i / 10) as f32 * 0.01 + 0.005,
                    0.2,
                ]
            })
            .collect();
        let even = bottom_centre(&points).expect("points");
        points.extend((0..500).map(|i| [0.001 + 1e-6 * i as f32, 0.005, 0.2]));
        let uneven = bottom_centre(&points).expect("points");
        assert!(
            (even - Point3::new(0.05, 0.05, 0.2)).norm() < 1e-6,
            "{even}"
        );
        assert_eq!(even, uneven);
        assert_eq!(bottom_centre(&[]), None);
    }
}
