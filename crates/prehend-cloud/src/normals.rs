//! Surface normals of a measured cloud.

use nalgebra::{Matrix3, Vector3};

/// Fewest points of a surface that a normal is believed from.
const FEWEST: usize = 5;
/// As many are looked at, spread evenly over all: more change nothing but the time.
const MOST: usize = 40;

/// A cloud sorted into cubes, to find what is near.
#[derive(Debug)]
pub struct Neighbourhood {
    /// By cube, and in the cloud's order within one.
    points: Vec<Vector3<f32>>,
    /// The cubes that have points, in order, each with the index of its first.
    cubes: Vec<([i32; 3], usize)>,
    radius: f32,
}

impl Neighbourhood {
    /// For questions about what is within `radius`, m.
    #[must_use]
    pub fn new(points: &[[f32; 3]], radius: f32) -> Self {
        let cube = |point: &[f32; 3]| point.map(|v| (v / radius).floor() as i32);
        let mut order: Vec<([i32; 3], usize)> = points.iter().map(cube).zip(0..).collect();
        order.sort_unstable();
        let mut cubes: Vec<([i32; 3], usize)> = Vec::new();
        for (first, (cube, _)) in order.iter().enumerate() {
            if cubes.last().is_none_or(|(last, _)| last != cube) {
                cubes.push((*cube, first));
            }
        }
        Self {
            points: (order.iter().map(|(_, index)| points[*index].into())).collect(),
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
                let column = |z: i32| {
                    let by = [x, y, z];
                    std::array::from_fn(|axis| cube[axis].saturating_add(by[axis]))
                };
                for point in self.of_cubes(column(-1), column(1)) {
                    if (point - around).norm_squared() < self.radius * self.radius {
                        f(*point);
                    }
                }
            }
        }
    }

    /// The points of the cubes from `low` to `high`.
    fn of_cubes(&self, low: [i32; 3], high: [i32; 3]) -> &[Vector3<f32>] {
        let from = self.cubes.partition_point(|(cube, _)| *cube < low);
        let n = self.cubes[from..]
            .iter()
            .take_while(|(cube, _)| *cube <= high);
        let to = from + n.count();
        let first = |at: usize| self.cubes.get(at).map_or(self.points.len(), |cube| cube.1);
        &self.points[first(from)..first(to)]
    }

    /// Unit normal of the surface around a point, towards the eye that saw it; zero where too few points
    /// make a surface.
    #[must_use]
    pub fn normal(&self, at: &[f32; 3], eye: &[f32; 3]) -> [f32; 3] {
        let mut near = Vec::new();
        self.each(at, |point| near.push(point));
        let stride = near.len().div_ceil(MOST).max(1);
        let mut n = 0_usize;
        let mut sum = Vector3::<f64>::zeros();
        let mut squares = Matrix3::<f64>::zeros();
        let origin = Vector3::from(*at);
        for point in near.iter().skip(stride - 1).step_by(stride) {
            let off = (point - origin).cast::<f64>();
            n += 1;
            sum += off;
            squares += off * off.transpose();
        }
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
