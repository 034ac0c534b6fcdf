//! Pull a drawer open by its handle.

mod cabinet;
mod draw;
mod expert;
mod judge;

use std::path::Path;
use std::sync::Arc;

use prehend_types::config::ConfigError;
use prehend_types::{Action, Pose, Role};
use serde::{Deserialize, Serialize};

use super::shared::near;
use super::{Episode, Facts, Memory, Task, TaskKind, TaskStatus, Variant};
use crate::SceneConfig;
use crate::config::{needed, range, within};
use crate::objects::FamilySet;
use crate::scene::{Body, BodyMotion, Scene};
use cabinet::Cabinet;

/// How far the drawer may stand open at the start, m.
const SHUT: f64 = 0.005;

/// Ranges that every cabinet is drawn from, and how far its drawer is to be opened.
///
/// The scene file's `table` says where the middle of the drawer's front may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawerConfig {
    /// How far open is open enough, m.
    pub open_m: f64,
    /// How far the drawer can be pulled out, m: lowest and highest.
    pub travel_m: [f64; 2],
    /// Most that the cabinet is turned away from facing the robot's base, to either side.
    pub max_yaw_deg: f64,
    /// Width of the cabinet, m: lowest and highest.
    pub width_m: [f64; 2],
    /// Height of the cabinet, m: lowest and highest.
    pub height_m: [f64; 2],
    /// Free space between handle and front, m: lowest and highest.
    pub handle_gap_m: [f64; 2],
    /// Mass of the drawer, kg: lowest and highest.
    pub mass_kg: [f64; 2],
    /// Force that it takes to move the drawer, N: lowest and highest.
    pub friction_n: [f64; 2],
}

impl DrawerConfig {
    /// Refuses values that make no cabinet, or one that the hand cannot open.
    pub(crate) fn check(section: Option<&Self>, path: &Path) -> Result<(), ConfigError> {
        let drawer = needed(section, path, "drawer", TaskKind::Drawer)?;
        let range = |name: &str, value: [f64; 2], least: f64, most: f64| {
            range(path, &format!("drawer.{name}"), value, least, most)
        };
        within(path, "drawer.open_m", drawer.open_m, 0.01, 0.20)?;
        // A little more than the goal: the drawer must be able to come to rest open.
        range("travel_m", drawer.travel_m, drawer.open_m + 0.02, 0.25)?;
        within(path, "drawer.max_yaw_deg", drawer.max_yaw_deg, 0.0, 45.0)?;
        range("width_m", drawer.width_m, 0.20, 0.45)?;
        range("height_m", drawer.height_m, 0.08, 0.25)?;
        range("handle_gap_m", drawer.handle_gap_m, 0.028, 0.06)?;
        range("mass_kg", drawer.mass_kg, 0.05, 3.0)?;
        range("friction_n", drawer.friction_n, 0.0, 20.0)
    }
}

/// The task `drawer`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Drawer;

impl Task for Drawer {
    fn draw(
        &self,
        config: &SceneConfig,
        _families: FamilySet,
        seed: u64,
        attempt: u64,
    ) -> Option<Arc<dyn Episode>> {
        Some(Arc::new(DrawerEpisode::draw(config, seed, attempt)?))
    }
}

/// One drawn cabinet.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawerEpisode {
    scene: Scene,
    cabinet: Cabinet,
    open: f64,
}

impl DrawerEpisode {
    fn new(seed: u64, attempt: u64, open: f64, cabinet: Cabinet) -> Self {
        let body = |parts, role, motion, mass| Body {
            parts,
            role,
            motion,
            mass,
            friction: cabinet::FRICTION,
            base_from_body: cabinet.base_from_cabinet,
        };
        let slide = BodyMotion::Slide {
            axis: cabinet::OPENS_TO,
            range: [0.0, cabinet.travel],
            friction: cabinet.friction,
        };
        let bodies = vec![
            body(cabinet.drawer_parts(), Role::Target, slide, cabinet.mass),
            body(cabinet.frame_parts(), Role::Other, BodyMotion::Fixed, 0.0),
        ];
        Self {
            scene: Scene::of_bodies(seed, attempt, bodies),
            cabinet,
            open,
        }
    }

    /// How far the drawer is open, m.
    fn opening(&self, base_from_drawer: &Pose) -> f64 {
        let moved = self.cabinet.base_from_cabinet.inv_mul(base_from_drawer);
        moved.translation.vector.dot(&cabinet::OPENS_TO)
    }
}

impl Episode for DrawerEpisode {
    fn scene(&self) -> &Scene {
        &self.scene
    }

    fn instruction(&self) -> String {
        "pull the drawer open".to_owned()
    }

    fn variant(&self) -> Variant {
        Variant {
            name: "drawer",
            is_held_out: false,
        }
    }

    fn accepts(&self, facts: &Facts<'_>) -> bool {
        let drawer = facts.bodies.first();
        drawer.is_some_and(|drawer| self.opening(&drawer.base_from_body).abs() < SHUT)
    }

    fn judge(&self, facts: &Facts<'_>, memory: &mut Memory) -> TaskStatus {
        let Some(drawer) = facts.bodies.first() else {
            return TaskStatus::default();
        };
        judge::step(self, &facts.config.task, drawer, facts.steps, memory)
    }

    /// A third for reaching behind the handle, two for opening.
    fn progress(&self, facts: &Facts<'_>, status: &TaskStatus) -> f64 {
        let Some(drawer) = facts.bodies.first().filter(|_| !status.success) else {
            return f64::from(u8::from(status.success));
        };
        let slot = drawer.base_from_body * self.cabinet.slot();
        let away = (facts.base_from_tcp().translation.vector - slot.coords).norm();
        let opened = self.opening(&drawer.base_from_body) / self.open;
        // Never worth as much as success.
        0.3 * near(away) + 0.6 * opened.clamp(0.0, 1.0)
    }

    fn expert(&self, facts: &Facts<'_>, base_from_tcp_d: &Pose) -> Action {
        expert::next_action(self, facts, base_from_tcp_d)
    }
}
