//! How much room a held object would have on every point of a cloud, at each of eight turns: what would be
//! in the way of its shadow on a map of the heights that were seen.
//!
//! A network that sees the scene and the object apart has to find out where one fits into the other; here
//! they are laid over each other, and it only has to judge what it is told.

use wide::i16x8;

use crate::group::farthest_points;

/// Turns about the vertical: 45 degrees each.
pub const N_TURNS: usize = 8;
/// Numbers for one turn at one point, all of them about 0 to 1: the share of the shadow that is in the way of
/// something, for each growth of the heights; the same at its two ends and two sides, for some growths; how far
/// that stands out, for a few; the share that surely is in the way, and that has nothing below it; length,
/// width and height of the object, height of the point.
pub const CLEARANCE_DIM: usize =
    GROWTHS.len() + 4 * BY_SIDE.len() + TOPS.len() + SURELY.len() + 1 + 4;

/// Side of a column, m, and columns along each side of the map.
const COLUMN: f32 = 0.004;
const SIDE: usize = 256;
/// Fractions of a column that positions are told apart by, as a power of two.
const FRACTION: u32 = 4;
/// By how many columns heights are grown sideways: what is in the way of a shadow only then is that far away.
const GROWTHS: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 8];
/// Indices of growths: told apart by side; of which the height is told; without doubt; to find the support.
const BY_SIDE: [usize; 5] = [1, 2, 3, 4, 6];
const TOPS: [usize; 3] = [0, 2, 4];
const SURELY: [usize; 2] = [0, 1];
const SUPPORT: usize = 2;
/// Points of an object that stand for its shadow.
const N_SHADOW: usize = 64;
/// Higher than this over the point that the object is put on is in the way, mm: noise is not. Higher than the
/// object's own seen surface surely is. Lower than the point by this does not carry.
const STEP: i16 = 7;
const SURE_STEP: i16 = 3;
const GAP: i16 = 10;
/// Heights end here, mm.
const HIGHEST: i16 = 255;
/// Height that counts as one, mm.
const TALL: f32 = 50.0;

/// One number for each growth: a vector register full.
type Lanes = i16x8;
const _: () = assert!(GROWTHS.len() == 8);

/// For each point, for each turn, [`CLEARANCE_DIM`] numbers. `points` in the base frame with the table at
/// zero, m; `held` along the base's axes from what is put on a point, m. Zeros if nothing is held: no points, or
/// all of them zero.
#[must_use]
pub fn clearances(points: &[[f32; 3]], held: &[[f32; 3]]) -> Vec<f32> {
    if held.iter().all(|p| p.iter().all(|v| *v == 0.0)) {
        return vec![0.0; points.len() * N_TURNS * CLEARANCE_DIM];
    }
    let heights = Heights::new(points);
    let shadow = Shadow::new(held);
    let mut out = Vec::with_capacity(points.len() * N_TURNS * CLEARANCE_DIM);
    for point in points {
        let at = heights.place(point);
        let floor = millimetres(point[2]);
        for turn in 0..N_TURNS {
            let met = shadow.lay(&heights, at, floor, turn);
            met.tell(&shadow, point[2], &mut out);
        }
    }
    out
}

/// Whole millimetres from the table to [`HIGHEST`].
fn millimetres(height: f32) -> i16 {
    ((height * 1000.0) as i16).clamp(0, HIGHEST)
}

/// The highest that was seen in each column, mm, and that grown sideways.
struct Heights {
    columns: Vec<Lanes>,
    origin: [f32; 2],
}

impl Heights {
    fn new(points: &[[f32; 3]]) -> Self {
        let mean = |axis: usize| points.iter().map(|p| p[axis]).sum::<f32>() / points.len() as f32;
        let half = 0.5 * SIDE as f32 * COLUMN;
        let mut own = Self {
            columns: vec![Lanes::default(); SIDE * SIDE],
            origin: [mean(0) - half, mean(1) - half],
        };
        let mut map = vec![0_i16; SIDE * SIDE];
        for point in points {
            let column = column(own.place(point));
            map[column] = map[column].max(millimetres(point[2]));
        }
        let mut grown = 0;
        for (lane, growth) in GROWTHS.iter().enumerate() {
            while grown < *growth {
                map = grow(&map, grown % 2 == 0);
                grown += 1;
            }
            for (column, height) in own.columns.iter_mut().zip(&map) {
                column.as_mut_array()[lane] = *height;
            }
        }
        own
    }

    /// Where a point is, in fractions of columns.
    fn place(&self, point: &[f32; 3]) -> [i32; 2] {
        let fractions = (1 << FRACTION) as f32 / COLUMN;
        [0, 1].map(|axis| ((point[axis] - self.origin[axis]) * fractions).clamp(-1e6, 1e6) as i32)
    }
}

/// Index of the column of a place; what is beside the map is in its outermost columns.
fn column([x, y]: [i32; 2]) -> usize {
    let clamped = |v: i32| (v >> FRACTION).clamp(0, SIDE as i32 - 1) as usize;
    clamped(y) * SIDE + clamped(x)
}

/// Each column as high as its highest neighbour: of eight, or of the four beside it. By turns they make eight
/// corners, nearly a circle.
fn grow(map: &[i16], with_corners: bool) -> Vec<i16> {
    let mut along = map.to_vec();
    for (row, out) in map.chunks_exact(SIDE).zip(along.chunks_exact_mut(SIDE)) {
        for x in 1..SIDE - 1 {
            out[x] = row[x - 1].max(row[x]).max(row[x + 1]);
        }
    }
    let mut grown = along.clone();
    let beside = if with_corners { &along } else { map };
    for y in 1..SIDE - 1 {
        let (above, below) = (&beside[(y - 1) * SIDE..], &beside[(y + 1) * SIDE..]);
        let out = &mut grown[y * SIDE..(y + 1) * SIDE];
        for ((out, above), below) in out.iter_mut().zip(above).zip(below) {
            *out = (*out).max(*above).max(*below);
        }
    }
    grown
}

/// Points of an object, spread evenly as seen from above, in nine regions of its least rectangle.
struct Shadow {
    /// For each turn, their places, in fractions of columns.
    turned: Vec<Vec<[i32; 2]>>,
    /// Their heights, mm.
    heights: Vec<i16>,
    /// Where each region begins: by thirds of the length, then by thirds of the width.
    regions: [usize; 10],
    /// Length, width and height, m.
    size: [f32; 3],
}

impl Shadow {
    fn new(held: &[[f32; 3]]) -> Self {
        let flat: Vec<[f32; 3]> = held.iter().map(|[x, y, _]| [*x, *y, 0.0]).collect();
        let chosen = farthest_points(&flat, N_SHADOW);
        let [along, across] = least_rectangle(held);
        let region = |p: &[f32; 3]| {
            let third = |span: &Span| {
                let share = (span.of(p) - span.low) / (span.high - span.low).max(1e-3);
                ((share * 3.0) as usize).min(2)
            };
            3 * third(&along) + third(&across)
        };
        let mut points: Vec<[f32; 3]> = chosen.iter().map(|i| held[*i as usize]).collect();
        points.sort_by_key(region);
        let regions = std::array::from_fn(|r| points.iter().filter(|p| region(p) < r).count());
        let fractions = (1 << FRACTION) as f32 / COLUMN;
        let turned = (0..N_TURNS).map(|turn| {
            let angle = std::f32::consts::TAU * turn as f32 / N_TURNS as f32;
            let (sin, cos) = (libm::sinf(angle), libm::cosf(angle));
            let place = |[x, y, _]: &[f32; 3]| {
                [cos * x - sin * y, sin * x + cos * y]
                    .map(|v| (v * fractions).clamp(-1e6, 1e6) as i32)
            };
            points.iter().map(place).collect()
        });
        let top = held.iter().map(|p| p[2]).fold(0.0, f32::max);
        Self {
            turned: turned.collect(),
            heights: points.iter().map(|p| millimetres(p[2])).collect(),
            regions,
            size: [along.high - along.low, across.high - across.low, top],
        }
    }

    /// Lays the shadow with its origin over a place whose height is `floor`, mm.
    fn lay(&self, heights: &Heights, [x, y]: [i32; 2], floor: i16, turn: usize) -> Met {
        let mut blocked = [Lanes::ZERO; 9];
        let [mut surely, mut unsupported, mut tops] = [Lanes::ZERO; 3];
        let step = Lanes::splat((floor + STEP).min(HIGHEST));
        let gap = Lanes::splat(floor - GAP);
        let turned = &self.turned[turn];
        for (region, blocked) in blocked.iter_mut().enumerate() {
            let own = self.regions[region]..self.regions[region + 1];
            // Kept beside the loop, not in the array: that would be written to at every point.
            let mut higher = Lanes::ZERO;
            for ([dx, dy], height) in turned[own.clone()].iter().zip(&self.heights[own]) {
                let there = heights.columns[column([x + dx, y + dy])];
                let sure_step = Lanes::splat((floor + height + SURE_STEP).min(HIGHEST));
                // What holds is minus one.
                higher -= there.simd_gt(step);
                surely -= there.simd_gt(sure_step);
                unsupported -= there.simd_lt(gap);
                tops = tops.max(there);
            }
            *blocked = higher;
        }
        Met {
            blocked,
            surely,
            unsupported,
            tops,
            floor,
        }
    }
}

/// What a shadow met: numbers of points, and heights, mm.
struct Met {
    blocked: [Lanes; 9],
    surely: Lanes,
    unsupported: Lanes,
    tops: Lanes,
    floor: i16,
}

/// The regions at either end, and at either side.
const SIDES: [[usize; 3]; 4] = [[0, 1, 2], [6, 7, 8], [0, 3, 6], [2, 5, 8]];

impl Met {
    fn tell(&self, shadow: &Shadow, height: f32, out: &mut Vec<f32>) {
        let share = |n: i16, of: usize| f32::from(n) / of.max(1) as f32;
        let of = |regions: &[usize]| {
            let blocked = regions.iter().map(|r| self.blocked[*r]);
            let blocked = blocked.fold(Lanes::ZERO, |sum, own| sum + own).to_array();
            let n = regions
                .iter()
                .map(|r| shadow.regions[r + 1] - shadow.regions[*r]);
            let n = n.sum();
            blocked.map(|blocked| share(blocked, n))
        };
        out.extend(of(&[0, 1, 2, 3, 4, 5, 6, 7, 8]));
        let sides = SIDES.map(|regions| of(&regions));
        for lane in BY_SIDE {
            out.extend(sides.map(|side| side[lane]));
        }
        let tops = self.tops.to_array();
        for lane in TOPS {
            let over = (tops[lane] - self.floor).max(0);
            out.push((f32::from(over) / TALL).min(1.0));
        }
        let surely = self.surely.to_array();
        for lane in SURELY {
            out.push(share(surely[lane], N_SHADOW));
        }
        out.push(share(self.unsupported.to_array()[SUPPORT], N_SHADOW));
        out.extend(shadow.size.map(|v| v * 10.0));
        out.push(height * 10.0);
    }
}

/// Where points lie along a direction.
pub(crate) struct Span {
    pub direction: [f32; 2],
    low: f32,
    high: f32,
}

impl Span {
    /// Without one in fifty at either end: they may be noise.
    fn new(points: &[[f32; 3]], angle: f32) -> Self {
        let mut own = Self {
            direction: [libm::cosf(angle), libm::sinf(angle)],
            low: 0.0,
            high: 0.0,
        };
        let mut along: Vec<f32> = points.iter().map(|p| own.of(p)).collect();
        let cut = along.len() / 50;
        let last = along.len() - 1 - cut;
        own.low = *along.select_nth_unstable_by(cut, f32::total_cmp).1;
        own.high = *along.select_nth_unstable_by(last, f32::total_cmp).1;
        own
    }

    fn of(&self, [x, y, _]: &[f32; 3]) -> f32 {
        self.direction[0] * x + self.direction[1] * y
    }
}

/// Length and width of the narrowest rectangle around points, seen from above.
pub(crate) fn least_rectangle(points: &[[f32; 3]]) -> [Span; 2] {
    const N: u16 = 36;
    let width = |i: &u16| {
        let angle = std::f32::consts::PI * f32::from(*i) / f32::from(N);
        let across = Span::new(points, angle);
        (across.high - across.low, *i)
    };
    let narrowest = (0..N).map(|i| width(&i)).min_by(|a, b| a.0.total_cmp(&b.0));
    let angle = std::f32::consts::PI * f32::from(narrowest.map_or(0, |(_, i)| i)) / f32::from(N);
    let along = Span::new(points, angle + std::f32::consts::FRAC_PI_2);
    [along, Span::new(points, angle)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two walls along y, 50 mm apart and 30 mm high, a floor between them, and something 90 mm long.
    fn slot() -> (Vec<[f32; 3]>, Vec<[f32; 3]>) {
        let wall = |x: f32| (0..100_u8).map(move |i| [x, 0.002 * f32::from(i), 0.03]);
        let mut points: Vec<[f32; 3]> = wall(0.0).chain(wall(0.05)).collect();
        points.extend((0..100_u8).map(|i| [0.025, 0.002 * f32::from(i), 0.0]));
        let held = (0..90_u8).flat_map(|i| {
            let x = 0.001 * f32::from(i) - 0.045;
            [[x, -0.01, 0.0], [x, 0.0, 0.01], [x, 0.01, 0.0]]
        });
        (points, held.collect())
    }

    fn turn(of: &[f32], point: usize, turn: usize) -> &[f32] {
        &of[(point * N_TURNS + turn) * CLEARANCE_DIM..][..CLEARANCE_DIM]
    }

    #[test]
    fn only_along_the_slot_is_nothing_in_the_way() {
        let (points, held) = slot();
        let told = clearances(&points, &held);
        assert_eq!(told.len(), points.len() * N_TURNS * CLEARANCE_DIM);
        let middle = 250;
        for quarter in [2, 6] {
            let along = turn(&told, middle, quarter);
            assert_eq!(along[0], 0.0, "{along:?}");
            // 15 mm from either wall: free until heights are grown by four columns.
            assert_eq!(along[2], 0.0);
            assert!(along[GROWTHS.len() - 1] > 0.5);
        }
        for other in [0, 1, 3, 4, 5, 7] {
            assert!(turn(&told, middle, other)[0] > 0.0, "turn {other}");
        }
        let size = &turn(&told, middle, 0)[CLEARANCE_DIM - 4..];
        assert!((size[0] - 0.88).abs() < 0.05 && (size[1] - 0.2).abs() < 0.02);
    }

    #[test]
    fn what_is_beside_it_is_told_by_side() {
        let (points, held) = slot();
        let mut near_end = points.clone();
        near_end.truncate(300);
        near_end.push([0.025, 0.15, 0.0]);
        near_end.extend((0..20_u8).map(|i| [0.002 * f32::from(i), 0.2, 0.05]));
        let told = clearances(&near_end, &held);
        let sides = &turn(&told, 300, 2)[GROWTHS.len()..][..4];
        assert!((sides[0] > 0.0) != (sides[1] > 0.0), "{sides:?}");
    }

    #[test]
    fn turning_scene_and_object_changes_little_and_nothing_held_is_zeros() {
        let (points, held) = slot();
        let quarter = |all: &[[f32; 3]]| -> Vec<[f32; 3]> {
            all.iter().map(|[x, y, z]| [-y, *x, *z]).collect()
        };
        let told = clearances(&points, &held);
        let turned = clearances(&quarter(&points), &quarter(&held));
        let (a, b) = (turn(&told, 250, 2)[3], turn(&turned, 250, 2)[3]);
        assert!((a - b).abs() < 0.3, "{a} {b}");
        assert!(clearances(&points, &[]).iter().all(|v| *v == 0.0));
        assert!(
            clearances(&points, &[[0.0; 3]; 8])
                .iter()
                .all(|v| *v == 0.0)
        );
        assert!(clearances(&[], &held).is_empty());
        let strange = [[f32::NAN, f32::INFINITY, 1e30]];
        assert_eq!(
            clearances(&strange, &held).len(),
            N_TURNS * CLEARANCE_DIM,
            "no panic"
        );
        let told = clearances(&points, &strange);
        assert_eq!(told.len(), points.len() * N_TURNS * CLEARANCE_DIM);
    }
}
