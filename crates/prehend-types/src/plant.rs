//! What a control loop sends, and its only view of the world.

use serde::{Deserialize, Serialize};

use crate::{JointPositions, JointVelocities, RobotState};

/// What the gripper should do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GripperCommand {
    /// Opening: 0 closed (force-limited), 1 fully open.
    pub opening: f64,
}

/// One tick's command to an arm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JointCommand {
    /// Desired joint positions.
    pub q_d: JointPositions,
    /// Desired joint velocities, the derivative of `q_d`.
    pub dq_d: JointVelocities,
    /// Gripper.
    pub gripper: GripperCommand,
}

/// The world as a control loop sees it: a simulated arm, a recorded log, or the arm itself.
pub trait Plant {
    /// What can go wrong.
    type Error: std::error::Error;

    /// The newest measured state.
    ///
    /// # Errors
    /// The state could not be read.
    fn read(&mut self) -> Result<RobotState, Self::Error>;

    /// Sends one command.
    ///
    /// # Errors
    /// The command could not be sent.
    fn write(&mut self, command: &JointCommand) -> Result<(), Self::Error>;
}
