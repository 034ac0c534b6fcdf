//! The way of commands to the drives, as long as a scene file says.

use std::collections::VecDeque;

use prehend_types::{JointCommand, JointTorques};
use serde::{Deserialize, Serialize};

use crate::physics::DT;

/// What the drives are told to do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Positions, speeds, gripper.
    pub joints: JointCommand,
    /// Torques over gravity, N·m, instead of positions and speeds.
    pub torques: Option<JointTorques>,
}

impl From<JointCommand> for Order {
    fn from(joints: JointCommand) -> Self {
        Self {
            joints,
            torques: None,
        }
    }
}

/// Orders on their way; as many as ticks that they take.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CommandLine(VecDeque<Order>);

impl CommandLine {
    /// A line of `delay_s`, to the nearest tick, on which `first` was sent all along.
    pub fn new(delay_s: f64, first: &Order) -> Self {
        let ticks = (delay_s / DT).round() as usize;
        Self(std::iter::repeat_n(*first, ticks).collect())
    }

    /// Sends one tick's order; returns the one that arrives.
    pub fn pass(&mut self, order: &Order) -> Order {
        let Some(arrived) = self.0.pop_front() else {
            return *order;
        };
        self.0.push_back(*order);
        arrived
    }

    /// As if `order` had been sent all along.
    pub fn fill(&mut self, order: &Order) {
        self.0
            .iter_mut()
            .for_each(|on_its_way| *on_its_way = *order);
    }

    pub fn to_vec(&self) -> Vec<Order> {
        self.0.iter().copied().collect()
    }

    /// Puts saved orders on their way. Whether there are as many as this line holds.
    #[must_use]
    pub fn set(&mut self, orders: &[Order]) -> bool {
        let fits = orders.len() == self.0.len();
        if fits {
            self.0 = orders.iter().copied().collect();
        }
        fits
    }
}
