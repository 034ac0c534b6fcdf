//! Copying a world, and turning it into bytes and back.
//!
//! Both keep everything that decides how the world goes on: contact impulses, islands, the order of
//! contact pairs. rapier's pipelines hold only work space between two steps, so they start afresh.

use std::sync::Arc;

use rapier3d::dynamics::{CCDSolver, RigidBody};
use rapier3d::pipeline::{CollisionPipeline, PhysicsPipeline, PhysicsWorld};

use serde::{Deserialize, Serialize};

use super::{Physics, Travel};
use crate::SimError;
use crate::arm::coupling::HandBody;

impl Clone for Physics {
    fn clone(&self) -> Self {
        let world = &self.world;
        Self {
            world: PhysicsWorld {
                gravity: world.gravity,
                integration_parameters: world.integration_parameters,
                physics_pipeline: PhysicsPipeline::new(),
                collision_pipeline: CollisionPipeline::new(),
                islands: world.islands.clone(),
                broad_phase: world.broad_phase.clone(),
                narrow_phase: world.narrow_phase.clone(),
                bodies: world.bodies.clone(),
                colliders: world.colliders.clone(),
                impulse_joints: world.impulse_joints.clone(),
                multibody_joints: world.multibody_joints.clone(),
                soft_bodies: world.soft_bodies.clone(),
                ccd_solver: CCDSolver::new(),
            },
            links: self.links.clone(),
            hand_idx: self.hand_idx,
            gripper: self.gripper.clone(),
            hand: self.hand,
            bodies: self.bodies.clone(),
            surroundings: Arc::clone(&self.surroundings),
            steps: self.steps,
            span: self.span,
            has_diverged: self.has_diverged,
        }
    }
}

/// What goes on beside rapier's own state.
#[derive(Serialize, Deserialize)]
struct Rest {
    travel: Option<[Travel; 2]>,
    /// The hand as it was last weighed; the arm may have changed its mind since.
    hand: Option<HandBody>,
    has_diverged: bool,
}

impl Physics {
    /// The engine's state as bytes, in postcard's format.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SimError> {
        let rest = Rest {
            travel: self.gripper.travel(),
            hand: self.hand.map(|hand| hand.body),
            has_diverged: self.has_diverged,
        };
        postcard::to_stdvec(&(&self.world, rest)).map_err(|error| refuse(&error))
    }

    /// Puts the engine where bytes of the same scene say. On an error nothing changes.
    pub fn set_bytes(&mut self, bytes: &[u8]) -> Result<(), SimError> {
        let (world, rest): (PhysicsWorld, Rest) =
            postcard::from_bytes(bytes).map_err(|error| refuse(&error))?;
        let sizes = |world: &PhysicsWorld| (world.bodies.len(), world.colliders.len());
        if sizes(&world) != sizes(&self.world) {
            return Err(refuse(&"it holds other bodies than this scene"));
        }
        let is_finite = |body: &RigidBody| {
            body.position().is_finite() && body.linvel().is_finite() && body.angvel().is_finite()
        };
        if let Some((handle, _)) = world.bodies.iter().find(|(_, body)| !is_finite(body)) {
            let index = handle.into_raw_parts().0;
            return Err(refuse(&format!("body {index} is not finite")));
        }
        if !rest.travel.iter().flatten().all(Travel::is_finite) {
            return Err(refuse(&"travel is not finite"));
        }
        if rest.hand.is_some() != self.hand.is_some() || !rest.hand.iter().all(HandBody::is_sound) {
            return Err(refuse(&"hand is of another arm, or has no finite mass"));
        }
        self.world = world;
        self.gripper.set_travel(rest.travel);
        if let Some((hand, body)) = self.hand.as_mut().zip(rest.hand) {
            hand.body = body;
        }
        self.has_diverged = rest.has_diverged;
        Ok(())
    }
}

fn refuse(error: &dyn std::fmt::Display) -> SimError {
    SimError::State {
        reason: format!("the engine's part cannot be read: {error}"),
    }
}
