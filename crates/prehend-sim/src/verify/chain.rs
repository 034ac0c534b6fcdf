//! A hanging chain with a load a thousand times as heavy as a link.

use nalgebra::{Point3, UnitQuaternion, Vector3};
use prehend_robot::Shape;
use prehend_types::{Pose, Role};
use rapier3d::dynamics::{RigidBodyBuilder, RigidBodyHandle, SphericalJointBuilder};
use rapier3d::math::Vector as RapierVector;
use rapier3d::pipeline::PhysicsWorld;

use super::pinch::GRAVITY;
use super::runner::{Test, value};
use super::{Bench, Requirement, VerifyRow};
use crate::PhysicsSettings;
use crate::objects::Part;
use crate::physics::{from_rapier, insert_body, to_rapier_vector};
use crate::randomise::BodyDraws;
use crate::scene::{Body, BodyMotion};

const N_LINKS: usize = 10;
/// kg.
const LINK_MASS: f64 = 0.001;
/// kg.
const LOAD_MASS: f64 = 1.0;
/// From one joint of a link to the other, m.
const PITCH: f64 = 0.02;
/// A joint whose ends were ever further apart than this has not held, m.
const APART: f64 = 0.25 * PITCH;
/// How far aside every link starts, rad: the load swings.
const LEAN: f64 = 0.2;

pub(super) fn test(bench: Bench<'_>) -> Test<'_> {
    Test::single(
        move || Ok(hang(bench.settings(), N_LINKS, bench.seconds(60.0))),
        |numbers| {
            let millimetres = |index| value(numbers, index) * 1e3;
            let all = Requirement::AtLeast((N_LINKS + 1) as f64);
            vec![
                VerifyRow::new("chain: joints that hold", value(numbers, 0), all, ""),
                VerifyRow::reported("chain: widest joint", millimetres(1), "mm")
                    .aiming(Requirement::Below(0.2)),
                VerifyRow::reported("chain: widest joint at the end", millimetres(2), "mm"),
            ]
        },
    )
}

/// A ball on `n_links` links. Returns how many joints held, how far the two ends of one were apart at most, and
/// in the end, m.
fn hang(settings: &PhysicsSettings, n_links: usize, seconds: f64) -> Vec<f64> {
    let link = Shape::Capsule {
        radius: 0.2 * PITCH,
        half_length: 0.3 * PITCH,
    };
    hang_of(settings, &link, n_links, seconds)
}

/// The same with links of another shape.
fn hang_of(settings: &PhysicsSettings, link: &Shape, n_links: usize, seconds: f64) -> Vec<f64> {
    let mut world = PhysicsWorld::new();
    world.gravity = RapierVector::new(0.0, 0.0, -GRAVITY as f32);
    world.integration_parameters = settings.integration_parameters();
    let lean = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), LEAN);
    let along = lean * Vector3::new(0.0, 0.0, -PITCH);
    let ends = Vector3::new(0.0, 0.0, 0.5 * PITCH);
    let mut chain = vec![world.insert_body(RigidBodyBuilder::fixed())];
    let mut lower_end = Vector3::zeros();
    for index in 0..=n_links {
        let is_load = index == n_links;
        let body = Body {
            parts: vec![Part {
                shape: if is_load {
                    Shape::Sphere {
                        radius: 0.5 * PITCH,
                    }
                } else {
                    link.clone()
                },
                body_from_part: Pose::identity(),
            }],
            role: Role::Other,
            motion: BodyMotion::Free,
            mass: if is_load { LOAD_MASS } else { LINK_MASS },
            friction: 0.5,
            base_from_body: Pose::from_parts((along * (index as f64 + 0.5)).into(), lean),
        };
        let handle = insert_body(&mut world, &body, &BodyDraws::NEUTRAL, false);
        let mut joint = SphericalJointBuilder::new()
            .local_anchor1(to_rapier_vector(&lower_end))
            .local_anchor2(to_rapier_vector(&ends))
            .build();
        joint.set_contacts_enabled(false);
        world.insert_impulse_joint(chain[index], handle, joint);
        chain.push(handle);
        lower_end = -ends;
    }
    let (mut widest, mut last) = (vec![0.0_f64; n_links + 1], Vec::new());
    for _ in 0..(seconds / settings.dt()).round() as u64 {
        world.step();
        last = gaps(&world, &chain);
        for (widest, gap) in widest.iter_mut().zip(&last) {
            *widest = widest.max(*gap);
        }
    }
    let held = widest.iter().filter(|gap| **gap < APART).count();
    let most = |gaps: &[f64]| gaps.iter().copied().fold(0.0, f64::max);
    vec![held as f64, most(&widest), most(&last)]
}

/// How far the two ends of each joint are apart, m; infinite for what is lost.
fn gaps(world: &PhysicsWorld, chain: &[RigidBodyHandle]) -> Vec<f64> {
    let ends = Point3::new(0.0, 0.0, 0.5 * PITCH);
    let mut from = Point3::origin();
    let gap = |handle: &RigidBodyHandle| {
        let pose = from_rapier(world.bodies.get(*handle)?.position());
        let gap = (pose * ends - from).norm();
        from = pose * -ends;
        gap.is_finite().then_some(gap)
    };
    let gaps = chain[1..].iter().map(gap);
    gaps.map(|gap| gap.unwrap_or(f64::INFINITY)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_chain_hangs_together() {
        let numbers = hang(&PhysicsSettings::default(), 2, 2.0);
        assert_eq!(numbers[0], 3.0, "{numbers:?}");
        assert!(numbers[1] > 0.0 && numbers[1] < APART, "{numbers:?}");
    }

    #[test]
    fn links_as_compact_as_balls_come_apart_at_the_shipped_step() {
        let compact = Shape::Sphere {
            radius: 0.2 * PITCH,
        };
        let numbers = hang_of(&PhysicsSettings::default(), &compact, 10, 5.0);
        assert!(numbers[0] < 11.0, "{numbers:?}");
    }
}
