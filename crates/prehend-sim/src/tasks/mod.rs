//! What is to be done: tasks draw episodes; an episode says what stands where, when it is done, and how
//! an expert does it.
//!
//! An episode never changes: what a judge must remember lives in a [`Memory`] beside it, so that a
//! world can be saved, copied and restored.

mod clear;
mod cube;
mod drawer;
mod grid;
mod lift;
mod peg;
mod pick_place;
mod push_t;
mod shared;
mod stack;

use std::fmt;
use std::sync::Arc;

use prehend_robot::Robot;
use prehend_types::{Action, GripperState, Pose, RobotState};
use serde::{Deserialize, Serialize};

use crate::objects::FamilySet;
use crate::physics::{BodyState, DT, Physics};
use crate::scene::Scene;
use crate::state::{ArmState, ClothState};
use crate::{SceneConfig, SimError};

pub use clear::{Clear, ClearConfig};
pub use drawer::{Drawer, DrawerConfig, DrawerEpisode};
pub use grid::{Grid, GridConfig, GridEpisode, Layout, Receptacles};
pub use lift::{CubeConfig, Lift};
pub use peg::{Peg, PegConfig, PegEpisode};
pub use pick_place::{PickPlace, PickPlaceEpisode};
pub use push_t::{PushT, PushTConfig, PushTEpisode};
pub use shared::Memory;
pub use stack::{Stack, StackConfig};

/// A kind of task, ready to draw episodes from a scene file.
pub trait Task: Send + Sync {
    /// Draws one episode: a pure function of the scene file, the seed and the attempt. `None` if this
    /// draw found no place for something.
    fn draw(
        &self,
        config: &SceneConfig,
        families: FamilySet,
        seed: u64,
        attempt: u64,
    ) -> Option<Arc<dyn Episode>>;
}

/// One drawn episode.
pub trait Episode: Send + Sync + fmt::Debug {
    /// What stands on the table at the start.
    fn scene(&self) -> &Scene;

    /// What to do, in words.
    fn instruction(&self) -> String;

    /// What reports group episodes by.
    fn variant(&self) -> Variant;

    /// Whether the settled start is usable: nothing fell over, nothing is in the way.
    fn accepts(&self, facts: &Facts<'_>) -> bool;

    /// A body that somebody moves at this time (s since the start) behind the arm's back, and where to.
    fn teleports(&self, _time: f64) -> Option<(usize, Pose)> {
        None
    }

    /// How the task stands after a physics step. Called once per step, in order.
    fn judge(&self, facts: &Facts<'_>, memory: &mut Memory) -> TaskStatus;

    /// How far it has come, 0 to 1: grows towards success, which alone is worth 1. A potential, not a
    /// reward: who is paid for being near would rather stay there than end the episode.
    fn progress(&self, facts: &Facts<'_>, status: &TaskStatus) -> f64;

    /// Whether there is an expert for it; without one it stays where it is.
    fn has_expert(&self) -> bool {
        true
    }

    /// What an expert who knows everything does next, from where the tool is commanded to be.
    fn expert(&self, facts: &Facts<'_>, base_from_tcp_d: &Pose) -> Action;

    /// The same for another arm of the cell, in its own base frame; by default it stays where it is, open.
    fn partner_expert(
        &self,
        _facts: &Facts<'_>,
        _partner_idx: usize,
        _partner_from_tcp_d: &Pose,
    ) -> Action {
        Action::hold(1.0)
    }
}

/// What reports group an episode by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// Its name, for example the family of the object to pick.
    pub name: &'static str,
    /// Whether it is kept out of all training.
    pub is_held_out: bool,
}

/// What judges and experts look at: the simulator's own state, which no policy sees.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The robot.
    pub robot: &'a Robot,
    /// The scene file.
    pub config: &'a SceneConfig,
    /// The robot as its sensors report it.
    pub state: &'a RobotState,
    /// The bodies that can move, in the order of [`Scene::bodies`].
    pub bodies: &'a [BodyState],
    /// The cloths, in the order of [`Scene::cloths`].
    pub cloths: &'a [ClothState],
    pub(crate) partners: &'a [ArmState],
    /// Physics steps since the start.
    pub steps: u64,
    pub(crate) physics: &'a Physics,
}

impl Facts<'_> {
    /// Which of the two fingers touch a body.
    #[must_use]
    pub fn touches(&self, body_idx: usize) -> [bool; 2] {
        self.physics.finger_contacts(body_idx)
    }

    /// Which of the two fingers of another arm touch a body.
    #[must_use]
    pub fn partner_touches(&self, partner_idx: usize, body_idx: usize) -> [bool; 2] {
        self.physics.partner_contacts(partner_idx, body_idx)
    }

    /// Another arm as its sensors report it, in its own base frame.
    #[must_use]
    pub fn partner(&self, partner_idx: usize) -> Option<RobotState> {
        let state = self.partners.get(partner_idx)?;
        Some(state.report(self.state.stamp))
    }

    /// How hard one moving body presses on another, N: all contacts' normal forces in the last step.
    #[must_use]
    pub fn contact_force(&self, body_idx: usize, other_idx: usize) -> f64 {
        self.physics.contact_force(body_idx, other_idx)
    }

    /// The gripper.
    #[must_use]
    pub fn gripper(&self) -> GripperState {
        self.state.gripper
    }

    /// Time since the start, s.
    #[must_use]
    pub fn time(&self) -> f64 {
        self.steps as f64 * DT
    }

    /// Whether the episode's time is up.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.time() >= self.config.task.time_limit_s
    }

    /// Measured pose of the tool centre point.
    #[must_use]
    pub fn base_from_tcp(&self) -> Pose {
        self.robot.forward(&self.state.q)
    }
}

/// Why an episode failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// The target was never lifted.
    NeverLifted,
    /// The target was lifted and ended elsewhere.
    Dropped,
    /// The target was still in the hand at the end.
    NotReleased,
    /// The target left the table.
    OffTable,
    /// The time was up before the task was done.
    TimedOut,
    /// The simulation became non-finite.
    Diverged,
    /// The controller stopped the arm for good.
    ArmStopped,
}

impl Failure {
    /// Whether only the time was up: the episode was cut off and did not come to an end of its own.
    #[must_use]
    pub fn is_timeout(self) -> bool {
        matches!(
            self,
            Self::NeverLifted | Self::Dropped | Self::NotReleased | Self::TimedOut
        )
    }

    /// Name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NeverLifted => "never_lifted",
            Self::Dropped => "dropped",
            Self::NotReleased => "not_released",
            Self::OffTable => "off_table",
            Self::TimedOut => "timed_out",
            Self::Diverged => "diverged",
            Self::ArmStopped => "arm_stopped",
        }
    }
}

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskStatus {
    /// The task was done. Once true it stays true, unless the simulation diverges.
    pub success: bool,
    /// The episode cannot succeed any more, or its time is up.
    pub failure: Option<Failure>,
}

impl TaskStatus {
    /// Something in the world is not finite any more, or its engine gave up.
    pub(crate) const DIVERGED: Self = Self {
        success: false,
        failure: Some(Failure::Diverged),
    };
}

/// Which task a scene file asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// One cube is lifted and held.
    Lift,
    /// One object among others goes into a receptacle.
    #[default]
    PickPlace,
    /// One cube goes onto another.
    Stack,
    /// A drawer is pulled open.
    Drawer,
    /// A peg goes into a hole from the side.
    Peg,
    /// An object goes onto a receptacle, in the benchmark of 4,352 combinations.
    Grid,
    /// A T-shaped block is pushed onto its outline.
    PushT,
    /// Everything on the table goes into a tray.
    Clear,
}

impl TaskKind {
    /// The task of this kind.
    #[must_use]
    pub fn task(self) -> &'static dyn Task {
        match self {
            Self::Lift => &Lift,
            Self::PickPlace => &PickPlace,
            Self::Stack => &Stack,
            Self::Drawer => &Drawer,
            Self::Peg => &Peg,
            Self::PushT => &PushT,
            Self::Grid => &Grid,
            Self::Clear => &Clear,
        }
    }
}

/// Draws the episode that a state vector belongs to.
pub(crate) fn redraw(
    config: &SceneConfig,
    families: FamilySet,
    seed: u64,
    attempt: u64,
) -> Result<Arc<dyn Episode>, SimError> {
    let episode = config
        .task
        .kind
        .task()
        .draw(config, families, seed, attempt);
    episode.ok_or_else(|| SimError::State {
        reason: format!("seed {seed} has no scene at attempt {attempt}"),
    })
}
