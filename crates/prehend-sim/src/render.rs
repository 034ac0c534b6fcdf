//! Pictures for people: the same solids that the depth cameras see, shaded.

use image::ImageEncoder as _;
use nalgebra::Vector3;
use prehend_cloud::Intrinsics;
use prehend_types::{Pose, Role};

use crate::SimError;
use crate::camera::{Hit, Label, Solid, cast, looking_at};

/// Where a viewer stands and looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Viewpoint {
    /// In front of the arm, to its left: all of the cell.
    #[default]
    Cell,
    /// To the right of the table, low.
    Side,
    /// Above the table.
    Top,
    /// Beside the hand, going along with it: near enough to judge a grasp.
    Hand,
}

impl Viewpoint {
    /// Eye and what it looks at, base frame, m, and the horizontal field of view, rad.
    fn line(self, base_from_tcp: &Pose) -> ([f64; 3], [f64; 3], f32) {
        match self {
            Self::Cell => ([1.35, 0.95, 0.95], [0.26, 0.0, 0.27], 0.80),
            Self::Side => ([0.45, -1.5, 0.35], [0.45, 0.0, 0.20], 0.70),
            Self::Top => ([0.46, 0.0, 1.5], [0.45, 0.0, 0.0], 0.70),
            Self::Hand => {
                let tcp = base_from_tcp.translation.vector;
                let eye = tcp + Vector3::new(0.26, 0.20, 0.08);
                (eye.into(), tcp.into(), 0.70)
            }
        }
    }
}

/// Direction that light comes from, base frame.
const LIGHT: [f32; 3] = [0.3, 0.5, 0.81];
/// Rays per pixel along each axis.
const SUPERSAMPLING: usize = 2;

/// An RGB picture, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green, blue, one byte each.
    pub rgb: Vec<u8>,
}

/// Renders solids at 4:3, `width` columns wide (16 to 4096).
pub(crate) fn picture(
    solids: &[Solid],
    viewpoint: Viewpoint,
    base_from_tcp: &Pose,
    width: usize,
) -> Picture {
    let (eye, look_at, field_of_view) = viewpoint.line(base_from_tcp);
    let width = width.clamp(16, 4096);
    let height = width * 3 / 4;
    let fine = Intrinsics::from_field_of_view(
        width * SUPERSAMPLING,
        height * SUPERSAMPLING,
        field_of_view,
    );
    let base_from_camera = looking_at(&Vector3::from(eye), &Vector3::from(look_at));
    let mut hits = Vec::new();
    cast(&fine, &base_from_camera, solids, &mut hits);
    let light = base_from_camera.rotation.inverse() * Vector3::from(LIGHT).cast::<f64>();
    let light: Vector3<f32> = light.cast().normalize();

    let mut rgb = Vec::with_capacity(width * height * 3);
    for row in 0..height {
        for column in 0..width {
            let mut sum = Vector3::zeros();
            for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let (x, y) = (column * SUPERSAMPLING + dx, row * SUPERSAMPLING + dy);
                sum += shade(&fine, &hits, x, y, &light);
            }
            let mean = sum / (SUPERSAMPLING * SUPERSAMPLING) as f32;
            rgb.extend(mean.iter().map(|v| v.clamp(0.0, 255.0) as u8));
        }
    }
    Picture { width, height, rgb }
}

fn color(label: Label) -> Vector3<f32> {
    let [r, g, b] = match label {
        Label::Table => [205.0, 190.0, 165.0],
        Label::Robot => [235.0, 235.0, 238.0],
        Label::Body {
            role: Role::Receptacle,
            ..
        } => [70.0, 120.0, 190.0],
        Label::Body {
            role: Role::Target, ..
        } => [215.0, 75.0, 50.0],
        Label::Body { index, .. } => {
            let muted = [
                [150.0, 160.0, 140.0],
                [165.0, 150.0, 165.0],
                [140.0, 155.0, 165.0],
            ];
            muted[index % muted.len()]
        }
    };
    Vector3::new(r, g, b)
}

/// Lambert shading with a normal from neighbouring depths.
fn shade(
    intrinsics: &Intrinsics,
    hits: &[Hit],
    column: usize,
    row: usize,
    light: &Vector3<f32>,
) -> Vector3<f32> {
    let at = |x: usize, y: usize| {
        let hit = hits[y * intrinsics.width + x];
        (hit.label, intrinsics.ray(x, y) * hit.depth)
    };
    let (label, here) = at(column, row);
    if !here.z.is_finite() || here.z > 2.6 {
        return Vector3::new(238.0, 240.0, 243.0);
    }
    // The neighbour that is nearer in depth lies on the same face more often.
    let along = |ahead: Option<(Label, Vector3<f32>)>, behind: Option<(Label, Vector3<f32>)>| {
        let forward = ahead.map(|(_, p)| p - here);
        let backward = behind.map(|(_, p)| here - p);
        match (forward, backward) {
            (Some(f), Some(b)) if f.norm_squared() <= b.norm_squared() => f,
            (_, Some(b)) => b,
            (Some(f), None) => f,
            (None, None) => Vector3::zeros(),
        }
    };
    let right = along(
        (column + 1 < intrinsics.width).then(|| at(column + 1, row)),
        column.checked_sub(1).map(|x| at(x, row)),
    );
    let down = along(
        (row + 1 < intrinsics.height).then(|| at(column, row + 1)),
        row.checked_sub(1).map(|y| at(column, y)),
    );
    let normal = down
        .cross(&right)
        .try_normalize(1e-12)
        .unwrap_or(-Vector3::z());
    let diffuse = normal.dot(light).max(0.0);
    color(label) * (0.45 + 0.6 * diffuse)
}

/// One picture as the bytes of a PNG file.
///
/// # Errors
/// [`SimError::Picture`].
pub fn png(picture: &Picture) -> Result<Vec<u8>, SimError> {
    let (width, height) = (picture.width as u32, picture.height as u32);
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(&picture.rgb, width, height, image::ExtendedColorType::Rgb8)
        .map_err(|error| refuse(&error))?;
    Ok(bytes)
}

/// Pictures of equal size, `delay_s` apart, as the bytes of an endless GIF file.
///
/// # Errors
/// [`SimError::Picture`] if there is none, or one differs in size.
pub fn gif(pictures: &[Picture], delay_s: f64) -> Result<Vec<u8>, SimError> {
    let Some(first) = pictures.first() else {
        return Err(refuse(&"no pictures"));
    };
    let (width, height) = (first.width as u16, first.height as u16);
    let mut bytes = Vec::new();
    let mut encoder =
        gif::Encoder::new(&mut bytes, width, height, &[]).map_err(|error| refuse(&error))?;
    encoder
        .set_repeat(gif::Repeat::Infinite)
        .map_err(|error| refuse(&error))?;
    for picture in pictures {
        if (picture.width, picture.height) != (first.width, first.height) {
            return Err(refuse(&"pictures of different sizes"));
        }
        let mut frame = gif::Frame::from_rgb_speed(width, height, &picture.rgb, 10);
        frame.delay = (delay_s * 100.0).round() as u16;
        encoder
            .write_frame(&frame)
            .map_err(|error| refuse(&error))?;
    }
    drop(encoder);
    Ok(bytes)
}

fn refuse(error: &dyn std::fmt::Display) -> SimError {
    SimError::Picture {
        reason: error.to_string(),
    }
}
