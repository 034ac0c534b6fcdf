//! The hand as a body that gives way: driven to where the arm predicts it, measured afterwards.

use nalgebra::{Point3, Vector3};
use prehend_robot::Wrench;
use rapier3d::dynamics::{RigidBodyHandle, RigidBodyType};
use rapier3d::math::Vector as RapierVector;
use rapier3d::prelude::MassProperties;

use super::{FINGER_INERTIA, FINGER_MASS, Physics, from_rapier, to_rapier_vector, vector};
use crate::arm::Arm;
use crate::arm::coupling::{HandBody, HandWay, Reaction};
use crate::{ArmMode, PhysicsSettings};

/// A hand that gives way.
#[derive(Clone, Copy)]
pub(super) struct YieldingHand {
    handle: RigidBodyHandle,
    /// As the engine has it.
    pub(super) body: HandBody,
    /// Iterations and sweeps on top for what it touches while it gives way.
    extra: [usize; 2],
}

/// The hand before a step.
pub(super) struct Before {
    linear: Vector3<f64>,
    angular: Vector3<f64>,
    push: Wrench,
    fingers: Wrench,
}

impl Physics {
    /// Lets an arm that can feel do so.
    pub fn couple(&mut self, arm: &Arm, settings: &PhysicsSettings) {
        // Drives give way for moments, servos all the time.
        let iterations = match arm.mode() {
            ArmMode::Exact => return,
            ArmMode::Actuated => 0,
            ArmMode::Dynamic => settings.hand_iterations,
        };
        self.free_hand(arm.hand_body(), [iterations, settings.hand_sweeps]);
        self.watch_links();
    }

    /// Makes the hand, so far moved as a link, a body of its own mass.
    fn free_hand(&mut self, body: HandBody, extra: [usize; 2]) {
        let Some((_, handle)) = self
            .limb
            .links
            .iter()
            .find(|(idx, _)| *idx == self.limb.hand_idx)
        else {
            return;
        };
        let handle = *handle;
        let Some(hand) = self.world.bodies.get_mut(handle) else {
            return;
        };
        hand.set_body_type(RigidBodyType::Dynamic, true);
        hand.set_gravity_scale(0.0, true);
        let colliders = hand.colliders().to_vec();
        for collider in colliders {
            if let Some(collider) = self.world.colliders.get_mut(collider) {
                collider.set_density(0.0);
            }
        }
        self.hand = Some(YieldingHand {
            handle,
            body,
            extra,
        });
        self.weigh_hand(body);
    }

    /// Gives the hand its mass.
    fn weigh_hand(&mut self, body: HandBody) {
        let Some(YieldingHand {
            handle,
            body: own,
            extra,
        }) = self.hand.as_mut()
        else {
            return;
        };
        *own = body;
        let [iterations, sweeps] = if body.gives_way { *extra } else { [0; 2] };
        if let Some(hand) = self.world.bodies.get_mut(*handle) {
            hand.set_additional_solver_iterations(iterations);
            hand.set_additional_pgs_iterations(sweeps);
            hand.set_additional_mass_properties(
                MassProperties::new(
                    to_rapier_vector(&body.center.coords),
                    body.mass as f32,
                    RapierVector::splat(body.inertia as f32),
                ),
                true,
            );
            hand.recompute_mass_properties_from_colliders(&self.world.colliders);
        }
    }

    /// Sends the hand on its way and holds it against what it felt in the last step.
    pub(super) fn drive_hand(&mut self, way: &HandWay) -> Option<Before> {
        let fingers = self.finger_momentum();
        if self.hand.as_ref()?.body != way.body {
            self.weigh_hand(way.body);
        }
        let YieldingHand { handle, body, .. } = self.hand.as_ref()?;
        let hand = self.world.bodies.get_mut(*handle)?;
        let now = from_rapier(hand.position());
        let center = now * body.center;
        let (from, to) = (way.from * body.center, way.to * body.center);
        let turn = way.to.rotation * way.from.rotation.inverse();
        let missing = way.from.rotation * now.rotation.inverse();
        let linear = (to - from + (from - center) * body.recovery) / self.span;
        let angular = (turn.scaled_axis() + missing.scaled_axis() * body.recovery) / self.span;
        hand.set_linvel(to_rapier_vector(&linear), true);
        hand.set_angvel(to_rapier_vector(&angular), true);
        hand.reset_forces(true);
        hand.reset_torques(true);
        hand.add_force(to_rapier_vector(&-way.push.force), true);
        hand.add_torque(to_rapier_vector(&-way.push.torque_about(&center)), true);
        Some(Before {
            linear: vector(hand.linvel()),
            angular: vector(hand.angvel()),
            push: way.push,
            fingers,
        })
    }

    /// Gives a hand that was put where the arm has it the arm's velocity.
    pub(super) fn pace_hand(&mut self, way: &HandWay) {
        let Some(YieldingHand { handle, .. }) = self.hand.as_ref() else {
            return;
        };
        if let Some(hand) = self.world.bodies.get_mut(*handle) {
            let velocity = (way.to.translation.vector - way.from.translation.vector) / self.span;
            let turn = way.to.rotation * way.from.rotation.inverse();
            hand.set_linvel(to_rapier_vector(&velocity), false);
            hand.set_angvel(to_rapier_vector(&(turn.scaled_axis() / self.span)), false);
        }
    }

    /// What the hand felt in a step: the change of its momentum that its drive did not make.
    pub(super) fn hand_reaction(&self, before: &Before) -> Option<Reaction> {
        let YieldingHand { handle, body, .. } = self.hand.as_ref()?;
        let hand = self.world.bodies.get(*handle)?;
        let center = from_rapier(hand.position()) * body.center;
        let force = (vector(hand.linvel()) - before.linear) * (body.mass / self.span);
        let torque = (vector(hand.angvel()) - before.angular) * (body.inertia / self.span);
        let push = before.push + Wrench::at(&center, force, torque);
        // Fingers that speed up take their momentum from the hand or from outside.
        let fingers = (self.finger_momentum() - before.fingers) * self.span.recip();
        Some(Reaction {
            push,
            load: push + fingers,
        })
    }

    /// Momentum of both fingers, about the base's origin.
    fn finger_momentum(&self) -> Wrench {
        let mut sum = Wrench::ZERO;
        for finger in self.limb.gripper.bodies() {
            if let Some(body) = self.world.bodies.get(finger) {
                sum += Wrench::at(
                    &Point3::from(vector(body.position().translation)),
                    vector(body.linvel()) * FINGER_MASS,
                    vector(body.angvel()) * FINGER_INERTIA,
                );
            }
        }
        sum
    }
}
