//! The scripted expert: knows where everything is. Makes demonstrations and bounds what is possible.

use prehend_types::{Action, Pose};

use crate::World;

/// Does whatever the task's own expert says.
///
/// It uses the simulator's state, which no policy has.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expert;

impl Expert {
    /// The next action of 50 ms, from where the tool is commanded to be.
    #[must_use]
    pub fn next_action(&self, world: &World, base_from_tcp_d: &Pose) -> Action {
        world.episode().expert(&world.facts(), base_from_tcp_d)
    }
}
