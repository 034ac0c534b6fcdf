//! Pictures of clouds with what is known or said of them.

use std::path::Path;

use image::{Rgb, RgbImage};
use nalgebra::{Point3, Vector3};
use prehend_types::{Pose, TableGrasp};

use super::arrange::middle;
use crate::SimError;
use crate::camera::looking_at;

/// Size of one view, pixels, and focal length.
const SIDE: u32 = 480;
const FOCAL: f64 = 760.0;
const BACKGROUND: Rgb<u8> = Rgb([250, 250, 250]);
/// How far the fingers of a drawn gripper reach back from the tool's origin, and its stem, m.
const FINGER: f64 = 0.045;
const STEM: f64 = 0.03;

/// Views of one table side by side, seen from the front and above.
#[derive(Debug)]
pub struct Picture {
    image: RgbImage,
    depths: Vec<f64>,
    camera_from_base: Pose,
    view: u32,
}

impl Picture {
    /// So many empty views.
    #[must_use]
    pub fn new(n_views: u32) -> Self {
        let eye = middle().coords + Vector3::new(0.55, -0.25, 0.60);
        let target = middle().coords + Vector3::new(0.0, 0.0, 0.05);
        Self {
            image: RgbImage::from_pixel(SIDE * n_views, SIDE, BACKGROUND),
            depths: vec![f64::INFINITY; (SIDE * SIDE * n_views) as usize],
            camera_from_base: looking_at(&eye, &target).inverse(),
            view: 0,
        }
    }

    /// What is drawn from now on goes into this view.
    pub fn choose(&mut self, view: u32) {
        self.view = view;
    }

    /// A point of the cloud, three pixels wide.
    pub fn point(&mut self, point: &[f32; 3], colour: [u8; 3]) {
        let point = Point3::from(Vector3::from(*point).cast::<f64>());
        for dx in -1..=1 {
            for dy in -1..=1 {
                self.dot(&point, [f64::from(dx), f64::from(dy)], colour);
            }
        }
    }

    /// A gripper as two fingers, the bar between them and a stem.
    pub fn gripper(&mut self, grasp: &TableGrasp, colour: [u8; 3]) {
        let tool = grasp.base_from_tool();
        let at = |y: f64, z: f64| tool * Point3::new(0.0, y, z);
        let half = 0.5 * grasp.width;
        for y in [-half, half] {
            self.line(&at(y, 0.0), &at(y, -FINGER), colour);
        }
        self.line(&at(-half, -FINGER), &at(half, -FINGER), colour);
        self.line(&at(0.0, -FINGER), &at(0.0, -FINGER - STEM), colour);
    }

    fn line(&mut self, from: &Point3<f64>, to: &Point3<f64>, colour: [u8; 3]) {
        let n = ((to - from).norm() / 0.0004).ceil().max(1.0) as usize;
        for step in 0..=n {
            let point = from + (to - from) * (step as f64 / n as f64);
            self.dot(&point, [0.0; 2], colour);
        }
    }

    fn dot(&mut self, point: &Point3<f64>, off: [f64; 2], colour: [u8; 3]) {
        let seen = self.camera_from_base * point;
        if seen.z < 0.05 {
            return;
        }
        let middle = 0.5 * f64::from(SIDE);
        let [x, y] = [seen.x, seen.y].map(|v| middle + FOCAL * v / seen.z);
        let (x, y) = (x + off[0], y + off[1]);
        let range = 0.0..f64::from(SIDE);
        if !range.contains(&x) || !range.contains(&y) {
            return;
        }
        let (column, row) = (x as u32 + self.view * SIDE, y as u32);
        let depth = &mut self.depths[(row * self.image.width() + column) as usize];
        if seen.z < *depth {
            *depth = seen.z;
            self.image.put_pixel(column, row, Rgb(colour));
        }
    }

    /// Writes the picture; the file's ending says how.
    ///
    /// # Errors
    /// [`SimError::Picture`].
    pub fn write(&self, path: &Path) -> Result<(), SimError> {
        self.image.save(path).map_err(|error| SimError::Picture {
            reason: format!("{path:?}: {error}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearer_hides_what_is_behind() {
        let mut picture = Picture::new(2);
        picture.choose(1);
        let eye = picture.camera_from_base.inverse().translation.vector;
        let near: [f32; 3] = (0.5 * (eye + middle().coords)).cast::<f32>().into();
        let far: [f32; 3] = middle().coords.cast::<f32>().into();
        picture.point(&near, [255, 0, 0]);
        picture.point(&far, [0, 255, 0]);
        let count = |colour: [u8; 3]| picture.image.pixels().filter(|p| p.0 == colour).count();
        assert_eq!(count([255, 0, 0]), 9);
        assert!(count([0, 255, 0]) <= 9);
        let left = picture
            .image
            .enumerate_pixels()
            .filter(|(x, _, _)| *x < SIDE);
        assert!(left.into_iter().all(|(_, _, pixel)| *pixel == BACKGROUND));
    }
}
