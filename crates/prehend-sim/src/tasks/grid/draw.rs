//! Draws a start of the benchmark: a pure function of the scene file, a seed and an attempt.

use std::f64::consts::FRAC_PI_4;

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_types::{Pose, Role, Stream, derive_seed};

use super::items::{self, Item};
use super::layout::{self, Cell};
use super::plates::{self, Plate};
use super::{DROP, GridConfig, GridEpisode, Layout, Receptacles, WORDINGS};
use crate::objects::FamilySet;
use crate::scene::{Body, BodyMotion, Scene};

/// Pictures that the benchmark puts on the table.
const TABLES: u64 = 16;
const YAWS: u64 = 4;
/// Friction coefficient of everything, the benchmark's.
const FRICTION: f64 = 1.0;

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

impl GridEpisode {
    pub(super) fn draw(
        grid: &GridConfig,
        families: FamilySet,
        seed: u64,
        attempt: u64,
    ) -> Option<Self> {
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
            scene: Scene::of_bodies(seed, attempt, bodies),
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
