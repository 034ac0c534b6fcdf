//! The controller that drives the real arm, in lock step with a world.

use std::time::Duration;

use prehend_control::{ControlConfig, Controller, Mode};
use prehend_types::{ActionChunk, Pose};

use crate::{Failure, SimError, World};

/// Length of one action.
pub(crate) const ACTION_DT: Duration = Duration::from_millis(50);
/// Physics steps, which are also control ticks, in one action.
pub(crate) const TICKS: usize = 10;

/// One arm under control. A clone goes on exactly as the original does.
#[derive(Clone)]
pub(crate) struct ArmLoop {
    controller: Controller,
}

impl ArmLoop {
    /// Takes over the arm of a world. The controller's rate is that of the physics.
    pub fn new(world: &World, config: &ControlConfig) -> Result<Self, SimError> {
        let config = ControlConfig {
            rate_hz: 1.0 / World::DT,
            ..*config
        };
        let mut controller = Controller::new(world.robot().clone(), config)
            .map_err(|error| SimError::control(&error))?;
        controller
            .arm(&world.robot_state())
            .map_err(|error| SimError::control(&error))?;
        Ok(Self { controller })
    }

    /// Takes a plan over from now on.
    pub fn accept(&mut self, chunk: &ActionChunk, world: &World) -> Result<(), SimError> {
        let accepted = self.controller.accept(chunk, world.now());
        accepted.map_err(|error| SimError::control(&error))?;
        Ok(())
    }

    /// Advances controller and world by one action.
    pub fn advance(&mut self, world: &mut World) {
        for _ in 0..TICKS {
            let tick = self.controller.tick(&world.robot_state(), world.now());
            world.write(&tick.command);
            world.step();
        }
    }

    /// Where the tool is commanded to be.
    pub fn base_from_tcp_d(&self) -> Pose {
        *self.controller.base_from_tcp_d()
    }

    /// An arm that stops stays stopped: the episode has failed.
    pub fn failure(&self) -> Option<Failure> {
        let stops = matches!(self.controller.mode(), Mode::Stopping | Mode::Stopped);
        stops.then_some(Failure::ArmStopped)
    }
}
