//! What can go wrong in the simulator.

use prehend_types::{ChunkTooLong, PolicyError, TooManyJoints, config::ConfigError};

/// Why a world could not be made, restored or stepped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The scene file was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The robot cannot be simulated.
    #[error("robot {robot:?} cannot be simulated: {reason}")]
    Robot {
        /// The robot's name.
        robot: String,
        /// Why not.
        reason: String,
    },
    /// No start state could be found that fulfils the scene file.
    #[error(
        "seed {seed}: no usable scene in {attempts} attempts; ask for less on the table, for more room, or for fewer \
         points that the cameras must see of it at the start"
    )]
    NoScene {
        /// The episode's seed.
        seed: u64,
        /// How many were drawn.
        attempts: u64,
    },
    /// Drawing, settling or looking at a start state panicked.
    #[error(
        "seed {seed}: the simulator gave up on its start state, which it never should: please report scene file and seed; \
         other seeds can be used"
    )]
    GaveUp {
        /// The episode's seed.
        seed: u64,
    },
    /// Nobody wrote an expert for the task.
    #[error("scene {scene:?}: its task has no expert; let a policy act")]
    NoExpert {
        /// The scene's name.
        scene: String,
    },
    /// A state vector does not belong to this world.
    #[error("state vector refused: {reason}")]
    State {
        /// Why.
        reason: String,
    },
    /// The arm could not be commanded.
    #[error("control refused: {reason}")]
    Control {
        /// What the controller said.
        reason: String,
    },
    /// A batch was told to do something that makes no sense.
    #[error("batch refused: {reason}")]
    Batch {
        /// What, and what would be right.
        reason: String,
    },
    /// The policy gave up.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// No test of `verify` matches a name.
    #[error("no test matches {name:?}; there are {known}")]
    NoTest {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// A test of `verify` asks the arm for a pose that it cannot reach.
    #[error("the test path leaves the arm's reach: {0}")]
    Reach(#[from] prehend_robot::IkError),
    /// A picture could not be written.
    #[error("cannot write picture: {reason}")]
    Picture {
        /// What the encoder said.
        reason: String,
    },
}

impl SimError {
    pub(crate) fn control(error: &dyn std::fmt::Display) -> Self {
        Self::Control {
            reason: error.to_string(),
        }
    }
}

impl From<ChunkTooLong> for SimError {
    fn from(error: ChunkTooLong) -> Self {
        Self::control(&error)
    }
}

impl From<TooManyJoints> for SimError {
    fn from(error: TooManyJoints) -> Self {
        Self::State {
            reason: error.to_string(),
        }
    }
}
