//! Put one cube on another, among others.

use std::path::Path;
use std::sync::Arc;

use nalgebra::{Point3, Vector3};
use prehend_types::config::{self, ConfigError};
use prehend_types::{Action, Pose, Role, Stream, derive_seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::shared::near;
use super::{Episode, Facts, Failure, Memory, Task, TaskKind, TaskStatus, Variant, cube};
use crate::SceneConfig;
use crate::config::{needed, range, within};
use crate::objects::FamilySet;
use crate::physics::{BodyState, DT};
use crate::pilots::rule::{self, CARRY_CLEARANCE, Goal};
use crate::scene::{Body, Scene};

/// Draws for one cube's place before the episode is given up.
const PLACE_TRIES: usize = 100;
/// Index of the cube to move, and of the one that it goes onto.
const MOVED: usize = 0;
const BASE: usize = 1;
/// The moved cube stands on the other if its centre is this near to where it should be: up or down, m,
/// and sideways as a share of the other's edge, so that it cannot have tipped.
const HEIGHT: f64 = 0.005;
const SIDEWAYS: f64 = 0.4;
/// Cosine of the largest tilt of a standing cube.
const UPRIGHT: f64 = 0.98;
/// The expert lets go this far above the other cube, m.
const RELEASE_GAP: f64 = 0.003;
/// The moved cube counts as lifted when it has risen by this much, m.
const LIFT: f64 = 0.03;

/// What is drawn for the cubes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackConfig {
    /// Length of an edge, m: lowest and highest.
    pub size_m: [f64; 2],
    /// Mass, kg: lowest and highest.
    pub mass_kg: [f64; 2],
    /// Friction coefficient: lowest and highest.
    pub friction: [f64; 2],
    /// Fewest and most cubes beside the two.
    pub distractors: [usize; 2],
    /// Smallest distance between the centres of any two cubes, m: open fingers must fit between.
    pub apart_m: f64,
}

impl StackConfig {
    /// Refuses values that make no stack.
    pub(crate) fn check(section: Option<&Self>, path: &Path) -> Result<(), ConfigError> {
        let stack = needed(section, path, "stack", TaskKind::Stack)?;
        range(path, "stack.size_m", stack.size_m, 0.03, 0.06)?;
        range(path, "stack.mass_kg", stack.mass_kg, 0.005, 3.0)?;
        range(path, "stack.friction", stack.friction, 0.0, 2.0)?;
        within(path, "stack.apart_m", stack.apart_m, 0.08, 0.5)?;
        config::require(
            stack.apart_m >= std::f64::consts::SQRT_2 * stack.size_m[1],
            path,
            "stack.apart_m",
            "lets the largest cubes overlap, corner to corner",
        )?;
        config::require(
            stack.distractors[0] <= stack.distractors[1] && stack.distractors[1] <= 8,
            path,
            "stack.distractors",
            "needs 0 <= fewest <= most <= 8",
        )?;
        Ok(())
    }
}

/// The task `stack`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stack;

impl Task for Stack {
    fn draw(
        &self,
        config: &SceneConfig,
        _families: FamilySet,
        seed: u64,
        attempt: u64,
    ) -> Option<Arc<dyn Episode>> {
        Some(Arc::new(StackEpisode::draw(config, seed, attempt)?))
    }
}

/// Drawn cubes.
#[derive(Debug, Clone, PartialEq)]
struct StackEpisode {
    scene: Scene,
    /// Half the edge of the moved cube and of the one below, m.
    half: [f64; 2],
}

impl StackEpisode {
    fn draw(config: &SceneConfig, seed: u64, attempt: u64) -> Option<Self> {
        let stack = config.stack.as_ref()?;
        let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Scene, attempt));
        let [fewest, most] = stack.distractors;
        let n_cubes = 2 + rng.random_range(fewest..=most);
        let mut bodies: Vec<Body> = Vec::with_capacity(n_cubes);
        let mut halves = Vec::with_capacity(n_cubes);
        for index in 0..n_cubes {
            let mut draw = |[low, high]: [f64; 2]| rng.random_range(low..=high);
            let half = 0.5 * draw(stack.size_m);
            let (mass, friction) = (draw(stack.mass_kg), draw(stack.friction));
            let yaw = draw([-std::f64::consts::PI, std::f64::consts::PI]);
            let place = (0..PLACE_TRIES).find_map(|_| {
                let at = Vector3::new(draw(config.table.x_m), draw(config.table.y_m), half);
                let is_free = bodies.iter().all(|other: &Body| {
                    let apart = at - other.base_from_body.translation.vector;
                    apart.xy().norm() > stack.apart_m
                });
                is_free.then_some(at)
            })?;
            halves.push(half);
            let role = match index {
                MOVED => Role::Target,
                BASE => Role::Receptacle,
                _ => Role::Other,
            };
            bodies.push(cube::body(role, half, mass, friction, place, yaw));
        }
        Some(Self {
            scene: Scene::of_bodies(seed, attempt, bodies),
            half: [halves[MOVED], halves[BASE]],
        })
    }

    /// Whether the moved cube stands on the other, which stands on the table.
    fn is_stacked(&self, moved: &BodyState, base: &BodyState) -> bool {
        let at = moved.base_from_body.translation.vector;
        let below = base.base_from_body.translation.vector;
        let [half, half_below] = self.half;
        let off = at - below;
        (off.z - half - half_below).abs() < HEIGHT
            && off.xy().norm() < SIDEWAYS * 2.0 * half_below
            && (below.z - half_below).abs() < HEIGHT
            && [moved, base]
                .iter()
                .all(|body| stands(&body.base_from_body))
    }

    fn step(
        &self,
        config: &SceneConfig,
        bodies: [&BodyState; 2],
        is_held: bool,
        steps: u64,
        memory: &mut Memory,
    ) -> TaskStatus {
        let [moved, base] = bodies;
        let height = moved.base_from_body.translation.z;
        memory.lifted |= height > self.half[MOVED] + LIFT;
        let slow = |body: &BodyState| {
            let speed = body.linear.norm() + 0.03 * body.angular.norm();
            speed < config.task.rest_speed_m_per_s
        };
        let rests = !is_held && slow(moved) && slow(base) && self.is_stacked(moved, base);
        let success = memory.lasted(rests, config.task.rest_s);
        let is_late = steps as f64 * DT >= config.task.time_limit_s;
        let failure = if success {
            None
        } else if !height.is_finite() {
            Some(Failure::Diverged)
        } else if height < -0.02 {
            Some(Failure::OffTable)
        } else if !is_late {
            None
        } else if !memory.lifted {
            Some(Failure::NeverLifted)
        } else if is_held {
            Some(Failure::NotReleased)
        } else {
            Some(Failure::Dropped)
        };
        TaskStatus { success, failure }
    }
}

fn stands(pose: &Pose) -> bool {
    // A cube may stand on any of its faces.
    let up = pose.rotation.inverse() * Vector3::z();
    up.amax() > UPRIGHT
}

impl Episode for StackEpisode {
    fn scene(&self) -> &Scene {
        &self.scene
    }

    fn instruction(&self) -> String {
        "put the first cube on the second".to_owned()
    }

    fn variant(&self) -> Variant {
        Variant {
            name: "cube",
            is_held_out: false,
        }
    }

    fn accepts(&self, facts: &Facts<'_>) -> bool {
        facts.bodies.iter().all(|body| stands(&body.base_from_body))
    }

    /// Success: the moved cube was released and rests on the other for the scene file's `rest_s`.
    fn judge(&self, facts: &Facts<'_>, memory: &mut Memory) -> TaskStatus {
        let [moved, base, ..] = facts.bodies else {
            return TaskStatus::default();
        };
        let is_held = facts.touches(MOVED).contains(&true);
        self.step(facts.config, [moved, base], is_held, facts.steps, memory)
    }

    /// A quarter each for reaching the cube, holding it, bringing it over the other, and its height.
    fn progress(&self, facts: &Facts<'_>, status: &TaskStatus) -> f64 {
        let ([moved, base, ..], false) = (facts.bodies, status.success) else {
            return f64::from(u8::from(status.success));
        };
        let at = moved.base_from_body.translation.vector;
        let goal = base.base_from_body.translation.vector
            + Vector3::z() * (self.half[MOVED] + self.half[BASE]);
        let reach = near((facts.base_from_tcp().translation.vector - at).norm());
        let is_up = self.is_stacked(moved, base);
        let held = f64::from(u8::from(facts.touches(MOVED) == [true; 2] || is_up));
        let bring = near((at - goal).xy().norm());
        let height = near((at - goal).z.abs());
        0.24 * (reach.max(f64::from(u8::from(is_up))) + held + held * bring + held * bring * height)
    }

    fn expert(&self, facts: &Facts<'_>, base_from_tcp_d: &Pose) -> Action {
        let [moved, base, ..] = facts.bodies else {
            return Action::hold(1.0);
        };
        let tcp = base_from_tcp_d.translation.vector;
        let at = moved.base_from_body.translation.vector;
        let below = base.base_from_body.translation.vector;
        let hangs = (tcp.z - at.z + self.half[MOVED]).max(0.0);
        let top = below.z + self.half[BASE];
        let over = below.xy() + (tcp - at).xy();
        let goal = Goal {
            base_from_grasp: cube::grasp(&moved.base_from_body, base_from_tcp_d),
            release: Point3::new(over.x, over.y, top + RELEASE_GAP + hangs),
            carry_height: hangs + CARRY_CLEARANCE.max(top + 0.03),
        };
        let is_placed = facts.is_let_go() && self.is_stacked(moved, base);
        let situation = facts.situation(MOVED, is_placed, base_from_tcp_d);
        rule::next_action(&goal, &situation)
    }
}

#[cfg(test)]
mod tests;
