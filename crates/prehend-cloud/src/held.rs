//! What hangs in a hand that was raised to show it.

use nalgebra::Point3;

/// What is lower than this may stand on the table, m.
const LOWEST: f32 = 0.17;
/// Nothing that a hand holds reaches farther from the tool, m.
const REACH: f64 = 0.20;

/// Whether a point of the cloud is of what a raised hand holds, as far as its place tells.
#[must_use]
pub fn is_in_hand(point: &[f32; 3], tool: &Point3<f64>) -> bool {
    let off = Point3::from(*point).cast::<f64>() - tool;
    point[2] > LOWEST && off.norm() < REACH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_what_stands_nor_what_is_far_is_in_the_hand() {
        let tool = Point3::new(0.5, 0.0, 0.35);
        assert!(is_in_hand(&[0.52, 0.03, 0.30], &tool));
        assert!(!is_in_hand(&[0.5, 0.0, 0.16], &tool));
        assert!(
            !is_in_hand(&[0.5, 0.25, 0.30], &tool),
            "a tall thing beside it"
        );
    }
}
