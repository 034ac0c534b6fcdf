//! Pinhole depth images and their back-projection.

use nalgebra::{Isometry3, Point3, Vector3};
use prehend_types::{Pose, Role};
use serde::{Deserialize, Serialize};

/// A pinhole camera without distortion. Camera frame: x right, y down, z forward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Intrinsics {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Focal length, pixels, the same for both axes.
    pub focal: f32,
}

impl Intrinsics {
    /// A camera with this horizontal field of view, rad.
    #[must_use]
    pub fn from_field_of_view(width: usize, height: usize, horizontal_fov: f32) -> Self {
        let focal = width as f32 / (2.0 * libm::tanf(0.5 * horizontal_fov));
        Self {
            width,
            height,
            focal,
        }
    }

    /// Direction through the centre of a pixel, scaled so that z = 1.
    #[must_use]
    #[inline]
    pub fn ray(&self, column: usize, row: usize) -> Vector3<f32> {
        Vector3::new(
            (column as f32 + 0.5 - 0.5 * self.width as f32) / self.focal,
            (row as f32 + 0.5 - 0.5 * self.height as f32) / self.focal,
            1.0,
        )
    }
}

/// A depth image with one label per pixel, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthImage {
    /// The camera.
    pub intrinsics: Intrinsics,
    /// Distance along the camera's z axis, m; 0 where nothing was measured.
    pub depth: Vec<f32>,
    /// What a pixel shows; `None` for what the task does not care about (table, robot).
    pub roles: Vec<Option<Role>>,
}

/// Back-projects every measured pixel that has a role into the base frame, appending to `points` and
/// `roles`. Non-finite and non-positive depths are skipped.
pub fn deproject(
    image: &DepthImage,
    base_from_camera: &Pose,
    points: &mut Vec<[f32; 3]>,
    roles: &mut Vec<Role>,
) {
    let base_from_camera: Isometry3<f32> = base_from_camera.cast();
    let pixels = image.depth.iter().zip(&image.roles).enumerate();
    for (index, (&depth, &role)) in pixels {
        let Some(role) = role else { continue };
        if !(depth.is_finite() && depth > 0.0) {
            continue;
        }
        let column = index % image.intrinsics.width;
        let row = index / image.intrinsics.width;
        points.push(back_project(
            &image.intrinsics,
            &base_from_camera,
            column,
            row,
            depth,
        ));
        roles.push(role);
    }
}

/// The point, in the base frame, m, that one pixel measures at this depth, m.
#[must_use]
#[inline]
pub fn back_project(
    intrinsics: &Intrinsics,
    base_from_camera: &Isometry3<f32>,
    column: usize,
    row: usize,
    depth: f32,
) -> [f32; 3] {
    let in_camera = intrinsics.ray(column, row) * depth;
    (base_from_camera * Point3::from(in_camera)).coords.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_goes_back_to_where_it_came_from() {
        let intrinsics = Intrinsics::from_field_of_view(13, 7, 1.0);
        let mut depth = vec![0.0; 13 * 7];
        let mut roles = vec![Some(Role::Target); 13 * 7];
        // Straight ahead is the middle pixel of an image of odd size.
        depth[3 * 13 + 6] = 0.8;
        depth[0] = f32::NAN;
        roles[1] = None;
        let image = DepthImage {
            intrinsics,
            depth,
            roles,
        };
        let base_from_camera = Pose::new(
            Vector3::new(0.5, 0.0, 0.9),
            Vector3::x() * std::f64::consts::PI,
        );
        let (mut points, mut roles) = (Vec::new(), Vec::new());
        deproject(&image, &base_from_camera, &mut points, &mut roles);
        assert_eq!(roles, [Role::Target]);
        let expected = [0.5, 0.0, 0.1];
        for (got, want) in points[0].iter().zip(expected) {
            assert!((got - want).abs() < 1e-6, "{points:?}");
        }
    }
}
