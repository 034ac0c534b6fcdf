//! Recordings on disk: `recording.toml`, and folders of depth images as depth cameras write them.

use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageReader, Limits};
use prehend_cloud::Intrinsics;
use prehend_types::config::{self, ConfigError, require};
use serde::Deserialize;

use super::{PlaneFrames, Recording, StepFrames};

/// Name of the file in the folder of a recording.
pub const RECORDING_FILE: &str = "recording.toml";
/// Most images of one wall or step.
const MOST_FRAMES: usize = 200;
/// Most pixels along an axis.
const MOST_PIXELS: u32 = 4096;
/// Most depths of all images together: 800 MB.
const MOST_DEPTHS: usize = 200_000_000;

/// `recording.toml`: what was recorded, and how far away it was.
///
/// ```toml
/// fov_deg = 69.4          # horizontal
/// baseline_m = 0.05       # between the eyes; 0 or absent for cameras with one
/// depth_unit_m = 0.0001   # one count of the images
/// edge_step_m = 0.02      # what the scene file will call an edge; below far_m - near_m
///
/// [[walls]]               # square to the optical axis; two or more, better three
/// distance_m = 0.5
/// frames = "wall_050"     # folder of up to 200 16 bit grey PNGs, 0 where nothing was measured
///
/// [step]                  # near face on the left half, far face behind it
/// near_m = 0.6
/// far_m = 0.9
/// frames = "step"
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordingToml {
    fov_deg: f64,
    #[serde(default)]
    baseline_m: f64,
    depth_unit_m: f64,
    edge_step_m: f64,
    walls: Vec<WallToml>,
    step: StepToml,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WallToml {
    distance_m: f64,
    frames: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepToml {
    near_m: f64,
    far_m: f64,
    frames: PathBuf,
}

/// Why a recording could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// `recording.toml` was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An image, or a folder of them, was refused.
    #[error("{}: {reason}", path.display())]
    Frames {
        /// Which.
        path: PathBuf,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

impl Recording {
    /// Reads [`RECORDING_FILE`] of a folder and the depth images that it names.
    ///
    /// # Errors
    /// [`RecordingError`], naming file and field.
    pub fn load(folder: &Path) -> Result<Self, RecordingError> {
        let path = folder.join(RECORDING_FILE);
        let read: RecordingToml = config::load(&path)?;
        read.check(&path)?;
        let (mut size, mut n_depths) = (None, 0_usize);
        let mut frames = |name: &Path| {
            let path = folder.join(name);
            read_frames(&path, read.depth_unit_m, &mut size, &mut n_depths)
        };
        let planes = read.walls.iter().map(|wall| {
            Ok(PlaneFrames {
                distance_m: wall.distance_m,
                frames: frames(&wall.frames)?,
            })
        });
        let planes = planes.collect::<Result<_, RecordingError>>()?;
        let step = StepFrames {
            near_m: read.step.near_m,
            far_m: read.step.far_m,
            frames: frames(&read.step.frames)?,
        };
        let (width, height) = size.unwrap_or_default();
        let fov = read.fov_deg.to_radians() as f32;
        Ok(Self {
            intrinsics: Intrinsics::from_field_of_view(width, height, fov),
            baseline_m: read.baseline_m,
            edge_step_m: read.edge_step_m,
            depth_unit_m: read.depth_unit_m,
            planes,
            step,
        })
    }
}

impl RecordingToml {
    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let within = |field: &str, value: f64, least: f64, most: f64| {
            let message = format!("is {value}, must be from {least} to {most}");
            require((least..=most).contains(&value), path, field, message)
        };
        within("fov_deg", self.fov_deg, 5.0, 150.0)?;
        within("baseline_m", self.baseline_m, 0.0, 1.0)?;
        within("depth_unit_m", self.depth_unit_m, 1e-6, 0.01)?;
        let n_walls = self.walls.len();
        require(
            (2..=20).contains(&n_walls),
            path,
            "walls",
            "needs 2 to 20 `[[walls]]`",
        )?;
        for (index, wall) in self.walls.iter().enumerate() {
            within(
                &format!("walls[{index}].distance_m"),
                wall.distance_m,
                0.05,
                20.0,
            )?;
        }
        within("step.near_m", self.step.near_m, 0.05, 20.0)?;
        within("step.far_m", self.step.far_m, self.step.near_m, 20.0)?;
        within(
            "edge_step_m",
            self.edge_step_m,
            1e-3,
            self.step.far_m - self.step.near_m,
        )?;
        let folders = self.walls.iter().map(|wall| &wall.frames);
        for (index, folder) in folders.chain([&self.step.frames]).enumerate() {
            let is_inside = folder
                .components()
                .all(|part| matches!(part, std::path::Component::Normal(_)));
            let field = if index < n_walls {
                format!("walls[{index}].frames")
            } else {
                "step.frames".to_owned()
            };
            let message = "must name a folder below the recording's own";
            require(is_inside && folder.as_os_str() != "", path, &field, message)?;
        }
        Ok(())
    }
}

/// All images of a folder, in the order of their names, m; all of the size of the first that was ever read, and
/// in all no more than fit into memory.
fn read_frames(
    folder: &Path,
    depth_unit_m: f64,
    size: &mut Option<(usize, usize)>,
    n_depths: &mut usize,
) -> Result<Vec<Vec<f32>>, RecordingError> {
    let refuse = |path: &Path, reason: String| RecordingError::Frames {
        path: path.to_owned(),
        reason,
    };
    let entries = std::fs::read_dir(folder).map_err(|error| refuse(folder, error.to_string()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|error| refuse(folder, error.to_string()))?
            .path();
        let is_png = path
            .extension()
            .is_some_and(|ext| ext.eq_ignore_ascii_case("png"));
        if is_png {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(refuse(folder, "holds no .png".to_owned()));
    }
    if paths.len() > MOST_FRAMES {
        let n = paths.len();
        let reason = format!("holds {n} images, {MOST_FRAMES} at most: leave some out");
        return Err(refuse(folder, reason));
    }
    paths.sort();
    let mut frames = Vec::with_capacity(paths.len());
    for path in &paths {
        let image = read_image(path).map_err(|reason| refuse(path, reason))?;
        let own = (image.width() as usize, image.height() as usize);
        let expected = *size.get_or_insert(own);
        if own != expected {
            let reason = format!("is of {own:?} pixels, the images before it of {expected:?}");
            return Err(refuse(path, reason));
        }
        *n_depths += own.0 * own.1;
        if *n_depths > MOST_DEPTHS {
            let reason = format!("with it there are {n_depths} depths, {MOST_DEPTHS} at most");
            return Err(refuse(path, reason));
        }
        let depths = image
            .iter()
            .map(|count| (f64::from(*count) * depth_unit_m) as f32);
        frames.push(depths.collect());
    }
    Ok(frames)
}

fn read_image(path: &Path) -> Result<image::ImageBuffer<image::Luma<u16>, Vec<u16>>, String> {
    let mut reader = ImageReader::open(path).map_err(|error| error.to_string())?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_PIXELS);
    limits.max_image_height = Some(MOST_PIXELS);
    reader.limits(limits);
    match reader.decode() {
        Ok(DynamicImage::ImageLuma16(image)) => Ok(image),
        Ok(other) => Err(format!(
            "is of kind {:?}; depth images are 16 bit grey, one number per pixel",
            other.color()
        )),
        Err(error) => Err(error.to_string()),
    }
}
