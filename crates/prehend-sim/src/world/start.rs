//! How a world begins: drawn, built, settled, looked at.

use std::sync::Arc;

use prehend_robot::Robot;
use prehend_types::{GripperCommand, JointCommand, JointVelocities, Pose, Role};

use super::{Follower, World};
use crate::arm::{Arm, ArmMode};
use crate::camera;
use crate::command_line::{CommandLine, Order};
use crate::guard::guard;
use crate::objects::FamilySet;
use crate::physics::{BodyState, Physics, flat};
use crate::randomise::Draws;
use crate::state::{ArmState, WorldState};
use crate::tasks::{Episode, Memory, TaskStatus};
use crate::{PhysicsSettings, SceneConfig, SimError};

/// Draws of one seed before it is given up.
const MAX_ATTEMPTS: u64 = 50;
/// Longest settling before the first frame, physics steps.
const SETTLE_STEPS: u64 = 240;
/// Every body must be slower than this when the episode starts, m/s.
const SETTLED_SPEED: f64 = 0.005;
impl World {
    /// The start state of a seed, with the arm in the default mode.
    ///
    /// # Errors
    /// [`SimError::NoScene`] if none was found for it, [`SimError::GaveUp`] if looking for one panicked,
    /// [`SimError::Robot`] for an arm that cannot be simulated.
    pub fn new(
        robot: &Arc<Robot>,
        config: &Arc<SceneConfig>,
        seed: u64,
        families: FamilySet,
    ) -> Result<Self, SimError> {
        Self::with_settings(robot, config, seed, families, &PhysicsSettings::default())
    }

    /// [`Self::new`] with another model of the arm.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_arm(
        robot: &Arc<Robot>,
        config: &Arc<SceneConfig>,
        seed: u64,
        families: FamilySet,
        arm: ArmMode,
    ) -> Result<Self, SimError> {
        let settings = PhysicsSettings {
            arm,
            ..PhysicsSettings::default()
        };
        Self::with_settings(robot, config, seed, families, &settings)
    }

    /// [`Self::new`] with other settings of the solver than those that ship, for comparisons.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_settings(
        robot: &Arc<Robot>,
        config: &Arc<SceneConfig>,
        seed: u64,
        families: FamilySet,
        settings: &PhysicsSettings,
    ) -> Result<Self, SimError> {
        guard(|| Self::settled(robot, config, seed, families, settings))
            .unwrap_or(Err(SimError::GaveUp { seed }))
    }

    fn settled(
        robot: &Arc<Robot>,
        config: &Arc<SceneConfig>,
        seed: u64,
        families: FamilySet,
        settings: &PhysicsSettings,
    ) -> Result<Self, SimError> {
        let task = config.task.kind.task();
        for attempt in 0..MAX_ATTEMPTS {
            let Some(episode) = task.draw(config, families, seed, attempt) else {
                continue;
            };
            let mut world = Self::build(robot, config, episode, families, settings)?;
            if world.settle() && world.episode.accepts(&world.facts()) && world.sees_target() {
                return Ok(world);
            }
        }
        Err(SimError::NoScene {
            seed,
            attempts: MAX_ATTEMPTS,
        })
    }

    pub(crate) fn build(
        robot: &Arc<Robot>,
        config: &Arc<SceneConfig>,
        episode: Arc<dyn Episode>,
        families: FamilySet,
        settings: &PhysicsSettings,
    ) -> Result<Self, SimError> {
        let gripper = robot.gripper().ok_or_else(|| SimError::Robot {
            robot: robot.name().to_owned(),
            reason: "it has no gripper".to_owned(),
        })?;
        let scene = episode.scene();
        let draws = Draws::draw(config, scene, robot);
        let max_width = gripper.max_width;
        let finger_speed = 0.5 * gripper.speed * draws.cell.speed_factor;
        let q = draws.cell.start;
        let mut link_poses = vec![Pose::identity(); robot.links().len()];
        robot.link_poses(&q, max_width, &mut link_poses);
        let mut physics = Physics::new(robot, config, scene, &link_poses, settings, &draws)?;
        let dq = JointVelocities::zeros(robot.n_joints())?;
        let mut arm = Arm::new(robot, settings.arm, settings.span())?;
        if config.randomise.is_some() {
            arm.set_drives(&draws.cell.drives(robot));
            arm.place(q, dq);
        }
        physics.couple(&arm, settings);
        let order = Order::from(JointCommand {
            q_d: q,
            dq_d: dq,
            gripper: GripperCommand { opening: 1.0 },
        });
        let bodies = scene.bodies.iter().take(scene.n_moving());
        let partners = scene.partners.iter();
        let partners: Vec<ArmState> = partners
            .map(|partner| ArmState::open(partner.start, dq, max_width))
            .collect();
        let followers = scene.partners.iter().zip(&partners);
        let followers = followers.map(|(partner, state)| Follower::new(partner, robot, state));
        let followers = followers.collect();
        let state = WorldState {
            attempt: scene.attempt,
            steps: 0,
            arm: ArmState::open(q, dq, max_width),
            partners,
            bodies: bodies
                .map(|body| BodyState::at_rest(body.base_from_body))
                .collect(),
            cloths: scene.cloths.iter().map(flat).collect(),
        };
        Ok(Self {
            robot: Arc::clone(robot),
            config: Arc::clone(config),
            families,
            settings: *settings,
            episode,
            physics,
            robot_state: state.robot_state(),
            arm,
            link_contacts: Vec::new(),
            order,
            followers,
            line: CommandLine::new(draws.cell.delay_s, &order),
            draws,
            state,
            memory: Memory::default(),
            status: TaskStatus::default(),
            link_poses,
            max_width,
            finger_speed,
        })
    }

    /// Lets everything come to rest. Whether it did.
    fn settle(&mut self) -> bool {
        let stays = self.arm.hand_way(self.arm.q());
        for step in 0..SETTLE_STEPS {
            self.drive_engine(stays.as_ref());
            if step >= 40 && step % 10 == 0 {
                self.read_bodies();
                if self.is_settled() {
                    break;
                }
            }
        }
        self.read_bodies();
        self.is_settled()
    }

    fn is_settled(&self) -> bool {
        let bodies = &self.state.bodies;
        let is_slow = |body: &BodyState| body.linear.norm() < SETTLED_SPEED;
        let mut particles = self.state.cloths.iter().flat_map(|cloth| &cloth.velocities);
        let sheets_are_slow = particles.all(|speed| f64::from(speed.norm()) < SETTLED_SPEED);
        !self.physics.has_diverged() && bodies.iter().all(is_slow) && sheets_are_slow
    }

    fn sees_target(&self) -> bool {
        let least = self.config.min_target_points();
        let look = || {
            let state = self.state.rounded();
            camera::look(&self.robot, &self.config, self.scene(), &state).roles
        };
        let is_target = |role: &Role| *role == Role::Target;
        least == 0 || look().into_iter().filter(is_target).count() >= least
    }
}
