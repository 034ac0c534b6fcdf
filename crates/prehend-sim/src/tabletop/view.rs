//! Labelled views of an arrangement: what the pick-and-place network learns from.

use nalgebra::{Point3, Unit, Vector3};
use prehend_cloud::{NORMAL_RADIUS, Neighbourhood, SURFACE};
use prehend_robot::Jaw;
use prehend_types::TableGrasp;
use rand::SeedableRng;
use rand::seq::{IteratorRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::antipodal::{Limits, Load, Search};
use super::arrange::Arrangement;
use super::pieces::Pieces;
use super::place::Turns;
use super::see::Seen;
use super::trial::{TrialOutcome, try_grasp};
use crate::scene::BodyMotion;

/// Points kept above the table and on it.
const N_ABOVE: usize = 1280;
const N_SURFACE: usize = 640;
/// Points of the table kept within a radius (m) of a place that the object is wanted at, besides those
/// elsewhere; as many of those above it are kept there first.
const N_FOCUS: usize = 384;
const FOCUS: f64 = 0.09;
/// Grasps kept at a point.
const MOST_GRASPS: usize = 8;
/// Grasps of a lump that are tried in physics.
const TRIED: usize = 8;

/// What is known of a point's grasps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PointLabel {
    /// Nothing: it cannot be said which surface was seen.
    Unknown,
    /// No grasp touches here.
    Barren,
    /// At least one grasp touches here.
    Graspable,
}

/// A grasp at a point of a view.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PointGrasp {
    /// The point.
    pub point: u16,
    /// See [`TableGrasp::closing`].
    pub closing: [f32; 3],
    /// See [`TableGrasp::approach`].
    pub approach: [f32; 3],
    /// See [`TableGrasp::width`].
    pub width: f32,
    /// See [`TableGrasp::retreat`].
    pub retreat: f32,
}

impl PointGrasp {
    /// The grasp with its contact at the measured point.
    #[must_use]
    pub fn at(&self, points: &[[f32; 3]]) -> TableGrasp {
        let wide = |v: [f32; 3]| Vector3::from(v).cast::<f64>();
        TableGrasp {
            contact: Point3::from(wide(points[usize::from(self.point)])),
            closing: wide(self.closing).normalize(),
            approach: wide(self.approach).normalize(),
            width: f64::from(self.width),
            retreat: f64::from(self.retreat),
        }
    }
}

/// One exposure with labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableView {
    /// Measured points, base frame, m.
    pub points: Vec<[f32; 3]>,
    /// Their normals; zero where unknown.
    pub normals: Vec<[f32; 3]>,
    /// The object that a point lies on, `None` for table and fixed things.
    pub objects: Vec<Option<u8>>,
    /// What is known of each point's grasps.
    pub labels: Vec<PointLabel>,
    /// Grasps, sorted by the point that they touch.
    pub grasps: Vec<PointGrasp>,
    /// For each point, orientations that squeeze well but cannot be reached.
    pub n_blocked: Vec<u8>,
    /// What a held object does to the view; `None` if the hand was empty.
    pub held: Option<HeldView>,
}

/// A held object, and where it may go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldView {
    /// Measured points of the object along the base's axes, from its bottom centre, m.
    pub points: Vec<[f32; 3]>,
    /// For each point of the view, which turns fit with the bottom centre there.
    pub turns: Vec<Turns>,
    /// Where the object is wanted, if there is a slot for it: its middle on the table, m. Points are stored
    /// densely there.
    pub focus: Option<[f32; 2]>,
}

/// Chooses points of an exposure and says what is known of them.
pub(crate) fn label(
    arrangement: &Arrangement,
    pieces: &Pieces,
    seen: &[Seen],
    jaw: &Jaw,
    focus: Option<[f64; 2]>,
    seed: u64,
) -> TableView {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut above, mut surface): (Vec<&Seen>, Vec<&Seen>) =
        seen.iter().partition(|seen| seen.point[2] > SURFACE);
    let is_near = |seen: &&Seen| {
        let [x, y, _] = seen.point.map(f64::from);
        focus.is_some_and(|at| libm::hypot(x - at[0], y - at[1]) < FOCUS)
    };
    above.shuffle(&mut rng);
    let (mut near, far): (Vec<&Seen>, Vec<&Seen>) = above.into_iter().partition(is_near);
    let others = near.split_off(near.len().min(N_FOCUS));
    let above = near.into_iter().chain(far).chain(others).take(N_ABOVE);
    surface.shuffle(&mut rng);
    let (near, far): (Vec<&Seen>, Vec<&Seen>) = surface.into_iter().partition(is_near);
    let surface = near
        .into_iter()
        .take(N_FOCUS)
        .chain(far.into_iter().take(N_SURFACE));
    let cloud: Vec<[f32; 3]> = seen.iter().map(|seen| seen.point).collect();
    let near = Neighbourhood::new(&cloud, NORMAL_RADIUS);
    let chosen: Vec<&Seen> = above.chain(surface).collect();
    let mut labeller = Labeller {
        arrangement,
        pieces,
        jaw,
        rng,
        labels: vec![PointLabel::Barren; chosen.len()],
        grasps: Vec::new(),
        n_blocked: vec![0; chosen.len()],
    };
    let objects: Vec<Option<u8>> = chosen.iter().map(|seen| labeller.object(seen)).collect();
    for (number, body) in arrangement.bodies.iter().enumerate() {
        let own: Vec<(usize, &Seen)> = (0..)
            .zip(&chosen)
            .filter(|(index, _)| objects[*index].map(usize::from) == Some(number))
            .map(|(index, seen)| (index, *seen))
            .collect();
        labeller.label_object(&Load::new(number, body), &own);
    }
    let Labeller {
        labels,
        mut grasps,
        n_blocked,
        ..
    } = labeller;
    grasps.sort_by_key(|grasp| grasp.point);
    let normal = |seen: &&Seen| near.normal(&seen.point, &seen.eye.coords.cast::<f32>().into());
    TableView {
        points: chosen.iter().map(|seen| seen.point).collect(),
        normals: chosen.iter().map(normal).collect(),
        objects,
        labels,
        grasps,
        n_blocked,
        held: None,
    }
}

struct Labeller<'a> {
    arrangement: &'a Arrangement,
    pieces: &'a Pieces,
    jaw: &'a Jaw,
    rng: ChaCha8Rng,
    labels: Vec<PointLabel>,
    grasps: Vec<PointGrasp>,
    n_blocked: Vec<u8>,
}

impl Labeller<'_> {
    /// The object that was seen there.
    fn object(&self, seen: &Seen) -> Option<u8> {
        let body = seen.body?;
        let is_free = self.arrangement.bodies.get(body)?.motion == BodyMotion::Free;
        is_free.then_some(body as u8)
    }

    /// What is known of one object's points: by geometry, or, if that finds nothing to hold, by trial.
    fn label_object(&mut self, load: &Load, own: &[(usize, &Seen)]) {
        let before = self.grasps.len();
        for (index, seen) in own {
            let found = self.grasps_of(load, seen, &Limits::SOUND);
            let Some((grasps, n_blocked)) = found else {
                self.labels[*index] = PointLabel::Unknown;
                continue;
            };
            self.n_blocked[*index] = n_blocked;
            self.keep(*index, &grasps);
        }
        if self.grasps.len() == before {
            self.label_lump(load, own);
        }
    }

    fn label_lump(&mut self, load: &Load, own: &[(usize, &Seen)]) {
        let mut possible: Vec<(usize, TableGrasp)> = Vec::new();
        for (index, seen) in own {
            let found = self.grasps_of(load, seen, &Limits::LUMP);
            let grasp = found.and_then(|(grasps, _)| grasps.into_iter().choose(&mut self.rng));
            if let Some(grasp) = grasp {
                // Those that are not tried could go either way.
                self.labels[*index] = PointLabel::Unknown;
                possible.push((*index, grasp));
            }
        }
        possible.shuffle(&mut self.rng);
        for (index, grasp) in possible.into_iter().take(TRIED) {
            let outcome = try_grasp(&self.arrangement.bodies, self.jaw, &grasp);
            if outcome == (TrialOutcome::Held { body: load.body }) {
                self.keep(index, &[grasp]);
            } else {
                self.labels[index] = PointLabel::Barren;
            }
        }
    }

    /// Grasps where a ray met an object, and how many are blocked; `None` if it cannot be said where.
    fn grasps_of(
        &mut self,
        load: &Load,
        seen: &Seen,
        limits: &Limits,
    ) -> Option<(Vec<TableGrasp>, u8)> {
        let point = Point3::from(Vector3::from(seen.point).cast::<f64>());
        let along = Unit::new_normalize(point - seen.eye);
        let hit = self.pieces.first_hit(load.body, &seen.eye, &along)?;
        let on_surface = seen.eye + along.as_ref() * hit.distance;
        let search = Search {
            pieces: self.pieces,
            jaw: self.jaw,
            load,
            limits,
        };
        let mut found = search.at(&on_surface, &hit.normal);
        found.free.shuffle(&mut self.rng);
        found.free.truncate(MOST_GRASPS);
        Some((found.free, found.n_blocked as u8))
    }

    fn keep(&mut self, index: usize, grasps: &[TableGrasp]) {
        if grasps.is_empty() {
            return;
        }
        self.labels[index] = PointLabel::Graspable;
        self.grasps.extend(grasps.iter().map(|grasp| PointGrasp {
            point: index as u16,
            closing: grasp.closing.cast::<f32>().into(),
            approach: grasp.approach.cast::<f32>().into(),
            width: grasp.width as f32,
            retreat: grasp.retreat as f32,
        }));
    }
}
