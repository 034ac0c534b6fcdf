//! A baseline: an object's shadow on a height map.

use nalgebra::{Point3, Vector3};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Side of a column, m.
const CELL: f32 = 0.006;
/// Anything higher than this is in the way, m.
const STEP: f32 = 0.008;
/// Columns around the shadow that must be free too: noise, and the fingers.
const MARGIN: i32 = 2;

/// How a free place is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreePlace {
    /// Any.
    Random,
    /// The one with most room around it.
    Roomiest,
}

/// A point of the table, and one of `turns` (eighths of a full turn), where the held object's shadow covers
/// nothing, with a margin if there is such a place. Columns that were not seen are taken as free: a height
/// map does not know better. `None` if there is none among the points that `counts`.
#[must_use]
pub fn free_place(
    points: &[[f32; 3]],
    held: &[[f32; 3]],
    how: FreePlace,
    turns: &[usize],
    seed: u64,
    counts: impl Fn(&Point3<f64>) -> bool,
) -> Option<(Point3<f64>, usize)> {
    let mut blocked: Vec<[i32; 2]> = points.iter().filter(|p| p[2] > STEP).map(cell).collect();
    blocked.sort_unstable();
    blocked.dedup();
    let shadows: Vec<(usize, Vec<[i32; 2]>)> = turns
        .iter()
        .map(|turn| (*turn, shadow(held, *turn)))
        .collect();
    let mut ground: Vec<&[f32; 3]> = points.iter().filter(|p| p[2] <= STEP).collect();
    ground.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut best: Option<(i32, Point3<f64>, usize)> = None;
    for point in ground {
        let at = Point3::from(Vector3::from(*point).cast::<f64>());
        if !counts(&at) {
            continue;
        }
        for (turn, shadow) in &shadows {
            let room = room(shadow, cell(point), &blocked);
            if room > MARGIN && how == FreePlace::Random {
                return Some((at, *turn));
            }
            if room > 0 && best.is_none_or(|(most, ..)| room > most) {
                best = Some((room, at, *turn));
            }
        }
    }
    best.map(|(_, at, turn)| (at, turn))
}

fn cell(p: &[f32; 3]) -> [i32; 2] {
    [p[0], p[1]].map(|v| (v / CELL).floor() as i32)
}

/// The columns that an object covers once it is turned.
fn shadow(held: &[[f32; 3]], turn: usize) -> Vec<[i32; 2]> {
    let angle = std::f32::consts::TAU * turn as f32 / 8.0;
    let (sin, cos) = (libm::sinf(angle), libm::cosf(angle));
    let turned = |[x, y, z]: &[f32; 3]| cell(&[cos * x - sin * y, sin * x + cos * y, *z]);
    let mut shadow: Vec<[i32; 2]> = held.iter().map(turned).collect();
    shadow.sort_unstable();
    shadow.dedup();
    shadow
}

/// Least distance from a shadow to anything, in columns.
fn room(shadow: &[[i32; 2]], at: [i32; 2], blocked: &[[i32; 2]]) -> i32 {
    let distances = shadow.iter().flat_map(|[x, y]| {
        blocked
            .iter()
            .map(move |[bx, by]| (at[0] + x - bx).abs().max((at[1] + y - by).abs()))
    });
    distances.min().unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roomiest_place_is_far_from_what_stands() {
        let table = (0..400_u16).map(|i| [f32::from(i % 20) * 0.02, f32::from(i / 20) * 0.02, 0.0]);
        let tower = (0..9_u8).map(|i| [f32::from(i % 3) * 0.02, f32::from(i / 3) * 0.02, 0.1]);
        let points: Vec<[f32; 3]> = table.chain(tower).collect();
        let held = [[0.0, 0.0, 0.0], [0.02, 0.0, 0.0]];
        let place = |how| {
            free_place(&points, &held, how, &[0], 1, |_| true)
                .expect("room")
                .0
        };
        let roomy = place(FreePlace::Roomiest);
        assert!(roomy.x.max(roomy.y) > 0.3, "{roomy}");
        let random = place(FreePlace::Random);
        assert!(random.x.max(random.y) > 0.05);
        let none = free_place(&points, &held, FreePlace::Random, &[0], 1, |_| false);
        assert_eq!(none, None);
    }

    #[test]
    fn a_long_object_is_turned_into_a_narrow_gap() {
        // Two walls along y, 50 mm apart; the object is 90 mm long along x.
        let wall = |x: f32| (0..60_u8).map(move |i| [x, 0.003 * f32::from(i), 0.03]);
        let floor = (0..60_u8).map(|i| [0.025, 0.003 * f32::from(i), 0.0]);
        let points: Vec<[f32; 3]> = wall(0.0).chain(wall(0.05)).chain(floor).collect();
        let held: Vec<[f32; 3]> = (0..30_u8)
            .map(|i| [0.003 * f32::from(i) - 0.045, 0.0, 0.0])
            .collect();
        let place =
            |turns: &[usize]| free_place(&points, &held, FreePlace::Roomiest, turns, 1, |_| true);
        assert_eq!(place(&[0]), None);
        let (_, turn) = place(&[0, 1, 2, 3, 4, 5, 6, 7]).expect("across");
        assert_eq!(turn % 4, 2);
    }
}
