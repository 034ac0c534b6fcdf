//! Copying a world, and turning it into bytes and back.
//!
//! Both keep everything that decides how the world goes on: contact impulses, islands, the order of
//! contact pairs. rapier's pipelines hold only work space between two steps, so they start afresh.

use std::sync::Arc;

use rapier3d::dynamics::{CCDSolver, RigidBody, SoftBody};
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
            limb: self.limb.clone(),
            partners: self.partners.clone(),
            hand: self.hand,
            bodies: self.bodies.clone(),
            cloths: self.cloths.clone(),
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
    partners: Vec<Option<[Travel; 2]>>,
    /// The hand as it was last weighed; the arm may have changed its mind since.
    hand: Option<HandBody>,
    has_diverged: bool,
}

impl Physics {
    /// Gives back what the engine only works with within a step.
    pub fn rest(&mut self) {
        self.world.physics_pipeline = PhysicsPipeline::new();
        self.world.ccd_solver = CCDSolver::new();
    }

    /// The engine's state as bytes, in postcard's format.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SimError> {
        let rest = Rest {
            travel: self.limb.gripper.travel(),
            partners: self.partners.iter().map(|p| p.gripper.travel()).collect(),
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
        if !holds_soft_bodies(&self.world, &world) {
            return Err(refuse(
                &"it holds other cloths than this scene, or not finite ones",
            ));
        }
        if rest.partners.len() != self.partners.len() {
            return Err(refuse(&"it holds another number of arms"));
        }
        let travels = rest.partners.iter().chain([&rest.travel]);
        if !travels.flatten().flatten().all(Travel::is_finite) {
            return Err(refuse(&"travel is not finite"));
        }
        if rest.hand.is_some() != self.hand.is_some() || !rest.hand.iter().all(HandBody::is_sound) {
            return Err(refuse(&"hand is of another arm, or has no finite mass"));
        }
        self.world = world;
        self.limb.gripper.set_travel(rest.travel);
        for (limb, travel) in self.partners.iter_mut().zip(rest.partners) {
            limb.gripper.set_travel(travel);
        }
        if let Some((hand, body)) = self.hand.as_mut().zip(rest.hand) {
            hand.body = body;
        }
        self.has_diverged = rest.has_diverged;
        Ok(())
    }
}

/// Whether `found` has the soft bodies of `own`, none of them out of this world.
fn holds_soft_bodies(own: &PhysicsWorld, found: &PhysicsWorld) -> bool {
    let sizes = |world: &PhysicsWorld| -> Vec<usize> {
        let sheets = world.soft_bodies.iter();
        sheets.map(|(_, sheet)| sheet.num_particles()).collect()
    };
    let is_finite = |sheet: &SoftBody| {
        let mut motion = sheet
            .particle_positions()
            .chain(sheet.particle_velocities());
        motion.all(|v| v.is_finite())
    };
    sizes(own) == sizes(found) && found.soft_bodies.iter().all(|(_, sheet)| is_finite(sheet))
}

fn refuse(error: &dyn std::fmt::Display) -> SimError {
    SimError::State {
        reason: format!("the engine's part cannot be read: {error}"),
    }
}
