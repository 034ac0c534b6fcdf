//! "Put X on Y": the 4,352 combinations of PutOnPlateInScene25 (RL4VLA, Liu et al. 2025; used by pi_RL) for a
//! depth camera and this arm.
//!
//! 16 objects, 17 receptacles, 16 tables, 784 pairs of cells and 4 yaws make 13,647,872 starts, numbered
//! as the benchmark numbers them. Kept from it: sizes and densities of objects, cells, yaws, what counts
//! as success, 16 s per episode. Not kept: tables are pictures behind a colour image, which a cloud does
//! not show, so that the table's number changes nothing; the benchmark's sets of unseen pictures and
//! textures are left out for the same reason; the square lies in front of this arm.

mod config;
mod draw;
mod items;
mod judge;
mod layout;
mod plates;

use std::sync::Arc;

use nalgebra::{Point3, Translation3, Vector3};
use prehend_types::{Action, Pose};

use super::shared::near;
use super::{Episode, Facts, Memory, Task, TaskStatus, Variant};
use crate::SceneConfig;
use crate::objects::{FamilySet, Grasp};
use crate::pilots::rule::{self, CARRY_CLEARANCE, Goal, nearest_yaw, pointing_down, yaw_of};
use crate::scene::Scene;

pub use config::{GridConfig, Layout, Receptacles};

/// Indices of object and receptacle among the bodies.
const OBJECT: usize = 0;
const RECEPTACLE: usize = 1;
/// Objects appear this high over the table and settle, m.
const DROP: f64 = 0.002;
/// When [`Layout::Moved`] moves the object: at the benchmark's fifth step of 0.2 s.
const MOVED_AT: f64 = 1.0;
/// The object is let go this far above the receptacle, m.
const RELEASE_GAP: f64 = 0.006;

/// The task `grid`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Grid;

impl Task for Grid {
    fn draw(
        &self,
        config: &SceneConfig,
        families: FamilySet,
        seed: u64,
        attempt: u64,
    ) -> Option<Arc<dyn Episode>> {
        let grid = config.grid.as_ref()?;
        // One number is one start: there is no second try.
        if grid.seed_is_id && attempt > 0 {
            return None;
        }
        Some(Arc::new(GridEpisode::draw(grid, families, seed, attempt)?))
    }
}

/// One start of the benchmark.
#[derive(Debug, Clone, PartialEq)]
pub struct GridEpisode {
    scene: Scene,
    /// Name, bounding box and grasp of the object.
    name: &'static str,
    size: [f64; 3],
    grasp: Grasp,
    plate_name: &'static str,
    plate_size: [f64; 3],
    is_held_out: bool,
    /// Which of the sixteen other wordings; the plain one if `None`.
    wording: Option<usize>,
    /// Where the object is put after a second.
    moved_to: Option<Pose>,
}

impl GridEpisode {
    /// Middles of the two bounding boxes, base frame.
    fn middles(&self, bodies: [&Pose; 2]) -> [Point3<f64>; 2] {
        let up = |height: f64| Point3::new(0.0, 0.0, 0.5 * height);
        [
            bodies[0] * up(self.size[2]),
            bodies[1] * up(self.plate_size[2]),
        ]
    }

    fn goal(&self, bodies: [&Pose; 2], base_from_tcp: &Pose) -> Goal {
        let now = yaw_of(base_from_tcp);
        let x = bodies[0].rotation * Vector3::x();
        let yaw = self
            .grasp
            .closing_angle
            .map_or(now, |angle| nearest_yaw(angle + libm::atan2(x.y, x.x), now));
        let mut at = bodies[0] * self.grasp.point;
        // Whatever has fallen over is taken at its middle.
        if (bodies[0].rotation * Vector3::z()).z < 0.9 {
            at = self.middles(bodies)[0];
        }
        at.z = at.z.max(self.grasp.point.z.min(0.014));
        let [middle, below] = self.middles(bodies);
        let tcp = base_from_tcp.translation.vector;
        let lowest = middle.z - 0.5 * self.size[2];
        let hangs = (tcp.z - lowest).max(0.0);
        let top = below.z + 0.5 * self.plate_size[2];
        let over = below.coords.xy() + (tcp - middle.coords).xy();
        Goal {
            base_from_grasp: Pose::from_parts(Translation3::from(at.coords), pointing_down(yaw)),
            release: Point3::new(over.x, over.y, top + RELEASE_GAP + hangs),
            carry_height: hangs + CARRY_CLEARANCE,
        }
    }
}

/// Ours: the benchmark does not publish its own.
const WORDINGS: [&str; 16] = [
    "place X on Y",
    "move X onto Y",
    "set X down on Y",
    "pick up X and put it on Y",
    "pick X and place it on top of Y",
    "take X and lay it on Y",
    "could you put X on Y",
    "please place X on top of Y",
    "X should be on Y",
    "X belongs on Y, put it there",
    "bring X to Y and set it down",
    "grab X and drop it on Y",
    "lift X and rest it on Y",
    "transfer X to Y",
    "on Y, put X",
    "find X and put it on top of Y",
];

impl Episode for GridEpisode {
    fn scene(&self) -> &Scene {
        &self.scene
    }

    fn instruction(&self) -> String {
        let wording = self.wording.and_then(|i| WORDINGS.get(i));
        let wording = wording.unwrap_or(&"put X on Y");
        // Y first: names hold no Y, and one of them could hold an X.
        let with_y = wording.replace('Y', &format!("the {}", self.plate_name));
        with_y.replacen('X', &format!("the {}", self.name), 1)
    }

    fn variant(&self) -> Variant {
        Variant {
            name: self.name,
            is_held_out: self.is_held_out,
        }
    }

    fn accepts(&self, facts: &Facts<'_>) -> bool {
        facts
            .bodies
            .iter()
            .all(|body| body.base_from_body.translation.z > -0.01)
    }

    fn teleports(&self, time: f64) -> Option<(usize, Pose)> {
        let is_due = (time - MOVED_AT).abs() < 0.5 * crate::physics::DT;
        self.moved_to
            .filter(|_| is_due)
            .map(|pose| (OBJECT, Translation3::new(0.0, 0.0, DROP) * pose))
    }

    fn judge(&self, facts: &Facts<'_>, memory: &mut Memory) -> TaskStatus {
        judge::step(self, facts, memory)
    }

    /// A quarter each for reaching the object, holding it, bringing it over, and lowering it.
    fn progress(&self, facts: &Facts<'_>, status: &TaskStatus) -> f64 {
        let ([object, receptacle, ..], false) = (facts.bodies, status.success) else {
            return f64::from(u8::from(status.success));
        };
        let [middle, below] = self.middles([&object.base_from_body, &receptacle.base_from_body]);
        let reach = near((facts.base_from_tcp().translation.vector - middle.coords).norm());
        let held = f64::from(u8::from(facts.touches(OBJECT) == [true; 2]));
        let off = middle - below;
        let bring = near(off.xy().norm());
        let height = near((off.z - 0.5 * (self.size[2] + self.plate_size[2])).abs());
        0.24 * (reach + held + held * bring + held * bring * height)
    }

    fn expert(&self, facts: &Facts<'_>, base_from_tcp_d: &Pose) -> Action {
        let [object, receptacle, ..] = facts.bodies else {
            return Action::hold(1.0);
        };
        let poses = [&object.base_from_body, &receptacle.base_from_body];
        let situation = facts.situation(OBJECT, false, base_from_tcp_d);
        rule::next_action(&self.goal(poses, base_from_tcp_d), &situation)
    }
}

#[cfg(test)]
mod tests;
