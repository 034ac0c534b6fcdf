//! Where a held object may be put down: at which points of the scene, at which of eight turns.
//!
//! Everything comes down vertically, so that only what is lowest of the mover and highest of the scene
//! counts in each column: a collision anywhere along the way is a comparison of two height maps.

use nalgebra::{Point3, Vector2, Vector3};
use prehend_cloud::N_TURNS;
use prehend_robot::{Jaw, Shape};
use prehend_types::Pose;
use serde::{Deserialize, Serialize};

use super::arrange::{MIDDLE, yaw};
use super::pieces::Pieces;
use super::see::HALF_SIDE;
use crate::objects::Part;

/// Side of a column, m.
const CELL: f64 = 0.004;
/// Columns along each side of the scene.
const N_CELLS: usize = 170;
/// From how high above the rest the object is let go, m; the hand must be free there.
pub(crate) const RELEASE: f64 = 0.006;

/// Highest surface of the scene in each column; the table is 0.
pub(crate) struct HeightMap {
    heights: Vec<f32>,
    /// The same, each column as high as its highest neighbour.
    grown: Vec<f32>,
}

fn cell_of(x: f64, y: f64) -> Option<(usize, usize)> {
    let column = |value: f64, middle: f64| {
        let cell = ((value - middle + HALF_SIDE) / CELL).floor();
        (cell >= 0.0 && cell < N_CELLS as f64).then_some(cell as usize)
    };
    Some((column(x, MIDDLE[0])?, column(y, MIDDLE[1])?))
}

fn middle_of(column: usize, row: usize) -> [f64; 2] {
    [
        MIDDLE[0] - HALF_SIDE + (column as f64 + 0.5) * CELL,
        MIDDLE[1] - HALF_SIDE + (row as f64 + 0.5) * CELL,
    ]
}

impl HeightMap {
    pub fn new(pieces: &Pieces) -> Self {
        let mut heights = vec![0.0_f32; N_CELLS * N_CELLS];
        for piece in &pieces.0 {
            let alone = Pieces(vec![piece.clone()]);
            let Some([low, high]) = alone.bounds() else {
                continue;
            };
            let clamp = |value: f64, middle: f64| {
                ((value - middle + HALF_SIDE) / CELL).clamp(0.0, (N_CELLS - 1) as f64) as usize
            };
            for row in clamp(low.y, MIDDLE[1])..=clamp(high.y, MIDDLE[1]) {
                for column in clamp(low.x, MIDDLE[0])..=clamp(high.x, MIDDLE[0]) {
                    let [x, y] = middle_of(column, row);
                    if let Some(top) = alone.top(x, y) {
                        let cell = &mut heights[row * N_CELLS + column];
                        *cell = cell.max(top as f32);
                    }
                }
            }
        }
        let at = |column: usize, row: usize| heights[row * N_CELLS + column];
        let grown = (0..N_CELLS * N_CELLS).map(|index| {
            let (row, column) = (index / N_CELLS, index % N_CELLS);
            let rows = row.saturating_sub(1)..=(row + 1).min(N_CELLS - 1);
            rows.flat_map(|r| {
                let columns = column.saturating_sub(1)..=(column + 1).min(N_CELLS - 1);
                columns.map(move |c| (c, r))
            })
            .map(|(c, r)| at(c, r))
            .fold(0.0, f32::max)
        });
        let grown = grown.collect();
        Self { heights, grown }
    }
}

/// Height of the column that is `off` columns from another one; the table goes on beyond the map.
fn height(map: &[f32], [column, row]: [usize; 2], [dx, dy]: [i32; 2]) -> f32 {
    let (x, y) = (column as i32 + dx, row as i32 + dy);
    let is_on = (0..N_CELLS as i32).contains(&x) && (0..N_CELLS as i32).contains(&y);
    if is_on {
        map[y as usize * N_CELLS + x as usize]
    } else {
        0.0
    }
}

/// The lowest of a mover in each column around a point below it.
struct Underside {
    /// Offset from the point, in columns; height over the point, m.
    cells: Vec<([i32; 2], f32)>,
}

impl Underside {
    /// `pieces` around the origin.
    fn new(pieces: &Pieces) -> Self {
        let mut cells = Vec::new();
        let Some([low, high]) = pieces.bounds() else {
            return Self { cells };
        };
        let cell = |value: f64| (value / CELL).floor() as i32;
        for row in cell(low.y)..=cell(high.y) {
            for column in cell(low.x)..=cell(high.x) {
                let [x, y] = [column, row].map(|cell| (f64::from(cell) + 0.5) * CELL);
                if let Some(bottom) = pieces.underside(x, y) {
                    cells.push(([column, row], bottom as f32));
                }
            }
        }
        Self { cells }
    }

    /// Lowest height at which the mover's point may be over this column without cutting into the scene.
    fn rest(&self, map: &[f32], at: [usize; 2]) -> f32 {
        let heights = self
            .cells
            .iter()
            .map(|(off, bottom)| height(map, at, *off) - bottom);
        heights.fold(-1.0, f32::max)
    }
}

/// An object in a hand, and how a hand would put it down.
pub(crate) struct Held {
    /// For each turn: the object, the hand around it, and the centre of mass, all around the point that
    /// is put on a point of the scene.
    turns: Vec<Turn>,
}

struct Turn {
    object: Underside,
    hand: Underside,
    center_of_mass: Vector2<f64>,
}

impl Held {
    /// An object at `base_from_object`, held at `base_from_tool`; `bottom` is what goes to a point.
    pub fn new(
        parts: &[Part],
        center_of_mass: &Point3<f64>,
        base_from_object: &Pose,
        base_from_tool: &Pose,
        opening: f64,
        jaw: &Jaw,
        bottom: &Point3<f64>,
    ) -> Self {
        let boxes: Vec<Part> = jaw
            .boxes(opening)
            .into_iter()
            .map(|placed| Part {
                shape: placed.shape,
                body_from_part: placed.link_from_shape,
            })
            .collect();
        let turns = (0..N_TURNS).map(|turn| {
            let turned = turn_about(turn, bottom);
            let mut object = Pieces::default();
            object.add(0, parts, &(turned * base_from_object));
            let mut hand = Pieces::default();
            hand.add(0, &boxes, &(turned * base_from_tool));
            Turn {
                object: Underside::new(&object),
                hand: Underside::new(&hand),
                center_of_mass: (turned * base_from_object * center_of_mass).coords.xy(),
            }
        });
        Self {
            turns: turns.collect(),
        }
    }

    /// How it fits with the bottom at a point.
    pub fn fits(&self, map: &HeightMap, point: &[f32; 3]) -> Turns {
        let [x, y, z] = point.map(f64::from);
        let mut turns = Turns::default();
        let Some((column, row)) = cell_of(x, y) else {
            return turns;
        };
        for (index, turn) in self.turns.iter().enumerate() {
            let certainly = turn.fits(&map.grown, &map.heights, [column, row], z, &STRICT);
            let perhaps =
                certainly || turn.fits(&map.heights, &map.heights, [column, row], z, &LENIENT);
            turns.fit |= u8::from(certainly) << index;
            turns.unsure |= u8::from(perhaps && !certainly) << index;
        }
        turns
    }
}

/// One bit for each turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Turns {
    /// It fits with room to spare.
    pub fit: u8,
    /// It depends on millimetres, which neither labels nor cameras know.
    pub unsure: u8,
}

/// How much room is asked for.
struct Room {
    /// How far the height of the point that is aimed at may be from where the bottom comes to rest, m.
    off_height: f64,
    /// How much lower than the release the hand may come, m.
    hand: f64,
    /// How far inside of the support the centre of mass must be, m.
    stable: f64,
    /// A bottom this near to the scene touches it, m: objects that lean a little come to stand.
    touch: f64,
}

const STRICT: Room = Room {
    off_height: 0.006,
    hand: 0.0,
    stable: 0.006,
    touch: 0.002,
};
const LENIENT: Room = Room {
    off_height: 0.012,
    hand: 0.004,
    stable: -0.004,
    touch: 0.010,
};

impl Turn {
    fn fits(&self, walls: &[f32], ground: &[f32], at: [usize; 2], goal: f64, room: &Room) -> bool {
        let free = self.object.rest(walls, at);
        if (f64::from(free) - goal).abs() > room.off_height {
            return false;
        }
        if f64::from(self.hand.rest(walls, at)) > goal + RELEASE + room.hand {
            return false;
        }
        let rest = self.object.rest(ground, at);
        let cells = self.object.cells.iter();
        let touching: Vec<Vector2<f64>> = cells
            .filter(|(off, bottom)| {
                f64::from(rest + bottom - height(ground, at, *off)) < room.touch
            })
            .map(|([dx, dy], _)| Vector2::new(f64::from(*dx) + 0.5, f64::from(*dy) + 0.5) * CELL)
            .collect();
        stands_on(&touching, &self.center_of_mass, room.stable)
    }
}

/// The motion that turns something about the vertical through a point and brings the point to the origin.
pub(crate) fn turn_about(turn: usize, point: &Point3<f64>) -> Pose {
    let angle = std::f64::consts::TAU * turn as f64 / N_TURNS as f64;
    let to_origin = Pose::translation(-point.x, -point.y, -point.z);
    Pose::from_parts(nalgebra::Translation3::identity(), yaw(angle)) * to_origin
}

/// Whether a point is inside of the hull of others by `margin`: no line through the point leaves all of
/// them on one side, or nearer than that.
fn stands_on(support: &[Vector2<f64>], center: &Vector2<f64>, margin: f64) -> bool {
    (0..24).all(|i| {
        let angle = std::f64::consts::TAU * f64::from(i) / 24.0;
        let direction = Vector2::new(libm::cos(angle), libm::sin(angle));
        let reach = support.iter().map(|p| (p - center).dot(&direction));
        reach.fold(f64::MIN, f64::max) > margin
    })
}

/// Centre of mass of a uniform body, in its own frame.
pub(crate) fn center_of_mass(parts: &[Part]) -> Point3<f64> {
    let mut sum = Vector3::zeros();
    let mut total = 0.0;
    for part in parts {
        let volume = crate::geometry::volume(&part.shape);
        let own = match &part.shape {
            Shape::Convex(hull) => hull.mass_distribution().0,
            _ => Vector3::zeros(),
        };
        sum += volume * (part.body_from_part * Point3::from(own)).coords;
        total += volume;
    }
    Point3::from(sum / f64::max(total, 1e-12))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::build::block;

    fn jaw() -> Jaw {
        let path = prehend_types::config::locate("robots/grippers/franka_hand.toml");
        Jaw::load(&path.expect("shipped")).expect("sound")
    }

    /// A bar of 100 x 20 x 30 mm held from above, long side along y.
    fn bar() -> Held {
        let parts = vec![block([0.02, 0.10, 0.03], [0.0; 3])];
        let center = center_of_mass(&parts);
        let object = Pose::translation(0.3, 0.3, 0.3);
        let down =
            nalgebra::UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI);
        let tool = Pose::from_parts(nalgebra::Translation3::new(0.3, 0.3, 0.32), down)
            * yaw(std::f64::consts::FRAC_PI_2);
        Held::new(
            &parts,
            &center,
            &object,
            &tool,
            0.04,
            &jaw(),
            &Point3::new(0.3, 0.3, 0.3),
        )
    }

    #[test]
    fn an_empty_table_takes_every_turn() {
        let map = HeightMap::new(&Pieces::default());
        assert_eq!(bar().fits(&map, &[0.47, 0.0, 0.001]).fit, 0xff);
        assert_eq!(
            bar().fits(&map, &[0.47, 0.0, 0.03]),
            Turns::default(),
            "in the air"
        );
        assert_eq!(
            bar().fits(&map, &[0.47 + 0.4, 0.0, 0.0]),
            Turns::default(),
            "off the map"
        );
    }

    #[test]
    fn a_slot_takes_the_turn_along_it() {
        let mut walls = Pieces::default();
        // Lower than the finger tips, 10 mm above the bottom of the bar.
        let wall = block([0.2, 0.02, 0.008], [0.0; 3]);
        for y in [-0.03, 0.03] {
            walls.add(
                0,
                std::slice::from_ref(&wall),
                &Pose::translation(0.47, y, 0.0),
            );
        }
        let map = HeightMap::new(&walls);
        // The slot runs along x, the bar along y: a quarter turn either way.
        assert_eq!(bar().fits(&map, &[0.47, 0.0, 0.0]).fit, 0b0100_0100);
    }

    #[test]
    fn half_over_an_edge_is_not_stable() {
        let mut step = Pieces::default();
        step.add(
            0,
            &[block([0.1, 0.2, 0.05], [0.0; 3])],
            &Pose::translation(0.47, 0.0, 0.0),
        );
        let map = HeightMap::new(&step);
        assert_ne!(bar().fits(&map, &[0.47, 0.0, 0.05]).fit & 1, 0);
        assert_eq!(bar().fits(&map, &[0.47, 0.097, 0.05]).fit & 1, 0);
    }
}
