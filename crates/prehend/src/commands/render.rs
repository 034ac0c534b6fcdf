//! Turns an episode into a picture or an animation.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use prehend_data::{EpisodeStore, write_atomic};
use prehend_sim::render::{Picture, Viewpoint, gif, png};
use prehend_sim::{FamilySet, RolloutConfig, View, rollout};
use serde::Serialize;

use crate::exit::{Failure, Verdict};
use crate::policies::{EngineArgs, PolicyName, PolicySource};
use crate::session::Session;
use crate::workcell::{Families, Place, Workcell, families_of};

const EXAMPLES: &str = "Examples:
  prehend render --seed 900000 --policy models/fr3_pick_place --out episode.gif
  prehend render --seed 42 --out expert.gif --width 480
  prehend render --store datasets/pick_place --seed 42 --out stored.gif
  prehend render --seed 42 --at 0 --out start.png
  prehend render --seed 42 --view hand --width 640 --out grasp.gif

A GIF shows the whole episode in real time, a PNG one moment of it.";

/// Length of one stored step, s.
const STEP_S: f64 = 0.05;
/// Stored steps between two pictures of an animation.
const STRIDE: usize = 2;

/// Arguments of `prehend render`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Render {
    /// Picture to write: its ending, .gif or .png, says which kind.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Seed of the episode.
    #[arg(long)]
    seed: u64,
    /// Show the episode as it is stored in this folder, instead of running it.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["policy", "families"])]
    store: Option<PathBuf>,
    /// Who runs it: a bundle's folder, `expert` or `depth_heuristic`.
    #[arg(long, default_value = "expert")]
    policy: PolicyName,
    /// Families the target is drawn from.
    #[arg(long, value_enum, default_value_t = Families::All)]
    families: Families,
    /// The moment that a PNG shows, s since the start; the end by default.
    #[arg(long, value_name = "SECONDS")]
    at: Option<f64>,
    /// Where the viewer stands: before the whole cell, at its side, above it, or beside the hand as it goes.
    #[arg(long, value_enum, default_value_t = ViewName::Cell)]
    view: ViewName,
    /// Columns of the picture.
    #[arg(long, default_value_t = 320, value_parser = clap::value_parser!(u16).range(16..=1920))]
    width: u16,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    engine: EngineArgs,
}

/// [`Viewpoint`] as a word of the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ViewName {
    Cell,
    Side,
    Top,
    Hand,
}

impl From<ViewName> for Viewpoint {
    fn from(name: ViewName) -> Self {
        match name {
            ViewName::Cell => Self::Cell,
            ViewName::Side => Self::Side,
            ViewName::Top => Self::Top,
            ViewName::Hand => Self::Hand,
        }
    }
}

#[derive(Debug, Serialize)]
struct Body {
    out: PathBuf,
    pictures: usize,
    success: bool,
    failure: Option<String>,
}

/// What is drawn: states of one scene.
struct Film {
    families: FamilySet,
    states: Vec<Vec<f32>>,
    success: bool,
    failure: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Gif,
    Png,
}

impl Render {
    /// Draws the episode.
    ///
    /// # Errors
    /// The episode cannot be read or run, or the picture not be written.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let format = self.format()?;
        let cell = self.place.open()?;
        let film = match &self.store {
            Some(folder) => self.stored(folder, &cell)?,
            None => self.acted(&cell)?,
        };
        let chosen = match format {
            Format::Gif => film.states.iter().step_by(STRIDE).collect(),
            Format::Png => vec![film.moment(self.at)?],
        };
        let first: &[f32] = chosen.first().map_or(&[], |state| state.as_slice());
        let view = View::new(&cell.robot, &cell.scene, self.seed, film.families, first)?;
        let mut pictures: Vec<Picture> = Vec::with_capacity(chosen.len());
        for state in chosen {
            if session.interrupt.is_set() {
                return Ok(session.unless_stopped(Verdict::Passed));
            }
            pictures.push(view.picture(state, self.view.into(), usize::from(self.width))?);
        }
        let bytes = match (format, pictures.first()) {
            (Format::Png, Some(picture)) => png(picture)?,
            _ => gif(&pictures, STEP_S * STRIDE as f64)?,
        };
        write_atomic(&self.out, &bytes)?;
        let body = Body {
            out: self.out.clone(),
            pictures: pictures.len(),
            success: film.success,
            failure: film.failure,
        };
        session.report(Some(self.seed), &body, &body)?;
        Ok(Verdict::Passed)
    }

    fn format(&self) -> Result<Format, Failure> {
        let format = match self.out.extension().and_then(|ending| ending.to_str()) {
            Some("gif") => Format::Gif,
            Some("png") => Format::Png,
            _ => {
                return Err(Failure::usage(
                    "--out needs a name that ends in .gif or .png",
                ));
            }
        };
        if format == Format::Gif && self.at.is_some() {
            return Err(Failure::usage(
                "--at chooses the moment of a .png; a .gif shows all",
            ));
        }
        Ok(format)
    }

    fn stored(&self, folder: &Path, cell: &Workcell) -> Result<Film, Failure> {
        let episode = EpisodeStore::open(folder)?.read(self.seed)?;
        cell.check_episode(&episode, folder)?;
        Ok(Film {
            families: families_of(&episode),
            states: episode.steps.into_iter().map(|step| step.world).collect(),
            success: episode.success,
            failure: episode.failure,
        })
    }

    fn acted(&self, cell: &Workcell) -> Result<Film, Failure> {
        let families = self.families.into();
        let mut world = cell.world(self.seed, families)?;
        let mut decider = PolicySource::open(&self.policy, &self.engine, cell)?.make()?;
        let mut states = Vec::new();
        let config = RolloutConfig::default();
        let result = rollout(&mut world, decider.pilot(), &config, &mut |step| {
            states.push(step.world.clone());
        })?;
        states.push(world.state_vector());
        let failure = result.failure.map(|class| class.name().to_owned());
        Ok(Film {
            families,
            states,
            success: result.success,
            failure,
        })
    }
}

impl Film {
    fn moment(&self, at: Option<f64>) -> Result<&Vec<f32>, Failure> {
        let length = self.states.len().saturating_sub(1) as f64 * STEP_S;
        let at = at.unwrap_or(length);
        if !(0.0..=length).contains(&at) {
            return Err(Failure::usage(format!(
                "--at {at}: the episode lasts {length:.2} s"
            )));
        }
        let state = self.states.get((at / STEP_S).round() as usize);
        state.ok_or_else(|| Failure::bad_input("the episode has no steps"))
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = self.failure.as_deref().unwrap_or("success");
        write!(f, "wrote {:?}: {} pictures, {how}", self.out, self.pictures)
    }
}
