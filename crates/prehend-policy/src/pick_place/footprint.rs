//! A baseline: an object's shadow on a height map, without turning it.

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

/// A point of the table where the held object's shadow covers nothing. Columns that were not seen are
/// taken as free: a height map does not know better. `None` if there is none among the points that
/// `counts`.
#[must_use]
pub fn free_place(
    points: &[[f32; 3]],
    held: &[[f32; 3]],
    how: FreePlace,
    seed: u64,
    counts: impl Fn(&Point3<f64>) -> bool,
) -> Option<Point3<f64>> {
    let cell = |p: &[f32; 3]| [p[0], p[1]].map(|v| (v / CELL).floor() as i32);
    let mut shadow: Vec<[i32; 2]> = held.iter().map(cell).collect();
    shadow.sort_unstable();
    shadow.dedup();
    let mut blocked: Vec<[i32; 2]> = points.iter().filter(|p| p[2] > STEP).map(cell).collect();
    blocked.sort_unstable();
    blocked.dedup();
    let mut ground: Vec<&[f32; 3]> = points.iter().filter(|p| p[2] <= STEP).collect();
    ground.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    // Room: least distance from the shadow to anything, in columns.
    let room = |at: [i32; 2]| {
        let distances = shadow.iter().flat_map(|[x, y]| {
            blocked
                .iter()
                .map(move |[bx, by]| (at[0] + x - bx).abs().max((at[1] + y - by).abs()))
        });
        distances.min().unwrap_or(i32::MAX)
    };
    let mut best: Option<(i32, Point3<f64>)> = None;
    for point in ground {
        let at = Point3::from(Vector3::from(*point).cast::<f64>());
        if !counts(&at) {
            continue;
        }
        let room = room(cell(point));
        if room <= MARGIN {
            continue;
        }
        if how == FreePlace::Random {
            return Some(at);
        }
        if best.is_none_or(|(most, _)| room > most) {
            best = Some((room, at));
        }
    }
    best.map(|(_, at)| at)
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
        let place = |how| free_place(&points, &held, how, 1, |_| true).expect("room");
        let roomy = place(FreePlace::Roomiest);
        assert!(roomy.x.max(roomy.y) > 0.3, "{roomy}");
        let random = place(FreePlace::Random);
        assert!(random.x.max(random.y) > 0.05);
        let none = free_place(&points, &held, FreePlace::Random, 1, |_| false);
        assert_eq!(none, None);
    }
}
