//! What a proposed placement looks like from the object that is to be put down: what would stand around it,
//! and what is under it, in the object's own frame.
//!
//! Who judges a placement by this alone cannot know which objects stand there, only how near they come.

use crate::clearance::{N_TURNS, least_rectangle};
use crate::close_up::{CLOSE_UP_DIM, CLOSE_UP_POINTS, CloseUp, UNIT, spread};
use crate::group::farthest_points;

/// Side of a column of the height map, m, and columns along each of its sides.
const COLUMN: f32 = 0.005;
const SIDE: usize = 192;
/// Higher than this over the point that the object is put on may be in the way, m: noise is not.
const STEP: f32 = 0.006;
/// How far beside the object anything is looked at, m.
const MARGIN: f32 = 0.05;
/// What is not seen is this far below, m.
const UNSEEN: f32 = -0.05;
const NO_COLUMN: u32 = u32::MAX;

/// A cloud and what the hand holds, made ready to be looked at placement by placement.
///
/// The rows of a close-up are, in units of 5 cm: first what may be in the way, the nearest to the object's
/// shadow (along its length, across, over the point it is put on; from the shadow; over the nearest point of the object);
/// then the object's points (along, across, over its bottom; from the nearest thing in the way; what is under it, over the
/// point it is put on).
#[derive(Debug)]
pub struct PlaceSight {
    /// The highest point of each column.
    tops: Vec<[f32; 3]>,
    /// For each column the index of its top, or [`NO_COLUMN`].
    columns: Vec<u32>,
    origin: [f32; 2],
    /// The object's points, its length along x.
    shadow: Vec<[f32; 3]>,
    flat: Flat,
    /// Direction of its length as it is held, rad.
    angle: f32,
    /// Farthest of its points from its bottom centre, m.
    reach: f32,
}

impl PlaceSight {
    /// `cloud` in the base frame, m; `held` along the base's axes from the bottom centre, m.
    #[must_use]
    pub fn new(cloud: &[[f32; 3]], held: &[[f32; 3]]) -> Self {
        let n = cloud.len().max(1) as f32;
        let half = 0.5 * SIDE as f32 * COLUMN;
        let origin = [0, 1].map(|axis| cloud.iter().map(|p| p[axis]).sum::<f32>() / n - half);
        let mut own = Self {
            tops: Vec::new(),
            columns: vec![NO_COLUMN; SIDE * SIDE],
            origin,
            shadow: Vec::new(),
            flat: Flat::default(),
            angle: 0.0,
            reach: 0.0,
        };
        for point in cloud {
            let Some([x, y]) = own.column(point) else {
                continue;
            };
            let index = &mut own.columns[y * SIDE + x];
            if *index == NO_COLUMN {
                *index = own.tops.len() as u32;
                own.tops.push(*point);
            } else if own.tops[*index as usize][2] < point[2] {
                own.tops[*index as usize] = *point;
            }
        }
        own.take(held);
        own
    }

    fn take(&mut self, held: &[[f32; 3]]) {
        if held.is_empty() {
            return;
        }
        let [along, _] = least_rectangle(held);
        self.angle = libm::atan2f(along.direction[1], along.direction[0]);
        let flat: Vec<[f32; 3]> = held.iter().map(|[x, y, _]| [*x, *y, 0.0]).collect();
        let chosen = farthest_points(&flat, CLOSE_UP_POINTS.min(held.len()));
        let points = chosen.iter().map(|index| held[*index as usize]);
        let straight = Turn::by(-self.angle);
        self.shadow = points.map(|point| straight.of(point)).collect();
        self.flat = Flat::new(&self.shadow);
        let reach = self.shadow.iter().map(|[x, y, _]| libm::hypotf(*x, *y));
        self.reach = reach.fold(0.0, f32::max);
    }

    /// Column and row of a point; `None` beside the map.
    fn column(&self, point: &[f32; 3]) -> Option<[usize; 2]> {
        let cell = |axis: usize| {
            let cell = ((point[axis] - self.origin[axis]) / COLUMN).floor();
            (cell >= 0.0 && cell < SIDE as f32).then_some(cell as usize)
        };
        Some([cell(0)?, cell(1)?])
    }

    /// The object put on `point` (base frame, m), turned by eighths of a full turn.
    #[must_use]
    pub fn close_up(&self, point: &[f32; 3], turn: usize) -> CloseUp {
        let turn = std::f32::consts::TAU * turn as f32 / N_TURNS as f32;
        let angle = turn + self.angle;
        let (there, back) = (Turn::by(angle), Turn::by(-angle));
        let reach = self.reach + MARGIN;
        let mut around: Vec<[f32; CLOSE_UP_DIM]> = Vec::new();
        for top in &self.tops {
            let off: [f32; 3] = std::array::from_fn(|axis| top[axis] - point[axis]);
            let is_near = off[0] * off[0] + off[1] * off[1] < reach * reach;
            if !is_near || off[2] < STEP {
                continue;
            }
            let [x, y, z] = back.of(off);
            let away = self.flat.distance(x, y);
            if away < MARGIN {
                let nearest = self.flat.nearest(x, y).map(|index| self.shadow[index][2]);
                around.push([x, y, z, away, z - nearest.unwrap_or(0.0)]);
            }
        }
        around.sort_by(|a, b| a[3].total_cmp(&b[3]));
        around.truncate(CLOSE_UP_POINTS);
        let walls: Vec<[f32; 3]> = around.iter().map(|[x, y, z, ..]| [*x, *y, *z]).collect();
        let walls = Flat::new(&walls);
        let own = self.shadow.iter().map(|[x, y, z]| {
            let away = walls.distance(*x, *y).min(MARGIN);
            let [dx, dy, _] = there.of([*x, *y, 0.0]);
            let under = self.height([point[0] + dx, point[1] + dy, 0.0]);
            let under = under.map_or(UNSEEN, |height| (height - point[2]).max(UNSEEN));
            [*x, *y, *z, away, under]
        });
        let own: Vec<[f32; CLOSE_UP_DIM]> = own.collect();
        let none = [0.0, 0.0, 0.0, MARGIN, 0.0];
        let mut rows = spread(&around, none);
        rows.extend(spread(&own, none));
        for value in rows.iter_mut().flatten() {
            *value /= UNIT as f32;
        }
        rows
    }

    /// Of the columns at a place and around it, the height of the nearest top.
    fn height(&self, at: [f32; 3]) -> Option<f32> {
        let [column, row] = self.column(&at)?;
        let around = |middle: usize| middle.saturating_sub(1)..=(middle + 1).min(SIDE - 1);
        let indices = around(row).flat_map(|y| around(column).map(move |x| y * SIDE + x));
        let tops = indices
            .filter_map(|index| self.tops.get(self.columns[index] as usize))
            .map(|top| (square(top[0] - at[0], top[1] - at[1]), top[2]));
        tops.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, z)| z)
    }
}

/// Points as seen from above, in an order in which many are compared at once.
#[derive(Debug, Default)]
struct Flat {
    x: Vec<[f32; LANES]>,
    y: Vec<[f32; LANES]>,
}

const LANES: usize = 8;

impl Flat {
    fn new(points: &[[f32; 3]]) -> Self {
        let lanes = |axis: usize| {
            let chunks = points.chunks(LANES);
            // What is missing is nowhere.
            let filled = |chunk: &[[f32; 3]]| {
                std::array::from_fn(|lane| chunk.get(lane).map_or(f32::INFINITY, |p| p[axis]))
            };
            chunks.map(filled).collect()
        };
        Self {
            x: lanes(0),
            y: lanes(1),
        }
    }

    fn squares(&self, x: f32, y: f32) -> impl Iterator<Item = [f32; LANES]> {
        self.x.iter().zip(&self.y).map(move |(own_x, own_y)| {
            std::array::from_fn(|lane| square(own_x[lane] - x, own_y[lane] - y))
        })
    }

    /// To the nearest, m; far away without any.
    fn distance(&self, x: f32, y: f32) -> f32 {
        let mut least = [f32::INFINITY; LANES];
        for squares in self.squares(x, y) {
            for (least, square) in least.iter_mut().zip(squares) {
                *least = if square < *least { square } else { *least };
            }
        }
        libm::sqrtf(least.into_iter().fold(f32::INFINITY, f32::min))
    }

    /// Index of the nearest, of the first if there are several.
    fn nearest(&self, x: f32, y: f32) -> Option<usize> {
        let mut best = (f32::INFINITY, None);
        for (index, square) in self.squares(x, y).flatten().enumerate() {
            if square < best.0 {
                best = (square, Some(index));
            }
        }
        best.1
    }
}

fn square(x: f32, y: f32) -> f32 {
    x * x + y * y
}

/// A turn about the vertical.
struct Turn {
    sin: f32,
    cos: f32,
}

impl Turn {
    fn by(angle: f32) -> Self {
        Self {
            sin: libm::sinf(angle),
            cos: libm::cosf(angle),
        }
    }

    fn of(&self, [x, y, z]: [f32; 3]) -> [f32; 3] {
        let Self { sin, cos } = self;
        [cos * x - sin * y, sin * x + cos * y, z]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A floor, a wall 30 mm high along x = 60 mm, and a bar 80 mm long along x.
    fn scene() -> (Vec<[f32; 3]>, Vec<[f32; 3]>) {
        let grid = (0..900_u16).map(|i| [f32::from(i % 30), f32::from(i / 30)]);
        let floor = grid.map(|[x, y]| [0.005 * x - 0.075, 0.005 * y - 0.075, 0.0]);
        let mut cloud: Vec<[f32; 3]> = floor.filter(|p| p[0] < 0.055).collect();
        cloud.extend((0..60_u8).map(|i| [0.06, 0.0025 * f32::from(i) - 0.075, 0.03]));
        let held = (0..81_u8).flat_map(|i| {
            let x = 0.001 * f32::from(i) - 0.04;
            [[x, -0.005, 0.0], [x, 0.005, 0.01]]
        });
        (cloud, held.collect())
    }

    fn least(rows: &[[f32; CLOSE_UP_DIM]], column: usize) -> f64 {
        let values = rows.iter().map(|row| row[column]);
        f64::from(values.fold(f32::INFINITY, f32::min)) * UNIT
    }

    #[test]
    fn a_wall_is_as_far_away_as_it_is_at_each_turn() {
        let (cloud, held) = scene();
        let sight = PlaceSight::new(&cloud, &held);
        for (turn, room) in [(0, 0.02), (4, 0.02)] {
            let seen = sight.close_up(&[0.0; 3], turn);
            assert_eq!(seen.len(), 2 * CLOSE_UP_POINTS);
            let (around, own) = seen.split_at(CLOSE_UP_POINTS);
            assert!(
                (least(around, 3) - room).abs() < 2e-3,
                "{turn} {}",
                least(around, 3)
            );
            assert!(
                (least(own, 3) - room).abs() < 2e-3,
                "{turn} {}",
                least(own, 3)
            );
        }
        // Across, its side is 55 mm away: out of sight.
        let across = sight.close_up(&[0.0; 3], 2);
        assert!((least(&across, 3) - f64::from(MARGIN)).abs() < 1e-6);
    }

    #[test]
    fn what_is_under_it_is_told_and_what_is_not_seen_is_far_below() {
        let (cloud, held) = scene();
        let sight = PlaceSight::new(&cloud, &held);
        let inside = &sight.close_up(&[-0.02, 0.0, 0.0], 0)[CLOSE_UP_POINTS..];
        assert!(least(inside, 4).abs() < 1e-6);
        let over_the_edge = &sight.close_up(&[-0.07, 0.0, 0.0], 0)[CLOSE_UP_POINTS..];
        assert!((least(over_the_edge, 4) - f64::from(UNSEEN)).abs() < 1e-6);
    }

    #[test]
    fn turning_scene_and_object_together_changes_nothing() {
        let (cloud, held) = scene();
        let all = |points: &[[f32; 3]]| -> Vec<[f32; 3]> {
            points.iter().map(|p| Turn::by(0.4).of(*p)).collect()
        };
        let (a, b) = (
            PlaceSight::new(&cloud, &held),
            PlaceSight::new(&all(&cloud), &all(&held)),
        );
        let (a, b) = (a.close_up(&[0.0; 3], 0), b.close_up(&[0.0; 3], 0));
        let off = (least(&a[..CLOSE_UP_POINTS], 3) - least(&b[..CLOSE_UP_POINTS], 3)).abs();
        assert!(off < 4e-3, "{off}");
    }

    #[test]
    fn nothing_strange_makes_it_panic() {
        let (cloud, held) = scene();
        let strange = [[f32::NAN, f32::INFINITY, 1e30]];
        for (cloud, held) in [
            (&cloud[..], &[][..]),
            (&[], &held[..]),
            (&strange, &held),
            (&cloud, &strange),
        ] {
            let seen = PlaceSight::new(cloud, held).close_up(&[0.0; 3], 1);
            assert_eq!(seen.len(), 2 * CLOSE_UP_POINTS);
        }
        let seen = PlaceSight::new(&cloud, &[]).close_up(&[0.0; 3], 1);
        assert!(seen.iter().flatten().all(|value| value.is_finite()));
    }
}
