//! The pinched capsule that MuJoCo's users reported (google-deepmind/mujoco#3328): does a static grasp
//! creep?

use nalgebra::{Point3, UnitQuaternion, Vector3};
use prehend_robot::Shape;

use super::pinch::{Pinch, Pinched};
use super::runner::{Job, Test, value};
use super::{Bench, Requirement, VerifyRow};
use crate::{PhysicsSettings, SimError};

const FORCES: [f64; 3] = [12.0, 30.0, 60.0];
/// Time before the measurement, s.
const SETTLE: f64 = 1.0;

pub(super) fn test(bench: Bench<'_>) -> Test<'_> {
    let jobs = FORCES.map(|force| -> Job<'_> {
        Box::new(move || Ok::<_, SimError>(hold(bench.settings(), force, bench.seconds(60.0))))
    });
    Test {
        jobs: jobs.into(),
        rows: Box::new(|all| {
            let of_force = all.iter().zip(FORCES).flat_map(|(numbers, force)| {
                let name = format!("capsule: creep at {force} N");
                let creep =
                    VerifyRow::new(name, value(numbers, 0), Requirement::Below(1.0), "um/s");
                let name = format!("capsule: sink at {force} N");
                [
                    creep.aiming(Requirement::Below(0.01)),
                    VerifyRow::reported(name, value(numbers, 1), "mm"),
                ]
            });
            of_force.collect()
        }),
    }
}

/// Creep of the axis' ends over `seconds`, um/s, and how deep the pads sink in, mm.
fn hold(settings: &PhysicsSettings, force: f64, seconds: f64) -> Vec<f64> {
    let capsule = Pinched {
        shape: Shape::Capsule {
            radius: 0.004,
            half_length: 0.020,
        },
        rotation: UnitQuaternion::from_axis_angle(&Vector3::y_axis(), std::f64::consts::FRAC_PI_2),
        half_width: 0.004,
        mass: 0.045,
        friction: 0.7,
    };
    let mut pinch = Pinch::new(settings, &capsule, force);
    pinch.switch_gravity_on();
    pinch.run(SETTLE);
    let before = pinch.object();
    pinch.run(seconds);
    let after = pinch.object();
    let moved = [-0.024, 0.024].map(|z| {
        let end = Point3::new(0.0, 0.0, z);
        (after * end - before * end).norm()
    });
    vec![moved[0].max(moved[1]) / seconds * 1e6, pinch.sink() * 1e3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_hold_does_not_creep_and_a_weak_one_does() {
        let shipped = hold(&PhysicsSettings::default(), 12.0, 5.0);
        assert!(shipped[0] < 1.0, "{shipped:?}");
        assert!(shipped[1] > 0.05 && shipped[1] < 1.0, "{shipped:?}");
        // 0.2 N hold 0.28 N of 0.44.
        let weak = hold(&PhysicsSettings::default(), 0.2, 1.0);
        assert!(weak[0] > 1e4, "{weak:?}");
    }
}
