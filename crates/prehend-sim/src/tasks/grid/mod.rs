//! "Put X on Y": the 4,352 combinations of PutOnPlateInScene25 (RL4VLA, Liu et al. 2025; used by pi_RL) for a
//! depth camera and this arm.
//!
//! 16 objects, 17 receptacles, 16 tables, 784 pairs of cells and 4 yaws make 13,647,872 starts, numbered
//! as the benchmark numbers them. Kept from it: sizes and densities of objects, cells, yaws, what counts
//! as success, 16 s per episode. Not kept: tables are pictures behind a colour image, which a cloud does
//! not show, so that the table's number changes nothing; the benchmark's sets of unseen pictures and
//! textures are left out for the same reason; the square lies in front of this arm.

mod items;
mod judge;
mod layout;
mod plates;

use std::f64::consts::FRAC_PI_4;
use std::path::Path;
use std::sync::Arc;

use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};
use prehend_types::config::{self, ConfigError};
use prehend_types::{Action, Pose, Role, Stream, derive_seed};
use serde::{Deserialize, Serialize};

use super::{Episode, Facts, Memory, Task, TaskKind, TaskStatus, Variant};
use crate::SceneConfig;
use crate::config::needed;
use crate::objects::{FamilySet, Grasp};
use crate::pilots::rule::{
    self, CARRY_CLEARANCE, Goal, Situation, nearest_yaw, pointing_down, yaw_of,
};
use crate::scene::{Body, BodyMotion, Scene};
use items::Item;
use layout::Cell;
use plates::Plate;

/// Indices of object and receptacle among the bodies.
const OBJECT: usize = 0;
const RECEPTACLE: usize = 1;
/// Pictures that the benchmark puts on the table.
const TABLES: u64 = 16;
const YAWS: u64 = 4;
/// Friction coefficient of everything, the benchmark's.
const FRICTION: f64 = 1.0;
/// Objects appear this high over the table and settle, m.
const DROP: f64 = 0.002;
/// When [`Layout::Moved`] moves the object: at the benchmark's fifth step of 0.2 s.
const MOVED_AT: f64 = 1.0;
/// The object is let go this far above the receptacle, m.
const RELEASE_GAP: f64 = 0.006;

/// The part of the benchmark that a scene file asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridConfig {
    /// Middle of the square of cells, base frame, m.
    pub center_m: [f64; 2],
    /// Which receptacles.
    #[serde(default)]
    pub receptacles: Receptacles,
    /// What stands where.
    #[serde(default)]
    pub layout: Layout,
    /// Whether instructions come in sixteen other wordings.
    #[serde(default)]
    pub varied_wording: bool,
    /// Whether an episode's seed is the benchmark's number of its start; else the seed draws one.
    #[serde(default)]
    pub seed_is_id: bool,
}

/// Which receptacles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receptacles {
    /// All 17, as pi_RL trains.
    #[default]
    All,
    /// The plate alone, as RL4VLA trains.
    Plate,
    /// The 16 others: unseen after training on the plate alone.
    Others,
}

/// What stands where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Object and receptacle in two cells of the square.
    #[default]
    Square,
    /// In two cells of the ring around it, at yaws between those of training.
    Ring,
    /// With a second object.
    TwoObjects,
    /// With a second receptacle.
    TwoReceptacles,
    /// As `square`, but after a second the object is elsewhere.
    Moved,
}

impl GridConfig {
    /// Refuses squares that the arm cannot reach.
    pub(crate) fn check(section: Option<&Self>, path: &Path) -> Result<(), ConfigError> {
        let grid = needed(section, path, "grid", TaskKind::Grid)?;
        let [x, y] = grid.center_m;
        config::require(
            (0.4..=0.6).contains(&x) && (-0.3..=0.3).contains(&y),
            path,
            "grid.center_m",
            "needs x in 0.4 to 0.6 and y in -0.3 to 0.3: the arm must reach the whole square",
        )
    }
}

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

/// The objects that the families stand for, and whether training keeps away from them.
fn items_of(families: FamilySet, seed: u64) -> (&'static [Item], bool) {
    let is_held_out = match families {
        FamilySet::Train => false,
        FamilySet::HeldOut => true,
        FamilySet::All => seed % 2 == 1,
    };
    let items: &[Item] = if is_held_out {
        &items::TEST
    } else {
        &items::TRAIN
    };
    (items, is_held_out)
}

/// The cells that a layout has to choose from; a missing third is a cell nobody uses.
fn places(layout: Layout) -> Vec<[Option<Cell>; 3]> {
    let two = |pairs: Vec<[Cell; 2]>| {
        let pairs = pairs.into_iter();
        pairs.map(|[a, b]| [Some(a), Some(b), None]).collect()
    };
    match layout {
        Layout::Square | Layout::Moved => two(layout::pairs(&layout::square())),
        Layout::Ring => two(layout::pairs(&layout::ring())),
        Layout::TwoObjects | Layout::TwoReceptacles => {
            let triples = layout::triples(&layout::square()).into_iter();
            triples.map(|cells| cells.map(Some)).collect()
        }
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
    fn draw(grid: &GridConfig, families: FamilySet, seed: u64, attempt: u64) -> Option<Self> {
        let (items, is_held_out) = items_of(families, seed);
        let plates: &[Plate] = match grid.receptacles {
            Receptacles::All => &plates::ALL,
            Receptacles::Plate => &plates::ALL[..1],
            Receptacles::Others => &plates::ALL[1..],
        };
        let places = places(grid.layout);
        let radices = [
            items.len() as u64,
            plates.len() as u64,
            TABLES,
            places.len() as u64,
            YAWS,
        ];
        let drawn = |index: u64| {
            derive_seed(
                derive_seed(seed, Stream::Scene, attempt),
                Stream::Scene,
                index,
            )
        };
        let id = if grid.seed_is_id {
            seed
        } else {
            drawn(0) % radices.iter().product::<u64>()
        };
        let [item_idx, plate_idx, _table, place_idx, yaw_idx] =
            layout::digits(id, radices)?.map(|digit| digit as usize);
        let (item, plate) = (items[item_idx], plates[plate_idx]);
        let [first, second, third] = places[place_idx];
        let (first, second) = (first?, second?);
        // A second receptacle is far from the first: the triple's ends are then receptacles.
        let (at, on) = match grid.layout {
            Layout::TwoReceptacles => (second, first),
            _ => (first, second),
        };
        let yaw = match grid.layout {
            Layout::Ring => -(0.5 + yaw_idx as f64) * FRAC_PI_4,
            _ => yaw_idx as f64 * FRAC_PI_4,
        };
        let mut bodies = vec![
            object(&item, place(grid, at, yaw), Role::Target),
            receptacle(&plate, place(grid, on, 0.0), Role::Receptacle),
        ];
        if let Some(third) = third {
            let other = match grid.layout {
                Layout::TwoReceptacles => {
                    let others: Vec<&Plate> = plates::ALL
                        .iter()
                        .filter(|p| p.name != plate.name)
                        .collect();
                    let other = others[(drawn(1) % others.len() as u64) as usize];
                    receptacle(other, place(grid, third, 0.0), Role::Other)
                }
                _ => {
                    let all = items::TRAIN.iter().chain(&items::TEST);
                    let others: Vec<&Item> = all.filter(|i| i.name != item.name).collect();
                    let other = others[(drawn(1) % others.len() as u64) as usize];
                    let yaw = (drawn(2) % YAWS) as f64 * FRAC_PI_4;
                    object(other, place(grid, third, yaw), Role::Other)
                }
            };
            bodies.push(other);
        }
        let moved_to = (grid.layout == Layout::Moved).then(|| {
            let free = |cell: &Cell| cell.is_far_from(at) && cell.is_clear_of(on);
            let cells: Vec<Cell> = layout::square().into_iter().filter(free).collect();
            let index = drawn(3).checked_rem(cells.len() as u64)? as usize;
            Some(place(grid, cells[index], yaw))
        });
        Some(Self {
            scene: Scene {
                seed,
                attempt,
                bodies,
            },
            name: item.name,
            size: item.size,
            grasp: item.grasp(),
            plate_name: plate.name,
            plate_size: plate.size,
            is_held_out,
            wording: grid
                .varied_wording
                .then(|| (drawn(4) % WORDINGS.len() as u64) as usize),
            // A start from which the object can go nowhere is no start of this set.
            moved_to: match moved_to {
                Some(None) => return None,
                Some(to) => to,
                None => None,
            },
        })
    }

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
            .map_or(now, |angle| nearest_yaw(angle + x.y.atan2(x.x), now));
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

/// Pose of a cell on the table.
fn place(grid: &GridConfig, cell: Cell, yaw: f64) -> Pose {
    let [x, y] = cell.offset();
    Pose::from_parts(
        Translation3::new(grid.center_m[0] + x, grid.center_m[1] + y, 0.0),
        UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw),
    )
}

fn object(item: &Item, place: Pose, role: Role) -> Body {
    Body {
        parts: item.parts(),
        role,
        motion: BodyMotion::Free,
        mass: item.mass(),
        friction: FRICTION,
        base_from_body: Translation3::new(0.0, 0.0, DROP) * place,
    }
}

fn receptacle(plate: &Plate, place: Pose, role: Role) -> Body {
    Body {
        parts: plate.parts(),
        role,
        motion: BodyMotion::Free,
        mass: plate.mass(),
        friction: FRICTION,
        base_from_body: place,
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
    fn reward(&self, facts: &Facts<'_>, status: &TaskStatus) -> f64 {
        let ([object, receptacle, ..], false) = (facts.bodies, status.success) else {
            return f64::from(u8::from(status.success));
        };
        let near = |distance: f64| 1.0 - (5.0 * distance).tanh();
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
        let gripper = facts.gripper();
        let is_open = gripper.commanded >= 0.5;
        let poses = [&object.base_from_body, &receptacle.base_from_body];
        let situation = Situation {
            base_from_tcp: *base_from_tcp_d,
            width: gripper.width,
            commanded: gripper.commanded,
            holds_target: gripper.is_grasping && facts.touches(OBJECT).contains(&true) && !is_open,
            is_placed: false,
            max_width: facts.robot.gripper().map_or(0.08, |g| g.max_width),
        };
        rule::next_action(&self.goal(poses, base_from_tcp_d), &situation)
    }
}

#[cfg(test)]
mod tests;
