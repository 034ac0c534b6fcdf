//! Turns a scene into a picture: what its labels or a network say.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use prehend_policy::pick_place::{
    HandFilter, SceneBundle, SceneInputs, SceneNetwork, grasps, places,
};
use prehend_sim::tabletop::{LabelledScene, Picture, PointLabel, TableView};
use prehend_types::TableGrasp;
use prehend_types::config::locate;
use serde::Serialize;

use super::objects::{FolderArgs, Told};
use super::{EXAMPLES, GripperArgs, Objects};
use crate::exit::{Class, Failure, Verdict};
use crate::policies::EngineArgs;
use crate::session::Session;

/// Grippers that are drawn, and how far apart they are, m.
const MOST_DRAWN: usize = 24;
const APART: f64 = 0.02;
const PLAIN: [u8; 3] = [170, 170, 170];
const TABLE: [u8; 3] = [222, 222, 222];
const GRASPABLE: [u8; 3] = [226, 120, 30];
const GRIPPER: [u8; 3] = [20, 90, 190];

/// Arguments of `prehend scenes inspect`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Inspect {
    /// Seed of the scene.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Which objects.
    #[arg(long, value_enum, default_value_t = Objects::Train)]
    split: Objects,
    #[command(flatten)]
    folder: FolderArgs,
    /// Show what this network says instead of the labels.
    #[arg(long, value_name = "FOLDER")]
    network: Option<PathBuf>,
    /// File of the picture: .png.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    gripper: GripperArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Debug, Serialize)]
struct Body {
    out: PathBuf,
    #[serde(flatten)]
    told: Told,
    objects: usize,
    /// Names of the objects.
    names: Vec<String>,
    points: usize,
    graspable_points: usize,
    grasps: usize,
    /// Look by look with something in the hand, points at which it fits at any turn.
    places: Vec<usize>,
}

/// What is drawn of one view: how much of each point, and grippers.
struct Said {
    shares: Vec<f64>,
    grasps: Vec<TableGrasp>,
}

impl Inspect {
    /// Draws.
    ///
    /// # Errors
    /// An input was refused, nothing came to rest, or the picture cannot be written.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let (jaw, file) = self.gripper.open_with_file()?;
        let mut network = match &self.network {
            Some(folder) => {
                let bundle = SceneBundle::load(&locate(folder)?)?;
                bundle.manifest.check_jaw(&jaw, &file)?;
                Some(SceneNetwork::from_bundle(&bundle, &self.engine.open()?)?)
            }
            None => None,
        };
        let chosen = self.folder.open(self.split, &jaw)?;
        let scene = LabelledScene::new(self.seed, &chosen.source, None, &jaw);
        let scene = scene.ok_or_else(|| {
            let seed = self.seed;
            Failure::bad_input(format!(
                "--seed {seed}: its objects never come to rest, take another"
            ))
        })?;
        let view = &scene.picking;
        let picking = match &mut network {
            Some(network) => self.network_says(network, view, false)?,
            None => labels_say(view, false),
        };
        let mut picture = Picture::new(1 + scene.placings.len() as u32);
        draw(&mut picture, view, &picking, GRASPABLE);
        let filter = HandFilter::new(&jaw, &view.points);
        let mut drawn: Vec<TableGrasp> = Vec::new();
        for grasp in &picking.grasps {
            let is_apart = drawn
                .iter()
                .all(|d| (d.contact - grasp.contact).norm() > APART);
            let feasible = filter.check(grasp, |_| true).ok();
            if let Some(grasp) = feasible.filter(|_| is_apart && drawn.len() < MOST_DRAWN) {
                picture.gripper(&grasp, GRIPPER);
                drawn.push(grasp);
            }
        }
        let mut n_places = Vec::new();
        for (number, placing) in (1..).zip(&scene.placings) {
            picture.choose(number);
            let said = match &mut network {
                Some(network) => self.network_says(network, &placing.view, true)?,
                None => labels_say(&placing.view, true),
            };
            n_places.push(said.shares.iter().filter(|share| **share > 0.0).count());
            draw(&mut picture, &placing.view, &said, [30, 140, 60]);
            if let Some(held) = &placing.view.held {
                let bottom = placing.carried.bottom.coords.cast::<f32>();
                for point in &held.points {
                    let at: [f32; 3] = std::array::from_fn(|i| point[i] + bottom[i]);
                    picture.point(&at, GRIPPER);
                }
            }
        }
        picture.write(&self.out)?;
        let body = Body {
            out: self.out.clone(),
            told: chosen.told,
            objects: scene.arrangement.instances.len(),
            names: scene.arrangement.instances.clone(),
            points: view.points.len(),
            graspable_points: picking.shares.iter().filter(|share| **share > 0.0).count(),
            grasps: picking.grasps.len(),
            places: n_places,
        };
        session.report(Some(self.seed), &body, &body)?;
        Ok(Verdict::Passed)
    }

    fn network_says(
        &self,
        network: &mut SceneNetwork,
        view: &TableView,
        is_placing: bool,
    ) -> Result<Said, Failure> {
        let held = view.held.as_ref().map_or(&[][..], |held| &held.points);
        let (inputs, chosen) = SceneInputs::look(
            network.manifest(),
            &view.points,
            |index| view.normals[index],
            held,
            view.held.as_ref().and_then(|held| held.focus),
            self.seed,
        );
        let raw = network
            .infer(&inputs)
            .map_err(|error| Failure::new(Class::Runtime, error))?;
        let mut shares = vec![0.0; view.points.len()];
        let proposed = grasps(&raw, &inputs, 0.3);
        if is_placing {
            for place in places(&raw, &inputs, 0.5) {
                let row = inputs.points.iter().position(|p| {
                    p.iter()
                        .zip(&place.point.coords)
                        .all(|(a, b)| f64::from(*a) == *b)
                });
                if let Some(row) = row {
                    shares[chosen[row]] += 0.125;
                }
            }
        } else {
            for proposal in &proposed {
                shares[chosen[proposal.point]] = proposal.confidence;
            }
        }
        Ok(Said {
            shares,
            grasps: proposed
                .into_iter()
                .map(|proposed| proposed.grasp)
                .collect(),
        })
    }
}

fn labels_say(view: &TableView, is_placing: bool) -> Said {
    let shares = match &view.held {
        Some(held) if is_placing => {
            let share =
                |turns: &prehend_sim::tabletop::Turns| f64::from(turns.fit.count_ones()) / 8.0;
            held.turns.iter().map(share).collect()
        }
        _ => {
            let is_graspable = |label: &PointLabel| *label == PointLabel::Graspable;
            let labels = view.labels.iter();
            labels
                .map(|label| f64::from(u8::from(is_graspable(label))))
                .collect()
        }
    };
    Said {
        shares,
        grasps: view
            .grasps
            .iter()
            .map(|grasp| grasp.at(&view.points))
            .collect(),
    }
}

fn draw(picture: &mut Picture, view: &TableView, said: &Said, full: [u8; 3]) {
    for ((point, object), share) in view.points.iter().zip(&view.objects).zip(&said.shares) {
        let none = if object.is_some() { PLAIN } else { TABLE };
        let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share) as u8;
        let colour = std::array::from_fn(|i| mix(none[i], full[i]));
        picture.point(point, colour);
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told.fmt(f)?;
        write!(
            f,
            "wrote {:?}: {} objects ({}), {} points, {} of them graspable, {} grasps",
            self.out,
            self.objects,
            self.names.join(", "),
            self.points,
            self.graspable_points,
            self.grasps
        )?;
        for places in &self.places {
            write!(f, "; the held object fits at {places} points")?;
        }
        Ok(())
    }
}
