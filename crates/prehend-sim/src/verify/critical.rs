//! Critical friction: a cube between two pads must slide just below it and hold just above.

use nalgebra::{UnitQuaternion, Vector3};
use prehend_robot::Shape;

use super::pinch::{GRAVITY, Pinch, Pinched};
use super::runner::{Job, Test, value};
use super::{Bench, Requirement, VerifyRow};
use crate::{PhysicsSettings, SimError};

/// Friction as a share of what just holds.
const SHARES: [f64; 5] = [0.90, 0.98, 1.00, 1.02, 1.10];
/// Force of each pad, N.
const FORCE: f64 = 6.96;
/// kg.
const MASS: f64 = 0.064;

pub(super) fn test(bench: Bench<'_>) -> Test<'_> {
    let jobs = SHARES.map(|share| -> Job<'_> {
        Box::new(move || Ok::<_, SimError>(vec![drop_at(bench.settings(), share, 5.0)]))
    });
    Test {
        jobs: jobs.into(),
        rows: Box::new(|all| {
            let drops = all.iter().zip(SHARES).map(|(numbers, share)| {
                let name = format!("critical: drop at {share:.2} of critical");
                let millimetres = value(numbers, 0) * 1e3;
                if share < 1.0 {
                    VerifyRow::new(name, millimetres, Requirement::Above(5.0), "mm")
                } else if share > 1.0 {
                    VerifyRow::new(name, millimetres, Requirement::Below(0.15), "mm")
                        .aiming(Requirement::Below(0.1))
                } else {
                    // On the edge either answer is right.
                    VerifyRow::reported(name, millimetres, "mm")
                }
            });
            drops.collect()
        }),
    }
}

/// How far the cube drops in `seconds` of gravity, m.
fn drop_at(settings: &PhysicsSettings, share: f64, seconds: f64) -> f64 {
    let cube = Pinched {
        shape: Shape::Cuboid {
            half_extents: Vector3::repeat(0.02),
        },
        rotation: UnitQuaternion::identity(),
        half_width: 0.02,
        mass: MASS,
        friction: share * MASS * GRAVITY / (2.0 * FORCE),
    };
    let mut pinch = Pinch::new(settings, &cube, FORCE);
    pinch.run(0.5);
    let before = pinch.object().translation.z;
    pinch.switch_gravity_on();
    pinch.run(seconds);
    before - pinch.object().translation.z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_percent_decide() {
        let settings = PhysicsSettings::default();
        assert!(drop_at(&settings, 0.98, 2.0) > 0.005);
        assert!(drop_at(&settings, 1.02, 2.0) < 0.000_15);
    }
}
