//! Objects on a table, without an arm: to let them settle, and to try grasps with a free hand.

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_robot::Jaw;
use prehend_types::Pose;
use rapier3d::dynamics::{RigidBodyBuilder, RigidBodyHandle};
use rapier3d::geometry::ColliderBuilder;
use rapier3d::math::{Pose as RapierPose, Vector as RapierVector};
use rapier3d::pipeline::PhysicsWorld;

use crate::PhysicsSettings;
use crate::physics::{
    DT, FingerSpec, Gripper, REST, ROBOT, collider, from_rapier, groups, insert_body, to_rapier,
    vector,
};
use crate::randomise::BodyDraws;
use crate::scene::Body;

/// Friction coefficient of the table.
const TABLE_FRICTION: f64 = 0.6;
/// Slower than this, m/s and rad/s, for this many steps is at rest.
const REST_SPEED: [f64; 2] = [0.005, 0.08];
const REST_STEPS: usize = 30;

/// A table with bodies on it.
pub(crate) struct Bench {
    pub world: PhysicsWorld,
    bodies: Vec<RigidBodyHandle>,
}

impl Bench {
    pub fn new(bodies: &[Body]) -> Self {
        let mut world = PhysicsWorld::new();
        world.gravity = RapierVector::new(0.0, 0.0, -9.81);
        world.integration_parameters = PhysicsSettings::default().integration_parameters();
        let table = ColliderBuilder::cuboid(1.0, 1.0, 0.05)
            .position(RapierPose::translation(0.5, 0.0, -0.05))
            .friction(TABLE_FRICTION as f32)
            .collision_groups(groups(REST, ROBOT | REST));
        world.insert_collider(table, None);
        let bodies = bodies
            .iter()
            .map(|body| insert_body(&mut world, body, &BodyDraws::NEUTRAL, true));
        let bodies = bodies.collect();
        Self { world, bodies }
    }

    pub fn pose(&self, index: usize) -> Pose {
        let body = self
            .bodies
            .get(index)
            .and_then(|h| self.world.bodies.get(*h));
        body.map_or_else(Pose::identity, |body| from_rapier(body.position()))
    }

    fn speeds(&self, index: usize) -> [f64; 2] {
        let body = self
            .bodies
            .get(index)
            .and_then(|h| self.world.bodies.get(*h));
        body.map_or([0.0; 2], |body| {
            [vector(body.linvel()).norm(), vector(body.angvel()).norm()]
        })
    }

    /// Steps until everything is at rest; false if that takes longer than `most_s`.
    pub fn settle(&mut self, most_s: f64) -> bool {
        let mut still = 0;
        for _ in 0..(most_s / DT) as usize {
            self.world.step();
            let is_still = (0..self.bodies.len()).all(|index| {
                let [linear, angular] = self.speeds(index);
                linear < REST_SPEED[0] && angular < REST_SPEED[1]
            });
            still = if is_still { still + 1 } else { 0 };
            if still >= REST_STEPS {
                return true;
            }
        }
        false
    }
}

/// A gripper that moves through the air by itself: a kinematic palm with two force-limited fingers.
pub(crate) struct FreeHand {
    pub bench: Bench,
    hand: RigidBodyHandle,
    gripper: Gripper,
    tool: Pose,
    finger_target: f64,
}

/// Fastest way of a finger, m/s.
const FINGER_SPEED: f64 = 0.05;

impl FreeHand {
    /// Opened to `opening` between the pads, m.
    pub fn new(mut bench: Bench, jaw: &Jaw, base_from_tool: &Pose, opening: f64) -> Self {
        let palm = RigidBodyBuilder::kinematic_position_based().pose(to_rapier(base_from_tool));
        let hand = bench.world.insert_body(palm);
        for part in &jaw.palm {
            let placed = part.placed(0.0, false);
            let shape = collider(&placed.shape)
                .position(to_rapier(&placed.link_from_shape))
                .friction(0.5)
                .collision_groups(groups(ROBOT, REST));
            bench.world.insert_collider(shape, Some(hand));
        }
        let fingers = [false, true].map(|is_mirrored| {
            let parts = std::iter::once(&jaw.pad).chain(&jaw.finger);
            let sign = if is_mirrored { -1.0 } else { 1.0 };
            FingerSpec {
                shut: jaw
                    .pad
                    .placed(0.0, is_mirrored)
                    .link_from_shape
                    .translation
                    .vector,
                axis: sign * Vector3::y(),
                shapes: parts.map(|part| part.placed(0.0, is_mirrored)).collect(),
            }
        });
        let open = 0.5 * jaw.max_width_m;
        let mut gripper = Gripper::attach(
            &mut bench.world,
            hand,
            base_from_tool,
            &fingers,
            jaw.force_n,
            open,
        );
        let finger_target = 0.5 * opening;
        gripper.place(&mut bench.world, [finger_target; 2], base_from_tool);
        Self {
            bench,
            hand,
            gripper,
            tool: *base_from_tool,
            finger_target,
        }
    }

    /// Moves the hand in a straight line to a pose in `seconds`, the fingers towards `width` between
    /// the pads.
    pub fn go(&mut self, base_from_tool: &Pose, width: f64, seconds: f64) {
        let n_steps = (seconds / DT).ceil().max(1.0) as usize;
        let start = self.tool;
        for step in 1..=n_steps {
            let share = step as f64 / n_steps as f64;
            let pose = Pose::from_parts(
                Translation3::from(
                    start
                        .translation
                        .vector
                        .lerp(&base_from_tool.translation.vector, share),
                ),
                start
                    .rotation
                    .try_slerp(&base_from_tool.rotation, share, 1e-9)
                    .unwrap_or(base_from_tool.rotation),
            );
            self.step(&pose, width);
        }
        self.tool = *base_from_tool;
    }

    fn step(&mut self, base_from_tool: &Pose, width: f64) {
        let most = FINGER_SPEED * DT;
        let goal = 0.5 * width;
        self.finger_target += (goal - self.finger_target).clamp(-most, most);
        if let Some(hand) = self.bench.world.bodies.get_mut(self.hand) {
            hand.set_next_kinematic_position(to_rapier(base_from_tool));
        }
        self.gripper.drive(
            &mut self.bench.world,
            base_from_tool,
            self.finger_target,
            true,
            DT,
        );
        self.bench.world.step();
    }

    /// Distance between the pads, m.
    pub fn width(&self) -> f64 {
        self.gripper.displacements(&self.bench.world).iter().sum()
    }

    pub fn tool(&self) -> Pose {
        self.tool
    }
}

/// A turn about an axis through the tool's origin, in the tool's frame.
pub(crate) fn turned(base_from_tool: &Pose, axis: Vector3<f64>, angle: f64) -> Pose {
    base_from_tool * UnitQuaternion::from_scaled_axis(axis * angle)
}
