//! Copying a world, and turning it into bytes and back.
//!
//! Both keep everything that decides how the world goes on: contact impulses, islands, the order of
//! contact pairs. rapier's pipelines hold only work space between two steps, so they start afresh.

use std::sync::Arc;

use rapier3d::dynamics::CCDSolver;
use rapier3d::pipeline::{CollisionPipeline, PhysicsPipeline, PhysicsWorld};

use super::{Physics, Travel};
use crate::SimError;

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
        }
    }
}

impl Physics {
    /// The engine's state as bytes, in postcard's format.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SimError> {
        let parts = (&self.world, self.gripper.travel());
        postcard::to_stdvec(&parts).map_err(|error| refuse(&error))
    }

    /// Puts the engine where bytes of the same scene say. On an error nothing changes.
    pub fn set_bytes(&mut self, bytes: &[u8]) -> Result<(), SimError> {
        let (world, travel): (PhysicsWorld, Option<[Travel; 2]>) =
            postcard::from_bytes(bytes).map_err(|error| refuse(&error))?;
        let sizes = |world: &PhysicsWorld| (world.bodies.len(), world.colliders.len());
        if sizes(&world) != sizes(&self.world) {
            return Err(refuse(&"it holds other bodies than this scene"));
        }
        self.world = world;
        self.gripper.set_travel(travel);
        Ok(())
    }
}

fn refuse(error: &dyn std::fmt::Display) -> SimError {
    SimError::State {
        reason: format!("the engine's part cannot be read: {error}"),
    }
}
