//! Surface normals of a measured cloud.

use std::collections::BTreeMap;

use nalgebra::{Matrix3, Vector3};

/// Fewest points of a surface that a normal is believed from.
const FEWEST: usize = 5;
/// As many are looked at, spread evenly over all: more change nothing but the time.
const MOST: usize = 40;

/// A cloud sorted into cubes, to find what is near.
#[derive(Debug)]
pub struct Neighbourhood<'a> {
    points: &'a [[f32; 3]],
    cubes: BTreeMap<[i32; 3], Vec<u32>>,
    radius: f32,
}

impl<'a> Neighbourhood<'a> {
    /// For questions about what is within `radius`, m.
    #[must_use]
    pub fn new(points: &'a [[f32; 3]], radius: f32) -> Self {
        let mut cubes: BTreeMap<[i32; 3], Vec<u32>> = BTreeMap::new();
        for (index, point) in points.iter().enumerate() {
            cubes
                .entry(point.map(|v| (v / radius).floor() as i32))
                .or_default()
                .push(index as u32);
        }
        Self {
            points,
            cubes,
            radius,
        }
    }

    /// Calls `f` with every point within the radius.
    pub fn each(&self, around: &[f32; 3], mut f: impl FnMut(Vector3<f32>)) {
        let cube = around.map(|v| (v / self.radius).floor() as i32);
        let around = Vector3::from(*around);
        for x in -1..=1 {
            for y in -1..=1 {
                let low = [cube[0] + x, cube[1] + y, cube[2] - 1];
                let high = [cube[0] + x, cube[1] + y, cube[2] + 1];
                for index in self.cubes.range(low..=high).flat_map(|(_, all)| all) {
                    let point = Vector3::from(self.points[*index as usize]);
                    if (point - around).norm_squared() < self.radius * self.radius {
                        f(point);
                    }
                }
            }
        }
    }

    /// Unit normal of the surface around a point, towards the eye that saw it; zero where too few points
    /// make a surface.
    #[must_use]
    pub fn normal(&self, at: &[f32; 3], eye: &[f32; 3]) -> [f32; 3] {
        let mut n = 0_usize;
        let mut sum = Vector3::<f64>::zeros();
        let mut squares = Matrix3::<f64>::zeros();
        let origin = Vector3::from(*at);
        let mut n_near = 0_usize;
        self.each(at, |_| n_near += 1);
        let stride = n_near.div_ceil(MOST).max(1);
        let mut index = 0_usize;
        self.each(at, |point| {
            index += 1;
            if index.is_multiple_of(stride) {
                let off = (point - origin).cast::<f64>();
                n += 1;
                sum += off;
                squares += off * off.transpose();
            }
        });
        if n < FEWEST {
            return [0.0; 3];
        }
        let mean = sum / n as f64;
        let spread = squares / n as f64 - mean * mean.transpose();
        let eigen = spread.symmetric_eigen();
        let normal = eigen
            .eigenvectors
            .column(eigen.eigenvalues.imin())
            .into_owned();
        let towards = (Vector3::from(*eye) - origin).cast::<f64>();
        let sign = if normal.dot(&towards) < 0.0 {
            -1.0
        } else {
            1.0
        };
        (normal * sign).cast::<f32>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_has_its_normal_towards_the_eye() {
        let points: Vec<[f32; 3]> = (0..400)
            .map(|i| {
                let (x, y) = ((i % 20) as f32 * 0.002, (i / 20) as f32 * 0.002);
                [x, y, 0.5 * x]
            })
            .collect();
        let near = Neighbourhood::new(&points, 0.01);
        let expected = Vector3::new(-0.5, 0.0, 1.0).normalize();
        let above: Vector3<f32> = near.normal(&[0.02, 0.02, 0.01], &[0.0, 0.0, 1.0]).into();
        assert!((above - expected).norm() < 1e-3, "{above}");
        let below: Vector3<f32> = near.normal(&[0.02, 0.02, 0.01], &[0.0, 0.0, -1.0]).into();
        assert!((below + expected).norm() < 1e-3, "{below}");
        assert_eq!(near.normal(&[1.0, 1.0, 1.0], &[0.0; 3]), [0.0; 3]);
    }
}
