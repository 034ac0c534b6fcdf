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
/// How far aside every link starts, rad: the load swings.
const LEAN: f64 = 0.2;

pub(super) fn test(bench: Bench<'_>) -> Test<'_> {
    Test::single(
        move || Ok(hang(bench.settings(), N_LINKS, bench.seconds(60.0))),
        |numbers| {
            let millimetres = |index| value(numbers, index) * 1e3;
            // A joint that is a link's length apart is no joint.
            let whole = Requirement::Below(PITCH * 1e3);
            vec![
                VerifyRow::new(
                    "chain: widest joint of 1 g links under 1 kg",
                    millimetres(0),
                    whole,
                    "mm",
                )
                .aiming(Requirement::Below(0.2)),
                VerifyRow::reported("chain: widest joint at the end", millimetres(1), "mm"),
            ]
        },
    )
}

/// A ball on `n_links` links; returns how far a joint's two ends are apart, at most and in the end, m; NaN if
/// anything was lost.
fn hang(settings: &PhysicsSettings, n_links: usize, seconds: f64) -> Vec<f64> {
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
                    Shape::Capsule {
                        radius: 0.2 * PITCH,
                        half_length: 0.3 * PITCH,
                    }
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
    let mut widest: f64 = 0.0;
    let mut last = f64::NAN;
    for _ in 0..(seconds / settings.dt()).round() as u64 {
        world.step();
        last = widest_joint(&world, &chain);
        widest = if last.is_finite() {
            widest.max(last)
        } else {
            last
        };
    }
    vec![widest, last]
}

fn widest_joint(world: &PhysicsWorld, chain: &[RigidBodyHandle]) -> f64 {
    let ends = Point3::new(0.0, 0.0, 0.5 * PITCH);
    let mut from = Point3::origin();
    let mut widest: f64 = 0.0;
    for handle in &chain[1..] {
        let Some(body) = world.bodies.get(*handle) else {
            return f64::NAN;
        };
        let pose = from_rapier(body.position());
        let gap = (pose * ends - from).norm();
        if !gap.is_finite() {
            return f64::NAN;
        }
        widest = widest.max(gap);
        from = pose * -ends;
    }
    widest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_chain_hangs_together() {
        let numbers = hang(&PhysicsSettings::default(), 2, 2.0);
        assert!(numbers[0] > 0.0 && numbers[0] < 4e-3, "{numbers:?}");
    }
}
