//! Grasps that geometry allows at a point of a surface.

use nalgebra::{Point3, Rotation3, Unit, Vector3};
use prehend_robot::{Jaw, LinkShape, Shape};
use prehend_types::{Pose, TableGrasp};
use rapier3d::geometry::SharedShape;

use super::pieces::Pieces;

/// Ways about the closing axis from which the hand may come.
const N_APPROACHES: usize = 12;
/// Largest angle between a surface's normal and the closing axis, rad: within the friction cone of every
/// object here (atan 0.4), with room for what the network gets wrong.
const CONE: f64 = 0.30;
/// Thinnest and widest that is grasped; the widest leaves the fingers room to come in, m.
const THINNEST: f64 = 0.003;
const ROOM: f64 = 0.006;
/// Where a pad's surroundings are felt for support, m from the contact, and how far the surface may have
/// fallen away there.
const PATCH: f64 = 0.004;
const FALLEN: f64 = 0.0015;
/// How far the hand comes in a straight line, m.
const SWEEP: f64 = 0.05;
/// Least distance of anything of the hand from the table, m.
const TABLE_GAP: f64 = 0.002;

/// What a finger at a surface would squeeze.
#[derive(Debug, Clone, Copy)]
struct Squeeze {
    closing: Unit<Vector3<f64>>,
    width: f64,
}

/// The gripper's boxes at one opening, lengthened by the way that it comes in on.
pub(crate) struct SweptHand {
    boxes: Vec<(SharedShape, LinkShape)>,
}

impl SweptHand {
    /// Fingers first: they are what collides most.
    pub fn new(jaw: &Jaw, opening: f64) -> Self {
        let mut boxes = jaw.boxes(opening);
        boxes.rotate_left(jaw.palm.len());
        let boxes = boxes.into_iter().map(|mut placed| {
            if let Shape::Cuboid { half_extents } = &mut placed.shape {
                half_extents.z += 0.5 * SWEEP;
                placed.link_from_shape.translation.z -= 0.5 * SWEEP;
            }
            (cuboid(&placed.shape), placed)
        });
        Self {
            boxes: boxes.collect(),
        }
    }

    /// Lowest point of the hand at a pose, base frame, m.
    fn lowest(&self, base_from_tool: &Pose) -> f64 {
        let lows = self.boxes.iter().map(|(_, placed)| {
            let [low, _] = placed.extent(base_from_tool, &Vector3::z());
            low
        });
        lows.fold(f64::MAX, f64::min)
    }

    /// Whether the hand can come in here without touching table or bodies.
    pub fn is_free(&self, base_from_tool: &Pose, pieces: &Pieces) -> bool {
        self.lowest(base_from_tool) > TABLE_GAP
            && !pieces.overlap(base_from_tool, &self.boxes, |_| true)
    }
}

fn cuboid(shape: &Shape) -> SharedShape {
    match shape {
        Shape::Cuboid { half_extents: h } => {
            SharedShape::cuboid(h.x as f32, h.y as f32, h.z as f32)
        }
        other => SharedShape::ball(other.support(&Vector3::z()) as f32),
    }
}

/// Grasps at one point, and how many were refused.
#[derive(Debug, Clone, Default)]
pub(crate) struct PointGrasps {
    pub free: Vec<TableGrasp>,
    /// Orientations that squeeze well, but that the hand cannot get to.
    pub n_blocked: usize,
}

/// All grasps of `body` with one finger at a point of its surface, `normal` pointing outwards.
pub(crate) fn grasps_at(
    pieces: &Pieces,
    jaw: &Jaw,
    body: usize,
    point: &Point3<f64>,
    normal: &Vector3<f64>,
) -> PointGrasps {
    let mut found = PointGrasps::default();
    let Some(squeeze) = squeeze(pieces, jaw, body, point, normal) else {
        return found;
    };
    let closing = squeeze.closing;
    let start = perpendicular(&closing);
    let template = TableGrasp {
        contact: *point,
        closing: *closing,
        approach: *start,
        width: squeeze.width,
    };
    let hand = SweptHand::new(jaw, template.opening(jaw.max_width_m));
    for turn in 0..N_APPROACHES {
        let angle = std::f64::consts::TAU * turn as f64 / N_APPROACHES as f64;
        let approach = Rotation3::from_axis_angle(&closing, angle) * *start;
        let grasp = TableGrasp {
            approach,
            ..template
        };
        if hand.is_free(&grasp.base_from_tool(), pieces) {
            found.free.push(grasp);
        } else {
            found.n_blocked += 1;
        }
    }
    found
}

/// The direction across a body at a point in which both surfaces can be pressed.
fn squeeze(
    pieces: &Pieces,
    jaw: &Jaw,
    body: usize,
    point: &Point3<f64>,
    normal: &Vector3<f64>,
) -> Option<Squeeze> {
    let across = |closing: Unit<Vector3<f64>>| {
        let exit = pieces.exit(body, point, &closing)?;
        let own = (-closing.as_ref()).dot(normal);
        let other = closing.dot(&exit.normal);
        let fits = (THINNEST..=jaw.max_width_m - ROOM).contains(&exit.distance);
        (fits && own > libm::cos(CONE) && other > libm::cos(CONE)).then_some((closing, exit))
    };
    let straight = Unit::new_normalize(-normal);
    let exit = pieces.exit(body, point, &straight)?;
    // Between wedged surfaces, half way between their normals.
    let between = Unit::try_new(exit.normal - normal, 1e-6)?;
    let (closing, exit) = across(between).or_else(|| across(straight))?;
    let far = point + closing.as_ref() * exit.distance;
    let is_held =
        supports(pieces, body, point, &closing) && supports(pieces, body, &far, &-closing);
    is_held.then_some(Squeeze {
        closing,
        width: exit.distance,
    })
}

/// Whether a pad that presses along `closing` finds the surface on at least two of four sides.
fn supports(
    pieces: &Pieces,
    body: usize,
    point: &Point3<f64>,
    closing: &Unit<Vector3<f64>>,
) -> bool {
    let u = perpendicular(closing);
    let v = closing.cross(&u);
    let sides = [*u, -*u, v, -v];
    let n_felt = sides
        .into_iter()
        .filter(|side| {
            let from = point + side * PATCH - closing.as_ref() * 0.02;
            let hit = pieces.first_hit(body, &from, closing);
            hit.is_some_and(|hit| (hit.distance - 0.02).abs() < FALLEN)
        })
        .count();
    n_felt >= 3
}

/// Some unit vector at right angles; the most horizontal one where that is plain.
fn perpendicular(direction: &Unit<Vector3<f64>>) -> Unit<Vector3<f64>> {
    let upright = direction.cross(&Vector3::z());
    Unit::try_new(upright, 0.1)
        .unwrap_or_else(|| Unit::new_normalize(direction.cross(&Vector3::x())))
}
