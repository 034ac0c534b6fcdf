//! Pick one object among others and put it into a plate, tray or bin.

mod draw;
mod expert;
mod judge;

use std::path::Path;
use std::sync::Arc;

use nalgebra::Vector3;
use prehend_types::config::{self, ConfigError};
use prehend_types::{Action, Pose, Role};

use super::shared::near;
use super::{Episode, Facts, Memory, Task, TaskKind, TaskStatus, Variant};
use crate::SceneConfig;
use crate::config::{needed, range, within};
use crate::objects::{FamilySet, ObjectModel, Receptacle};
use crate::scene::{Body, BodyMotion, Scene};

/// The target must stand as it was put down: cosine of the largest tilt.
const UPRIGHT: f64 = 0.98;
/// Friction coefficient of receptacles.
const RECEPTACLE_FRICTION: f64 = 0.6;

/// The task `pick_place`.
#[derive(Debug, Clone, Copy, Default)]
pub struct PickPlace;

impl PickPlace {
    /// Refuses values that make no task.
    pub(crate) fn check(scene: &SceneConfig, path: &Path) -> Result<(), ConfigError> {
        let objects = needed(scene.objects.as_ref(), path, "objects", TaskKind::PickPlace)?;
        range(path, "objects.mass_kg", objects.mass_kg, 0.005, 3.0)?;
        range(path, "objects.friction", objects.friction, 0.0, 2.0)?;
        range(path, "objects.scale", objects.scale, 0.5, 1.12)?;
        let clutter = needed(scene.clutter.as_ref(), path, "clutter", TaskKind::PickPlace)?;
        within(path, "clutter.gap_m", clutter.gap_m, 0.0, 0.2)?;
        within(
            path,
            "clutter.target_clear_radius_m",
            clutter.target_clear_radius_m,
            0.0,
            0.3,
        )?;
        config::require(
            clutter.distractors[0] <= clutter.distractors[1] && clutter.distractors[1] <= 12,
            path,
            "clutter.distractors",
            "needs 0 <= fewest <= most <= 12",
        )?;
        config::require(
            clutter.min_target_points <= scene.cloud.quotas.target,
            path,
            "clutter.min_target_points",
            "asks for more points than `cloud.quotas` keeps of the target",
        )?;
        Ok(())
    }
}

impl Task for PickPlace {
    fn draw(
        &self,
        config: &SceneConfig,
        families: FamilySet,
        seed: u64,
        attempt: u64,
    ) -> Option<Arc<dyn Episode>> {
        let episode = PickPlaceEpisode::draw(config, families, seed, attempt)?;
        Some(Arc::new(episode))
    }
}

/// One drawn pick-and-place.
#[derive(Debug, Clone, PartialEq)]
pub struct PickPlaceEpisode {
    scene: Scene,
    /// The objects; the first is the target.
    objects: Vec<ObjectModel>,
    /// Where the target goes.
    receptacle: Receptacle,
}

impl PickPlaceEpisode {
    fn new(
        seed: u64,
        attempt: u64,
        objects: Vec<ObjectModel>,
        base_from_objects: &[Pose],
        receptacle: Receptacle,
    ) -> Self {
        let places = objects.iter().zip(base_from_objects).enumerate();
        let mut bodies: Vec<Body> = places
            .map(|(index, (object, pose))| Body {
                parts: object.parts.clone(),
                role: if index == 0 {
                    Role::Target
                } else {
                    Role::Other
                },
                motion: BodyMotion::Free,
                mass: object.mass,
                friction: object.friction,
                base_from_body: *pose,
            })
            .collect();
        bodies.push(Body {
            parts: receptacle.parts.clone(),
            role: Role::Receptacle,
            motion: BodyMotion::Fixed,
            mass: 0.0,
            friction: RECEPTACLE_FRICTION,
            base_from_body: receptacle.base_from_body,
        });
        Self {
            scene: Scene::of_bodies(seed, attempt, bodies),
            objects,
            receptacle,
        }
    }

    fn target(&self) -> &ObjectModel {
        &self.objects[0]
    }
}

impl Episode for PickPlaceEpisode {
    fn scene(&self) -> &Scene {
        &self.scene
    }

    fn instruction(&self) -> String {
        let target = self.target().family.name().replace('_', " ");
        format!("put the {target} into the {}", self.receptacle.kind.name())
    }

    fn variant(&self) -> Variant {
        let family = self.target().family;
        Variant {
            name: family.name(),
            is_held_out: family.is_held_out(),
        }
    }

    fn accepts(&self, facts: &Facts<'_>) -> bool {
        let up = |pose: &Pose| (pose.rotation * Vector3::z()).z;
        facts
            .bodies
            .first()
            .is_some_and(|target| up(&target.base_from_body) > UPRIGHT)
    }

    fn judge(&self, facts: &Facts<'_>, memory: &mut Memory) -> TaskStatus {
        let Some(target) = facts.bodies.first() else {
            return TaskStatus::default();
        };
        judge::step(
            facts.config,
            self,
            target,
            facts.touches(0),
            facts.steps,
            memory,
        )
    }

    /// A third each for reaching the target, holding it, and bringing it over the receptacle.
    fn progress(&self, facts: &Facts<'_>, status: &TaskStatus) -> f64 {
        let Some(target) = facts.bodies.first().filter(|_| !status.success) else {
            return f64::from(u8::from(status.success));
        };
        let center = judge::center(self, target);
        let tcp = facts.base_from_tcp().translation.vector;
        let is_grasped = facts.touches(0) == [true; 2];
        let is_inside = self.receptacle.contains(&center);
        let place = self.receptacle.base_from_body.translation.vector;
        let reach = near((tcp - center.coords).norm());
        let bring = near((center.coords - place).xy().norm());
        let held = f64::from(u8::from(is_grasped || is_inside));
        // Never worth as much as success.
        0.3 * (if is_inside { 1.0 } else { reach } + held + held * bring)
    }

    fn expert(&self, facts: &Facts<'_>, base_from_tcp_d: &Pose) -> Action {
        expert::next_action(self, facts, base_from_tcp_d)
    }
}
