//! Objects at rest on a table: packed side by side, in a pile, or on two heights.

use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};
use prehend_types::{Pose, Role, Stream, derive_seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::bench::Bench;
use super::pieces::Pieces;
use super::source::ObjectSource;
use crate::objects::Part;
use crate::objects::build::block;
use crate::scene::{Body, BodyMotion};

/// How objects came to lie where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrangementKind {
    /// Put down upright, side by side.
    Packed,
    /// Dropped in any orientation.
    Pile,
    /// Put down upright, some of them on a platform.
    Raised,
}

/// What lies on the table: a pure function of seed, source and number of objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrangement {
    /// Its seed.
    pub seed: u64,
    /// How it came about.
    pub kind: ArrangementKind,
    /// Names of the objects, in the order of the bodies.
    pub instances: Vec<String>,
    /// The objects at rest, then what is fixed.
    pub bodies: Vec<Body>,
}

/// Middle of the area that objects stand on, m; it ends [`HALF_AREA`] from there.
pub(crate) const MIDDLE: [f64; 2] = [0.47, 0.0];
const HALF_AREA: [f64; 2] = [0.15, 0.20];
/// Half the area that piles are dropped over.
const HALF_PILE: f64 = 0.07;
/// What is farther from the middle than this at rest is off the scene, m.
const OFF: f64 = 0.33;
/// Least gap between objects that are put down, m.
const GAP: f64 = 0.006;
const ATTEMPTS: u64 = 12;

impl Arrangement {
    /// Draws objects, puts or drops them, and lets them come to rest. `n_objects` is drawn from one to
    /// ten if it is not given. `None` if that fails time and again.
    #[must_use]
    pub fn new(
        seed: u64,
        objects: impl Into<ObjectSource>,
        n_objects: Option<usize>,
    ) -> Option<Self> {
        let objects = objects.into();
        (0..ATTEMPTS).find_map(|attempt| Self::attempt(seed, attempt, &objects, n_objects))
    }

    fn attempt(
        seed: u64,
        attempt: u64,
        objects: &ObjectSource,
        n_objects: Option<usize>,
    ) -> Option<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Scene, attempt));
        let n_objects = n_objects.unwrap_or_else(|| rng.random_range(1..=10));
        let kind = match rng.random_range(0..20_u8) {
            0..10 => ArrangementKind::Packed,
            10..17 => ArrangementKind::Pile,
            _ => ArrangementKind::Raised,
        };
        let platform = (kind == ArrangementKind::Raised).then(|| platform(&mut rng));
        let mut standing = Pieces::default();
        if let Some(body) = &platform {
            standing.add(usize::MAX, &body.parts, &body.base_from_body);
        }
        let (mut instances, mut bodies) = (Vec::new(), Vec::new());
        for index in 0..n_objects {
            let (name, object) = objects.draw(&mut rng);
            let mut body = object.body(&Pose::identity());
            body.base_from_body = match kind {
                ArrangementKind::Pile => dropped(&mut rng, index),
                ArrangementKind::Packed | ArrangementKind::Raised => {
                    put_down(&mut rng, &body.parts, index, &mut standing)?
                }
            };
            instances.push(name);
            bodies.push(body);
        }
        bodies.extend(platform);
        settle(&mut bodies)?;
        Some(Self {
            seed,
            kind,
            instances,
            bodies,
        })
    }

    /// The same without one object, and after whatever lay on it has come to rest; `None` if it does not.
    #[must_use]
    pub fn without(&self, object: usize) -> Option<Self> {
        let mut rest = self.clone();
        rest.bodies.remove(object);
        rest.instances.remove(object);
        settle(&mut rest.bodies)?;
        Some(rest)
    }

    /// The same with every body put somewhere, and after all has come to rest.
    #[must_use]
    pub fn moved(&self, poses: &[Pose]) -> Option<Self> {
        let mut after = self.clone();
        for (body, pose) in after.bodies.iter_mut().zip(poses) {
            body.base_from_body = *pose;
        }
        settle(&mut after.bodies)?;
        Some(after)
    }

    /// Every body's pieces where they lie, numbered as the bodies are.
    pub(crate) fn pieces(&self) -> Pieces {
        let mut pieces = Pieces::default();
        for (index, body) in self.bodies.iter().enumerate() {
            pieces.add(index, &body.parts, &body.base_from_body);
        }
        pieces
    }
}

/// Lets the bodies come to rest; `None` if they do not, or not on the scene.
fn settle(bodies: &mut [Body]) -> Option<()> {
    let mut bench = Bench::new(bodies);
    if !bench.settle(4.0) {
        return None;
    }
    for (index, body) in bodies.iter_mut().enumerate() {
        if !body.can_move() {
            continue;
        }
        body.base_from_body = bench.pose(index);
        let at = body.base_from_body.translation.vector;
        let is_off = libm::hypot(at.x - MIDDLE[0], at.y - MIDDLE[1]) > OFF;
        if is_off || !at.z.is_finite() || at.z < -0.002 {
            return None;
        }
    }
    Some(())
}

fn platform(rng: &mut ChaCha8Rng) -> Body {
    let size = [
        rng.random_range(0.14..0.24),
        rng.random_range(0.16..0.28),
        rng.random_range(0.03..0.10),
    ];
    let at = Translation3::new(
        MIDDLE[0] + rng.random_range(-0.06..0.06),
        rng.random_range(-0.08..0.08),
        0.0,
    );
    fixed(
        vec![block(size, [0.0; 3])],
        Pose::from_parts(at, yaw(rng.random_range(-0.4..0.4))),
    )
}

/// A body that does not move.
pub(crate) fn fixed(parts: Vec<Part>, base_from_body: Pose) -> Body {
    Body {
        parts,
        role: Role::Receptacle,
        motion: BodyMotion::Fixed,
        mass: 1.0,
        friction: 0.6,
        base_from_body,
    }
}

pub(crate) fn yaw(angle: f64) -> UnitQuaternion<f64> {
    UnitQuaternion::from_axis_angle(&Vector3::z_axis(), angle)
}

fn dropped(rng: &mut ChaCha8Rng, index: usize) -> Pose {
    let at = Translation3::new(
        MIDDLE[0] + rng.random_range(-HALF_PILE..HALF_PILE),
        MIDDLE[1] + rng.random_range(-HALF_PILE..HALF_PILE),
        0.10 + 0.11 * index as f64,
    );
    let [a, b, c] = std::array::from_fn(|_| rng.random_range(-3.1..3.1));
    Pose::from_parts(at, UnitQuaternion::from_euler_angles(a, b, c))
}

/// A free place, upright, beside or on what stands; adds the object there.
fn put_down(
    rng: &mut ChaCha8Rng,
    parts: &[Part],
    index: usize,
    standing: &mut Pieces,
) -> Option<Pose> {
    for _ in 0..60 {
        let [x, y] =
            [0, 1].map(|axis| MIDDLE[axis] + rng.random_range(-HALF_AREA[axis]..HALF_AREA[axis]));
        let turn = yaw(rng.random_range(-3.1..3.1));
        let ground = standing_height(standing, x, y);
        let pose = Pose::from_parts(Translation3::new(x, y, ground + 1e-3), turn);
        let mut own = Pieces::default();
        own.add(index, parts, &pose);
        let is_level = ground == 0.0 || is_supported(&own, standing, ground);
        if is_level && !own.are_near(standing, GAP, |body| body != usize::MAX || ground == 0.0) {
            standing.0.extend(own.0);
            return Some(pose);
        }
    }
    None
}

/// Height of the platform there, m.
fn standing_height(standing: &Pieces, x: f64, y: f64) -> f64 {
    let platform = standing.0.iter().filter(|piece| piece.body == usize::MAX);
    Pieces(platform.cloned().collect()).top(x, y).unwrap_or(0.0)
}

/// Whether the platform reaches under the whole object.
fn is_supported(own: &Pieces, standing: &Pieces, ground: f64) -> bool {
    own.bounds().is_some_and(|[low, high]| {
        [low.x, high.x].into_iter().all(|x| {
            [low.y, high.y]
                .into_iter()
                .all(|y| (standing_height(standing, x, y) - ground).abs() < 1e-6)
        })
    })
}

/// Middle of the area that objects are arranged in, on the table, base frame, m.
pub(crate) fn middle() -> Point3<f64> {
    Point3::new(MIDDLE[0], MIDDLE[1], 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tabletop::Split;

    #[test]
    fn equal_seeds_give_equal_arrangements_at_rest() {
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..12 {
            let first = Arrangement::new(seed, Split::Train, None).expect("arranged");
            let second = Arrangement::new(seed, Split::Train, None).expect("arranged");
            assert_eq!(first, second);
            kinds.insert(format!("{:?}", first.kind));
            let mut bench = Bench::new(&first.bodies);
            assert!(bench.settle(1.0), "seed {seed} moves on");
            for (index, body) in first.bodies.iter().enumerate() {
                let moved =
                    bench.pose(index).translation.vector - body.base_from_body.translation.vector;
                assert!(moved.norm() < 2e-3, "seed {seed}: {moved}");
            }
        }
        assert!(kinds.len() > 1);
    }
}
