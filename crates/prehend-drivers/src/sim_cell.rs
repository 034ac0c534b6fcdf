//! A simulated cell as an arm: telling it a command advances the physics by one step.

use std::convert::Infallible;
use std::sync::Arc;

use prehend_robot::Robot;
use prehend_sim::{FamilySet, SceneConfig, SimError, World};
use prehend_types::{JointCommand, Plant, RobotState, Stamp};

/// A world and what it needs to be built anew.
pub(crate) struct SimCell {
    robot: Arc<Robot>,
    scene: Arc<SceneConfig>,
    families: FamilySet,
    world: World,
}

impl SimCell {
    pub fn new(
        robot: Arc<Robot>,
        scene: Arc<SceneConfig>,
        families: FamilySet,
        seed: u64,
    ) -> Result<Self, SimError> {
        let world = World::new(&robot, &scene, seed, families)?;
        Ok(Self {
            robot,
            scene,
            families,
            world,
        })
    }

    /// Another scene. On failure the old one stays.
    pub fn rebuild(&mut self, seed: u64) -> Result<(), SimError> {
        self.world = World::new(&self.robot, &self.scene, seed, self.families)?;
        Ok(())
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    /// The measured state on the live clock: inside, the world counts simulated time.
    pub fn state(&self) -> RobotState {
        RobotState {
            stamp: Stamp::now(),
            ..self.world.robot_state()
        }
    }
}

impl Plant for SimCell {
    type Error = Infallible;

    fn read(&mut self) -> Result<RobotState, Infallible> {
        Ok(self.state())
    }

    fn write(&mut self, command: &JointCommand) -> Result<(), Infallible> {
        self.world.write(command);
        self.world.step();
        Ok(())
    }
}
