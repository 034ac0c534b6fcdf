//! Whether the arm gets along a way.

use prehend_robot::{IkOptions, Robot};
use prehend_types::{JointPositions, Pose};

/// Farthest that one joint may go between two waypoints, rad: farther is another branch, and not a straight way.
const FARTHEST: f64 = 1.3;

/// Whether the tool can be led through these poses one after another, starting from anywhere.
pub(super) fn reaches(robot: &Robot, poses: &[Pose]) -> bool {
    let first = IkOptions {
        position_tolerance: 1e-4,
        rotation_tolerance: 1e-3,
        max_starts: 2,
        ..IkOptions::default()
    };
    let next = IkOptions {
        max_starts: 1,
        ..first
    };
    let Some((start, rest)) = poses.split_first() else {
        return true;
    };
    let Ok(mut q) = robot.inverse(start, robot.home(), &first) else {
        return false;
    };
    rest.iter().all(|pose| {
        let Ok(after) = robot.inverse(pose, &q, &next) else {
            return false;
        };
        let is_near = farthest(&q, &after) < FARTHEST;
        q = after;
        is_near
    })
}

fn farthest(a: &JointPositions, b: &JointPositions) -> f64 {
    let apart = a.iter().zip(b.iter()).map(|(a, b)| (a - b).abs());
    apart.fold(0.0, f64::max)
}
