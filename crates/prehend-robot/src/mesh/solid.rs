//! Volume, centre and inertia of a closed surface.

use nalgebra::{Matrix3, Vector3};

/// What a body of density 1 inside a surface weighs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Solid {
    /// m³; negative if the surface is turned inside out.
    pub volume: f64,
    /// Centre of mass, m.
    pub center: Vector3<f64>,
    /// About the centre, m⁵.
    pub inertia: Matrix3<f64>,
}

impl Solid {
    /// Sums signed tetrahedra between each triangle and the first point (Mirtich 1996 gives the same
    /// integrals by divergence; the covariance form is Blow and Binstock 2004).
    pub fn new(points: &[Vector3<f64>], triangles: &[[u32; 3]]) -> Self {
        let reference = points.first().copied().unwrap_or_default();
        let (mut volume, mut first, mut second) = (0.0, Vector3::zeros(), Matrix3::zeros());
        for triangle in triangles {
            let [a, b, c] = triangle.map(|idx| points[idx as usize] - reference);
            let six = a.dot(&b.cross(&c));
            let sum = a + b + c;
            volume += six / 6.0;
            first += sum * (six / 24.0);
            let squares = a * a.transpose() + b * b.transpose() + c * c.transpose();
            second += (squares + sum * sum.transpose()) * (six / 120.0);
        }
        let center = if volume.abs() > 0.0 {
            first / volume
        } else {
            Vector3::zeros()
        };
        let covariance = second - center * center.transpose() * volume;
        Self {
            volume,
            center: center + reference,
            inertia: Matrix3::identity() * covariance.trace() - covariance,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_off_the_origin_has_the_textbook_inertia() {
        let (sx, sy, sz) = (0.2, 0.3, 0.5);
        let mut points = Vec::new();
        for x in [1.0, 1.0 + sx] {
            for y in [-2.0, -2.0 + sy] {
                for z in [0.5, 0.5 + sz] {
                    points.push(Vector3::new(x, y, z));
                }
            }
        }
        let hulled = crate::ConvexHull::around(&points).expect("a box");
        let solid = Solid::new(hulled.hull.points(), hulled.hull.triangles());
        let volume = sx * sy * sz;
        assert!((solid.volume - volume).abs() < 1e-12);
        assert!((hulled.center + solid.center - Vector3::new(1.1, -1.85, 0.75)).norm() < 1e-12);
        let expected = Matrix3::from_diagonal(&Vector3::new(
            volume / 12.0 * (sy * sy + sz * sz),
            volume / 12.0 * (sx * sx + sz * sz),
            volume / 12.0 * (sx * sx + sy * sy),
        ));
        assert!((solid.inertia - expected).amax() < 1e-12);
    }
}
