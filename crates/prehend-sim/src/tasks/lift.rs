//! Lift one cube and hold it: the smallest task with a grasp, and the scene that simulators are
//! compared on.

use std::path::Path;
use std::sync::Arc;

use nalgebra::{Point3, Vector3};
use prehend_types::config::ConfigError;
use prehend_types::{Action, Pose, Role, Stream, derive_seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::shared::near;
use super::{Episode, Facts, Failure, Memory, Task, TaskKind, TaskStatus, Variant, cube};
use crate::SceneConfig;
use crate::config::{needed, range, within};
use crate::objects::FamilySet;
use crate::pilots::rule::{self, Goal};
use crate::scene::Scene;

/// The cube's centre must rise by this much, m.
const LIFT: f64 = 0.10;
/// The expert lifts this much higher, m.
const MARGIN: f64 = 0.03;

/// What is drawn for the cube. Equal lowest and highest values fix it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CubeConfig {
    /// Length of an edge, m: lowest and highest.
    pub size_m: [f64; 2],
    /// Mass, kg: lowest and highest.
    pub mass_kg: [f64; 2],
    /// Friction coefficient: lowest and highest.
    pub friction: [f64; 2],
    /// Largest turn about the vertical, either way, degrees.
    pub max_yaw_deg: f64,
}

impl CubeConfig {
    /// Refuses values that make no cube.
    pub(crate) fn check(section: Option<&Self>, path: &Path) -> Result<(), ConfigError> {
        let cube = needed(section, path, "cube", TaskKind::Lift)?;
        range(path, "cube.size_m", cube.size_m, 0.01, 0.07)?;
        range(path, "cube.mass_kg", cube.mass_kg, 0.005, 3.0)?;
        range(path, "cube.friction", cube.friction, 0.0, 2.0)?;
        within(path, "cube.max_yaw_deg", cube.max_yaw_deg, 0.0, 180.0)?;
        Ok(())
    }
}

/// The task `lift`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lift;

impl Task for Lift {
    fn draw(
        &self,
        config: &SceneConfig,
        _families: FamilySet,
        seed: u64,
        attempt: u64,
    ) -> Option<Arc<dyn Episode>> {
        let cube = config.cube.as_ref()?;
        let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Scene, attempt));
        let mut draw = |[low, high]: [f64; 2]| rng.random_range(low..=high);
        let half = 0.5 * draw(cube.size_m);
        let mass = draw(cube.mass_kg);
        let friction = draw(cube.friction);
        let (x, y) = (draw(config.table.x_m), draw(config.table.y_m));
        let yaw = draw([-cube.max_yaw_deg, cube.max_yaw_deg]).to_radians();
        let body = cube::body(
            Role::Target,
            half,
            mass,
            friction,
            Vector3::new(x, y, half),
            yaw,
        );
        Some(Arc::new(LiftEpisode {
            scene: Scene::of_bodies(seed, attempt, vec![body]),
            half,
        }))
    }
}

/// One drawn cube.
#[derive(Debug, Clone, PartialEq)]
struct LiftEpisode {
    scene: Scene,
    /// Half an edge, m.
    half: f64,
}

impl LiftEpisode {
    fn rise(&self, facts: &Facts<'_>) -> f64 {
        let cube = facts.bodies.first();
        cube.map_or(0.0, |body| body.base_from_body.translation.z - self.half)
    }
}

impl Episode for LiftEpisode {
    fn scene(&self) -> &Scene {
        &self.scene
    }

    fn instruction(&self) -> String {
        "lift the cube".to_owned()
    }

    fn variant(&self) -> Variant {
        Variant {
            name: "cube",
            is_held_out: false,
        }
    }

    fn accepts(&self, _facts: &Facts<'_>) -> bool {
        true
    }

    /// Success: the cube is 10 cm up, between both fingers, for the scene file's `rest_s`.
    fn judge(&self, facts: &Facts<'_>, memory: &mut Memory) -> TaskStatus {
        let is_held = facts.touches(0) == [true; 2];
        let rise = self.rise(facts);
        let success = memory.lasted(is_held && rise > LIFT, facts.config.task.rest_s);
        let failure = if success {
            None
        } else if !rise.is_finite() {
            Some(Failure::Diverged)
        } else if rise < -0.03 {
            Some(Failure::OffTable)
        } else {
            facts.is_late().then_some(Failure::TimedOut)
        };
        TaskStatus { success, failure }
    }

    /// A third each for reaching the cube, grasping it and lifting it.
    fn progress(&self, facts: &Facts<'_>, status: &TaskStatus) -> f64 {
        let Some(cube) = facts.bodies.first().filter(|_| !status.success) else {
            return f64::from(u8::from(status.success));
        };
        let tcp = facts.base_from_tcp().translation.vector;
        let distance = (tcp - cube.base_from_body.translation.vector).norm();
        let reach = near(distance);
        let held = f64::from(u8::from(facts.touches(0) == [true; 2]));
        0.3 * (reach + held + held * (self.rise(facts) / LIFT).clamp(0.0, 1.0))
    }

    fn expert(&self, facts: &Facts<'_>, base_from_tcp_d: &Pose) -> Action {
        let Some(cube) = facts.bodies.first() else {
            return Action::hold(1.0);
        };
        let pose = cube.base_from_body;
        let at = pose.translation.vector;
        let goal = Goal {
            base_from_grasp: cube::grasp(&pose, base_from_tcp_d),
            release: Point3::new(at.x, at.y, f64::MIN),
            carry_height: self.half + LIFT + MARGIN,
        };
        let situation = facts.situation(0, false, base_from_tcp_d);
        if situation.holds_target {
            let up = Vector3::new(
                base_from_tcp_d.translation.x,
                base_from_tcp_d.translation.y,
                goal.carry_height,
            );
            return rule::towards(&situation, &up, None, 0.0);
        }
        rule::next_action(&goal, &situation)
    }
}
