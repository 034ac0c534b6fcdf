//! Turns a robot's folder and a scene's file into what simulations start from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use prehend_data::EpisodeRecord;
use prehend_robot::Robot;
use prehend_sim::{ArmMode, FamilySet, SceneConfig, SimError, World};
use prehend_types::config::locate;

use crate::exit::Failure;

/// Which robot in which scene.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Scene file.
    #[arg(long, default_value = "scenes/tabletop.toml", value_name = "FILE")]
    scene: PathBuf,
    /// Robot folder.
    #[arg(long, default_value = "robots/fr3", value_name = "FOLDER")]
    robot: PathBuf,
    /// How the arm is simulated: where it is told to be (exact), through lagging and limited drives
    /// (actuated), or by joint servos and the equations of motion (dynamic).
    #[arg(long, value_enum, default_value_t = Arm::Actuated)]
    arm: Arm,
}

/// How the arm is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Arm {
    Exact,
    Actuated,
    Dynamic,
}

/// Which families of objects the target is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Families {
    /// The families that training uses.
    Train,
    /// The families that no training sees.
    HeldOut,
    /// Even seeds draw from the trained families, odd seeds from the held-out ones.
    All,
}

impl Families {
    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Train, Self::HeldOut, Self::All]
            .into_iter()
            .find(|own| own.name() == name)
    }

    /// Name in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::HeldOut => "held_out",
            Self::All => "all",
        }
    }
}

impl From<Families> for FamilySet {
    fn from(families: Families) -> Self {
        match families {
            Families::Train => Self::Train,
            Families::HeldOut => Self::HeldOut,
            Families::All => Self::All,
        }
    }
}

/// What the target of a stored episode was drawn from.
#[must_use]
pub fn families_of(episode: &EpisodeRecord) -> FamilySet {
    if episode.held_out {
        FamilySet::HeldOut
    } else {
        FamilySet::Train
    }
}

/// None of many seeds has a usable start: it is the scene.
#[must_use]
pub fn no_start(first: u64, n: u64) -> Failure {
    Failure::bad_input(format!(
        "the scene has no usable start for any of {n} seeds from {first} on: give its objects more room, \
         or ask for fewer points of the target"
    ))
}

/// A robot and a scene, read and checked; cheap to share.
#[derive(Debug, Clone)]
pub struct Workcell {
    /// The robot.
    pub robot: Arc<Robot>,
    /// The scene.
    pub scene: Arc<SceneConfig>,
    /// Fingerprint of the scene, for episode files.
    pub scene_hash: u64,
    /// How the arm is simulated.
    pub arm: ArmMode,
}

impl Place {
    /// Reads both files.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn open(&self) -> Result<Workcell, Failure> {
        let arm = match self.arm {
            Arm::Exact => ArmMode::Exact,
            Arm::Actuated => ArmMode::Actuated,
            Arm::Dynamic => ArmMode::Dynamic,
        };
        Ok(Workcell {
            arm,
            ..Workcell::open(&self.robot, &self.scene)?
        })
    }
}

impl Workcell {
    /// Reads a robot's folder and a scene's file, found as [`locate`] does.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn open(robot: &Path, scene: &Path) -> Result<Self, Failure> {
        let robot = Arc::new(Robot::load(&locate(robot)?)?);
        for suspicion in robot.suspicions() {
            tracing::warn!("{suspicion} A real arm is not run like this");
        }
        let scene = Arc::new(SceneConfig::load(&locate(scene)?)?);
        let scene_hash = prehend_data::fingerprint(&*scene)?;
        Ok(Self {
            robot,
            scene,
            scene_hash,
            arm: ArmMode::default(),
        })
    }

    /// The scene's hash as reports and stores write it.
    #[must_use]
    pub fn scene_hash_text(&self) -> String {
        format!("{:016x}", self.scene_hash)
    }

    /// Whether a stored episode happened here.
    ///
    /// # Errors
    /// [`crate::exit::Class::BadInput`] if it did not.
    pub fn check_episode(&self, episode: &EpisodeRecord, store: &Path) -> Result<(), Failure> {
        if episode.scene_hash == self.scene_hash && episode.robot == self.robot.content_hash() {
            return Ok(());
        }
        Err(Failure::bad_input(format!(
            "{store:?} was collected with another scene or robot than --scene and --robot name"
        )))
    }

    /// The settled world of a seed, for who works through many of them: `None`, and a warning, if the
    /// scene has no usable start for this one.
    ///
    /// # Errors
    /// The world cannot be built for any seed.
    pub fn start(&self, seed: u64, families: FamilySet) -> Result<Option<World>, Failure> {
        let (robot, scene) = (&self.robot, &self.scene);
        match World::with_arm(robot, scene, seed, families, self.arm) {
            Ok(world) => Ok(Some(world)),
            Err(error @ (SimError::NoScene { .. } | SimError::GaveUp { .. })) => {
                tracing::warn!("{error}; the seed is passed over");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The settled world of a seed.
    ///
    /// # Errors
    /// The scene has no usable start for this seed.
    pub fn world(&self, seed: u64, families: FamilySet) -> Result<World, Failure> {
        let (robot, scene) = (&self.robot, &self.scene);
        Ok(World::with_arm(robot, scene, seed, families, self.arm)?)
    }
}
