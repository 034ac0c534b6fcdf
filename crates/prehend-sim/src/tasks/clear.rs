//! Clear a table: every object goes into a tray beside it. Nothing tells a policy which object is which, or
//! where one is: objects, tray and table are one cloud.

use std::path::Path;
use std::sync::Arc;

use nalgebra::{Translation3, Vector3};
use prehend_types::config::{self, ConfigError};
use prehend_types::{Action, Pose, Role, Stream, derive_seed};
use serde::{Deserialize, Serialize};

use super::shared::near;
use super::{Episode, Facts, Failure, Memory, Task, TaskKind, TaskStatus, Variant};
use crate::SceneConfig;
use crate::config::{needed, range, within};
use crate::geometry::extent_in_base;
use crate::objects::FamilySet;
use crate::objects::build::block;
use crate::physics::BodyState;
use crate::scene::{Body, BodyMotion, Scene};
use crate::tabletop::{Arrangement, ArrangementKind, Split, middle};

/// Thickness of the tray's walls, m.
const WALL: f64 = 0.008;
/// Arrangements that are drawn until one lies inside of its area.
const DRAWS: u64 = 8;

/// What lies on the table, and where it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearConfig {
    /// Fewest and most objects.
    pub objects: [usize; 2],
    /// Middle of the area that they lie in, base frame, m.
    pub middle_m: [f64; 2],
    /// No object lies farther from the middle, m.
    pub radius_m: f64,
    /// Middle of the tray, m.
    pub tray_m: [f64; 2],
    /// The tray's inside, m.
    pub tray_size_m: [f64; 2],
    /// Height of its walls, m.
    pub tray_wall_m: f64,
}

impl ClearConfig {
    /// Refuses values that make no table to clear.
    pub(crate) fn check(section: Option<&Self>, path: &Path) -> Result<(), ConfigError> {
        let clear = needed(section, path, "clear", TaskKind::Clear)?;
        let [fewest, most] = clear.objects;
        config::require(
            1 <= fewest && fewest <= most && most <= 10,
            path,
            "clear.objects",
            "needs 1 <= fewest <= most <= 10",
        )?;
        for (field, [x, y]) in [
            ("clear.middle_m", clear.middle_m),
            ("clear.tray_m", clear.tray_m),
        ] {
            within(path, field, x, 0.2, 0.8)?;
            within(path, field, y, -0.5, 0.5)?;
        }
        within(path, "clear.radius_m", clear.radius_m, 0.1, 0.4)?;
        range(path, "clear.tray_size_m", clear.tray_size_m, 0.1, 0.6).or_else(|_| {
            range(
                path,
                "clear.tray_size_m",
                flipped(clear.tray_size_m),
                0.1,
                0.6,
            )
        })?;
        within(path, "clear.tray_wall_m", clear.tray_wall_m, 0.005, 0.05)
    }

    /// Whether a place is over the tray, or no farther than this beside its inside, m.
    fn is_over_tray(&self, at: [f64; 2], beside: f64) -> bool {
        let off = |axis: usize| (at[axis] - self.tray_m[axis]).abs();
        (0..2).all(|axis| off(axis) < 0.5 * self.tray_size_m[axis] + beside)
    }
}

fn flipped([a, b]: [f64; 2]) -> [f64; 2] {
    [b, a]
}

/// The task `clear`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clear;

impl Task for Clear {
    fn draw(
        &self,
        config: &SceneConfig,
        families: FamilySet,
        seed: u64,
        attempt: u64,
    ) -> Option<Arc<dyn Episode>> {
        Some(Arc::new(ClearEpisode::draw(
            config, families, seed, attempt,
        )?))
    }
}

/// One table.
#[derive(Debug, Clone, PartialEq)]
struct ClearEpisode {
    scene: Scene,
    n_objects: usize,
    is_held_out: bool,
}

impl ClearEpisode {
    fn draw(config: &SceneConfig, families: FamilySet, seed: u64, attempt: u64) -> Option<Self> {
        let clear = config.clear.as_ref()?;
        // What one may choose settings on, and what reports are about.
        let split = match families {
            FamilySet::Train => Split::Validation,
            FamilySet::All if seed.is_multiple_of(2) => Split::Test,
            FamilySet::All | FamilySet::HeldOut => Split::TestFamilies,
        };
        let [fewest, most] = clear.objects;
        let n_objects =
            fewest + (derive_seed(seed, Stream::Scene, 0) as usize) % (most - fewest + 1);
        let middle = middle();
        let arrangement = (0..DRAWS).find_map(|draw| {
            let seed = derive_seed(seed, Stream::Scene, 1 + attempt * DRAWS + draw);
            let drawn = Arrangement::new(seed, split, Some(n_objects))?;
            let is_near = |body: &Body| {
                let off = body.base_from_body.translation.vector - middle.coords;
                off.xy().norm() < clear.radius_m
            };
            let fits = drawn.kind != ArrangementKind::Raised && drawn.bodies.iter().all(is_near);
            fits.then_some(drawn)
        })?;
        let to_area = Translation3::new(
            clear.middle_m[0] - middle.x,
            clear.middle_m[1] - middle.y,
            0.0,
        );
        let mut bodies = arrangement.bodies;
        for body in &mut bodies {
            body.base_from_body = to_area * body.base_from_body;
        }
        bodies.push(tray(clear));
        Some(Self {
            scene: Scene::of_bodies(seed, attempt, bodies),
            n_objects,
            is_held_out: split == Split::TestFamilies,
        })
    }

    /// Which objects lie in the tray: at rest, their middles within its walls, on its floor or on others
    /// that lie there. `touch` says whether two of them touch.
    fn placed(
        &self,
        config: &SceneConfig,
        clear: &ClearConfig,
        bodies: &[BodyState],
        touch: impl Fn(usize, usize) -> bool,
    ) -> Vec<bool> {
        let objects = || bodies.iter().zip(&self.scene.bodies).take(self.n_objects);
        let mut placed = vec![false; self.n_objects];
        let mut may_be = placed.clone();
        for (index, (state, body)) in objects().enumerate() {
            let extent = |axis| extent_in_base(&body.parts, &state.base_from_body, &axis);
            let middle =
                [Vector3::x(), Vector3::y()].map(|axis| 0.5 * extent(axis).iter().sum::<f64>());
            // A point 3 cm from the axis of a turning body must be slow too.
            let speed = state.linear.norm() + 0.03 * state.angular.norm();
            may_be[index] =
                speed < config.task.rest_speed_m_per_s && clear.is_over_tray(middle, 0.0);
            // Lower than the walls are high: it must not lie across them.
            placed[index] = may_be[index] && extent(Vector3::z())[0] < 0.5 * clear.tray_wall_m;
        }
        // Each round finds those that lie on what the one before found.
        for _ in 1..self.n_objects {
            for index in 0..self.n_objects {
                placed[index] = placed[index]
                    || (may_be[index]
                        && (0..self.n_objects).any(|below| placed[below] && touch(index, below)));
            }
        }
        placed
    }

    fn placed_now(&self, clear: &ClearConfig, facts: &Facts<'_>) -> Vec<bool> {
        let touch = |a, b| a != b && facts.contact_force(a, b) > 0.0;
        self.placed(facts.config, clear, facts.bodies, touch)
    }
}

fn tray(clear: &ClearConfig) -> Body {
    let [length, width] = clear.tray_size_m;
    let height = clear.tray_wall_m;
    let off = [0.5 * (length + WALL), 0.5 * (width + WALL)];
    let parts = vec![
        block([length + 2.0 * WALL, WALL, height], [0.0, off[1], 0.0]),
        block([length + 2.0 * WALL, WALL, height], [0.0, -off[1], 0.0]),
        block([WALL, width, height], [off[0], 0.0, 0.0]),
        block([WALL, width, height], [-off[0], 0.0, 0.0]),
    ];
    let [x, y] = clear.tray_m;
    Body {
        parts,
        role: Role::Other,
        motion: BodyMotion::Fixed,
        mass: 1.0,
        friction: 0.6,
        base_from_body: Pose::translation(x, y, 0.0),
    }
}

impl Episode for ClearEpisode {
    fn scene(&self) -> &Scene {
        &self.scene
    }

    fn instruction(&self) -> String {
        "put everything into the tray".to_owned()
    }

    fn variant(&self) -> Variant {
        Variant {
            name: if self.is_held_out {
                "unseen_families"
            } else {
                "unseen_instances"
            },
            is_held_out: self.is_held_out,
        }
    }

    fn accepts(&self, facts: &Facts<'_>) -> bool {
        let clear = facts.config.clear.as_ref();
        let on_table = |at: &Vector3<f64>| at.z > -0.002;
        facts
            .bodies
            .iter()
            .all(|body| on_table(&body.base_from_body.translation.vector))
            && clear.is_some_and(|clear| {
                let mut objects = facts.bodies.iter().take(self.n_objects);
                objects.all(|body| {
                    let at = body.base_from_body.translation;
                    !clear.is_over_tray([at.x, at.y], WALL)
                })
            })
    }

    /// Success: for the scene file's `rest_s` all objects have lain still in the tray, let go.
    fn judge(&self, facts: &Facts<'_>, memory: &mut Memory) -> TaskStatus {
        let Some(clear) = &facts.config.clear else {
            return TaskStatus::default();
        };
        let objects = &facts.bodies[..self.n_objects.min(facts.bodies.len())];
        let placed = self.placed_now(clear, facts);
        memory.lifted |= placed.contains(&true);
        let is_held = (0..self.n_objects).any(|index| facts.touches(index).contains(&true));
        let is_done = !placed.contains(&false) && !is_held;
        let success = memory.lasted(is_done, facts.config.task.rest_s);
        let heights = || objects.iter().map(|body| body.base_from_body.translation.z);
        let failure = if success {
            None
        } else if !heights().all(f64::is_finite) {
            Some(Failure::Diverged)
        } else if heights().any(|z| z < -0.02) {
            Some(Failure::OffTable)
        } else if !facts.is_late() {
            None
        } else if is_held {
            Some(Failure::NotReleased)
        } else {
            Some(Failure::TimedOut)
        };
        TaskStatus { success, failure }
    }

    /// The share of objects in the tray, and a little for the hand near one that is not.
    fn progress(&self, facts: &Facts<'_>, status: &TaskStatus) -> f64 {
        let (Some(clear), false) = (&facts.config.clear, status.success) else {
            return f64::from(u8::from(status.success));
        };
        let tool = facts.base_from_tcp().translation.vector;
        let placed = self.placed_now(clear, facts);
        let left = facts
            .bodies
            .iter()
            .zip(&placed)
            .filter(|(_, placed)| !**placed);
        let nearest = left
            .map(|(body, _)| near((body.base_from_body.translation.vector - tool).norm()))
            .fold(0.0, f64::max);
        let n = self.n_objects.max(1) as f64;
        let n_placed = placed.iter().filter(|placed| **placed).count() as f64;
        (n_placed + 0.2 * nearest) / n * 0.95
    }

    /// Holds still: grasps of objects in a pile are what the pick-and-place network is for, and nobody has
    /// written them down.
    fn has_expert(&self) -> bool {
        false
    }

    fn expert(&self, _facts: &Facts<'_>, _base_from_tcp_d: &Pose) -> Action {
        Action::hold(1.0)
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::UnitQuaternion;
    use prehend_types::config::locate;

    use super::*;

    fn episode() -> (ClearEpisode, SceneConfig) {
        let path = locate("scenes/clear_table.toml").expect("is there");
        let config = SceneConfig::load(&path).expect("valid");
        let drawn = (0..20).find_map(|seed| ClearEpisode::draw(&config, FamilySet::All, seed, 0));
        (drawn.expect("one lies inside of its area"), config)
    }

    /// Every object with its middle this far from the tray's and its lowest point this high, m.
    fn at(
        episode: &ClearEpisode,
        clear: &ClearConfig,
        off: [f64; 2],
        height: f64,
    ) -> Vec<BodyState> {
        let objects = episode.scene.bodies.iter().take(episode.n_objects);
        let place = |body: &Body| {
            let turn = Pose::from_parts(
                Translation3::identity(),
                UnitQuaternion::from_euler_angles(0.3, 0.0, 0.7),
            );
            let extent = |axis| extent_in_base(&body.parts, &turn, &axis);
            let middle = |axis| 0.5 * extent(axis).iter().sum::<f64>();
            let to = Translation3::new(
                clear.tray_m[0] + off[0] - middle(Vector3::x()),
                clear.tray_m[1] + off[1] - middle(Vector3::y()),
                height - extent(Vector3::z())[0],
            );
            BodyState {
                base_from_body: to * turn,
                linear: Vector3::zeros(),
                angular: Vector3::zeros(),
            }
        };
        objects.map(place).collect()
    }

    #[test]
    fn only_what_rests_within_the_walls_on_the_floor_or_on_what_does_counts() {
        let (episode, config) = episode();
        let clear = config.clear.as_ref().expect("a section");
        let n = episode.n_objects;
        let count = |bodies: &[BodyState], touch: &dyn Fn(usize, usize) -> bool| {
            let placed = episode.placed(&config, clear, bodies, touch);
            placed.iter().filter(|placed| **placed).count()
        };
        let alone = |_, _| false;
        let [length, width] = clear.tray_size_m;
        for (off, height, expected) in [
            ([0.0, 0.0], 0.0, n),
            ([0.5 * length - 0.001, 0.0], 0.001, n),
            // Over the walls, and above them.
            ([0.5 * length + 0.001, 0.0], 0.0, 0),
            ([0.0, 0.5 * width + 0.001], 0.0, 0),
            ([0.0, 0.0], clear.tray_wall_m, 0),
            ([0.0, 0.0], 0.2, 0),
        ] {
            let bodies = at(&episode, clear, off, height);
            assert_eq!(count(&bodies, &alone), expected, "{off:?} {height}");
        }

        let mut spins = at(&episode, clear, [0.0; 2], 0.0);
        spins[0].angular.z = 0.5;
        spins[1].linear.x = 0.02;
        assert_eq!(count(&spins, &alone), n - 2);

        // A tower: each on the one before, listed from the top.
        let mut tower = at(&episode, clear, [0.0; 2], 0.1);
        tower[n - 1] = at(&episode, clear, [0.0; 2], 0.0)[n - 1];
        let neighbours = |a: usize, b: usize| a.abs_diff(b) == 1;
        assert_eq!(count(&tower, &neighbours), n);
        assert_eq!(count(&tower, &alone), 1);
        // One that nothing carries down to the floor, and what lies on it.
        tower[1].linear.z = -1.0;
        assert_eq!(count(&tower, &neighbours), n - 2);
    }
}
