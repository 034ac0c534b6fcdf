//! The controller that drives the real arm, in lock step with a world.

mod partner;

use std::time::Duration;

use prehend_control::{
    ChunkReport, ControlConfig, Controller, TorqueConfig, TorqueController, TorqueGoal,
};
use prehend_types::{
    ActionChunk, GripperCommand, JointPlan, JointPositions, JointSpace, JointStep, JointTorques,
    Pose,
};

use partner::PartnerLoop;

use crate::control_mode::tool_action;
use crate::{ArmMode, ControlMode, Failure, SimError, TaskStatus, World};

/// Length of one action.
pub(crate) const ACTION_DT: Duration = Duration::from_millis(50);
/// Physics steps, which are also control ticks, in one action.
pub(crate) const TICKS: usize = 10;
/// A single action is repeated this often in its plan, so that the arm does not slow down towards the
/// end of a plan that the next action is about to replace.
pub(crate) const BRIDGE: usize = 4;

/// One arm under control; others beside it follow their episode's script. A clone goes on exactly as the original does.
#[derive(Clone)]
pub(crate) struct ArmLoop {
    controller: Controller,
    mode: ControlMode,
    torque: Option<Compliance>,
    partners: Vec<PartnerLoop>,
}

/// What torque modes need instead.
#[derive(Clone)]
struct Compliance {
    controller: TorqueController,
    goal: TorqueGoal,
    gripper: GripperCommand,
}

impl ArmLoop {
    /// Takes over the arm of a world, for tool motions. The controller's rate is that of the physics.
    pub fn new(world: &World, config: &ControlConfig) -> Result<Self, SimError> {
        Self::in_mode(world, config, ControlMode::ToolDelta)
    }

    /// Takes over the arm of a world.
    pub fn in_mode(
        world: &World,
        config: &ControlConfig,
        mode: ControlMode,
    ) -> Result<Self, SimError> {
        let config = ControlConfig {
            rate_hz: 1.0 / World::DT,
            ..*config
        };
        let mut controller = Controller::new(world.robot().clone(), config)
            .map_err(|error| SimError::control(&error))?;
        controller
            .arm(&world.robot_state())
            .map_err(|error| SimError::control(&error))?;
        let torque = mode.is_torque().then(|| Compliance::new(world, mode));
        Ok(Self {
            controller,
            mode,
            torque: torque.transpose()?,
            partners: PartnerLoop::all(world, &config)?,
        })
    }

    /// Takes a plan over from now on.
    pub fn accept(&mut self, chunk: &ActionChunk, world: &World) -> Result<ChunkReport, SimError> {
        let accepted = self.controller.accept(chunk, world.now());
        accepted.map_err(|error| SimError::control(&error))
    }

    /// Takes one action of this loop's mode over; see [`ControlMode`] for its numbers.
    pub fn accept_numbers(&mut self, action: &[f64], world: &World) -> Result<(), SimError> {
        let n_joints = world.robot().n_joints();
        let expected = self.mode.action_len(n_joints);
        if action.len() != expected || !self.mode.may_mean(action) {
            return Err(SimError::control(&format!(
                "an action of {} numbers, or some not finite or too large to be meant; `{}` takes {expected}",
                action.len(),
                self.mode.name()
            )));
        }
        let (values, gripper) = (&action[..expected - 1], action[expected - 1]);
        let now = world.now();
        if let Some(torque) = &mut self.torque {
            return torque.accept(values, gripper);
        }
        let space = match self.mode {
            ControlMode::JointPosition => JointSpace::Position,
            ControlMode::JointDelta => JointSpace::Delta,
            ControlMode::JointVelocity => JointSpace::Velocity,
            ControlMode::ToolDelta | ControlMode::OperationalSpace | ControlMode::Torque => {
                let action = tool_action(values, gripper);
                let chunk = ActionChunk::new(now, ACTION_DT, 1, &[action; BRIDGE])?;
                return self.accept(&chunk, world).map(|_| ());
            }
        };
        let step = JointStep {
            values: JointPositions::from_slice(values)?,
            gripper,
        };
        let plan = JointPlan::new(now, ACTION_DT, space, &[step; BRIDGE])
            .map_err(|error| SimError::control(&error))?;
        let accepted = self.controller.accept_joints(&plan, now);
        accepted.map_err(|error| SimError::control(&error))?;
        Ok(())
    }

    /// Advances controller and world by one action.
    pub fn advance(&mut self, world: &mut World) {
        for partner in &mut self.partners {
            partner.decide(world);
        }
        for _ in 0..TICKS {
            let state = world.robot_state();
            match &mut self.torque {
                Some(torque) => torque.tick(world),
                None => {
                    let tick = self.controller.tick(&state, world.now());
                    world.write(&tick.command);
                }
            }
            for partner in &mut self.partners {
                partner.tick(world);
            }
            world.step();
        }
    }

    /// Where the tool is commanded to be.
    pub fn base_from_tcp_d(&self) -> Pose {
        *self.controller.base_from_tcp_d()
    }

    /// How the episode stands: as its task says, unless the arm has stopped before that was done.
    pub fn status(&self, world: &World) -> TaskStatus {
        let task = world.task();
        let failure = task.failure.or(self.failure());
        TaskStatus {
            failure: failure.filter(|_| !task.success),
            ..task
        }
    }

    /// An arm that stops stays stopped, whichever it is: the episode has failed.
    fn failure(&self) -> Option<Failure> {
        let mode = match &self.torque {
            Some(torque) => torque.controller.mode(),
            None => self.controller.mode(),
        };
        let stops = mode.is_stop() || self.partners.iter().any(PartnerLoop::has_stopped);
        stops.then_some(Failure::ArmStopped)
    }
}

impl Compliance {
    fn new(world: &World, mode: ControlMode) -> Result<Self, SimError> {
        if world.arm_mode() != ArmMode::Dynamic {
            return Err(SimError::control(&format!(
                "`{}` needs the arm `dynamic`, this world has `{}`",
                mode.name(),
                world.arm_mode().name()
            )));
        }
        let robot = world.robot().clone();
        let goal = match mode {
            ControlMode::OperationalSpace => {
                TorqueGoal::Tool(robot.forward(&world.robot_state().q))
            }
            _ => TorqueGoal::Joints(JointTorques::zeros(robot.n_joints())?),
        };
        let mut controller = TorqueController::new(robot, TorqueConfig::default(), World::DT)
            .map_err(|error| SimError::control(&error))?;
        controller
            .arm(&world.robot_state())
            .map_err(|error| SimError::control(&error))?;
        Ok(Self {
            controller,
            goal,
            gripper: GripperCommand { opening: 1.0 },
        })
    }

    fn accept(&mut self, values: &[f64], gripper: f64) -> Result<(), SimError> {
        self.gripper.opening = gripper.clamp(0.0, 1.0);
        self.goal = match self.goal {
            TorqueGoal::Tool(pose) => TorqueGoal::Tool(pose * tool_action(values, 0.0).delta()),
            TorqueGoal::Joints(_) => TorqueGoal::Joints(JointTorques::from_slice(values)?),
        };
        Ok(())
    }

    fn tick(&mut self, world: &mut World) {
        let tick = self
            .controller
            .tick(&world.robot_state(), &self.goal, world.now());
        // The arm was checked when this was made, and the torques are for its joints.
        let written = world.write_torques(&tick.tau_d, self.gripper);
        debug_assert!(written.is_ok());
    }
}
