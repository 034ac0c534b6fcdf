//! The arms beside the first one: what the episode's script does with them, through the same controller.

use prehend_control::{ControlConfig, Controller};
use prehend_types::ActionChunk;

use super::{ACTION_DT, BRIDGE};
use crate::{SimError, World};

/// Another arm under control.
#[derive(Clone)]
pub(super) struct PartnerLoop {
    index: usize,
    controller: Controller,
}

impl PartnerLoop {
    /// Takes over all arms of a world but the first.
    pub fn all(world: &World, config: &ControlConfig) -> Result<Vec<Self>, SimError> {
        let partners = (0..).map_while(|index| Some((index, world.partner_state(index)?)));
        let take = |(index, state)| {
            let mut controller = Controller::new(world.robot().clone(), *config)
                .map_err(|error| SimError::control(&error))?;
            let armed = controller.arm(&state);
            armed.map_err(|error| SimError::control(&error))?;
            Ok(Self { index, controller })
        };
        partners.map(take).collect()
    }

    /// Asks the script for the next action. What makes no sense the controller refuses and counts, as it does a
    /// policy's.
    pub fn decide(&mut self, world: &World) {
        let tcp = self.controller.base_from_tcp_d();
        let facts = world.facts();
        let action = world.episode().partner_expert(&facts, self.index, tcp);
        if let Ok(chunk) = ActionChunk::new(world.now(), ACTION_DT, 1, &[action; BRIDGE]) {
            self.controller.accept(&chunk, world.now()).ok();
        }
    }

    /// Advances the controller by one tick.
    pub fn tick(&mut self, world: &mut World) {
        if let Some(state) = world.partner_state(self.index) {
            let tick = self.controller.tick(&state, world.now());
            world.write_partner(self.index, &tick.command);
        }
    }

    /// Whether it has stopped for good.
    pub fn has_stopped(&self) -> bool {
        self.controller.mode().is_stop()
    }
}
