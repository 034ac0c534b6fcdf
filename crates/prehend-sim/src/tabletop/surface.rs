//! Points all over an object, as lines from outside meet it.

use nalgebra::{Point3, Unit, Vector3};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::pieces::{Meeting, Pieces};

/// Facing surfaces whose normals differ by more than this from opposite cannot be squeezed, rad: twice
/// what one finger may be off on a lump.
const FACING: f64 = 0.84;
/// Surfaces nearer than this are an edge, not a thickness, m.
const EDGE: f64 = 1e-3;

/// A surface that points are drawn from.
pub(super) struct Surface<'a> {
    pieces: &'a Pieces,
    middle: Point3<f64>,
    radius: f64,
}

/// One point of it.
pub(super) struct SurfacePoint {
    pub point: Point3<f64>,
    /// Outwards.
    pub normal: Vector3<f64>,
}

impl<'a> Surface<'a> {
    /// The surface of body 0; `None` if there are no pieces.
    pub fn new(pieces: &'a Pieces) -> Option<Self> {
        let [low, high] = pieces.bounds()?;
        Some(Self {
            pieces,
            middle: Point3::from(0.5 * (low + high)),
            radius: 0.5 * (high - low).norm(),
        })
    }

    /// Where a random line first meets the surface; `None` if it goes past. Lines are uniform over all
    /// directions and places, so that every part of the surface is met in proportion to its area (and
    /// to how much of it can be seen from outside).
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Option<SurfacePoint> {
        let height = rng.random_range(-1.0..1.0_f64);
        let angle = rng.random_range(0.0..std::f64::consts::TAU);
        let flat = (1.0 - height * height).sqrt();
        let along = Vector3::new(flat * libm::cos(angle), flat * libm::sin(angle), height);
        let along = Unit::new_normalize(along);
        // Uniform over the disc that the ball around everything shows to this direction.
        let out = self.radius * rng.random_range(0.0..1.0_f64).sqrt();
        let around = rng.random_range(0.0..std::f64::consts::TAU);
        let least = Vector3::ith(along.iamin(), 1.0);
        let u = along.cross(&least).normalize();
        let v = along.cross(&u);
        let beside = out * (libm::cos(around) * u + libm::sin(around) * v);
        let from = self.middle + beside - along.as_ref() * (self.radius + 0.01);
        let Meeting { distance, normal } = self.pieces.first_hit(0, &from, &along)?;
        Some(SurfacePoint {
            point: from + along.as_ref() * distance,
            normal,
        })
    }

    /// The least distance between facing surfaces that `n` lines came upon, m: what a gripper has to
    /// open to at the least. `None` if no two surfaces face each other.
    pub fn narrowest(&self, n: usize, rng: &mut ChaCha8Rng) -> Option<f64> {
        let met = (0..n).filter_map(|_| self.draw(rng));
        met.filter_map(|met| self.thickness(&met))
            .min_by(f64::total_cmp)
    }

    fn thickness(&self, met: &SurfacePoint) -> Option<f64> {
        let inwards = Unit::try_new(-met.normal, 1e-6)?;
        let exit = self.pieces.exit(0, &met.point, &inwards)?;
        let is_facing = exit.normal.dot(&inwards) > libm::cos(FACING);
        (is_facing && exit.distance > EDGE).then_some(exit.distance)
    }
}

#[cfg(test)]
mod tests {
    use prehend_types::Pose;
    use rand::SeedableRng;

    use super::*;
    use crate::objects::build::{block, sphere};

    #[test]
    fn points_lie_on_the_surface_in_proportion_to_area() {
        let mut pieces = Pieces::default();
        let size = [0.1, 0.05, 0.02];
        pieces.add(0, &[block(size, [0.0; 3])], &Pose::identity());
        let surface = Surface::new(&pieces).expect("a block");
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut met = [0_u32; 3];
        for _ in 0..4_000 {
            let Some(SurfacePoint { point, normal }) = surface.draw(&mut rng) else {
                continue;
            };
            let axis = normal.iamax();
            let center = [0.0, 0.0, 0.01];
            assert!(((point[axis] - center[axis]).abs() - 0.5 * size[axis]).abs() < 1e-5);
            met[axis] += 1;
        }
        let total: u32 = met.iter().sum();
        let areas = [0.05 * 0.02, 0.1 * 0.02, 0.1 * 0.05];
        let whole: f64 = areas.iter().sum();
        for (axis, area) in areas.into_iter().enumerate() {
            let share = f64::from(met[axis]) / f64::from(total);
            assert!((share - area / whole).abs() < 0.04, "{axis}: {share}");
        }
    }

    #[test]
    fn the_narrowest_place_is_the_thinnest_side() {
        let narrowest = |part| {
            let mut pieces = Pieces::default();
            pieces.add(0, &[part], &Pose::identity());
            let mut rng = ChaCha8Rng::seed_from_u64(7);
            Surface::new(&pieces)?.narrowest(300, &mut rng)
        };
        let board = narrowest(block([0.08, 0.05, 0.02], [0.0; 3])).expect("a board");
        assert!((board - 0.02).abs() < 1e-5, "{board}");
        let ball = narrowest(sphere(0.03)).expect("a ball");
        assert!((ball - 0.06).abs() < 1e-3, "{ball}");
    }
}
