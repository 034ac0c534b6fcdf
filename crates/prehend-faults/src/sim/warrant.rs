//! What the wire lets a driver do, derived from the messages alone: which commands it may follow, and until
//! when.
//!
//! The driver's own gate is under test, so none of it is used here.

use std::collections::VecDeque;

use prehend_link::SenderId;
use prehend_link::messages::{CommandMode, JointCommand};

/// How far in the future a command may claim to have been sent, ns: one machine, one clock.
const CLOCK_TOLERANCE: u64 = 1_000_000;
/// How far a number may be ahead of the newest.
const FURTHEST: i64 = 1 << 32;
/// Commands that are remembered: more than can wait for one tick of a driver.
const MEMORY: usize = 1 << 12;

/// One session of one arm.
#[derive(Debug)]
pub(super) struct Warrant {
    robot: String,
    n_joints: usize,
    /// Longest time that a driver may grant, ns.
    max_valid_for: u64,
    epoch: u64,
    /// The first who sent a command that may be followed.
    owner: Option<Option<SenderId>>,
    /// Numbers of the commands that may be followed, oldest first.
    commands: VecDeque<u64>,
    /// When the last of them is over, ns.
    expires: Option<u64>,
    /// Whether somebody asked for a stop.
    is_stopped: bool,
}

impl Warrant {
    pub fn new(robot: &str, n_joints: usize, max_valid_for: u64) -> Self {
        Self {
            robot: robot.to_owned(),
            n_joints,
            max_valid_for,
            epoch: 0,
            owner: None,
            commands: VecDeque::new(),
            expires: None,
            is_stopped: false,
        }
    }

    /// An operator starts another session.
    pub fn begin(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.owner = None;
        self.commands.clear();
        self.expires = None;
        self.is_stopped = false;
    }

    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A message reaches the driver at `at`.
    pub fn arrives(&mut self, at: u64, sender: Option<SenderId>, message: &JointCommand) {
        let Some(expires) = self.alive_until(at, message) else {
            return;
        };
        if message.mode == CommandMode::Stop {
            self.is_stopped = true;
            return;
        }
        let follows =
            |newest: &u64| (1..=FURTHEST).contains(&(message.seq.wrapping_sub(*newest) as i64));
        if self.owner.is_some_and(|owner| owner != sender)
            || !self.commands.back().is_none_or(follows)
        {
            return;
        }
        self.owner = Some(sender);
        if self.commands.len() == MEMORY {
            self.commands.pop_front();
        }
        self.commands.push_back(message.seq);
        self.expires = self.expires.max(Some(expires));
    }

    /// Whether a command of this number may be followed in this session.
    pub fn covers(&self, seq: u64) -> bool {
        self.commands.iter().rev().any(|known| *known == seq)
    }

    /// Whether the arm may follow commands at `now`.
    pub fn lets_move(&self, now: u64) -> bool {
        !self.is_stopped && self.expires.is_some_and(|expires| now < expires)
    }

    /// Until when a message of this session that arrives at `at` is good, if it is at all.
    fn alive_until(&self, at: u64, message: &JointCommand) -> Option<u64> {
        let is_ours = message.robot == self.robot && message.epoch == self.epoch;
        let is_sent = message.sent_nanos <= at.saturating_add(CLOCK_TOLERANCE);
        let numbers = [&message.q_d, &message.dq_d];
        let is_whole = numbers.iter().all(|values| values.len() == self.n_joints)
            && numbers.into_iter().flatten().all(|value| value.is_finite())
            && message.gripper_opening.is_finite();
        let granted = message.valid_for_nanos.min(self.max_valid_for);
        let expires = message.sent_nanos.min(at).saturating_add(granted);
        (is_ours && is_sent && is_whole && at < expires).then_some(expires)
    }
}
