//! Labelled views of an arrangement: what the pick-and-place network learns from.

use nalgebra::{Point3, Unit, Vector3};
use prehend_cloud::Neighbourhood;
use prehend_robot::Jaw;
use prehend_types::{Pose, Stream, TableGrasp, derive_seed};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::antipodal::grasps_at;
use super::arrange::{Arrangement, MIDDLE, fixed, yaw};
use super::library::Split;
use super::pieces::Pieces;
use super::place::{HeightMap, Held, N_TURNS, Turns, center_of_mass};
use super::see::{Seen, look, solids};
use crate::objects::Part;
use crate::objects::build::block;
use crate::scene::{Body, BodyMotion};

/// Points kept above the table and on it.
const N_ABOVE: usize = 1280;
const N_SURFACE: usize = 384;
/// Higher than this over the table is above it, m: three times the depth noise at a metre.
pub const SURFACE: f32 = 0.005;
/// Points kept of a held object.
const N_HELD: usize = 384;
/// Radius of the surface that a normal is taken over, m.
pub const NORMAL_RADIUS: f32 = 0.012;
/// Grasps kept at a point.
const MOST_GRASPS: usize = 8;
/// Share of placing views with a slot that the object fits only if turned.
const SLOTS: f64 = 0.35;

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
    /// Whether the scene has a slot that the object does not fit as it is held.
    pub has_slot: bool,
}

/// An object on its way through the air.
#[derive(Debug, Clone)]
pub struct Carried {
    /// What it is, where it is.
    pub body: Body,
    /// Where the tool is.
    pub base_from_tool: Pose,
    /// How far the fingers open to let go, m.
    pub opening: f64,
    /// Its bottom centre as the cameras see it.
    pub bottom: Point3<f64>,
}

/// A scene with its two views: all objects lie, or one of them is held.
#[derive(Debug, Clone)]
pub struct LabelledScene {
    /// What lay there.
    pub arrangement: Arrangement,
    /// The hand is empty.
    pub picking: TableView,
    /// One object is held, if any could be grasped.
    pub placing: Option<Placing>,
}

/// A scene with one object in the hand.
#[derive(Debug, Clone)]
pub struct Placing {
    /// What is left on the table.
    pub rest: Arrangement,
    /// What is in the hand.
    pub carried: Carried,
    /// What is seen, with labels.
    pub view: TableView,
    /// Walls around a place that takes the object only if it is turned.
    pub slot: Option<Slot>,
}

/// The inside of four walls on the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot {
    /// Its middle, x along its length.
    pub base_from_slot: Pose,
    /// Length and width, m.
    pub inner: [f64; 2],
}

impl Slot {
    /// Whether a point of the table lies inside.
    #[must_use]
    pub fn contains(&self, point: &Point3<f64>) -> bool {
        let off = self.base_from_slot.inverse_transform_point(point);
        off.x.abs() < 0.5 * self.inner[0] && off.y.abs() < 0.5 * self.inner[1]
    }
}

/// A cloud with normals, and nothing else: all that a robot has.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measured {
    /// Base frame, m.
    pub points: Vec<[f32; 3]>,
    /// Their normals; zero where unknown.
    pub normals: Vec<[f32; 3]>,
}

impl Arrangement {
    /// What cameras at random places measure of it, `most` points in random order.
    #[must_use]
    pub fn measure(&self, seed: u64, most: usize) -> Measured {
        let mut seen = look(&solids(&self.bodies), seed);
        let cloud: Vec<[f32; 3]> = seen.iter().map(|seen| seen.point).collect();
        let near = Neighbourhood::new(&cloud, NORMAL_RADIUS);
        seen.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        seen.truncate(most);
        let normal = |seen: &Seen| near.normal(&seen.point, &seen.eye.coords.cast::<f32>().into());
        Measured {
            points: seen.iter().map(|seen| seen.point).collect(),
            normals: seen.iter().map(normal).collect(),
        }
    }
}

impl LabelledScene {
    /// Everything of one seed; `None` if no arrangement came to rest.
    #[must_use]
    pub fn new(seed: u64, split: Split, n_objects: Option<usize>, jaw: &Jaw) -> Option<Self> {
        let arrangement = Arrangement::new(seed, split, n_objects)?;
        let pieces = arrangement.pieces();
        let seen = look(
            &solids(&arrangement.bodies),
            derive_seed(seed, Stream::Camera, 1),
        );
        let picking = label(
            &arrangement,
            &pieces,
            &seen,
            jaw,
            derive_seed(seed, Stream::Labels, 0),
        );
        let placing = placing(&arrangement, &picking, jaw, seed);
        Some(Self {
            arrangement,
            picking,
            placing,
        })
    }
}

fn label(
    arrangement: &Arrangement,
    pieces: &Pieces,
    seen: &[Seen],
    jaw: &Jaw,
    seed: u64,
) -> TableView {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut above, mut surface): (Vec<&Seen>, Vec<&Seen>) =
        seen.iter().partition(|seen| seen.point[2] > SURFACE);
    for (kept, most) in [(&mut above, N_ABOVE), (&mut surface, N_SURFACE)] {
        kept.shuffle(&mut rng);
        kept.truncate(most);
    }
    let cloud: Vec<[f32; 3]> = seen.iter().map(|seen| seen.point).collect();
    let near = Neighbourhood::new(&cloud, NORMAL_RADIUS);
    let n = above.len() + surface.len();
    let mut view = TableView {
        points: Vec::with_capacity(n),
        normals: Vec::with_capacity(n),
        objects: Vec::with_capacity(n),
        labels: Vec::with_capacity(n),
        grasps: Vec::new(),
        n_blocked: Vec::with_capacity(n),
        held: None,
    };
    for (index, seen) in above.into_iter().chain(surface).enumerate() {
        let eye = seen.eye.coords.cast::<f32>().into();
        view.points.push(seen.point);
        view.normals.push(near.normal(&seen.point, &eye));
        let object = seen.body.filter(|body| {
            let body = arrangement.bodies.get(*body);
            body.is_some_and(|body| body.motion == BodyMotion::Free)
        });
        view.objects.push(object.map(|object| object as u8));
        let (label, n_blocked) = match object {
            Some(object) => {
                label_point(&mut view.grasps, index, object, seen, pieces, jaw, &mut rng)
            }
            None => (PointLabel::Barren, 0),
        };
        view.labels.push(label);
        view.n_blocked.push(n_blocked);
    }
    view
}

fn label_point(
    grasps: &mut Vec<PointGrasp>,
    index: usize,
    object: usize,
    seen: &Seen,
    pieces: &Pieces,
    jaw: &Jaw,
    rng: &mut ChaCha8Rng,
) -> (PointLabel, u8) {
    let point = Point3::from(Vector3::from(seen.point).cast::<f64>());
    let along = Unit::new_normalize(point - seen.eye);
    let Some(hit) = pieces.first_hit(object, &seen.eye, &along) else {
        return (PointLabel::Unknown, 0);
    };
    let on_surface = seen.eye + along.as_ref() * hit.distance;
    let mut found = grasps_at(pieces, jaw, object, &on_surface, &hit.normal);
    found.free.shuffle(rng);
    found.free.truncate(MOST_GRASPS);
    let label = if found.free.is_empty() {
        PointLabel::Barren
    } else {
        PointLabel::Graspable
    };
    grasps.extend(found.free.into_iter().map(|grasp| PointGrasp {
        point: index as u16,
        closing: grasp.closing.cast::<f32>().into(),
        approach: grasp.approach.cast::<f32>().into(),
        width: grasp.width as f32,
    }));
    (label, found.n_blocked as u8)
}

/// Takes one object up and looks again.
fn placing(
    arrangement: &Arrangement,
    picking: &TableView,
    jaw: &Jaw,
    seed: u64,
) -> Option<Placing> {
    let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Labels, 1));
    // An object first, so that large ones are not carried more often.
    let mut objects: Vec<u8> = picking
        .grasps
        .iter()
        .filter_map(|grasp| picking.objects[usize::from(grasp.point)])
        .collect();
    objects.sort_unstable();
    objects.dedup();
    let object = *objects.choose(&mut rng)?;
    let of_object: Vec<&PointGrasp> = picking
        .grasps
        .iter()
        .filter(|grasp| picking.objects[usize::from(grasp.point)] == Some(object))
        .collect();
    let grasp = of_object.choose(&mut rng)?.at(&picking.points);
    let object = usize::from(object);
    let mut rest = arrangement.without(object)?;
    let mut carried = carry(&arrangement.bodies[object], &grasp, jaw, &mut rng)?;
    let has_slot = rng.random_bool(SLOTS);
    let mut slot = None;
    if has_slot {
        let (body, inside) = walls(&carried, &rest.pieces(), rest.bodies.len(), &mut rng)?;
        rest.bodies.push(body);
        slot = Some(inside);
    }
    let mut shown = rest.bodies.clone();
    shown.push(carried.body.clone());
    shown.push(fixed(hand_parts(jaw, grasp.width), carried.base_from_tool));
    let held_idx = rest.bodies.len();
    let seen = look(&solids(&shown), derive_seed(seed, Stream::Camera, 2));
    let mut held: Vec<[f32; 3]> = seen
        .iter()
        .filter(|seen| seen.body == Some(held_idx))
        .map(|seen| seen.point)
        .collect();
    let seen: Vec<Seen> = seen
        .into_iter()
        .filter(|seen| seen.body.is_none_or(|body| body < held_idx))
        .collect();
    carried.bottom = bottom_centre(&held)?;
    let pieces = rest.pieces();
    let mut view = label(
        &rest,
        &pieces,
        &seen,
        jaw,
        derive_seed(seed, Stream::Labels, 2),
    );
    let map = HeightMap::new(&pieces);
    let parts = &carried.body.parts;
    let mover = Held::new(
        parts,
        &center_of_mass(parts),
        &carried.body.base_from_body,
        &carried.base_from_tool,
        carried.opening,
        jaw,
        &carried.bottom,
    );
    let turns: Vec<Turns> = view
        .points
        .iter()
        .map(|point| mover.fits(&map, point))
        .collect();
    held.shuffle(&mut rng);
    held.truncate(N_HELD);
    let bottom = carried.bottom.coords.cast::<f32>();
    for point in &mut held {
        *point = (Vector3::from(*point) - bottom).into();
    }
    view.held = Some(HeldView {
        points: held,
        turns,
        has_slot,
    });
    Some(Placing {
        rest,
        carried,
        view,
        slot,
    })
}

/// The object straight up from where it lay, turned and moved with the hand.
fn carry(body: &Body, grasp: &TableGrasp, jaw: &Jaw, rng: &mut ChaCha8Rng) -> Option<Carried> {
    let tool = grasp.base_from_tool();
    let at = tool.translation.vector;
    let to = Vector3::new(
        MIDDLE[0] + rng.random_range(-0.18..0.10),
        MIDDLE[1] + rng.random_range(-0.20..0.20),
        rng.random_range(0.22..0.34),
    );
    let turn = Pose::from_parts(
        nalgebra::Translation3::from(to),
        yaw(rng.random_range(-3.1..3.1)),
    ) * Pose::translation(-at.x, -at.y, -at.z);
    let mut body = body.clone();
    body.base_from_body = turn * body.base_from_body;
    body.motion = BodyMotion::Fixed;
    let mut own = Pieces::default();
    own.add(0, &body.parts, &body.base_from_body);
    // A hand from below would have to go through the table.
    let [low, _] = own.bounds()?;
    (low.z > 0.10).then_some(Carried {
        body,
        base_from_tool: turn * tool,
        opening: grasp.opening(jaw.max_width_m),
        bottom: Point3::origin(),
    })
}

/// The gripper's boxes as parts of a body in the tool frame.
pub(crate) fn hand_parts(jaw: &Jaw, width: f64) -> Vec<Part> {
    let boxes = jaw.boxes(width).into_iter();
    boxes
        .map(|placed| Part {
            shape: placed.shape,
            body_from_part: placed.link_from_shape,
        })
        .collect()
}

/// Middle of the squares of 1 cm that an object's points fall into, at the height of its lowest points:
/// which side was seen best hardly shifts it (M2T2's grid mean). `None` without points.
#[must_use]
pub fn bottom_centre(points: &[[f32; 3]]) -> Option<Point3<f64>> {
    let mut cells: Vec<[i32; 2]> = points
        .iter()
        .map(|p| [p[0], p[1]].map(|v| (v * 100.0).floor() as i32))
        .collect();
    cells.sort_unstable();
    cells.dedup();
    let n = cells.len() as f64;
    let mean = |axis: usize| {
        let sum: f64 = cells.iter().map(|cell| f64::from(cell[axis]) + 0.5).sum();
        0.01 * sum / n
    };
    let mut heights: Vec<f32> = points.iter().map(|p| p[2]).collect();
    heights.sort_unstable_by(f32::total_cmp);
    // The lowest few may be noise.
    let low = heights.get(heights.len() / 50)?;
    Some(Point3::new(mean(0), mean(1), f64::from(*low)))
}

/// Walls around a place that takes the carried object at one of seven turns.
fn walls(
    carried: &Carried,
    standing: &Pieces,
    index: usize,
    rng: &mut ChaCha8Rng,
) -> Option<(Body, Slot)> {
    let extent = |angle: f64| {
        let mut own = Pieces::default();
        let about = Pose::from_parts(nalgebra::Translation3::identity(), yaw(-angle));
        own.add(
            0,
            &carried.body.parts,
            &(about * carried.body.base_from_body),
        );
        own.bounds().map(|[low, high]| high - low)
    };
    let angles = (0..36).map(|i| std::f64::consts::PI * f64::from(i) / 36.0);
    let (angle, size) = angles
        .filter_map(|angle| Some((angle, extent(angle)?)))
        .min_by(|a, b| a.1.y.total_cmp(&b.1.y))?;
    let turn = rng.random_range(1..N_TURNS);
    let tilt = rng.random_range(-0.05..0.05);
    let facing = angle + std::f64::consts::TAU * turn as f64 / N_TURNS as f64 + tilt;
    let room = rng.random_range(0.014..0.022);
    let [length, width] = [size.x + room, size.y + room];
    let (thick, height) = (0.008, rng.random_range(0.015..0.04));
    let [x, y] = [0.5 * (length + thick), 0.5 * (width + thick)];
    let parts = vec![
        block([length + 2.0 * thick, thick, height], [0.0, y, 0.0]),
        block([length + 2.0 * thick, thick, height], [0.0, -y, 0.0]),
        block([thick, width, height], [x, 0.0, 0.0]),
        block([thick, width, height], [-x, 0.0, 0.0]),
    ];
    for _ in 0..60 {
        let at = nalgebra::Translation3::new(
            MIDDLE[0] + rng.random_range(-0.2..0.2),
            MIDDLE[1] + rng.random_range(-0.24..0.24),
            0.0,
        );
        let body = fixed(parts.clone(), Pose::from_parts(at, yaw(facing)));
        let mut own = Pieces::default();
        own.add(index, &body.parts, &body.base_from_body);
        let inside = block([length, width, 0.05], [0.0; 3]);
        own.add(index, &[inside], &body.base_from_body);
        if !own.are_near(standing, 0.01, |_| true) {
            let slot = Slot {
                base_from_slot: body.base_from_body,
                inner: [length, width],
            };
            return Some((body, slot));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bottom_centre_does_not_follow_the_density() {
        let mut points: Vec<[f32; 3]> = (0..100)
            .map(|i| {
                [
                    (i % 10) as f32 * 0.01 + 0.005,
                    (i / 10) as f32 * 0.01 + 0.005,
                    0.2,
                ]
            })
            .collect();
        let even = bottom_centre(&points).expect("points");
        points.extend((0..500).map(|i| [0.001 + 1e-6 * i as f32, 0.005, 0.2]));
        let uneven = bottom_centre(&points).expect("points");
        assert!(
            (even - Point3::new(0.05, 0.05, 0.2)).norm() < 1e-6,
            "{even}"
        );
        assert_eq!(even, uneven);
        assert_eq!(bottom_centre(&[]), None);
    }
}
