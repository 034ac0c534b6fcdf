//! The arms beside the first one: exactly where they are told to be.

use prehend_robot::Robot;
use prehend_types::{GripperCommand, JointCommand, Pose, RobotState};

use super::World;
use crate::physics::Reach;
use crate::scene::Partner;
use crate::state::ArmState;

/// What the next steps do with another arm.
#[derive(Clone)]
pub(crate) struct Follower {
    pub(crate) command: JointCommand,
    links: Vec<Pose>,
}

impl Follower {
    /// An arm that stays where it starts, open.
    pub(super) fn new(partner: &Partner, robot: &Robot, state: &ArmState) -> Self {
        let mut links = vec![Pose::identity(); robot.links().len()];
        partner.link_poses(robot, &state.q, state.gripper.width, &mut links);
        Self {
            command: stay(state),
            links,
        }
    }

    /// Where its links and fingers go.
    pub(super) fn reach(&self, state: &ArmState) -> Reach<'_> {
        Reach {
            links: &self.links,
            finger_target: state.finger_target,
        }
    }
}

fn stay(state: &ArmState) -> JointCommand {
    JointCommand {
        q_d: state.q,
        dq_d: state.dq.map(|_| 0.0),
        gripper: GripperCommand {
            opening: state.gripper.commanded,
        },
    }
}

impl World {
    /// [`Self::write`] for another arm of the cell, in its own base frame.
    pub fn write_partner(&mut self, partner_idx: usize, command: &JointCommand) {
        let fits = self.fits(command);
        if let Some(follower) = self.followers.get_mut(partner_idx).filter(|_| fits) {
            follower.command = *command;
        }
    }

    /// Another arm as its sensors report it, in its own base frame; `None` if the cell has no such arm.
    #[must_use]
    pub fn partner_state(&self, partner_idx: usize) -> Option<RobotState> {
        let state = self.state.partners.get(partner_idx)?;
        Some(state.report(self.now()))
    }

    /// Follows the commands for a tick.
    pub(super) fn step_partners(&mut self) {
        let partners = self.episode.scene().partners.iter();
        let states = self.state.partners.iter_mut();
        for ((follower, state), partner) in self.followers.iter_mut().zip(states).zip(partners) {
            let command = &follower.command;
            state.slew_fingers(command.gripper.opening, self.max_width, self.finger_speed);
            (state.q, state.dq) = (command.q_d, command.dq_d);
            let width = state.gripper.width;
            partner.link_poses(&self.robot, &state.q, width, &mut follower.links);
        }
    }

    /// Takes over where the engine has their fingers.
    pub(super) fn read_partners(&mut self) {
        let (span, has_begun) = (self.settings.span(), self.state.steps > 1);
        for (index, state) in self.state.partners.iter_mut().enumerate() {
            if let Some(fingers) = self.physics.partner_displacements(index) {
                state.read_fingers(fingers, span, has_begun);
            }
        }
    }

    /// Puts them where `states` has them, told to stay there.
    pub(super) fn put_partners(&mut self, states: &[ArmState]) {
        let partners = self.episode.scene().partners.iter();
        self.followers = partners
            .zip(states)
            .map(|(partner, state)| Follower::new(partner, &self.robot, state))
            .collect();
        for (index, (follower, state)) in self.followers.iter().zip(states).enumerate() {
            self.physics
                .set_partner(index, &follower.links, state.fingers);
        }
    }
}
