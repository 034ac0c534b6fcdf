//! Convex polyhedra: what meshes become before anything touches or sees them.

mod build;
mod capsule;

use nalgebra::{Matrix3, Vector3};

/// Most corners of one piece: contacts and camera rays cost in proportion to its faces.
pub const MAX_CORNERS: usize = 64;
/// Points may stay outside by this much when there are more than [`MAX_CORNERS`], m...
const TOLERANCE: f64 = 1e-4;
/// ... and by this share of the size.
const RELATIVE_TOLERANCE: f64 = 1e-3;
/// Faces whose normals differ by less than this are one plane.
const SAME_PLANE: f64 = 1e-7;

/// A convex polyhedron around the middle of its bounding box. Lengths in m.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvexHull {
    points: Vec<Vector3<f64>>,
    triangles: Vec<[u32; 3]>,
    planes: Vec<Plane>,
    volume: f64,
    radius: f64,
    capsule: (Vector3<f64>, Vector3<f64>, f64),
}

/// One side of a polyhedron: inside is where `normal · x <= offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plane {
    /// Unit vector, pointing out.
    pub normal: Vector3<f64>,
    /// Distance from the origin along the normal, m.
    pub offset: f64,
}

/// A hull and what was lost on the way to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Hulled {
    /// The polyhedron, around its own origin.
    pub hull: ConvexHull,
    /// Where that origin lies in the coordinates of the points, m.
    pub center: Vector3<f64>,
    /// How far the farthest point lies outside, m; rounding unless there were more than
    /// 64 extreme points.
    pub deviation: f64,
}

/// Why points have no hull.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HullError {
    /// No points at all.
    #[error("there are no points")]
    TooFewPoints,
    /// NaN or infinity.
    #[error("a coordinate is not finite")]
    NotFinite,
    /// All points lie in a plane, a line or a point.
    #[error("the points lie in one plane, so that they enclose nothing")]
    Flat,
    /// Rounding won: coordinates of very different sizes.
    #[error("the points are too irregular for a hull")]
    Irregular,
}

impl ConvexHull {
    /// The convex hull of points, at most 64 corners.
    ///
    /// Of more extreme points the farthest outside are taken first, until the rest lies within
    /// 0.1 mm and a thousandth of the size; [`Hulled::deviation`] says how far out the rest is.
    ///
    /// # Errors
    /// [`HullError`], if the points enclose no volume.
    pub fn around(points: &[Vector3<f64>]) -> Result<Hulled, HullError> {
        let Some(first) = points.first() else {
            return Err(HullError::TooFewPoints);
        };
        let (mut low, mut high) = (*first, *first);
        for point in points {
            low = low.inf(point);
            high = high.sup(point);
        }
        let center = (low + high) / 2.0;
        let size = (high - low).norm();
        let centered: Vec<_> = points.iter().map(|point| point - center).collect();
        let tolerance = if points.len() <= MAX_CORNERS {
            0.0
        } else {
            TOLERANCE.min(size * RELATIVE_TOLERANCE)
        };
        let grown = build::grow(&centered, tolerance, MAX_CORNERS)?;
        let hull = Self::assemble(grown.points, grown.triangles);
        let deviation = hull.deviation(&centered);
        let is_convex = hull.deviation(&hull.points) <= 1e-6 * size;
        if !is_convex || !hull.volume.is_finite() || hull.volume <= 0.0 {
            return Err(HullError::Irregular);
        }
        Ok(Hulled {
            hull,
            center,
            deviation,
        })
    }

    fn assemble(points: Vec<Vector3<f64>>, triangles: Vec<[u32; 3]>) -> Self {
        let corner = |idx: u32| points[idx as usize];
        let mut planes: Vec<Plane> = Vec::new();
        let mut volume = 0.0;
        for triangle in &triangles {
            let [a, b, c] = triangle.map(corner);
            let cross = (b - a).cross(&(c - a));
            volume += a.dot(&b.cross(&c)) / 6.0;
            let normal = cross.normalize();
            let offset = normal.dot(&((a + b + c) / 3.0));
            match planes
                .iter_mut()
                .find(|plane| (plane.normal - normal).norm() < SAME_PLANE)
            {
                Some(plane) => plane.offset = plane.offset.max(offset),
                None => planes.push(Plane { normal, offset }),
            }
        }
        let radius = points.iter().map(Vector3::norm).fold(0.0, f64::max);
        let capsule = capsule::around(&points);
        Self {
            points,
            triangles,
            planes,
            volume,
            radius,
            capsule,
        }
    }

    /// The hull of an ellipsoid with these semi-axes: the 42 corners of a divided icosahedron, and how
    /// far the surface reaches out of it, m.
    ///
    /// # Errors
    /// [`HullError`] if a semi-axis is not finite or far below another.
    pub fn ellipsoid(semi_axes: &Vector3<f64>) -> Result<(Self, f64), HullError> {
        let golden = (1.0 + 5.0_f64.sqrt()) / 2.0;
        let mut corners = Vec::new();
        for (a, b) in [
            (1.0, golden),
            (1.0, -golden),
            (-1.0, golden),
            (-1.0, -golden),
        ] {
            corners.push(Vector3::new(0.0, a, b));
            corners.push(Vector3::new(a, b, 0.0));
            corners.push(Vector3::new(b, 0.0, a));
        }
        // Edges have length 2; their middles are the corners of the division.
        let middles: Vec<_> = (corners.iter().enumerate())
            .flat_map(|(idx, a)| corners[..idx].iter().map(move |b| (a, b)))
            .filter(|(a, b)| (*a - *b).norm() < 2.1)
            .map(|(a, b)| a + b)
            .collect();
        corners.extend(middles);
        let points: Vec<_> = corners
            .iter()
            .map(|corner| corner.normalize().component_mul(semi_axes))
            .collect();
        let hull = Self::around(&points)?.hull;
        // A plane n x = d touches the ellipsoid where n . x = |S n|.
        let outside = hull
            .planes
            .iter()
            .map(|plane| plane.normal.component_mul(semi_axes).norm() - plane.offset);
        let outside = outside.fold(0.0, f64::max);
        Ok((hull, outside))
    }

    /// Corners, m.
    #[must_use]
    pub fn points(&self) -> &[Vector3<f64>] {
        &self.points
    }

    /// Triangles of corners, counter-clockwise seen from outside.
    #[must_use]
    pub fn triangles(&self) -> &[[u32; 3]] {
        &self.triangles
    }

    /// Sides; triangles in one plane share one.
    #[must_use]
    pub fn planes(&self) -> &[Plane] {
        &self.planes
    }

    /// m³.
    #[must_use]
    pub fn volume(&self) -> f64 {
        self.volume
    }

    /// Radius of the ball around the origin that holds it, m.
    #[must_use]
    pub fn radius(&self) -> f64 {
        self.radius
    }

    /// Sphere centres and radius of a capsule that holds it, m.
    #[must_use]
    pub fn capsule(&self) -> (Vector3<f64>, Vector3<f64>, f64) {
        self.capsule
    }

    /// How far it reaches from its origin along a unit direction, m.
    #[must_use]
    pub fn support(&self, direction: &Vector3<f64>) -> f64 {
        let along = self.points.iter().map(|point| point.dot(direction));
        along.fold(f64::NEG_INFINITY, f64::max)
    }

    /// The same polyhedron with every length multiplied by a positive factor.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let points = self.points.iter().map(|point| point * factor).collect();
        Self::assemble(points, self.triangles.clone())
    }

    /// How far the farthest of the points lies outside, m; 0 if all are inside.
    #[must_use]
    pub fn deviation(&self, points: &[Vector3<f64>]) -> f64 {
        let outside = |point: &Vector3<f64>| {
            let above = self.planes.iter().map(|p| p.normal.dot(point) - p.offset);
            above.fold(0.0, f64::max)
        };
        points.iter().map(outside).fold(0.0, f64::max)
    }

    /// Centre of mass, m, and inertia about it per unit of density, m⁵.
    #[must_use]
    pub fn mass_distribution(&self) -> (Vector3<f64>, Matrix3<f64>) {
        let solid = crate::mesh::Solid::new(&self.points, &self.triangles);
        (solid.center, solid.inertia)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cube(half: f64) -> Vec<Vector3<f64>> {
        let sign = |corner: usize, bit: usize| if corner >> bit & 1 == 0 { -half } else { half };
        (0..8)
            .map(|i| Vector3::new(sign(i, 0), sign(i, 1), sign(i, 2)))
            .collect()
    }

    /// Deterministic scatter in [-1, 1].
    fn scatter(seed: u64) -> f64 {
        let bits = prehend_types::derive_seed(seed, prehend_types::Stream::Scene, 0);
        (bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    #[test]
    fn a_cube_has_eight_corners_and_six_planes() {
        let mut points = cube(0.5);
        for i in 0..200_u64 {
            points.push(Vector3::new(scatter(i), scatter(i + 500), scatter(i + 900)) * 0.5);
        }
        let moved: Vec<_> = points
            .iter()
            .map(|p| p + Vector3::new(3.0, -2.0, 1.0))
            .collect();
        let found = ConvexHull::around(&moved).expect("a cube");
        assert_eq!(found.hull.points().len(), 8);
        assert_eq!(found.hull.triangles().len(), 12);
        assert_eq!(found.hull.planes().len(), 6);
        assert!((found.hull.volume() - 1.0).abs() < 1e-12);
        assert!((found.center - Vector3::new(3.0, -2.0, 1.0)).norm() < 1e-12);
        assert!(found.deviation < 1e-9);
    }

    #[test]
    fn many_points_become_few_corners_and_the_loss_is_known() {
        for seed in 0..20_u64 {
            let points: Vec<_> = (0..3000_u64)
                .map(|i| {
                    let at = |k| scatter(seed * 10_000 + 3 * i + k);
                    Vector3::new(at(0), at(1), at(2))
                        .normalize()
                        .component_mul(&Vector3::new(0.3, 0.1, 0.2))
                })
                .collect();
            let found = ConvexHull::around(&points).expect("an ellipsoid");
            assert!(found.hull.points().len() <= MAX_CORNERS);
            assert!(
                found.deviation > 0.0 && found.deviation < 0.015,
                "{}",
                found.deviation
            );
            let shifted: Vec<_> = points.iter().map(|p| p - found.center).collect();
            let direct = shifted.iter().map(|p| {
                let above = found
                    .hull
                    .planes()
                    .iter()
                    .map(|f| f.normal.dot(p) - f.offset);
                above.fold(0.0, f64::max)
            });
            assert_eq!(direct.fold(0.0, f64::max), found.deviation);
        }
    }

    #[test]
    fn grids_slivers_and_repeated_points_make_sound_hulls() {
        // Coplanar and collinear everywhere, which is what meshes of machined parts are like.
        for n in 2..6_i32 {
            let mut points = Vec::new();
            for x in 0..n {
                for y in 0..n {
                    for z in 0..n {
                        let at = |k: i32| f64::from(k) / f64::from(n - 1);
                        points.extend([Vector3::new(at(x), at(y), 1e-3 * at(z)); 2]);
                    }
                }
            }
            let found = ConvexHull::around(&points).expect("a plate");
            assert!(
                (found.hull.volume() - 1e-3).abs() < 1e-9,
                "{n}: {}",
                found.hull.volume()
            );
            assert!(found.deviation < 1e-9, "{n}: {}", found.deviation);
        }
    }

    #[test]
    fn closed_surfaces_only() {
        for seed in 0..50_u64 {
            let n = 4 + (seed as usize * 7) % 90;
            let points: Vec<_> = (0..n as u64)
                .map(|i| {
                    let at = |k| (scatter(seed * 1000 + 3 * i + k) * 8.0).round() / 8.0;
                    Vector3::new(at(0), at(1), at(2))
                })
                .collect();
            let Ok(found) = ConvexHull::around(&points) else {
                continue;
            };
            let mut edges: Vec<(u32, u32)> = found
                .hull
                .triangles()
                .iter()
                .flat_map(|[a, b, c]| [(*a, *b), (*b, *c), (*c, *a)])
                .collect();
            let reversed = edges
                .iter()
                .filter(|(a, b)| edges.contains(&(*b, *a)))
                .count();
            assert_eq!(reversed, edges.len());
            edges.sort_unstable();
            edges.dedup();
            assert_eq!(reversed, edges.len());
        }
    }

    #[test]
    fn points_without_volume_are_refused() {
        let flat: Vec<_> = cube(1.0)
            .iter()
            .map(|p| Vector3::new(p.x, p.y, 0.0))
            .collect();
        assert_eq!(ConvexHull::around(&flat), Err(HullError::Flat));
        assert_eq!(ConvexHull::around(&[]), Err(HullError::TooFewPoints));
        assert_eq!(ConvexHull::around(&[Vector3::x(); 9]), Err(HullError::Flat));
        let mut bad = cube(1.0);
        bad[3].y = f64::NAN;
        assert_eq!(ConvexHull::around(&bad), Err(HullError::NotFinite));
    }

    #[test]
    fn ellipsoids_are_near_their_hull() {
        let axes = Vector3::new(0.1, 0.2, 0.05);
        let (hull, outside) = ConvexHull::ellipsoid(&axes).expect("an ellipsoid");
        assert_eq!(hull.points().len(), 42);
        assert!(outside > 0.0 && outside < 0.02, "{outside}");
    }
}
