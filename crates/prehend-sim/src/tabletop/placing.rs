//! A scene with one object in the hand, and perhaps a slot that it only fits if it is turned.

use std::f64::consts::FRAC_PI_2;

use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};
use prehend_cloud::{N_TURNS, bottom_centre, is_in_hand};
use prehend_robot::Jaw;
use prehend_types::{Pose, Stream, TableGrasp, derive_seed};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::arrange::{Arrangement, MIDDLE, fixed, yaw};
use super::pieces::Pieces;
use super::place::{HeightMap, Held, RELEASE, Turns, center_of_mass};
use super::see::{Measured, Seen, measure, measured};
use super::showing::{Showing, show};
use super::view::{HeldView, PointGrasp, TableView, label};
use crate::objects::Part;
use crate::objects::build::block;
use crate::scene::{Body, BodyMotion};

/// How far from the middle of what cameras look at an object is shown, m.
const SHOWN: f64 = 0.06;
/// Points kept of a held object, and fewest that must be seen of it: from less nobody could tell what it is.
const N_HELD: usize = 384;
const FEWEST_HELD: usize = 30;
/// Fewest points of an object that a raised hand shows: of small ones cameras do not measure more.
const FEWEST_SHOWN: usize = 12;
/// Share of drawn placing views with a slot that the object may fit as it is held.
const SLOTS: f64 = 0.15;
/// Something this much longer than wide does not fit a slot at every turn.
const LONG: f64 = 1.3;
/// Farthest from the table that a point of a slot's floor is measured, m; lower than any wall.
const FLOOR: f64 = 0.006;
/// Walls, m: the fingers must not touch them when the object is put down between them.
const LOWEST_WALL: f64 = 0.010;
const HIGHEST_WALL: f64 = 0.035;
const FINGER_GAP: f64 = 0.002;
/// Room that an object has between walls, both sides together, m: from what a look can hardly tell to what it
/// can.
const TIGHTEST: f64 = 0.018;
const WIDEST: f64 = 0.060;
/// How many objects are taken up until one can be seen well; grasps of each until it fits a slot turned.
const ATTEMPTS: usize = 4;
const TURNED_GRASPS: usize = 3;

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
    /// How it lay before it was taken up, but for turns about the vertical.
    pub lay: UnitQuaternion<f64>,
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

/// What cameras see of an object in a hand over what is left.
#[derive(Debug, Clone)]
pub struct InHand {
    /// What is left on the table.
    pub rest: Arrangement,
    /// What is in the hand; its bottom is where it was seen.
    pub carried: Carried,
    /// Everything that is not in the hand.
    pub seen: Measured,
    /// The object's points along the base's axes from its bottom centre, m.
    pub held: Vec<[f32; 3]>,
}

/// How far a hand is raised from where it grasped, m: all that it holds is in it then, and not so high that a
/// camera which looks at the table would miss it.
const LIFT: f64 = 0.20;

impl Arrangement {
    /// After body `object` was grasped and lifted: `poses` is where the bodies are, `base_from_tool` where
    /// the hand is. The hand shows it to the cameras from two opposite sides; what is in the hand is told from
    /// the rest by its place. If too little is seen, it is turned by a quarter and shown again. `None` if the rest
    /// does not come to rest, or too little is seen from every side.
    #[must_use]
    pub fn taken(
        &self,
        object: usize,
        poses: &[Pose],
        base_from_tool: &Pose,
        grasp: &TableGrasp,
        jaw: &Jaw,
        seed: u64,
    ) -> Option<InHand> {
        let mut rest = self.clone();
        let mut body = rest.bodies.remove(object);
        rest.instances.remove(object);
        let mut left = poses.to_vec();
        body.base_from_body = left.remove(object);
        let rest = rest.moved(&left)?;
        let at = base_from_tool.translation.vector;
        let height = grasp.base_from_tool().translation.z + LIFT;
        let shown = Translation3::new(MIDDLE[0], MIDDLE[1], height);
        let there = Translation3::from(-at);
        (0..2).find_map(|quarter| {
            let shown = shown * yaw(FRAC_PI_2 * f64::from(quarter)) * there;
            let carried = Carried {
                body: Body {
                    base_from_body: shown * body.base_from_body,
                    motion: BodyMotion::Fixed,
                    ..body.clone()
                },
                base_from_tool: shown * base_from_tool,
                opening: grasp.opening(jaw.max_width_m),
                bottom: Point3::origin(),
                lay: self.bodies[object].base_from_body.rotation,
            };
            rest.shown(carried, grasp.width, jaw, seed)
        })
    }

    /// What is seen of an object in the hand over what stands here; `None` if it is too little.
    fn shown(&self, mut carried: Carried, width: f64, jaw: &Jaw, seed: u64) -> Option<InHand> {
        let tool = carried.base_from_tool.translation.vector.into();
        let is_held = |seen: &Seen| is_in_hand(&seen.point, &tool);
        let Showing { scene, held } = show(&self.bodies, &carried, width, jaw, seed, is_held);
        if held.len() < FEWEST_SHOWN {
            return None;
        }
        carried.bottom = bottom_centre(&held)?;
        let origin = carried.bottom.coords.cast::<f32>();
        let held = held.iter().map(|p| (Vector3::from(*p) - origin).into());
        Some(InHand {
            rest: self.clone(),
            held: held.collect(),
            carried,
            seen: measured(scene, seed, usize::MAX),
        })
    }
}

/// The inside of four walls on the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot {
    /// Its middle, x along its length.
    pub base_from_slot: Pose,
    /// Length and width, m.
    pub inner: [f64; 2],
    /// How much longer and wider it is than the object's least rectangle, m.
    pub room: f64,
}

impl Slot {
    /// Its middle on the table, m.
    #[must_use]
    pub fn middle(&self) -> [f64; 2] {
        let at = self.base_from_slot.translation.vector;
        [at.x, at.y]
    }

    /// Whether a point lies inside, on the floor: walls that noise moved inwards are not meant.
    #[must_use]
    pub fn contains(&self, point: &Point3<f64>) -> bool {
        let off = self.base_from_slot.inverse_transform_point(point);
        off.x.abs() < 0.5 * self.inner[0]
            && off.y.abs() < 0.5 * self.inner[1]
            && off.z.abs() < FLOOR
    }
}

/// Which slot a scene is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    /// None.
    Free,
    /// One that runs anyhow.
    Slot,
    /// One that the object does not fit as it is held.
    Reorient,
}

/// Takes one object up and looks again: once for what is drawn, once where it has to be turned.
pub(crate) fn placings(
    arrangement: &Arrangement,
    picking: &TableView,
    jaw: &Jaw,
    seed: u64,
) -> Vec<Placing> {
    let drawn = |rng: &mut ChaCha8Rng| match rng.random_bool(SLOTS) {
        true => Task::Slot,
        false => Task::Free,
    };
    let looks = (1..=2).filter_map(|look| {
        let seed = derive_seed(seed, Stream::Labels, look);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let task = if look == 1 {
            drawn(&mut rng)
        } else {
            Task::Reorient
        };
        placing(arrangement, picking, jaw, task, seed, &mut rng)
    });
    looks.collect()
}

fn placing(
    arrangement: &Arrangement,
    picking: &TableView,
    jaw: &Jaw,
    task: Task,
    seed: u64,
    rng: &mut ChaCha8Rng,
) -> Option<Placing> {
    // An object first, so that large ones are not carried more often.
    let mut objects: Vec<u8> = picking
        .grasps
        .iter()
        .filter_map(|grasp| picking.objects[usize::from(grasp.point)])
        .collect();
    objects.sort_unstable();
    objects.dedup();
    objects.shuffle(rng);
    let mut attempt = |object: u8| {
        let grasps: Vec<&PointGrasp> = picking
            .grasps
            .iter()
            .filter(|grasp| picking.objects[usize::from(grasp.point)] == Some(object))
            .collect();
        let grasp = grasps.choose(rng)?.at(&picking.points);
        take_up(
            arrangement,
            usize::from(object),
            &grasp,
            jaw,
            task,
            seed,
            rng,
        )
    };
    // Each object again with another grasp, which may leave more room for the walls.
    let attempts = if task == Task::Reorient {
        objects.len() * TURNED_GRASPS
    } else {
        ATTEMPTS
    };
    objects
        .iter()
        .cycle()
        .take(attempts)
        .find_map(|object| attempt(*object))
}

/// One object in the hand; `None` if the hand is in the way, too little is seen, or the slot is not what
/// the task asks for.
fn take_up(
    arrangement: &Arrangement,
    object: usize,
    grasp: &TableGrasp,
    jaw: &Jaw,
    task: Task,
    seed: u64,
    rng: &mut ChaCha8Rng,
) -> Option<Placing> {
    let mut carried = carry(&arrangement.bodies[object], grasp, jaw, rng)?;
    let shadow = Shadow::of(&carried, jaw)?;
    let is_long = shadow.size.x > LONG * shadow.size.y;
    if task == Task::Reorient && !(is_long && shadow.clearance > LOWEST_WALL) {
        return None;
    }
    let mut rest = arrangement.without(object)?;
    let mut slot = None;
    if task != Task::Free {
        let (body, inside) = walls(&shadow, &rest.pieces(), rest.bodies.len(), rng)?;
        rest.bodies.push(body);
        slot = Some(inside);
    }
    let camera = derive_seed(seed, Stream::Camera, 2);
    let is_held = |seen: &Seen| seen.body == Some(rest.bodies.len());
    let Showing { scene, mut held } =
        show(&rest.bodies, &carried, grasp.width, jaw, camera, is_held);
    if held.len() < FEWEST_HELD {
        return None;
    }
    carried.bottom = bottom_centre(&held)?;
    let pieces = rest.pieces();
    let focus = slot.map(|slot| slot.middle());
    let view = label(
        &rest,
        &pieces,
        &scene,
        jaw,
        focus,
        derive_seed(seed, Stream::Labels, 2),
    );
    let turns = fitting(&view, &HeightMap::new(&pieces), &carried, jaw);
    let mut placing = Placing {
        rest,
        carried,
        view,
        slot,
    };
    if task == Task::Reorient && !placing.needs_turn(&turns) {
        return None;
    }
    held.shuffle(rng);
    held.truncate(N_HELD);
    let bottom = placing.carried.bottom.coords.cast::<f32>();
    for point in &mut held {
        *point = (Vector3::from(*point) - bottom).into();
    }
    placing.view.held = Some(HeldView {
        points: held,
        turns,
        focus: focus.map(|at| at.map(|v| v as f32)),
    });
    Some(placing)
}

/// For every point of a view, at which turns the object may be put there.
fn fitting(view: &TableView, map: &HeightMap, carried: &Carried, jaw: &Jaw) -> Vec<Turns> {
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
    let points = view.points.iter();
    points.map(|point| mover.fits(map, point)).collect()
}

impl Placing {
    /// What stands there, seen anew past the hand and what it holds: at most `most` points in random order.
    #[must_use]
    pub fn measure(&self, jaw: &Jaw, seed: u64, most: usize) -> Measured {
        let Carried {
            body,
            base_from_tool,
            opening,
            ..
        } = &self.carried;
        let hand = fixed(hand_parts(jaw, *opening), *base_from_tool);
        measure(&self.rest.bodies, &[body.clone(), hand], seed, most)
    }

    /// Whether the object goes into the slot, but nowhere as it is held.
    fn needs_turn(&self, turns: &[Turns]) -> bool {
        let inside = |point: &[f32; 3]| {
            let point = Point3::from(Vector3::from(*point).cast::<f64>());
            self.slot.is_some_and(|slot| slot.contains(&point))
        };
        let mut fits = 0;
        for (point, turns) in self.view.points.iter().zip(turns) {
            if inside(point) {
                if (turns.fit | turns.unsure) & 1 == 1 {
                    return false;
                }
                fits |= turns.fit;
            }
        }
        fits != 0
    }
}

/// The object straight up from where it lay, turned and moved with the hand to where cameras see all of it.
fn carry(body: &Body, grasp: &TableGrasp, jaw: &Jaw, rng: &mut ChaCha8Rng) -> Option<Carried> {
    let tool = grasp.base_from_tool();
    let at = tool.translation.vector;
    let to = Vector3::new(
        MIDDLE[0] + rng.random_range(-SHOWN..SHOWN),
        MIDDLE[1] + rng.random_range(-SHOWN..SHOWN),
        rng.random_range(0.22..0.30),
    );
    let turn = Pose::from_parts(Translation3::from(to), yaw(rng.random_range(-3.1..3.1)))
        * Pose::translation(-at.x, -at.y, -at.z);
    let lay = body.base_from_body.rotation;
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
        lay,
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

/// The least rectangle around a carried object, seen from above.
struct Shadow {
    /// Direction of its length, rad.
    angle: f64,
    /// Length along x, width along y, m.
    size: Vector3<f64>,
    /// Height of the lowest part of the hand over the object's lowest point when it is let go, m.
    clearance: f64,
}

impl Shadow {
    fn of(carried: &Carried, jaw: &Jaw) -> Option<Self> {
        let mut hand = Pieces::default();
        hand.add(
            0,
            &hand_parts(jaw, carried.opening),
            &carried.base_from_tool,
        );
        let mut object = Pieces::default();
        object.add(0, &carried.body.parts, &carried.body.base_from_body);
        let clearance = hand.bounds()?[0].z - object.bounds()?[0].z + RELEASE - FINGER_GAP;
        let extent = |angle: f64| {
            let mut own = Pieces::default();
            let about = Pose::from_parts(Translation3::identity(), yaw(-angle));
            let body = &carried.body;
            own.add(0, &body.parts, &(about * body.base_from_body));
            own.bounds().map(|[low, high]| high - low)
        };
        (0..36)
            .map(|i| std::f64::consts::PI * f64::from(i) / 36.0)
            .filter_map(|angle| {
                Some(Self {
                    angle,
                    size: extent(angle)?,
                    clearance,
                })
            })
            .min_by(|a, b| a.size.y.total_cmp(&b.size.y))
    }
}

/// Walls around a place that takes an object at one of the eight turns.
fn walls(
    shadow: &Shadow,
    standing: &Pieces,
    index: usize,
    rng: &mut ChaCha8Rng,
) -> Option<(Body, Slot)> {
    let turn = rng.random_range(0..N_TURNS);
    let tilt = rng.random_range(-0.05..0.05);
    let facing = shadow.angle + std::f64::consts::TAU * turn as f64 / N_TURNS as f64 + tilt;
    let room = rng.random_range(TIGHTEST..WIDEST);
    let [length, width] = [shadow.size.x + room, shadow.size.y + room];
    let height = rng
        .random_range(LOWEST_WALL..HIGHEST_WALL)
        .min(shadow.clearance);
    if height < LOWEST_WALL {
        return None;
    }
    let thick = 0.008;
    let [x, y] = [0.5 * (length + thick), 0.5 * (width + thick)];
    let parts = vec![
        block([length + 2.0 * thick, thick, height], [0.0, y, 0.0]),
        block([length + 2.0 * thick, thick, height], [0.0, -y, 0.0]),
        block([thick, width, height], [x, 0.0, 0.0]),
        block([thick, width, height], [-x, 0.0, 0.0]),
    ];
    for _ in 0..60 {
        let at = Translation3::new(
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
                room,
            };
            return Some((body, slot));
        }
    }
    None
}
