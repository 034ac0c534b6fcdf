//! Turns the simulator's promises into measured rows, and recordings of depth cameras into its noise.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use prehend_sim::camera::{Fit, RECORDING_FILE, Recording, Residual, fit};
use prehend_sim::verify::{VerifyOptions, VerifyRow, names, verify};
use prehend_sim::{NoiseConfig, PhysicsSettings};
use serde::Serialize;

use crate::args::Threads;
use crate::exit::{Failure, Verdict};
use crate::session::Session;
use crate::workcell::Place;

const EXAMPLES: &str = "Examples:
  prehend sim verify
  prehend sim verify --only capsule --only critical
  prehend sim fit-camera recordings/d435 --columns 160";

const VERIFY_EXAMPLES: &str = "Examples:
  prehend sim verify
  prehend sim verify --only grasp --json
  prehend sim verify --quick

Measured against required, under the settings that ship. Exits with 1 if a required row fails. All of it
takes about two minutes on two cores.";

const FIT_EXAMPLES: &str = "Examples:
  prehend sim fit-camera recordings/d435
  prehend sim fit-camera recordings/d435 --columns 160 --json

The folder holds recording.toml and folders of 16 bit grey PNGs, 0 where nothing was measured:

  fov_deg = 69.4          # horizontal
  baseline_m = 0.05       # between the eyes; 0 or absent for cameras with one
  depth_unit_m = 0.0001   # one count of the images; the finer, the better
  edge_step_m = 0.02      # what the scene file will call an edge
  [[walls]]               # flat, square to the optical axis; two or more distances
  distance_m = 0.5
  frames = \"wall_050\"     # tens of images each, nothing moves
  [[walls]]
  distance_m = 1.0
  frames = \"wall_100\"
  [step]                  # an upright edge: near on the left half, far behind it
  near_m = 0.6
  far_m = 0.9
  frames = \"step\"

Prints the [noise] of a scene file.";

/// Arguments of `prehend sim`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Sim {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Measure contacts, grasps, stacks and the arm's dynamics against what they must be.
    Verify(Verify),
    /// Find the noise of a scene file from a depth camera's recording of walls and a step.
    FitCamera(FitCamera),
}

#[derive(Debug, Args)]
#[command(after_help = FIT_EXAMPLES)]
struct FitCamera {
    /// Folder of the recording.
    folder: PathBuf,
    /// Columns of the simulated images, if not those of the recorded ones: figures in pixels become theirs.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(8..=1280))]
    columns: Option<u16>,
}

#[derive(Debug, Serialize)]
struct FitBody {
    noise: NoiseConfig,
    residual: Residual,
}

#[derive(Debug, Args)]
#[command(after_help = VERIFY_EXAMPLES)]
struct Verify {
    /// Only tests whose name starts like this; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// A tenth of the minutes and of the shaken seeds: a look, not a proof.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    threads: Threads,
}

#[derive(Debug, Serialize)]
struct Body {
    rows: Vec<VerifyRow>,
    passed: usize,
    failed: usize,
}

impl Sim {
    /// Runs what was asked for.
    ///
    /// # Errors
    /// An input was refused, or a test could not be built.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        match &self.what {
            What::Verify(args) => args.run(session),
            What::FitCamera(args) => args.run(session),
        }
    }
}

impl Verify {
    fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let unknown = |name: &&String| !names().iter().any(|test| test.starts_with(name.as_str()));
        if let Some(name) = self.only.iter().find(unknown) {
            let known = names().join(", ");
            return Err(Failure::usage(format!(
                "--only {name}: no test starts like this; there are {known}"
            )));
        }
        let cell = self.place.open()?;
        let full = VerifyOptions::default();
        let share = if self.quick { 10 } else { 1 };
        let options = VerifyOptions {
            only: self.only.clone(),
            threads: self.threads.count(),
            shake_seeds: full.shake_seeds / share,
            time_scale: full.time_scale / share as f64,
            settings: PhysicsSettings {
                arm: cell.arm,
                ..full.settings
            },
            ..full
        };
        let rows = verify(&cell.robot, &cell.scene, &options, &mut |row| {
            tracing::info!("{row}");
        })?;
        let count = |pass| rows.iter().filter(|row| row.pass == Some(pass)).count();
        let body = Body {
            passed: count(true),
            failed: count(false),
            rows,
        };
        session.report(None, &body, &body)?;
        let shortfall = (body.failed > 0).then(|| format!("{} required rows fail", body.failed));
        Ok(Verdict::from_shortfall(shortfall))
    }
}

impl FitCamera {
    fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let refuse = |error: &dyn fmt::Display| Failure::bad_input(error.to_string());
        let recording = Recording::load(&self.folder).map_err(|error| refuse(&error))?;
        let Fit { noise, residual } = fit(&recording).map_err(|error| {
            let path = self.folder.join(RECORDING_FILE);
            refuse(&format!("{}: {error}", path.display()))
        })?;
        let recorded = recording.intrinsics.width as f64;
        let share = self.columns.map_or(1.0, |n| f64::from(n) / recorded);
        let body = FitBody {
            noise: NoiseConfig {
                lateral_sigma_px: noise.lateral_sigma_px * share,
                disparity_step_px: noise.disparity_step_px * share,
                ..noise
            },
            residual,
        };
        session.report(None, &body, &body)?;
        Ok(Verdict::Passed)
    }
}

impl fmt::Display for FitBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noise = toml::to_string(&self.noise).map_err(|_| fmt::Error)?;
        let Residual {
            axial,
            bias_m,
            edge,
        } = self.residual;
        writeln!(
            f,
            "# Left over: {:.1} % of the axial deviations, {:.1} mm of bias (not simulated), {edge:.3} of the shares \
             at the edge.",
            axial * 100.0,
            bias_m * 1e3
        )?;
        write!(f, "[noise]\n{}", noise.trim_end())
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        write!(f, "{} pass, {} fail", self.passed, self.failed)
    }
}
