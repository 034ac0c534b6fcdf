//! Push a T-shaped block onto its outline on the table, after Florence et al. 2021 and Chi et al. 2023.

mod draw;
mod expert;
mod judge;
mod push;
mod route;
mod shape;

use std::path::Path;
use std::sync::Arc;

use nalgebra::Vector3;
use prehend_types::config::{self, ConfigError};
use prehend_types::{Action, Pose, Role};
use serde::{Deserialize, Serialize};

use super::shared::near;
use super::{Episode, Facts, Memory, Task, TaskKind, TaskStatus, Variant};
use crate::SceneConfig;
use crate::config::{needed, range, within};
use crate::objects::FamilySet;
use crate::scene::{Body, BodyMotion, Scene};
use shape::Place;

/// Thickness of the outline on the table, m: paint that cameras see.
const PAINT: f64 = 0.001;
/// The T must lie flat: cosine of the largest tilt.
const FLAT: f64 = 0.99;

/// The T, and where it goes. The scene file's `table` says where it starts, at any yaw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushTConfig {
    /// Where the T's centre of mass goes, base frame, m.
    pub goal_m: [f64; 2],
    /// The T's yaw there; at 0 the bar lies along x and the stem points to -y.
    pub goal_yaw_deg: f64,
    /// Share of the outline's area that the T must cover.
    pub min_overlap: f64,
    /// Most that it may cover at the start.
    pub max_start_overlap: f64,
    /// Mass, kg: lowest and highest.
    pub mass_kg: [f64; 2],
    /// Friction coefficient: lowest and highest.
    pub friction: [f64; 2],
}

impl PushTConfig {
    /// Refuses values that make no task.
    pub(crate) fn check(section: Option<&Self>, path: &Path) -> Result<(), ConfigError> {
        let push_t = needed(section, path, "push_t", TaskKind::PushT)?;
        let [x, y] = push_t.goal_m;
        config::require(
            (0.35..=0.65).contains(&x) && (-0.3..=0.3).contains(&y),
            path,
            "push_t.goal_m",
            "needs x in 0.35 to 0.65 and y in -0.3 to 0.3: the arm must reach around the T",
        )?;
        let within = |name: &str, value: f64, least: f64, most: f64| {
            within(path, &format!("push_t.{name}"), value, least, most)
        };
        within("goal_yaw_deg", push_t.goal_yaw_deg, -180.0, 180.0)?;
        within("min_overlap", push_t.min_overlap, 0.1, 0.99)?;
        let most = push_t.min_overlap - 0.05;
        within("max_start_overlap", push_t.max_start_overlap, 0.0, most)?;
        range(path, "push_t.mass_kg", push_t.mass_kg, 0.02, 2.0)?;
        range(path, "push_t.friction", push_t.friction, 0.05, 1.5)
    }
}

/// The task `push_t`.
#[derive(Debug, Clone, Copy, Default)]
pub struct PushT;

impl Task for PushT {
    fn draw(
        &self,
        config: &SceneConfig,
        _families: FamilySet,
        seed: u64,
        attempt: u64,
    ) -> Option<Arc<dyn Episode>> {
        Some(Arc::new(PushTEpisode::draw(config, seed, attempt)?))
    }
}

/// One drawn T.
#[derive(Debug, Clone, PartialEq)]
pub struct PushTEpisode {
    scene: Scene,
    goal: Place,
    min_overlap: f64,
}

impl PushTEpisode {
    fn new(seed: u64, attempt: u64, tee: Body, base_from_goal: Pose, min_overlap: f64) -> Self {
        let outline = Body {
            parts: shape::paint(PAINT),
            role: Role::Receptacle,
            motion: BodyMotion::Painted,
            mass: 0.0,
            friction: 0.0,
            base_from_body: base_from_goal,
        };
        Self {
            scene: Scene::of_bodies(seed, attempt, vec![tee, outline]),
            goal: Place::of(&base_from_goal),
            min_overlap,
        }
    }

    /// Share of the outline that the T covers; none if it does not lie flat.
    fn overlap(&self, base_from_tee: &Pose) -> f64 {
        let is_flat = (base_from_tee.rotation * Vector3::z()).z > FLAT
            && base_from_tee.translation.z.abs() < 0.01;
        if is_flat {
            shape::overlap(&self.goal, &Place::of(base_from_tee))
        } else {
            0.0
        }
    }
}

impl Episode for PushTEpisode {
    fn scene(&self) -> &Scene {
        &self.scene
    }

    fn instruction(&self) -> String {
        "push the T onto its outline".to_owned()
    }

    fn variant(&self) -> Variant {
        Variant {
            name: "push_t",
            is_held_out: false,
        }
    }

    fn accepts(&self, facts: &Facts<'_>) -> bool {
        let flat = |pose: &Pose| (pose.rotation * Vector3::z()).z > FLAT;
        let tee = facts.bodies.first();
        tee.is_some_and(|tee| flat(&tee.base_from_body))
    }

    fn judge(&self, facts: &Facts<'_>, memory: &mut Memory) -> TaskStatus {
        let Some(tee) = facts.bodies.first() else {
            return TaskStatus::default();
        };
        judge::step(self, &facts.config.task, tee, facts.steps, memory)
    }

    /// For the tool near the T, the T near its goal, and the area covered.
    fn progress(&self, facts: &Facts<'_>, status: &TaskStatus) -> f64 {
        let Some(tee) = facts.bodies.first().filter(|_| !status.success) else {
            return f64::from(u8::from(status.success));
        };
        let place = Place::of(&tee.base_from_body);
        let tcp = facts.base_from_tcp().translation.vector;
        let reach = near((tcp - tee.base_from_body.translation.vector).norm());
        let bring = near(push::distance(&self.goal, &place));
        // Never worth as much as success.
        0.2 * reach + 0.3 * bring + 0.4 * self.overlap(&tee.base_from_body)
    }

    fn expert(&self, facts: &Facts<'_>, base_from_tcp_d: &Pose) -> Action {
        expert::next_action(self, facts, base_from_tcp_d)
    }
}
