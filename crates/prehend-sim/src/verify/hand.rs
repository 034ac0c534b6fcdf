//! The robot's own gripper on its arm, over the simulator's table, with cubes: the physics of worlds
//! without cameras, controllers or judges.

use std::sync::Arc;

use nalgebra::{UnitQuaternion, Vector3};
use prehend_robot::{Robot, Shape};
use prehend_types::{GripperCommand, JointCommand, JointPositions, JointVelocities, Pose, Role};

use super::Bench;
use super::path::{JointPath, ease, pointing_down, reach};
use super::touch;
use crate::arm::Arm;
use crate::command_line::Order;
use crate::objects::Part;
use crate::physics::{DT, LinkContact, Physics, Reach};
use crate::randomise::Draws;
use crate::scene::{Body, BodyMotion, Scene};
use crate::{ArmMode, PhysicsSettings, SimError};

/// Edge of the usual cube, m, its mass, kg, and its friction.
pub(super) const EDGE: f64 = 0.04;
pub(super) const MASS: f64 = 0.064;
pub(super) const FRICTION: f64 = 0.7;
/// Where cubes are grasped, base frame, m.
const PLACE: [f64; 2] = [0.5, 0.0];

/// A cube; its frame has the origin in its centre.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cube {
    pub edge: f64,
    pub mass: f64,
    pub friction: f64,
    pub center: Vector3<f64>,
}

impl Cube {
    /// The usual cube on the table, where the gripper can have it.
    pub fn to_grasp(friction: f64) -> Self {
        Self {
            edge: EDGE,
            mass: MASS,
            friction,
            center: Vector3::new(PLACE[0], PLACE[1], 0.5 * EDGE),
        }
    }

    fn body(&self) -> Body {
        Body {
            parts: vec![Part {
                shape: Shape::Cuboid {
                    half_extents: Vector3::repeat(0.5 * self.edge),
                },
                body_from_part: Pose::identity(),
            }],
            role: Role::Target,
            motion: BodyMotion::Free,
            mass: self.mass,
            friction: self.friction,
            base_from_body: Pose::from_parts(self.center.into(), UnitQuaternion::identity()),
        }
    }
}

/// Arm, gripper, table and cubes.
pub(super) struct Cell {
    robot: Arc<Robot>,
    settings: PhysicsSettings,
    physics: Physics,
    link_poses: Vec<Pose>,
    arm: Arm,
    link_contacts: Vec<LinkContact>,
    /// Where the arm is told to be.
    pub q: JointPositions,
    /// Where the fingers are told to be, m from shut, and where that is moving to.
    finger_target: f64,
    finger_goal: f64,
    finger_speed: f64,
    hand_idx: usize,
}

impl Cell {
    /// The arm at `q` with the gripper open.
    pub fn new(bench: Bench<'_>, q: &JointPositions, cubes: &[Cube]) -> Result<Self, SimError> {
        let robot = bench.robot;
        let gripper = robot.gripper().ok_or_else(|| SimError::Robot {
            robot: robot.name().to_owned(),
            reason: "it has no gripper".to_owned(),
        })?;
        let scene = Scene::of_bodies(0, 0, cubes.iter().map(Cube::body).collect());
        let mut link_poses = vec![Pose::identity(); robot.links().len()];
        robot.link_poses(q, gripper.max_width, &mut link_poses);
        // What sleeps cannot creep: these tests are for bodies that are awake.
        let settings = PhysicsSettings {
            sleep: false,
            ..*bench.settings()
        };
        let draws = Draws::neutral(cubes.len(), robot);
        let mut physics = Physics::new(robot, bench.scene, &scene, &link_poses, &settings, &draws)?;
        let mut arm = Arm::new(robot, settings.arm, settings.span())?;
        arm.place(*q, JointVelocities::zeros(q.len())?);
        physics.couple(&arm, &settings);
        Ok(Self {
            robot: Arc::clone(robot),
            settings,
            physics,
            link_poses,
            arm,
            link_contacts: Vec::new(),
            q: *q,
            finger_target: 0.5 * gripper.max_width,
            finger_goal: 0.5 * gripper.max_width,
            finger_speed: 0.5 * gripper.speed,
            hand_idx: gripper.hand_idx,
        })
    }

    /// A usual cube between the open fingers, on the table.
    pub fn around_cube(bench: Bench<'_>, friction: f64) -> Result<Self, SimError> {
        let at = pointing_down(PLACE[0], PLACE[1], 0.5 * EDGE);
        let q = reach(bench.robot, &at, bench.robot.home())?;
        Self::new(bench, &q, &[Cube::to_grasp(friction)])
    }

    /// One tick: the arm is told to go to `q`, the fingers go further towards their goal.
    pub fn step(&mut self, q: &JointPositions) {
        let reach = self.finger_speed * DT;
        self.finger_target += (self.finger_goal - self.finger_target).clamp(-reach, reach);
        let width: f64 = self.physics.finger_displacements().iter().sum();
        let mut dq_d = *self.arm.dq();
        for (idx, dq_d) in dq_d.iter_mut().enumerate() {
            *dq_d = (q[idx] - self.q[idx]) / DT;
        }
        self.q = *q;
        let order = Order::from(JointCommand {
            q_d: *q,
            dq_d,
            gripper: GripperCommand { opening: 0.0 },
        });
        if self.arm.mode() != ArmMode::Exact {
            self.physics.link_contacts(&mut self.link_contacts);
        }
        let prediction = self.arm.predict(&order, &self.link_contacts);
        let way = self.arm.hand_way(&prediction.q);
        self.robot
            .link_poses(&prediction.q, width, &mut self.link_poses);
        let to = Reach {
            links: &self.link_poses,
            finger_target: self.finger_target,
        };
        let reaction = self.physics.step(to, way.as_ref(), &[]);
        self.arm.correct(&prediction, reaction);
        self.robot
            .link_poses(self.arm.q(), width, &mut self.link_poses);
    }

    /// The arm stands still.
    pub fn rest(&mut self, seconds: f64) {
        let q = self.q;
        for _ in 0..(seconds / DT).round() as u64 {
            self.step(&q);
        }
    }

    /// Shuts the gripper with all of its force and waits.
    pub fn grasp(&mut self) {
        self.finger_goal = 0.0;
        self.rest(1.0);
    }

    /// The arm follows a path; `on_tick` sees every tick and its time.
    pub fn follow(&mut self, path: &JointPath, mut on_tick: impl FnMut(&Self, f64)) {
        for tick in 1..=(path.duration() / DT).round() as u64 {
            let t = tick as f64 * DT;
            if let Some(q) = path.at(t) {
                self.step(&q);
            }
            on_tick(self, t);
        }
    }

    /// Lifts the hand straight up within a second.
    pub fn lift(&mut self, height: f64, on_tick: impl FnMut(&Self, f64)) -> Result<(), SimError> {
        let from = self.robot.forward(&self.q);
        let path = JointPath::through(&self.robot, &self.q, 1.0, |t| {
            let mut pose = from;
            pose.translation.z += height * ease(t);
            pose
        })?;
        self.follow(&path, on_tick);
        Ok(())
    }

    /// Where a cube is; NaN if there is none.
    pub fn cube(&self, index: usize) -> Pose {
        self.physics.body(index).map_or_else(
            || Pose::translation(f64::NAN, f64::NAN, f64::NAN),
            |state| state.base_from_body,
        )
    }

    /// Pose of the first cube in the hand.
    pub fn cube_in_hand(&self) -> Pose {
        self.link_poses[self.hand_idx].inv_mul(&self.cube(0))
    }

    /// Whether both fingers touch the first cube.
    pub fn is_held(&self) -> bool {
        self.physics.finger_contacts(0) == [true; 2]
    }

    /// Force of all contacts on the first cube, N, base frame.
    pub fn force_on_cube(&self) -> Vector3<f64> {
        let body = self.physics.body_handles().first();
        body.map_or_else(
            || Vector3::repeat(f64::NAN),
            |body| touch::contact_force(self.physics.world(), *body, &self.settings),
        )
    }

    /// The deepest contact of any cube, m.
    pub fn deepest(&self) -> f64 {
        self.physics
            .body_handles()
            .iter()
            .map(|body| touch::deepest(self.physics.world(), *body))
            .fold(0.0, f64::max)
    }
}
