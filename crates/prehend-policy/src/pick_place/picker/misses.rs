//! What was grasped in vain, so that it is grasped elsewhere, or otherwise, next time.

use prehend_types::Pose;

/// Two grasps nearer than this to each other, m, whose axes are less than this apart, rad, are the same in effect.
const NEAR: f64 = 0.02;
const ALIKE: f64 = 0.5;
/// Of its worth a grasp keeps this share for every time that one like it missed.
const KEPT: f64 = 0.3;
/// Misses that are remembered: the oldest is forgotten first.
const MOST: usize = 64;

/// The grasps that missed.
#[derive(Debug, Clone, Default)]
pub(super) struct Misses {
    /// Poses of the tool in the base frame.
    tools: Vec<Pose>,
}

impl Misses {
    pub fn add(&mut self, tool: Pose) {
        if self.tools.len() == MOST {
            self.tools.remove(0);
        }
        self.tools.push(tool);
    }

    pub fn clear(&mut self) {
        self.tools.clear();
    }

    /// What a grasp with this confidence is worth after what missed.
    pub fn worth(&self, tool: &Pose, confidence: f64) -> f64 {
        let alike = self.tools.iter().filter(|missed| is_alike(missed, tool));
        alike.fold(confidence, |worth, _| worth * KEPT)
    }
}

/// Fingers that are exchanged close the same way.
fn is_alike(a: &Pose, b: &Pose) -> bool {
    let least = libm::cos(ALIKE);
    let along = |axis: usize| {
        let [a, b] = [a, b].map(|pose| pose.rotation.to_rotation_matrix());
        a.matrix().column(axis).dot(&b.matrix().column(axis))
    };
    let is_near = (a.translation.vector - b.translation.vector).norm() < NEAR;
    is_near && along(1).abs() > least && along(2) > least
}

#[cfg(test)]
mod tests {
    use nalgebra::{UnitQuaternion, Vector3};

    use super::*;

    #[test]
    fn what_missed_is_worth_less_there_and_in_that_way_only() {
        let turned = |x: f64, angle: f64| {
            let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), angle);
            Pose::from_parts(nalgebra::Translation3::new(x, 0.0, 0.05), turn)
        };
        let mut misses = Misses::default();
        assert_eq!(misses.worth(&turned(0.4, 0.0), 0.9), 0.9);
        misses.add(turned(0.4, 0.0));
        let worth = |x, angle| misses.worth(&turned(x, angle), 1.0);
        assert_eq!(worth(0.41, 0.2), KEPT);
        assert_eq!(worth(0.41, std::f64::consts::PI), KEPT, "fingers exchanged");
        assert_eq!(worth(0.41, 1.5), 1.0, "across");
        assert_eq!(worth(0.43, 0.0), 1.0, "elsewhere");
        let again = misses.tools[0];
        misses.add(again);
        assert!((misses.worth(&turned(0.4, 0.0), 1.0) - KEPT * KEPT).abs() < 1e-12);
        for _ in 0..MOST {
            misses.add(turned(0.6, 0.0));
        }
        assert_eq!(misses.worth(&turned(0.4, 0.0), 1.0), 1.0, "long ago");
        misses.clear();
        assert_eq!(misses.worth(&turned(0.6, 0.0), 1.0), 1.0);
    }
}
