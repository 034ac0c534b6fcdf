//! The T: two boards, its outline, and how much of one T another one covers.
//!
//! Its frame has the origin at the bottom under the centre of mass, x along the bar, y from the stem to
//! the bar, z up. Sizes are those of ManiSkill's PushT: bar 20 cm, stem 15 cm, both 5 cm wide.

use nalgebra::{Point2, Vector2};
use prehend_types::Pose;

use crate::objects::Part;
use crate::objects::build::block;

/// Length of the bar, of the stem, and width of both, m.
const BAR: f64 = 0.20;
const STEM: f64 = 0.15;
const WIDTH: f64 = 0.05;
/// Height of the T, m. Only the straight ends of the fingers, up to 9 mm above the tool centre point, may
/// touch it: the slanted parts over them would press it onto the table.
pub(super) const HEIGHT: f64 = 0.020;
/// Area, m².
const AREA: f64 = (BAR + STEM) * WIDTH;
/// The bar's middle, y.
const BAR_Y: f64 = 0.5 * (STEM + WIDTH) * STEM / (BAR + STEM);
/// The stem's middle, y.
const STEM_Y: f64 = BAR_Y - 0.5 * (STEM + WIDTH);

const TOP: f64 = BAR_Y + 0.5 * WIDTH;
const UNDER: f64 = BAR_Y - 0.5 * WIDTH;
const FOOT: f64 = STEM_Y - 0.5 * STEM;

/// The outline, against the clock.
const OUTLINE: [[f64; 2]; 8] = [
    [-0.5 * BAR, TOP],
    [-0.5 * BAR, UNDER],
    [-0.5 * WIDTH, UNDER],
    [-0.5 * WIDTH, FOOT],
    [0.5 * WIDTH, FOOT],
    [0.5 * WIDTH, UNDER],
    [0.5 * BAR, UNDER],
    [0.5 * BAR, TOP],
];
/// Which corners of the outline point inwards.
const INNER: [usize; 2] = [2, 5];

/// Size of a foot, m, and its height.
const FOOT_SIZE: f64 = 0.01;
const FOOT_HEIGHT: f64 = 0.001;

/// The T: two boards on seven small feet, one under each square of its own width.
///
/// On flat boards rapier's simplified friction resists turning with all of its force even while it
/// resists sliding with all of its force: a T that is pushed far beside its centre of mass would not
/// turn. Under feet almost all friction acts where it should.
pub(super) fn parts() -> Vec<Part> {
    let height = HEIGHT - FOOT_HEIGHT;
    let foot = |x: f64, y: f64| block([FOOT_SIZE, FOOT_SIZE, FOOT_HEIGHT], [x, y, 0.0]);
    let bar = [-1.5, -0.5, 0.5, 1.5].map(|k| foot(k * WIDTH, BAR_Y));
    let stem = [-1.0, 0.0, 1.0].map(|k| foot(0.0, STEM_Y + k * WIDTH));
    let mut parts = boards(height, FOOT_HEIGHT);
    parts.extend(bar.into_iter().chain(stem));
    parts
}

/// The T's outline as paint on the table, `thickness` m thick.
pub(super) fn paint(thickness: f64) -> Vec<Part> {
    boards(thickness, 0.0)
}

fn boards(height: f64, bottom: f64) -> Vec<Part> {
    vec![
        block([BAR, WIDTH, height], [0.0, BAR_Y, bottom]),
        block([WIDTH, STEM, height], [0.0, STEM_Y, bottom]),
    ]
}

/// One side of the outline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side {
    pub start: Point2<f64>,
    /// Unit vector along the side.
    pub along: Vector2<f64>,
    /// Unit vector into the T.
    pub inwards: Vector2<f64>,
    pub length: f64,
    /// Whether the side's start and end are inner corners of the T.
    pub is_inner: [bool; 2],
}

/// The eight sides.
pub(super) fn sides() -> impl Iterator<Item = Side> {
    (0..OUTLINE.len()).map(|i| {
        let next = (i + 1) % OUTLINE.len();
        let (start, end) = (Point2::from(OUTLINE[i]), Point2::from(OUTLINE[next]));
        let length = (end - start).norm();
        let along = (end - start) / length;
        Side {
            start,
            along,
            inwards: Vector2::new(-along.y, along.x),
            length,
            is_inner: [INNER.contains(&i), INNER.contains(&next)],
        }
    })
}

/// The corners of the T's convex hull, against the clock.
pub(super) fn hull() -> [Point2<f64>; 6] {
    [0, 1, 3, 4, 6, 7].map(|i| Point2::from(OUTLINE[i]))
}

/// A place on the table: position and direction of x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub at: Point2<f64>,
    pub x: Vector2<f64>,
}

impl Place {
    /// Seen from above. A T that stands on its edge has no direction; it is taken along the base's x.
    pub fn of(pose: &Pose) -> Self {
        let x = (pose.rotation * nalgebra::Vector3::x()).xy();
        Self {
            at: pose.translation.vector.xy().into(),
            x: x.try_normalize(1e-9).unwrap_or_else(Vector2::x),
        }
    }

    pub fn rotate(&self, v: &Vector2<f64>) -> Vector2<f64> {
        self.x * v.x + Vector2::new(-self.x.y, self.x.x) * v.y
    }

    pub fn rotate_back(&self, v: &Vector2<f64>) -> Vector2<f64> {
        Vector2::new(self.x.dot(v), self.x.perp(v))
    }

    pub fn transform(&self, p: &Point2<f64>) -> Point2<f64> {
        self.at + self.rotate(&p.coords)
    }

    pub fn transform_back(&self, p: &Point2<f64>) -> Point2<f64> {
        self.rotate_back(&(p - self.at)).into()
    }

    /// Angle from another place's direction to this one's, rad.
    pub fn turn_from(&self, other: &Self) -> f64 {
        libm::atan2(other.x.perp(&self.x), other.x.dot(&self.x))
    }
}

/// Share of the goal's area that the T covers, exact: both are two rectangles without overlap.
pub(super) fn overlap(goal: &Place, tee: &Place) -> f64 {
    let rectangles = [
        ([0.5 * BAR, 0.5 * WIDTH], BAR_Y),
        ([0.5 * WIDTH, 0.5 * STEM], STEM_Y),
    ];
    let mut area = 0.0;
    for (half, y) in rectangles {
        let corners = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]];
        let moved = corners.map(|[sx, sy]| {
            let corner = Point2::new(sx * half[0], y + sy * half[1]);
            goal.transform_back(&tee.transform(&corner))
        });
        for (half, y) in rectangles {
            area += area_inside(&moved, half, y);
        }
    }
    area / AREA
}

/// Area of the part of a convex polygon inside an upright rectangle centred at (0, y). Sutherland and
/// Hodgman 1974: what lies outside one side after another is cut off.
fn area_inside(polygon: &[Point2<f64>], half: [f64; 2], y: f64) -> f64 {
    let cuts = [
        (Vector2::x(), half[0]),
        (-Vector2::x(), half[0]),
        (Vector2::y(), half[1] + y),
        (-Vector2::y(), half[1] - y),
    ];
    let mut kept = polygon.to_vec();
    for (out, most) in cuts {
        let mut cut = Vec::with_capacity(kept.len() + 1);
        for (i, here) in kept.iter().enumerate() {
            let next = &kept[(i + 1) % kept.len()];
            let (a, b) = (out.dot(&here.coords) - most, out.dot(&next.coords) - most);
            if a <= 0.0 {
                cut.push(*here);
            }
            if (a < 0.0 && b > 0.0) || (a > 0.0 && b < 0.0) {
                cut.push(here + (next - here) * (a / (a - b)));
            }
        }
        kept = cut;
    }
    let twice = |i: usize| kept[i].coords.perp(&kept[(i + 1) % kept.len()].coords);
    0.5 * (0..kept.len()).map(twice).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(x: f64, y: f64, yaw: f64) -> Place {
        Place {
            at: Point2::new(x, y),
            x: Vector2::new(libm::cos(yaw), libm::sin(yaw)),
        }
    }

    #[test]
    fn overlap_of_known_shifts() {
        let goal = place(0.5, -0.1, 0.7);
        let moved = |x: f64, y: f64| Place {
            at: goal.transform(&Point2::new(x, y)),
            x: goal.x,
        };
        assert!((overlap(&goal, &goal) - 1.0).abs() < 1e-12);
        // Along the bar, bar and stem each lose their width times the shift; across it, the bar's
        // length once.
        assert!((overlap(&goal, &moved(0.01, 0.0)) - (1.0 - 0.1 / 0.875)).abs() < 1e-9);
        assert!((overlap(&goal, &moved(0.0, 0.01)) - (1.0 - 0.1 / 0.875)).abs() < 1e-9);
        assert!(overlap(&goal, &moved(0.3, 0.0)).abs() < 1e-12);
        // Upside down about its bar's middle, a T covers the whole bar.
        let flipped = Place {
            at: goal.transform(&Point2::new(0.0, 2.0 * BAR_Y)),
            x: -goal.x,
        };
        assert!((overlap(&goal, &flipped) - BAR / (BAR + STEM)).abs() < 1e-9);
    }

    #[test]
    fn overlap_agrees_with_counting_points() {
        let goal = place(0.5, 0.0, 0.3);
        let inside = |p: &Point2<f64>| {
            (p.x.abs() < 0.5 * BAR && p.y < TOP && p.y > UNDER)
                || (p.x.abs() < 0.5 * WIDTH && p.y <= UNDER && p.y > FOOT)
        };
        for (dx, dy, turn) in [(0.01, -0.02, 0.2), (-0.03, 0.01, 1.9), (0.0, 0.06, -2.7)] {
            let tee = place(0.5 + dx, dy, 0.3 + turn);
            let (mut both, n) = (0, 600);
            for i in 0..n {
                for j in 0..n {
                    let at = |k: i32| 0.3 * ((f64::from(k) + 0.5) / f64::from(n) - 0.5);
                    let p = Point2::new(at(i), at(j));
                    let q = tee.transform_back(&goal.transform(&p));
                    both += i32::from(inside(&p) && inside(&q));
                }
            }
            let counted = f64::from(both) * (0.3 / f64::from(n)).powi(2) / AREA;
            let error = overlap(&goal, &tee) - counted;
            assert!(error.abs() < 3e-3, "{error}");
        }
    }

    #[test]
    fn sides_close_around_the_centre_of_mass() {
        let sum: Vector2<f64> = sides().map(|side| side.along * side.length).sum();
        assert!(sum.norm() < 1e-12);
        let balance = BAR * BAR_Y + STEM * STEM_Y;
        assert!(balance.abs() < 1e-12);
        assert_eq!(
            sides().filter(|side| side.is_inner != [false; 2]).count(),
            4
        );
        for side in sides() {
            let middle = side.start + side.along * (0.5 * side.length);
            let inside = overlap_at(&(middle + side.inwards * 1e-3));
            let outside = overlap_at(&(middle - side.inwards * 1e-3));
            assert!(inside && !outside, "{side:?}");
        }
    }

    fn overlap_at(p: &Point2<f64>) -> bool {
        (p.x.abs() < 0.5 * BAR && (UNDER..TOP).contains(&p.y))
            || (p.x.abs() < 0.5 * WIDTH && (FOOT..UNDER).contains(&p.y))
    }
}
