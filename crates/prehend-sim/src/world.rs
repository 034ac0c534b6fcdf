//! One world: physics, cameras and the judge, behind a small interface.

use std::sync::Arc;

use prehend_robot::Robot;
use prehend_types::{
    GripperCommand, GripperState, JointCommand, JointVelocities, Observation, Pose, RobotState,
    Role, Stamp,
};

use crate::arm::coupling::{HandBody, Reaction};
use crate::arm::{Arm, ArmMode, ArmReport, Payload};
use crate::objects::FamilySet;
use crate::physics::{BodyState, DT, LinkContact, Physics};
use crate::scene::Scene;
use crate::state::WorldState;
use crate::task::{Failure, Judge, TaskStatus};
use crate::{SceneConfig, SimError, camera};

/// Draws of one seed before it is given up.
const MAX_ATTEMPTS: u64 = 50;
/// Longest settling before the first frame, physics steps.
const SETTLE_STEPS: u64 = 240;
/// Every object must be slower than this when the episode starts, m/s.
const SETTLED_SPEED: f64 = 0.005;
/// The target must stand as it was put down: cosine of the largest tilt.
const UPRIGHT: f64 = 0.98;
/// Fingers slower than this stand still, m/s.
const FINGERS_STILL: f64 = 0.004;
/// The command must be this much ahead of standing fingers before they count as grasping, m.
const GRASP_LEAD: f64 = 0.0015;
/// Shut fingers hold nothing, m.
const GRASP_MIN_WIDTH: f64 = 0.0015;

/// One simulated cell: an arm on a table, objects, a receptacle, cameras.
///
/// The result depends on robot, scene file, seed, family set and the commands alone.
pub struct World {
    robot: Arc<Robot>,
    config: Arc<SceneConfig>,
    scene: Scene,
    physics: Physics,
    arm: Arm,
    link_contacts: Vec<LinkContact>,
    state: WorldState,
    command: JointCommand,
    judge: Judge,
    status: TaskStatus,
    link_poses: Vec<Pose>,
    max_width: f64,
    finger_speed: f64,
}

impl World {
    /// Physics step, s.
    pub const DT: f64 = DT;

    /// [`Self::with_arm`] in the default mode.
    ///
    /// # Errors
    /// As [`Self::with_arm`].
    pub fn new(
        robot: &Arc<Robot>,
        config: &Arc<SceneConfig>,
        seed: u64,
        families: FamilySet,
    ) -> Result<Self, SimError> {
        Self::with_arm(robot, config, seed, families, ArmMode::default())
    }

    /// Draws, builds and settles the world of one seed, the arm at home with the gripper open.
    ///
    /// # Errors
    /// [`SimError::NoScene`] if no draw of this seed is usable, [`SimError::Robot`] for a robot
    /// without a gripper.
    pub fn with_arm(
        robot: &Arc<Robot>,
        config: &Arc<SceneConfig>,
        seed: u64,
        families: FamilySet,
        arm: ArmMode,
    ) -> Result<Self, SimError> {
        for attempt in 0..MAX_ATTEMPTS {
            let Some(scene) = Scene::draw(config, families, seed, attempt) else {
                continue;
            };
            let mut world = Self::build(robot, config, scene, arm)?;
            if world.settle() && world.sees_target() {
                return Ok(world);
            }
        }
        Err(SimError::NoScene {
            seed,
            attempts: MAX_ATTEMPTS,
        })
    }

    fn build(
        robot: &Arc<Robot>,
        config: &Arc<SceneConfig>,
        scene: Scene,
        mode: ArmMode,
    ) -> Result<Self, SimError> {
        let gripper = robot.gripper().ok_or_else(|| SimError::Robot {
            robot: robot.name().to_owned(),
            reason: "it has no gripper".to_owned(),
        })?;
        let (max_width, finger_speed) = (gripper.max_width, 0.5 * gripper.speed);
        let q = *robot.home();
        let mut link_poses = vec![Pose::identity(); robot.links().len()];
        robot.link_poses(&q, max_width, &mut link_poses);
        let mut physics = Physics::new(robot, config, &scene, &link_poses)?;
        if mode != ArmMode::Exact {
            let hand = HandBody::of(robot).ok_or_else(|| SimError::Robot {
                robot: robot.name().to_owned(),
                reason: "its mass matrix is not positive definite".to_owned(),
            })?;
            physics.free_hand(hand);
            physics.watch_links();
        }
        let arm = Arm::new(robot, mode)?;
        let dq = JointVelocities::zeros(robot.n_joints())?;
        let objects = scene.base_from_objects.iter();
        let state = WorldState {
            attempt: scene.attempt,
            steps: 0,
            q,
            dq,
            gripper: GripperState {
                width: max_width,
                commanded: 1.0,
                is_grasping: false,
            },
            fingers: [0.5 * max_width; 2],
            finger_target: 0.5 * max_width,
            objects: objects
                .map(|pose| BodyState {
                    base_from_body: *pose,
                    linear: nalgebra::Vector3::zeros(),
                    angular: nalgebra::Vector3::zeros(),
                })
                .collect(),
        };
        Ok(Self {
            robot: Arc::clone(robot),
            config: Arc::clone(config),
            scene,
            physics,
            arm,
            link_contacts: Vec::new(),
            command: JointCommand {
                q_d: q,
                dq_d: dq,
                gripper: GripperCommand { opening: 1.0 },
            },
            state,
            judge: Judge::default(),
            status: TaskStatus {
                success: false,
                failure: None,
                is_held: false,
                is_inside: false,
            },
            link_poses,
            max_width,
            finger_speed,
        })
    }

    /// Lets everything come to rest. Whether it did, with the target still standing.
    fn settle(&mut self) -> bool {
        for step in 0..SETTLE_STEPS {
            self.physics
                .step(&self.link_poses, self.state.finger_target, &Reaction::NONE);
            if step >= 40 && step % 10 == 0 {
                self.read_objects();
                if self.is_settled() {
                    break;
                }
            }
        }
        self.read_objects();
        let up = self.state.objects[0].base_from_body.rotation * nalgebra::Vector3::z();
        self.is_settled() && up.z > UPRIGHT
    }

    fn is_settled(&self) -> bool {
        let bodies = &self.state.objects;
        bodies
            .iter()
            .all(|body| body.linear.norm() < SETTLED_SPEED && body.linear.norm().is_finite())
    }

    fn sees_target(&self) -> bool {
        let roles = self.observe().cloud.roles;
        let seen = roles.iter().filter(|role| **role == Role::Target).count();
        seen >= self.config.clutter.min_target_points
    }

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
        let fits = command.q_d.len() == self.robot.n_joints()
            && command.q_d.is_finite()
            && command.gripper.opening.is_finite();
        if fits {
            self.command = *command;
        }
    }

    /// Advances by [`Self::DT`].
    pub fn step(&mut self) {
        self.slew_fingers();
        if self.arm.mode() != ArmMode::Exact {
            self.physics.link_contacts(&mut self.link_contacts);
        }
        let prediction = self.arm.predict(&self.command, &self.link_contacts);
        self.robot.link_poses(
            &prediction.q,
            self.state.gripper.width,
            &mut self.link_poses,
        );
        let reaction = self.physics.step(
            &self.link_poses,
            self.state.finger_target,
            self.arm.reaction(),
        );
        self.arm.correct(&prediction, reaction);
        self.state.q = *self.arm.q();
        self.state.dq = *self.arm.dq();
        self.state.steps += 1;
        self.read_fingers();
        self.read_objects();
        let touches = self.physics.finger_contacts(0);
        self.status = self.judge.step(
            &self.config,
            &self.scene,
            &self.state.objects[0],
            touches,
            self.state.steps,
        );
        if self.physics.has_quarantined() && !self.status.success {
            self.status.failure = Some(Failure::Diverged);
        }
    }

    /// Moves the fingers' target towards the command at the gripper's speed. A target that ran ahead
    /// of blocked fingers comes back to them at once when the command turns round.
    fn slew_fingers(&mut self) {
        let opening = self.command.gripper.opening.clamp(0.0, 1.0);
        self.state.gripper.commanded = opening;
        let goal = 0.5 * self.max_width * opening;
        let mean = 0.5 * (self.state.fingers[0] + self.state.fingers[1]);
        let from = if goal > self.state.finger_target {
            self.state.finger_target.max(mean.min(goal))
        } else {
            self.state.finger_target
        };
        let step = self.finger_speed * DT;
        self.state.finger_target = from + (goal - from).clamp(-step, step);
    }

    fn read_fingers(&mut self) {
        let before = self.state.gripper.width;
        self.state.fingers = self.physics.finger_displacements();
        let width = self.state.fingers[0] + self.state.fingers[1];
        let speed = (width - before) / DT;
        let lead = 0.5 * width - self.state.finger_target;
        // Once grasping, fingers may creep without letting go of the claim; losing the lead does.
        let is_still = speed.abs() < FINGERS_STILL || self.state.gripper.is_grasping;
        self.state.gripper.width = width;
        self.state.gripper.is_grasping =
            self.state.steps > 1 && lead > GRASP_LEAD && is_still && width > GRASP_MIN_WIDTH;
    }

    fn read_objects(&mut self) {
        for (index, body) in self.state.objects.iter_mut().enumerate() {
            if let Some(state) = self.physics.object(index) {
                *body = state;
            }
        }
    }

    /// What the cameras see now, cropped and sampled: a pure function of state and seed, the same
    /// bits that [`View::observe`] finds in the state vector.
    #[must_use]
    pub fn observe(&self) -> Observation {
        let state = self.state.rounded();
        camera::observe(&self.robot, &self.config, &self.scene, &state)
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
        self.state.q = *self.arm.q();
        self.state.dq = *self.arm.dq();
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
    pub fn scene(&self) -> &Scene {
        &self.scene
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

    /// Pose of an object; 0 is the target. For experts, judges and viewers, never for policies.
    #[must_use]
    pub fn object_pose(&self, index: usize) -> Option<Pose> {
        self.state
            .objects
            .get(index)
            .map(|body| body.base_from_body)
    }

    /// Everything that moves, as flat numbers with a version in front.
    #[must_use]
    pub fn state_vector(&self) -> Vec<f32> {
        self.state.to_vector()
    }

    /// Puts everything where a state vector of the same seed says.
    ///
    /// Poses and velocities are restored; contact forces build up anew. A replay that must be exact
    /// steps from the seed instead.
    ///
    /// # Errors
    /// [`SimError::State`] if the vector is damaged or of another scene.
    pub fn restore(&mut self, state: &[f32]) -> Result<(), SimError> {
        let state = WorldState::from_vector(state)?;
        check_fits(&state, &self.scene, &self.robot)?;
        self.robot
            .link_poses(&state.q, state.gripper.width, &mut self.link_poses);
        self.physics.set_links(&self.link_poses);
        if let Some(gripper) = self.robot.gripper() {
            self.physics
                .set_fingers(state.fingers, &self.link_poses[gripper.hand_idx]);
        }
        for (index, body) in state.objects.iter().enumerate() {
            self.physics.set_object(index, body);
        }
        self.arm.place(state.q, state.dq);
        self.command.q_d = state.q;
        self.command.gripper.opening = state.gripper.commanded;
        self.judge = Judge::default();
        self.state = state;
        Ok(())
    }

    /// A hash of the state, equal on every machine and for every thread count.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.state.hash()
    }
}

/// The cameras of one episode on stored states, without physics: what training looks through.
pub struct View {
    robot: Arc<Robot>,
    config: Arc<SceneConfig>,
    scene: Scene,
}

impl View {
    /// The view of the episode that `state` was taken from.
    ///
    /// # Errors
    /// [`SimError::State`] if seed, families and state do not belong together.
    pub fn new(
        robot: &Arc<Robot>,
        config: &Arc<SceneConfig>,
        seed: u64,
        families: FamilySet,
        state: &[f32],
    ) -> Result<Self, SimError> {
        let state = WorldState::from_vector(state)?;
        let scene =
            Scene::draw(config, families, seed, state.attempt).ok_or_else(|| SimError::State {
                reason: format!("seed {seed} has no scene at attempt {}", state.attempt),
            })?;
        check_fits(&state, &scene, robot)?;
        Ok(Self {
            robot: Arc::clone(robot),
            config: Arc::clone(config),
            scene,
        })
    }

    /// What the cameras saw in a state of this episode, bit for bit.
    ///
    /// # Errors
    /// [`SimError::State`] if the vector is damaged or of another scene.
    pub fn observe(&self, state: &[f32]) -> Result<Observation, SimError> {
        let state = WorldState::from_vector(state)?;
        check_fits(&state, &self.scene, &self.robot)?;
        Ok(camera::observe(
            &self.robot,
            &self.config,
            &self.scene,
            &state,
        ))
    }

    /// A picture of a state, for people.
    ///
    /// # Errors
    /// [`SimError::State`] if the vector is damaged or of another scene.
    pub fn picture(&self, state: &[f32], width: usize) -> Result<crate::render::Picture, SimError> {
        let state = WorldState::from_vector(state)?;
        check_fits(&state, &self.scene, &self.robot)?;
        let solids = camera::solids(&self.robot, &self.scene, &state);
        Ok(crate::render::picture(&solids, width))
    }
}

fn check_fits(state: &WorldState, scene: &Scene, robot: &Robot) -> Result<(), SimError> {
    let n_objects = scene.objects.len();
    if state.objects.len() == n_objects
        && state.q.len() == robot.n_joints()
        && state.attempt == scene.attempt
    {
        return Ok(());
    }
    Err(SimError::State {
        reason: format!(
            "{} objects and {} joints in the vector, {n_objects} and {} in the scene",
            state.objects.len(),
            state.q.len(),
            robot.n_joints()
        ),
    })
}
