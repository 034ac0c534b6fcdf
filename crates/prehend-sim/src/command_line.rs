//! The way of commands to the drives, as long as a scene file says.

use std::collections::VecDeque;

use prehend_types::JointCommand;

use crate::physics::DT;

/// Commands on their way; as many as ticks that they take.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CommandLine(VecDeque<JointCommand>);

impl CommandLine {
    /// A line of `delay_s`, to the nearest tick, on which `first` was sent all along.
    pub fn new(delay_s: f64, first: &JointCommand) -> Self {
        let ticks = (delay_s / DT).round() as usize;
        Self(std::iter::repeat_n(*first, ticks).collect())
    }

    /// Sends one tick's command; returns the one that arrives.
    pub fn pass(&mut self, command: &JointCommand) -> JointCommand {
        self.0.push_back(*command);
        self.0.pop_front().unwrap_or(*command)
    }

    /// As if `command` had been sent all along.
    pub fn fill(&mut self, command: &JointCommand) {
        self.0
            .iter_mut()
            .for_each(|on_its_way| *on_its_way = *command);
    }

    pub fn to_vec(&self) -> Vec<JointCommand> {
        self.0.iter().copied().collect()
    }

    /// Puts saved commands on their way. Whether there are as many as this line holds.
    #[must_use]
    pub fn set(&mut self, commands: &[JointCommand]) -> bool {
        let fits = commands.len() == self.0.len();
        if fits {
            self.0 = commands.iter().copied().collect();
        }
        fits
    }
}
