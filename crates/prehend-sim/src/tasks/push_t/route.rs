//! Ways around the T on the table, in its frame: along a hull that the fingers do not touch it from.

use nalgebra::{Point2, Vector2};

use super::shape;

/// How far the fingers' middle stays away from the T's convex hull, m: their corners reach 17.5 mm.
const CLEARANCE: f64 = 0.026;
/// A point this little inside the hull counts as outside, m.
const SLACK: f64 = 0.003;

/// Longer than any way out of the hull, m.
const FAR: f64 = 1.0;

/// A convex polygon around the T, against the clock.
#[derive(Debug, Clone)]
pub(super) struct Around {
    corners: [Point2<f64>; 6],
    /// Unit vectors out of the sides that begin at the corners.
    out: [Vector2<f64>; 6],
    /// How far from the origin the sides are.
    reach: [f64; 6],
}

impl Around {
    pub fn new() -> Self {
        let hull = shape::hull();
        let n = hull.len();
        let out = std::array::from_fn(|i| {
            let along = (hull[(i + 1) % n] - hull[i]).normalize();
            Vector2::new(along.y, -along.x)
        });
        let corners = std::array::from_fn(|i: usize| {
            let (before, after): (Vector2<f64>, Vector2<f64>) = (out[(i + n - 1) % n], out[i]);
            hull[i] + (before + after) * (CLEARANCE / (1.0 + before.dot(&after)))
        });
        let reach = std::array::from_fn(|i: usize| out[i].dot(&corners[i].coords));
        Self {
            corners,
            out,
            reach,
        }
    }

    /// Whether a point is inside, so that the way round does not begin there.
    pub fn contains(&self, p: &Point2<f64>) -> bool {
        let mut sides = self.out.iter().zip(self.reach);
        sides.all(|(out, reach)| out.dot(&p.coords) < reach - SLACK)
    }

    /// Where a ray that starts inside leaves the hull.
    pub fn leave(&self, from: &Point2<f64>, way: &Vector2<f64>) -> Point2<f64> {
        let exits = self.out.iter().zip(self.reach).map(|(out, reach)| {
            let speed = out.dot(way);
            if speed > 1e-9 {
                ((reach - out.dot(&from.coords)) / speed).max(0.0)
            } else {
                f64::INFINITY
            }
        });
        from + way * exits.fold(FAR, f64::min)
    }

    /// Where to go first on the shortest way between two points outside, and how long that way is.
    pub fn first(&self, from: &Point2<f64>, to: &Point2<f64>) -> (Point2<f64>, f64) {
        let straight = (*to, (to - from).norm());
        if !self.blocks(from, to) {
            return straight;
        }
        let n = self.corners.len();
        let mut best = (*to, f64::INFINITY);
        for first in 0..n {
            let start = &self.corners[first];
            let away = (start - from).norm();
            if away < SLACK || self.blocks(from, start) {
                continue;
            }
            for step in [1, n - 1] {
                let (mut at, mut length) = (first, away);
                for _ in 0..n {
                    let left = length + (to - self.corners[at]).norm();
                    if !self.blocks(&self.corners[at], to) {
                        if left < best.1 {
                            best = (*start, left);
                        }
                        break;
                    }
                    let next = (at + step) % n;
                    length += (self.corners[next] - self.corners[at]).norm();
                    at = next;
                }
            }
        }
        if best.1.is_finite() { best } else { straight }
    }

    /// Whether the straight way between two points cuts through the hull (Cyrus and Beck 1978).
    fn blocks(&self, from: &Point2<f64>, to: &Point2<f64>) -> bool {
        let (mut enter, mut exit) = (0.0_f64, 1.0_f64);
        for (out, reach) in self.out.iter().zip(self.reach) {
            let reach = reach - SLACK;
            let (a, b) = (out.dot(&from.coords) - reach, out.dot(&to.coords) - reach);
            if a >= 0.0 && b >= 0.0 {
                return false;
            }
            if a > 0.0 {
                enter = enter.max(a / (a - b));
            } else if b > 0.0 {
                exit = exit.min(a / (a - b));
            }
        }
        enter < exit
    }
}

/// Straight away from the nearest point of the T's outline.
pub(super) fn away_from_tee(p: &Point2<f64>) -> Vector2<f64> {
    let nearest = shape::sides().map(|side| {
        let s = (p - side.start).dot(&side.along).clamp(0.0, side.length);
        let away = p - (side.start + side.along * s);
        (away, -side.inwards)
    });
    let nearest = nearest.min_by(|a, b| a.0.norm().total_cmp(&b.0.norm()));
    nearest.map_or_else(Vector2::x, |(away, out)| {
        // Inside the T, or on its outline, the way out is across the side.
        if away.dot(&out) > 0.0 {
            away.try_normalize(1e-6).unwrap_or(out)
        } else {
            out
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_way_is_straight_and_a_blocked_one_goes_round() {
        let around = Around::new();
        let (left, right) = (Point2::new(-0.2, 0.03), Point2::new(0.2, 0.03));
        let above = Point2::new(-0.2, 0.3);
        assert_eq!(around.first(&left, &above).0, above);
        let (first, length) = around.first(&left, &right);
        assert_ne!(first, right);
        assert!(length > 0.4 && length < 0.6, "{length}");
    }

    #[test]
    fn following_first_points_arrives_without_touching() {
        let around = Around::new();
        let ring = |k: usize| {
            let angle = 0.37 + k as f64 * std::f64::consts::TAU / 23.0;
            let way = Vector2::new(libm::cos(angle), libm::sin(angle));
            around.leave(&Point2::origin(), &way)
        };
        for k in 0..23 {
            for l in 0..23 {
                let (mut at, to) = (ring(k), ring(l));
                for _ in 0..400 {
                    let (first, _) = around.first(&at, &to);
                    let way = first - at;
                    at += way * (0.005 / way.norm().max(0.005));
                    assert!(!around.contains(&at), "{k} to {l}");
                }
                assert!((at - to).norm() < 1e-6, "{k} to {l}: {at} is not {to}");
            }
        }
    }

    #[test]
    fn every_ray_leaves_the_hull() {
        let around = Around::new();
        for k in 0..36 {
            let angle = f64::from(k) * std::f64::consts::TAU / 36.0;
            let way = Vector2::new(libm::cos(angle), libm::sin(angle));
            for from in [[0.048, 0.0], [-0.048, 0.0], [0.0, 0.08]] {
                let exit = around.leave(&from.into(), &way);
                assert!(!around.contains(&exit), "{from:?} {angle}");
                let halfway = nalgebra::center(&from.into(), &exit);
                assert!(around.contains(&halfway), "{from:?} {angle}");
            }
        }
    }

    #[test]
    fn the_way_out_of_a_corner_leads_out() {
        let around = Around::new();
        for start in [[0.05, 0.0], [-0.05, -0.02], [0.04, -0.1], [0.0, 0.09]] {
            let mut at = Point2::from(start);
            for _ in 0..100 {
                if around.contains(&at) {
                    at += away_from_tee(&at) * 0.003;
                }
            }
            assert!(!around.contains(&at), "{start:?}");
        }
    }
}
