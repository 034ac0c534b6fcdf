//! Grasps that geometry allows at a point of a surface.

use nalgebra::{Point3, Rotation3, Unit, Vector3};
use prehend_robot::{Jaw, LinkShape, Shape};
use prehend_types::{Pose, TableGrasp};
use rapier3d::geometry::SharedShape;

use super::pieces::Pieces;
use super::place::center_of_mass;
use crate::scene::Body;

/// Ways about the closing axis from which the hand may come.
const N_APPROACHES: usize = 12;
/// How far surfaces may be from what two flat pads like best.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Largest angle between a surface's normal and the closing axis, rad.
    cone: f64,
    /// How far the surface may have fallen away [`PATCH`] beside the contact, m.
    fallen: f64,
}

impl Limits {
    /// Within the friction cone of every object of the library.
    pub const SOUND: Self = Self {
        cone: 0.38,
        fallen: 0.0022,
    };
    /// What lumps without parallel sides leave; five of six hold, so that each is tried in physics.
    pub const LUMP: Self = Self {
        cone: 0.42,
        fallen: 0.0030,
    };
}

/// How far a closing axis is leaned from the middle one to find room for the hand, in cones.
const LEANS: [f64; 2] = [-0.5, 0.5];
/// Thinnest and widest that is grasped; the widest leaves the fingers room to come in, m.
const THINNEST: f64 = 0.003;
pub(super) const ROOM: f64 = 0.006;
/// Where a pad's surroundings are felt for support, m from the contact.
const PATCH: f64 = 0.004;
/// How far the hand comes in a straight line, m.
const SWEEP: f64 = 0.05;
/// Least distance of anything of the hand from the table, m.
const TABLE_GAP: f64 = 0.0035;

/// Where a pad is felt for how far its contact reaches, m from its middle, and how flat that has to be, m.
const RINGS: [f64; 2] = [0.003, 0.006];
const FLAT: f64 = 0.0004;
/// Reach of a contact that touches nowhere else, m, and how much less a line holds than a face: trials in
/// physics with round objects held far from their centre.
const POINT: f64 = 0.0006;
const LINE: f64 = 0.2;
/// Friction that the cones are for: the least of the library. What is more slippery has narrower ones.
const FRICTION: f64 = 0.4;
/// Standard gravity, m/s².
const GRAVITY: f64 = 9.80665;

/// What hangs in a grasp.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Which body.
    pub body: usize,
    center_of_mass: Point3<f64>,
    weight: f64,
    friction: f64,
}

impl Load {
    /// `body` has this number among the pieces.
    pub fn new(number: usize, body: &Body) -> Self {
        Self {
            body: number,
            center_of_mass: body.base_from_body * center_of_mass(&body.parts),
            weight: body.mass * GRAVITY,
            friction: body.friction,
        }
    }
}

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
        self.clears(base_from_tool, pieces, TABLE_GAP)
    }

    /// The same with all of the hand at least `gap` (m) over the table.
    pub fn clears(&self, base_from_tool: &Pose, pieces: &Pieces, gap: f64) -> bool {
        self.lowest(base_from_tool) > gap && !pieces.overlap(base_from_tool, &self.boxes, |_| true)
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

/// One hand looks for grasps of one body among others.
pub(crate) struct Search<'a> {
    pub pieces: &'a Pieces,
    pub jaw: &'a Jaw,
    pub load: &'a Load,
    pub limits: &'a Limits,
}

impl Search<'_> {
    /// Largest angle between a surface's normal and the closing axis that this body allows, rad.
    fn cone(&self) -> f64 {
        let grip = libm::atan(self.load.friction) / libm::atan(FRICTION);
        self.limits.cone * grip.min(1.0)
    }

    /// All grasps with one finger at a point of the body's surface, `normal` pointing outwards: across the
    /// first way of [`Self::squeezes`] that the hand can get to.
    pub fn at(&self, point: &Point3<f64>, normal: &Vector3<f64>) -> PointGrasps {
        let mut found = PointGrasps::default();
        for squeeze in self.squeezes(point, normal) {
            let tried = self.around(point, &squeeze);
            if !tried.free.is_empty() {
                return tried;
            }
            found.n_blocked = found.n_blocked.max(tried.n_blocked);
        }
        found
    }

    /// Grasps from all sides about a closing axis.
    fn around(&self, point: &Point3<f64>, squeeze: &Squeeze) -> PointGrasps {
        let mut found = PointGrasps::default();
        let closing = squeeze.closing;
        let start = perpendicular(&closing);
        let template = TableGrasp {
            contact: *point,
            closing: *closing,
            approach: *start,
            width: squeeze.width,
            retreat: 0.0,
        };
        let hand = SweptHand::new(self.jaw, template.opening(self.jaw.max_width_m));
        for turn in 0..N_APPROACHES {
            let angle = std::f64::consts::TAU * turn as f64 / N_APPROACHES as f64;
            let approach = Rotation3::from_axis_angle(&closing, angle) * *start;
            let grasp = self
                .jaw
                .retreats()
                .map(|retreat| TableGrasp {
                    approach,
                    retreat,
                    ..template
                })
                .into_iter()
                .find(|grasp| hand.is_free(&grasp.base_from_tool(), self.pieces));
            match grasp {
                Some(grasp) => found.free.push(grasp),
                None => found.n_blocked += 1,
            }
        }
        found
    }

    /// The directions across the body at a point in which both surfaces can be pressed: straight in or half
    /// way between the normals of wedged surfaces, level if the cone allows it, or leaning a little.
    fn squeezes(&self, point: &Point3<f64>, normal: &Vector3<f64>) -> Vec<Squeeze> {
        let straight = Unit::new_normalize(-normal);
        let mut ways = Vec::with_capacity(2 + 2 * LEANS.len());
        let exit = self.pieces.exit(self.load.body, point, &straight);
        let between = exit.and_then(|exit| Unit::try_new(exit.normal - normal, 1e-6));
        let middle = between.unwrap_or(straight);
        ways.push(middle);
        let level = Vector3::new(middle.x, middle.y, 0.0);
        ways.extend(Unit::try_new(level, 0.5));
        let aside = perpendicular(&middle);
        let upright = Unit::new_normalize(middle.cross(&aside));
        for axis in [aside, upright] {
            ways.extend(
                LEANS.map(|lean| Rotation3::from_axis_angle(&axis, lean * self.cone()) * middle),
            );
        }
        ways.into_iter()
            .filter_map(|closing| self.squeeze(point, normal, closing))
            .collect()
    }

    /// One of these, if it is sound.
    fn squeeze(
        &self,
        point: &Point3<f64>,
        normal: &Vector3<f64>,
        closing: Unit<Vector3<f64>>,
    ) -> Option<Squeeze> {
        let Load {
            body,
            center_of_mass,
            weight,
            friction,
        } = self.load;
        let steepest = libm::cos(self.cone());
        if -closing.dot(normal) < steepest {
            return None;
        }
        let exit = self.pieces.exit(*body, point, &closing)?;
        let fits = (THINNEST..=self.jaw.max_width_m - ROOM).contains(&exit.distance);
        if !fits || closing.dot(&exit.normal) < steepest {
            return None;
        }
        let far = point + closing.as_ref() * exit.distance;
        let near = self.feel(point, &closing)?;
        let other = self.feel(&far, &-closing)?;
        // Dry friction on both patches against the weight, which wants to turn the object.
        let middle = point + closing.as_ref() * (0.5 * exit.distance);
        let lever = center_of_mass - middle;
        let turning = weight * lever.xy().norm();
        let holding = friction * self.jaw.force_n * (near + other);
        (turning < holding).then_some(Squeeze {
            closing,
            width: exit.distance,
        })
    }

    /// How far a pad that presses along `closing` reaches with its contact, as the mean arm of its
    /// friction, m; `None` unless it finds the surface on at least three of four sides.
    fn feel(&self, point: &Point3<f64>, closing: &Unit<Vector3<f64>>) -> Option<f64> {
        let u = perpendicular(closing);
        let sides = [*u, -*u, closing.cross(&u), -closing.cross(&u)];
        let fallen = |side: &Vector3<f64>, off: f64| {
            let from = point + side * off - closing.as_ref() * 0.02;
            let hit = self.pieces.first_hit(self.load.body, &from, closing);
            hit.map_or(f64::MAX, |hit| (hit.distance - 0.02).abs())
        };
        let n_felt = sides
            .iter()
            .filter(|side| fallen(side, PATCH) < self.limits.fallen);
        if n_felt.count() < 3 {
            return None;
        }
        let arm = |sides: &[Vector3<f64>]| {
            let felt = sides
                .iter()
                .flat_map(|side| RINGS.map(|off| if fallen(side, off) < FLAT { off } else { 0.0 }));
            felt.sum::<f64>() / (sides.len() * RINGS.len()) as f64
        };
        let (across, along) = (arm(&sides[..2]), arm(&sides[2..]));
        let (least, most) = (across.min(along), across.max(along));
        Some(POINT + least + LINE * (most - least))
    }
}

/// Some unit vector at right angles; the most horizontal one where that is plain.
fn perpendicular(direction: &Unit<Vector3<f64>>) -> Unit<Vector3<f64>> {
    let upright = direction.cross(&Vector3::z());
    Unit::try_new(upright, 0.1)
        .unwrap_or_else(|| Unit::new_normalize(direction.cross(&Vector3::x())))
}
