//! One world: physics, cameras and the judge, behind a small interface.

mod fingers;
mod partners;
mod start;

use std::sync::Arc;

use prehend_robot::Robot;
use prehend_types::{
    GripperCommand, JointCommand, JointPositions, JointTorques, JointVelocities, Observation, Pose,
    RobotState, Stamp,
};

use crate::arm::coupling::{HandWay, Reaction};
use crate::arm::{Arm, ArmMode, ArmReport, Payload};
use crate::camera::LabelledCloud;
use crate::command_line::{CommandLine, Order};
use crate::objects::FamilySet;
use crate::physics::{BodyState, DT, LinkContact, Physics, Reach};
use crate::randomise::{Draw, Draws};
use crate::scene::Scene;
use crate::state::WorldState;
use crate::tasks::{Episode, Facts, Memory, TaskStatus};
use crate::view::check_fits;
use crate::{PhysicsSettings, SceneConfig, SimError, camera};

pub(crate) use partners::Follower;

/// One simulated cell: an arm on a table, perhaps others beside it, the bodies and cloths of an episode, cameras.
///
/// The result depends on robot, scene file, seed, family set and the commands alone. A clone goes on
/// exactly as the original does.
#[derive(Clone)]
pub struct World {
    robot: Arc<Robot>,
    config: Arc<SceneConfig>,
    pub(crate) families: FamilySet,
    pub(crate) settings: PhysicsSettings,
    episode: Arc<dyn Episode>,
    pub(crate) physics: Physics,
    pub(crate) arm: Arm,
    link_contacts: Vec<LinkContact>,
    pub(crate) state: WorldState,
    pub(crate) order: Order,
    pub(crate) followers: Vec<Follower>,
    pub(crate) line: CommandLine,
    draws: Draws,
    pub(crate) memory: Memory,
    pub(crate) status: TaskStatus,
    pub(crate) robot_state: RobotState,
    pub(crate) link_poses: Vec<Pose>,
    max_width: f64,
    finger_speed: f64,
}

impl World {
    /// Physics step, s.
    pub const DT: f64 = DT;

    /// The robot as its sensors report it; the stamp is simulated time.
    #[must_use]
    pub fn robot_state(&self) -> RobotState {
        self.state.robot_state()
    }

    /// Simulated time since the start.
    #[must_use]
    pub fn now(&self) -> Stamp {
        self.state.stamp()
    }

    /// Sets the command that the next steps follow. A command that is not finite, or of another
    /// number of joints, is ignored: a driver must not move on it either.
    pub fn write(&mut self, command: &JointCommand) {
        if self.fits(command) {
            self.order = (*command).into();
        }
    }

    fn fits(&self, command: &JointCommand) -> bool {
        command.q_d.len() == self.robot.n_joints()
            && command.q_d.is_finite()
            && command.dq_d.is_finite()
            && command.gripper.opening.is_finite()
    }

    /// Sets torques over gravity that the next steps push with, N·m, and the gripper's opening; they hold
    /// until the next [`Self::write`]. What is not finite is ignored, as there.
    ///
    /// # Errors
    /// [`SimError::Control`] if the arm is not [`ArmMode::Dynamic`], which alone has torques to be given,
    /// or has another number of joints.
    pub fn write_torques(
        &mut self,
        tau_d: &JointTorques,
        gripper: GripperCommand,
    ) -> Result<(), SimError> {
        if self.arm.mode() != ArmMode::Dynamic {
            let mode = self.arm.mode().name();
            return Err(SimError::control(&format!(
                "torques need the arm `dynamic`, this world has `{mode}`"
            )));
        }
        if tau_d.len() != self.robot.n_joints() {
            let (got, n) = (tau_d.len(), self.robot.n_joints());
            return Err(SimError::control(&format!(
                "torques for {got} joints, the arm has {n}"
            )));
        }
        if tau_d.is_finite() && gripper.opening.is_finite() {
            self.order.joints.gripper = gripper;
            self.order.torques = Some(*tau_d);
        }
        Ok(())
    }

    /// Advances by [`Self::DT`].
    pub fn step(&mut self) {
        self.teleport();
        let order = self.line.pass(&self.order);
        let opening = order.joints.gripper.opening;
        let (max_width, speed) = (self.max_width, self.finger_speed);
        self.state.arm.slew_fingers(opening, max_width, speed);
        self.step_partners();
        self.state.steps += 1;
        let ticks = u64::from(self.settings.ticks());
        let is_due = self.state.steps.is_multiple_of(ticks);
        // An exact arm is where it is told to be at every tick, whatever the engine's step.
        if is_due || self.arm.mode() == ArmMode::Exact {
            self.step_arm(&order, is_due);
        }
        self.robot_state = self.state.robot_state();
        let mut memory = self.memory;
        self.status = self.episode.judge(&self.facts(), &mut memory);
        self.memory = memory;
        if self.physics.has_diverged() {
            self.status = TaskStatus::DIVERGED;
        }
    }

    /// Gives back the engine's work space, about a sixth of a world's memory, until the next step. Nothing else
    /// changes: for worlds that wait while others are stepped.
    pub fn rest(&mut self) {
        self.physics.rest();
    }

    fn step_arm(&mut self, order: &Order, is_due: bool) {
        if self.arm.mode() != ArmMode::Exact {
            self.physics.link_contacts(&mut self.link_contacts);
        }
        let prediction = self.arm.predict(order, &self.link_contacts);
        let reaction = if is_due {
            self.step_engine(&prediction.q)
        } else {
            Reaction::NONE
        };
        self.arm.correct(&prediction, reaction);
        self.state.arm.q = *self.arm.q();
        self.state.arm.dq = *self.arm.dq();
    }

    /// Brings bodies and fingers up to date with an arm that goes to `q`; returns what it felt.
    fn step_engine(&mut self, q: &JointPositions) -> Reaction {
        self.robot
            .link_poses(q, self.state.arm.gripper.width, &mut self.link_poses);
        let way = self.arm.hand_way(q);
        let reaction = self.drive_engine(way.as_ref());
        let (span, has_begun) = (self.settings.span(), self.state.steps > 1);
        let fingers = self.physics.finger_displacements();
        self.state.arm.read_fingers(fingers, span, has_begun);
        self.read_partners();
        self.read_bodies();
        reaction
    }

    fn drive_engine(&mut self, way: Option<&HandWay>) -> Reaction {
        let to = Reach {
            links: &self.link_poses,
            finger_target: self.state.arm.finger_target,
        };
        let followers = self.followers.iter().zip(&self.state.partners);
        let partners: Vec<Reach<'_>> = followers.map(|(own, state)| own.reach(state)).collect();
        self.physics.step(to, way, &partners)
    }

    fn teleport(&mut self) {
        let moved = self.episode.teleports(self.state.steps as f64 * DT);
        if let Some((body_idx, base_from_body)) = moved {
            let at_rest = BodyState::at_rest(base_from_body);
            self.physics.set_body(body_idx, &at_rest);
        }
    }

    fn read_bodies(&mut self) {
        for (index, body) in self.state.bodies.iter_mut().enumerate() {
            if let Some(state) = self.physics.body(index) {
                *body = state;
            }
        }
        for (index, cloth) in self.state.cloths.iter_mut().enumerate() {
            self.physics.read_cloth(index, cloth);
        }
    }

    /// What the cameras see now, cropped and sampled: a pure function of state and seed, the same
    /// bits that [`View::observe`] finds in the state vector.
    #[must_use]
    pub fn observe(&self) -> Observation {
        let state = self.state.rounded();
        camera::observe(&self.robot, &self.config, self.scene(), &state)
    }

    /// The same with what each point belongs to, instance by instance. For labels and viewers, never for policies.
    #[must_use]
    pub fn look(&self) -> LabelledCloud {
        let state = self.state.rounded();
        camera::look(&self.robot, &self.config, self.scene(), &state)
    }

    /// How the task stands after the last step.
    #[must_use]
    pub fn task(&self) -> TaskStatus {
        self.status
    }

    /// How the arm is simulated.
    #[must_use]
    pub fn arm_mode(&self) -> ArmMode {
        self.arm.mode()
    }

    /// What the arm felt in the last step.
    #[must_use]
    pub fn arm_report(&self) -> ArmReport {
        self.arm.report()
    }

    /// The arm's own state beyond [`Self::state_vector`], in full precision: a short flat list.
    #[must_use]
    pub fn arm_numbers(&self) -> Vec<f64> {
        self.arm.to_numbers()
    }

    /// Gives the arm a saved state of its own.
    ///
    /// # Errors
    /// [`SimError::State`] if the numbers are damaged or of another robot or mode.
    pub fn set_arm_numbers(&mut self, numbers: &[f64]) -> Result<(), SimError> {
        self.arm.set_numbers(numbers)?;
        self.state.arm.q = *self.arm.q();
        self.state.arm.dq = *self.arm.dq();
        Ok(())
    }

    /// Tells the servos of an [`ArmMode::Dynamic`] arm what they carry; they compensate its weight.
    pub fn set_payload(&mut self, payload: Option<Payload>) {
        self.arm.set_payload(payload);
    }

    /// Switches the drives of an [`ArmMode::Dynamic`] arm off or on: off, it falls.
    pub fn set_servo(&mut self, is_on: bool) {
        self.arm.set_servo(is_on);
    }

    /// What was drawn.
    #[must_use]
    pub fn episode(&self) -> &dyn Episode {
        &*self.episode
    }

    /// Everything that was drawn for the episode, by name and with units.
    #[must_use]
    pub fn draws(&self) -> Vec<Draw> {
        self.draws.report(&self.config, self.scene())
    }

    /// What stands on the table.
    #[must_use]
    pub fn scene(&self) -> &Scene {
        self.episode.scene()
    }

    /// What experts and judges look at.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            robot: &self.robot,
            config: &self.config,
            state: &self.robot_state,
            bodies: &self.state.bodies,
            cloths: &self.state.cloths,
            partners: &self.state.partners,
            steps: self.state.steps,
            physics: &self.physics,
        }
    }

    /// How far the task has come, 0 to 1; only success is worth 1. Its change is a dense reward (Ng et al.
    /// 1999) that pays no one for staying anywhere.
    #[must_use]
    pub fn progress(&self) -> f64 {
        self.episode.progress(&self.facts(), &self.status)
    }

    /// The robot.
    #[must_use]
    pub fn robot(&self) -> &Arc<Robot> {
        &self.robot
    }

    /// The scene file.
    #[must_use]
    pub fn config(&self) -> &Arc<SceneConfig> {
        &self.config
    }

    /// Pose of a body that can move. For experts, judges and viewers, never for policies.
    #[must_use]
    pub fn body_pose(&self, index: usize) -> Option<Pose> {
        self.state.bodies.get(index).map(|body| body.base_from_body)
    }

    /// Everything that moves, as flat numbers with a version in front.
    #[must_use]
    pub fn state_vector(&self) -> Vec<f32> {
        self.state.to_vector()
    }

    /// Puts everything where a state vector of the same seed says.
    ///
    /// Poses and velocities are restored; contact forces build up anew, from nothing: how the world goes
    /// on depends on the vector alone, not on what this world did before. What must go on as the world
    /// that the vector was taken from uses [`Self::save`], or steps from the seed. What the servos were
    /// told ([`Self::set_payload`], [`Self::set_servo`]) stays.
    ///
    /// # Errors
    /// [`SimError::State`] if the vector is damaged or of another scene; nothing has changed then.
    pub fn restore(&mut self, state: &[f32]) -> Result<(), SimError> {
        let state = WorldState::from_vector(state)?;
        check_fits(&state, self.scene(), &self.robot)?;
        // The engine keeps contacts, impulses and who sleeps to itself: only a new one knows nothing.
        let mut new = Self::build(
            &self.robot,
            &self.config,
            Arc::clone(&self.episode),
            self.families,
            &self.settings,
        )?;
        new.arm.take_settings(&self.arm);
        new.put(state);
        *self = new;
        Ok(())
    }

    /// Puts arms, fingers, bodies and cloths where a state of this scene says, with the arm told to stay there. The
    /// engine keeps its contacts.
    fn put(&mut self, state: WorldState) {
        self.robot
            .link_poses(&state.arm.q, state.arm.gripper.width, &mut self.link_poses);
        self.physics.set_links(&self.link_poses);
        if let Some(gripper) = self.robot.gripper() {
            self.physics
                .set_fingers(state.arm.fingers, &self.link_poses[gripper.hand_idx]);
        }
        for (index, body) in state.bodies.iter().enumerate() {
            self.physics.set_body(index, body);
        }
        for (index, cloth) in state.cloths.iter().enumerate() {
            self.physics.set_cloth(index, cloth);
        }
        self.put_partners(&state.partners);
        self.arm.place(state.arm.q, state.arm.dq);
        self.order.joints.q_d = state.arm.q;
        self.order.joints.dq_d = state.arm.dq.map(|_| 0.0);
        self.order.joints.gripper.opening = state.arm.gripper.commanded;
        self.order.torques = None;
        self.line.fill(&self.order);
        self.memory = Memory::default();
        self.status = TaskStatus::default();
        self.robot_state = state.robot_state();
        self.state = state;
    }

    /// Puts the arm somewhere, at rest; gripper and everything else stay as they are, what touches what
    /// included: unlike [`Self::restore`] it leaves settled bodies settled. For benchmarks and tests that do
    /// not start at home.
    ///
    /// # Errors
    /// [`SimError::State`] for positions that are not finite or not as many as the arm has joints.
    pub fn place_arm(&mut self, q: &JointPositions) -> Result<(), SimError> {
        if q.len() != self.robot.n_joints() || !q.is_finite() {
            return Err(SimError::State {
                reason: format!("{} joint positions, or some not finite", q.len()),
            });
        }
        let mut state = self.state.clone();
        state.arm.q = *q;
        state.arm.dq = JointVelocities::zeros(q.len())?;
        self.put(WorldState::from_vector(&state.to_vector())?);
        Ok(())
    }

    /// A hash of the state, equal on every machine and for every thread count.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.state.hash()
    }
}

#[cfg(test)]
mod probes;
#[cfg(test)]
mod tests;
