//! Turns recordings of a depth camera into the noise of a scene file.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use prehend_sim::NoiseConfig;
use prehend_sim::camera::{Fit, RECORDING_FILE, Recording, Residual, fit};
use serde::Serialize;

use crate::exit::{Failure, Verdict};
use crate::session::Session;

const EXAMPLES: &str = "Examples:
  prehend sim fit-camera recordings/d435
  prehend sim fit-camera recordings/d435 --columns 160 --json

The folder holds recording.toml and folders of 16 bit grey PNGs, 0 where nothing was measured:

  fov_deg = 69.4          # horizontal
  baseline_m = 0.05       # between the eyes; 0 or absent for cameras with one
  depth_unit_m = 0.0001   # one count of the images; the finer, the better
  edge_step_m = 0.02      # what the scene file will call an edge
  [[walls]]               # flat, square to the optical axis
  distance_m = 0.5
  frames = \"wall_050\"     # tens of images, nothing moves; 200 at most
  [[walls]]               # two walls are enough, with three their noise says how well it is explained
  distance_m = 0.8
  frames = \"wall_080\"
  [[walls]]
  distance_m = 1.2
  frames = \"wall_120\"
  [step]                  # an upright edge: near on the left half, far behind it
  near_m = 0.6
  far_m = 0.9
  frames = \"step\"

Prints the [noise] of a scene file.";

/// Arguments of `prehend sim fit-camera`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct FitCamera {
    /// Folder of the recording.
    folder: PathBuf,
    /// Columns of the simulated images, if not those of the recorded ones: figures in pixels become theirs.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(8..=1280))]
    columns: Option<u16>,
}

#[derive(Debug, Serialize)]
struct Body {
    noise: Noise,
    residual: Residual,
}

/// [`NoiseConfig`] with every key, those that are off too.
#[derive(Debug, Serialize)]
struct Noise {
    sigma_m: f64,
    sigma_per_m2: f64,
    lateral_sigma_px: f64,
    baseline_m: f64,
    disparity_step_px: f64,
    stereo_shadow: bool,
    dropout: f64,
    edge_step_m: f64,
    edge_holes: f64,
}

impl From<NoiseConfig> for Noise {
    fn from(noise: NoiseConfig) -> Self {
        Self {
            sigma_m: noise.sigma_m,
            sigma_per_m2: noise.sigma_per_m2,
            lateral_sigma_px: noise.lateral_sigma_px,
            baseline_m: noise.baseline_m,
            disparity_step_px: noise.disparity_step_px,
            stereo_shadow: noise.stereo_shadow,
            dropout: noise.dropout,
            edge_step_m: noise.edge_step_m,
            edge_holes: noise.edge_holes,
        }
    }
}

impl FitCamera {
    /// Reads the recording and fits the noise.
    ///
    /// # Errors
    /// The recording was refused, or does not determine the noise.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let refuse = |error: &dyn fmt::Display| Failure::bad_input(error.to_string());
        let recording = Recording::load(&self.folder).map_err(|error| refuse(&error))?;
        let Fit { noise, residual } = fit(&recording).map_err(|error| {
            let path = self.folder.join(RECORDING_FILE);
            refuse(&format!("{}: {error}", path.display()))
        })?;
        let recorded = recording.intrinsics.width as f64;
        let share = self.columns.map_or(1.0, |n| f64::from(n) / recorded);
        let noise = NoiseConfig {
            lateral_sigma_px: noise.lateral_sigma_px * share,
            disparity_step_px: noise.disparity_step_px * share,
            ..noise
        };
        let body = Body {
            noise: noise.into(),
            residual,
        };
        session.report(None, &body, &body)?;
        Ok(Verdict::Passed)
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Residual {
            axial,
            bias_m,
            pattern_m,
            edge,
        } = self.residual;
        match axial {
            Some(axial) => writeln!(
                f,
                "# axial deviations: {:.1} % not explained",
                axial * 100.0
            )?,
            None => writeln!(
                f,
                "# axial deviations: two walls cannot say how well they are explained"
            )?,
        }
        writeln!(
            f,
            "# what stands still, and is not simulated: {:.1} mm of bias, {:.1} mm of pattern over a wall",
            bias_m * 1e3,
            pattern_m * 1e3
        )?;
        writeln!(
            f,
            "# shares of near, far and empty pixels at the edge: {edge:.3} not explained"
        )?;
        let noise = toml::to_string(&self.noise).map_err(|_| fmt::Error)?;
        write!(f, "[noise]\n{}", noise.trim_end())
    }
}
