//! A capsule around points: coarse, but one formula gives its distance to another.

use nalgebra::{Matrix3, SymmetricEigen, Vector3};

/// Sphere centres and radius of a capsule that holds all points: the smallest of those along the
/// principal axes of the corners and along x, y, z, each around the middle across its axis.
pub(super) fn around(points: &[Vector3<f64>]) -> (Vector3<f64>, Vector3<f64>, f64) {
    let mean = points.iter().sum::<Vector3<f64>>() / points.len().max(1) as f64;
    let spread: Matrix3<f64> = points
        .iter()
        .map(|point| (point - mean) * (point - mean).transpose())
        .sum();
    let axes = SymmetricEigen::new(spread).eigenvectors;
    let columns = [0, 1, 2].map(|column| axes.column(column).into_owned());
    let candidates = columns
        .into_iter()
        .chain([Vector3::x(), Vector3::y(), Vector3::z()]);
    let mut best = (Vector3::zeros(), Vector3::zeros(), f64::INFINITY);
    let mut smallest = f64::INFINITY;
    for axis in candidates {
        let (a, b, radius) = along(points, &axis);
        let volume = radius * radius * ((b - a).norm() + 4.0 / 3.0 * radius);
        if volume < smallest {
            smallest = volume;
            best = (a, b, radius);
        }
    }
    best
}

fn along(points: &[Vector3<f64>], axis: &Vector3<f64>) -> (Vector3<f64>, Vector3<f64>, f64) {
    let across = |point: &Vector3<f64>| point - axis * point.dot(axis);
    let (mut low, mut high) = (
        Vector3::repeat(f64::INFINITY),
        Vector3::repeat(f64::NEG_INFINITY),
    );
    for point in points {
        low = low.inf(&across(point));
        high = high.sup(&across(point));
    }
    let middle = across(&((low + high) / 2.0));
    let from_axis = |point: &Vector3<f64>| (across(point) - middle).norm();
    let radius = points.iter().map(from_axis).fold(0.0, f64::max);
    // A point at distance r from the axis is inside a sphere whose centre is at most
    // sqrt(radius² - r²) away along the axis.
    let (mut start, mut end) = (f64::INFINITY, f64::NEG_INFINITY);
    for point in points {
        let r = from_axis(point);
        let slack = (radius * radius - r * r).max(0.0).sqrt();
        let at = point.dot(axis);
        start = start.min(at + slack);
        end = end.max(at - slack);
    }
    if start > end {
        let both = (start + end) / 2.0;
        (start, end) = (both, both);
    }
    (middle + axis * start, middle + axis * end, radius)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_gets_a_capsule_along_it_that_holds_it() {
        let mut points = Vec::new();
        for x in [-0.3, 0.3] {
            for y in [-0.05, 0.05] {
                for z in [-0.02, 0.02] {
                    points.push(Vector3::new(x + 0.5 * y, y, z));
                }
            }
        }
        let (a, b, radius) = around(&points);
        assert!((b - a).norm() > 0.5 && radius < 0.07, "{a} {b} {radius}");
        for point in &points {
            let t = ((point - a).dot(&(b - a)) / (b - a).norm_squared()).clamp(0.0, 1.0);
            assert!((point - (a + (b - a) * t)).norm() <= radius + 1e-12);
        }
    }
}
